//! Measures the real system against baselines, and prints one table of ratios.
//!
//! `rows` has one module for each topic of the table. A system and its baseline are measured in turns, in several
//! rounds, so that other load on the machine affects both alike. `growth` measures how rates and durations grow, and
//! plots them; `costs` counts what an order costs in each part. All other modules are shared by them.

mod costs;
mod dataset;
mod growth;
mod history;
mod instance;
mod journal;
mod load;
mod message_floor;
mod order_script;
mod order_template;
mod otlp_receiver;
mod pgbench;
mod process;
mod progress;
mod records;
mod responder;
mod rounds;
mod rows;
mod table;
mod testbed;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum as _};

use progress::say;
use rows::Topic;

/// Measures the real system against baselines.
///
/// Build it with `--release`: it measures services of its own build profile.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Flags {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only these topics of the table [default: all]
    topics: Vec<Topic>,
    /// Rounds that each pair is measured in
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Orders whose lists are read
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    /// Records that Support's page finds an order among
    #[arg(long, default_value_t = 10_000_000)]
    records: u64,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plots how rate and duration grow with connections, orders and replicas
    Growth {
        /// The folder for the plots
        #[arg(long, default_value = "docs/performance")]
        to: PathBuf,
    },
    /// Prints what one order costs in each part, and what so many a second would need
    Costs,
    /// Reads and measures one model; a separate process shows how much memory that takes
    #[command(hide = true)]
    Measure { file: PathBuf },
    /// Only responds, in a separate process, which shows what HTTP alone costs
    #[command(hide = true)]
    Respond,
}

/// Does what the flags say, and prints it.
///
/// # Errors
///
/// If something can't be measured. The rows of the other topics are printed all the same.
pub async fn run(flags: Flags) -> Result<()> {
    match flags.command {
        Some(Command::Growth { to }) => return growth::plot_all(&to).await,
        Some(Command::Costs) => return costs::print().await,
        Some(Command::Measure { file }) => {
            println!("{}", rows::models::measure_file(&file).await?);
            return Ok(());
        }
        Some(Command::Respond) => return responder::respond().await,
        None => {}
    }
    let topics = if flags.topics.is_empty() { Topic::value_variants().to_vec() } else { flags.topics };
    let (mut rows, mut outcome) = (Vec::new(), Ok(()));
    for topic in topics {
        say(format!("{topic}:"));
        match topic.measure(flags.rounds, flags.orders, flags.records).await {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                say(format!("  failed: {error:#}"));
                outcome = outcome.and(Err(error.context(format!("measuring {topic}"))));
            }
        }
    }
    println!("{}", table::of(&rows));
    outcome
}
