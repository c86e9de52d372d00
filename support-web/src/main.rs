//! The program `support-web`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    support_web::main()
}
