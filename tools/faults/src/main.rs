//! The program `faults`: the command line of the fault run.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use faults::Options;

/// Injects faults into the real system while orders go through it, and says which promises are broken.
#[derive(Parser)]
#[command(version)]
struct Flags {
    #[command(flatten)]
    options: Options,
    /// Runs with so many seeds, one after another, from `--seed` on; with `--bug`, until one of them finds it
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether no run has broken a promise, or one has found the planted bug.
async fn run(Flags { options, seeds }: Flags) -> Result<bool> {
    let mut is_clean = true;
    for seed in options.seed..options.seed + seeds {
        let tally = faults::run(&Options { seed, ..options.clone() }).await?;
        println!("seed {seed}\n{tally}");
        is_clean &= tally.is_clean();
        if options.bug.is_some() && !tally.is_clean() {
            return Ok(true);
        }
    }
    Ok(is_clean && options.bug.is_none())
}
