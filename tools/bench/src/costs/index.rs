//! The size of a record in Elasticsearch, and how soon an order's trail is read, by the codec of the indices.

use std::{fmt, time::Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use testkit::search::{Search, matching};

use crate::{
    records::{RECORDS, call},
    table::percentile,
};

/// Orders whose trails are read, each once.
const TRAILS: usize = 300;

/// What a codec makes of the records.
pub(super) struct OfCodec {
    /// Bytes of a record in indices of one segment each, as the lifecycle policy leaves them.
    pub(super) bytes: f64,
    /// Milliseconds for an order's trail.
    trail: f64,
}

impl fmt::Display for OfCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} bytes, an order's trail in {:.1} ms", self.bytes, self.trail)
    }
}

/// With Elasticsearch's default codec, and with `best_compression`, which the index template asks for.
pub(super) async fn by_codec(administrator: &Search, orders: &[String]) -> Result<[OfCodec; 2]> {
    let indices = call(administrator, Method::GET, &format!("{RECORDS}/_stats/docs"), None).await?;
    let indices: Vec<String> = indices["indices"].as_object().context("no indices")?.keys().cloned().collect();
    Ok([
        of_codec(administrator, &indices, orders, "default").await?,
        of_codec(administrator, &indices, orders, "best_compression").await?,
    ])
}

async fn of_codec(administrator: &Search, indices: &[String], orders: &[String], codec: &str) -> Result<OfCodec> {
    for index in indices {
        rewrite(administrator, index, codec).await?;
    }
    let stats = call(administrator, Method::GET, &format!("{RECORDS}/_stats/store,docs"), None).await?;
    let figure = |group: &str, name: &str| stats["_all"]["total"][group][name].as_f64().context("no statistics");
    let bytes = figure("store", "size_in_bytes")? / figure("docs", "count")?;
    let mut durations = Vec::with_capacity(TRAILS);
    for order in orders.iter().take(TRAILS) {
        let begun = Instant::now();
        let trail = administrator.documents(&matching(&[("order.id", order)])).await;
        durations.push(begun.elapsed().as_secs_f64() * 1000.0);
        ensure!(trail.len() > 30, "{order} has {} records", trail.len());
    }
    durations.sort_by(f64::total_cmp);
    Ok(OfCodec { bytes, trail: percentile(&durations, 50) })
}

/// Writes an index anew with this codec.
async fn rewrite(administrator: &Search, index: &str, codec: &str) -> Result<()> {
    call(administrator, Method::POST, &format!("{index}/_close"), None).await?;
    call(administrator, Method::PUT, &format!("{index}/_settings"), Some(&json!({"index.codec": codec}))).await?;
    call(administrator, Method::POST, &format!("{index}/_open?wait_for_active_shards=1"), None).await?;
    // An index of one segment isn't written anew unless it gets another one.
    let found = call(administrator, Method::GET, &format!("{index}/_search?size=1"), None).await?;
    let record = &found["hits"]["hits"][0]["_source"];
    call(administrator, Method::POST, &format!("{index}/_doc?refresh=true"), Some(record)).await?;
    call(administrator, Method::POST, &format!("{index}/_forcemerge?max_num_segments=1"), None).await.map(drop)
}
