//! `alexandrite`: the whole system on this machine, without containers.

use std::process::ExitCode;

fn main() -> ExitCode {
    local::cli::main()
}
