//! The program `crm-api`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<crm_api::CrmApi>()
}
