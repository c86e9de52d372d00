//! The program `faults`: the command line of the fault run.

use std::process::ExitCode;

use clap::Parser;

/// Injects faults into the real system while orders go through it, and counts what is lost.
#[derive(Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    options: faults::Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    match faults::run(&Flags::parse().options).await {
        Ok(tally) => {
            println!("{tally}");
            if tally.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
