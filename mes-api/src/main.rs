//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<mes_api::MesApi>()
}
