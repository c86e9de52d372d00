//! The program `bench`: measures the real system beside what it could be at best, and prints one table of ratios.
//!
//! [`rows`] has one module for each line of the table; each measures its pairs in turns, several rounds, so that whatever
//! else the machine does falls on both alike. [`growth`] measures how the costs grow, and draws it. Everything else here
//! is what both are measured with.

mod customer;
mod dataset;
mod growth;
mod instance;
mod load;
mod order_template;
mod otlp_receiver;
mod pgbench;
mod process;
mod rows;
mod table;
mod testbed;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use rows::Topic;

/// Measures the real system beside what it could be at best.
///
/// Build it with `--release`: it measures the services that it was built with.
#[derive(Parser)]
#[command(version)]
struct Flags {
    #[command(subcommand)]
    growth: Option<Growth>,
    /// Only these lines of the table [default: all]
    topics: Vec<Topic>,
    /// How often each pair is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[derive(Subcommand)]
enum Growth {
    /// Draws how rate and duration grow with connections, orders and replicas
    Growth {
        /// The folder for the drawings
        #[arg(long, default_value = "docs/performance")]
        to: PathBuf,
    },
    /// Reads and measures one model; a process of its own shows what memory that takes
    #[command(hide = true)]
    Measure { file: PathBuf },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<()> {
    match flags.growth {
        Some(Growth::Growth { to }) => return growth::draw(&to).await,
        Some(Growth::Measure { file }) => {
            println!("{}", rows::models::measure_once(&file).await?);
            return Ok(());
        }
        None => {}
    }
    let topics = if flags.topics.is_empty() { Topic::ALL.to_vec() } else { flags.topics };
    let (mut rows, mut outcome) = (Vec::new(), Ok(()));
    for topic in topics {
        say(format!("{topic}:"));
        match topic.measure(flags.rounds).await {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                // What the others have measured is not to be lost.
                say(format!("  failed: {error:#}"));
                outcome = outcome.and(Err(error.context(format!("measuring {topic}"))));
            }
        }
    }
    println!("{}", table::of(&rows));
    outcome
}

/// Says how far it is; the table alone goes to standard output.
fn say(text: impl std::fmt::Display) {
    eprintln!("{text}");
}
