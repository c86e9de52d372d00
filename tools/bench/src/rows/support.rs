//! Support's page of an order, among the records of 180 days.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use local::Kind;
use reqwest::Method;
use testkit::{order_lifecycle, search::Search, site::Site, support_page::PageClient};
use time::{Duration, OffsetDateTime};

use crate::{
    history::History,
    progress::say,
    records::{RECORDS, call},
    table::{Goal, Row, Spread, percentile},
    testbed::Testbed,
};

/// Pages of a round, each of another order, so that nothing of it is in a cache.
const PAGES: usize = 300;
const GOAL_MS: f64 = 300.0;

/// The durations of a round's pages in milliseconds, the shortest first.
struct Round(Vec<f64>);

impl Round {
    fn percentile(&self, percent: usize) -> f64 {
        percentile(&self.0, percent)
    }
}

pub(super) async fn measure(rounds: usize, records: u64) -> Result<Vec<Row>> {
    let testbed = Testbed::start(&[Kind::Shipper, Kind::Services, Kind::SupportWeb], &[])?;
    let file = testbed.file();
    let elasticsearch = file.elasticsearch.as_deref().context("Elasticsearch doesn't run")?;
    let [support, administrator] = [&file.accounts.support, &file.accounts.administrator]
        .map(|account| account.as_ref().context("Elasticsearch has no such account"));
    let (support, administrator) = (support?, administrator?);
    let search = Search::new(elasticsearch, support);

    let order = order_lifecycle::a_customers_order(&Site::of(file), &search).await;
    let history = History::of(&order, &search.documents(&testkit::search::matching(&[("order.id", &order)])).await)?;
    let orders = history.orders(records);
    let begun = Instant::now();
    let written = history.write(elasticsearch, administrator, orders).await?;
    let administrator = Search::new(elasticsearch, administrator);
    merge(&administrator).await?;
    let (indices, bytes) = stored(&administrator, written).await?;
    say(format_args!(
        "  {written} records of {orders} orders in {indices} indices, {} MB, after {:.0} s",
        bytes / 1_000_000,
        begun.elapsed().as_secs_f64()
    ));

    let mut employee = PageClient::of(file.support_web.as_deref().context("Support's page doesn't run")?);
    let login = employee.log_in(support).await;
    ensure!(login.status == 303, "the login ended with {}", login.status);
    let mut measured = Vec::with_capacity(rounds);
    // The first one warms everything up.
    for round in 0..=rounds {
        let durations = look_up(&employee, orders).await?;
        say(format_args!("  p50 {:.0} ms, p99 {:.0} ms", durations.percentile(50), durations.percentile(99)));
        if round > 0 {
            measured.push(durations);
        }
    }
    testbed.stop()?;

    let p99 = Spread::of(&measured, |round| round.percentile(99));
    Ok(vec![Row {
        what: format!("Support's page of an order, {written} records in {indices} indices: p99"),
        measured: format!("{:.0} ms", p99.median),
        against: format!("half of them: {:.0} ms", Spread::of(&measured, |round| round.percentile(50)).median),
        figure: format!("{p99:.0} ms"),
        goal: Goal::at_most(GOAL_MS, " ms", p99.median),
    }])
}

/// Merges the indices of all days but the last two, as the lifecycle policy does where Elasticsearch has that module.
async fn merge(administrator: &Search) -> Result<()> {
    let today = OffsetDateTime::now_utc().date();
    let recent = [today, today - Duration::DAY].map(|day| format!("-{}", elk::index_of("*", day))).join(",");
    call(administrator, Method::POST, &format!("{RECORDS},{recent}/_forcemerge?max_num_segments=1"), None).await?;
    Ok(())
}

/// Waits until a search finds all records; returns how many indices they are in, and their size on the disk.
async fn stored(administrator: &Search, records: u64) -> Result<(usize, u64)> {
    call(administrator, Method::POST, &format!("{RECORDS}/_refresh?filter_path=_shards.failed"), None).await?;
    let count = call(administrator, Method::GET, &format!("{RECORDS}/_count"), None).await?;
    ensure!(count["count"].as_u64() >= Some(records), "{count} of {records} records are found");
    let sizes =
        call(administrator, Method::GET, &format!("{RECORDS}/_stats/store?filter_path=_all,indices.*.uuid"), None)
            .await?;
    let indices = sizes["indices"].as_object().map_or(0, serde_json::Map::len);
    Ok((indices, sizes["_all"]["total"]["store"]["size_in_bytes"].as_u64().unwrap_or_default()))
}

/// Reads the pages of random orders, one after the other.
async fn look_up(employee: &PageClient, orders: u64) -> Result<Round> {
    let mut durations = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let number = History::number(fastrand::u64(0..orders));
        let begun = Instant::now();
        let page = employee.read(&format!("/orders/{number}")).await;
        durations.push(begun.elapsed().as_secs_f64() * 1000.0);
        ensure!(page.contains(&number) && page.contains("CLOSED"), "the page of {number} says nothing of it");
    }
    durations.sort_by(f64::total_cmp);
    Ok(Round(durations))
}
