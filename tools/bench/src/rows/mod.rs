//! The rows of the table, by topic.

mod command;
mod flood;
mod lists;
mod messages;
mod metrics;
pub(crate) mod models;
mod orders;
mod shipping;
mod sizes;
mod starts;
mod support;
mod telemetry;
mod uploads;

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use crate::table::Row;

/// A topic: rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// Orders over HTTP: against the database alone, and their cost
    Orders,
    /// What records, spans and the journal cost
    Telemetry,
    /// What metrics cost, in throughput and memory
    Metrics,
    /// What customers feel of a flood
    Flood,
    /// From a submitted order to the MES, against the broker alone
    Messages,
    /// Reading and measuring models, against trimesh
    Models,
    /// Lists, with many orders against few
    Lists,
    /// Uploading a model, against a plain file server
    Uploads,
    /// From a line on standard output to a record that a search finds
    Shipping,
    /// Support's page of an order, among the records of 180 days
    Support,
    /// From `cargo run` to ready
    Starts,
    /// Programs and container images
    Sizes,
}

impl Topic {
    /// Measures the topic in this many rounds; lists are those of so many `orders`, and Support's page finds its order among so
    /// many `records`.
    pub(crate) async fn measure(self, rounds: usize, orders: u64, records: u64) -> Result<Vec<Row>> {
        match self {
            Self::Orders => orders::measure(rounds).await,
            Self::Telemetry => telemetry::measure(rounds).await,
            Self::Metrics => metrics::measure(rounds).await,
            Self::Flood => flood::measure(rounds).await,
            Self::Messages => messages::measure(rounds).await,
            Self::Models => models::measure(rounds).await,
            Self::Lists => lists::measure(rounds, orders).await,
            Self::Uploads => uploads::measure(rounds).await,
            Self::Shipping => shipping::measure(rounds).await,
            Self::Support => support::measure(rounds, records).await,
            Self::Starts => tokio::task::block_in_place(|| starts::measure(rounds)),
            Self::Sizes => tokio::task::block_in_place(sizes::measure),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
