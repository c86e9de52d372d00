//! The costs of an order, and what many a second need.

use comfy_table::{ContentArrangement, Table, presets::ASCII_MARKDOWN};

use super::{PARTS, snapshot::Snapshot};

const DAY: f64 = 86_400.0;
/// How long records are kept.
const DAYS: f64 = 180.0;
/// What Elastic recommends for a shard at most, in bytes
/// (<https://www.elastic.co/docs/deploy-manage/production-guidance/optimize-performance/size-shards>).
const LARGEST_SHARD: f64 = 50e9;

/// The costs of one order.
pub(super) struct Costs {
    /// Milliseconds of a core in each of [`PARTS`].
    processor: Vec<f64>,
    wal: f64,
    databases: [f64; 2],
    rows: f64,
    broker: f64,
    log: f64,
    records: f64,
    /// Bytes in Elasticsearch.
    index: f64,
}

impl Costs {
    pub(super) fn of(before: &Snapshot, after: &Snapshot, orders: f64, bytes_of_a_record: f64) -> Self {
        let of_each = before.processor.iter().zip(&after.processor);
        let records = (after.log.lines - before.log.lines) as f64 / orders;
        Self {
            processor: of_each.map(|(before, after)| (*after - *before).as_secs_f64() * 1000.0 / orders).collect(),
            wal: (after.wal - before.wal) / orders,
            databases: [0, 1].map(|which| (after.databases[which] - before.databases[which]) / orders),
            rows: (after.rows - before.rows) / orders,
            broker: (after.broker - before.broker) / orders,
            log: (after.log.bytes - before.log.bytes) as f64 / orders,
            records,
            index: records * bytes_of_a_record,
        }
    }

    /// What an order costs.
    pub(super) fn table(&self) -> Table {
        let mut table = table(["of one order", "costs"].map(str::to_owned).into());
        for (part, milliseconds) in PARTS.iter().zip(&self.processor) {
            table.add_row([format!("processor time of {part}"), format!("{milliseconds:.2} ms")]);
        }
        table.add_row(["processor time of all".to_owned(), format!("{:.2} ms", self.all())]);
        for (what, bytes) in [
            ("PostgreSQL's write-ahead log, both databases", self.wal),
            ("the shop's database", self.databases[0]),
            ("the database of the MES", self.databases[1]),
            ("RabbitMQ's files", self.broker),
            ("the services' logs", self.log),
            ("Elasticsearch, merged, without a replica", self.index),
        ] {
            table.add_row([what.to_owned(), format!("{:.1} kB", bytes / 1e3)]);
        }
        table.add_row(["rows that stay".to_owned(), format!("{:.0}", self.rows)]);
        table.add_row(["records".to_owned(), format!("{:.1}", self.records)]);
        table
    }

    /// What so many orders a second need, all day.
    pub(super) fn needs(&self, rates: &[f64]) -> Table {
        let heads = rates.iter().map(|rate| format!("{rate:.0} orders a second"));
        let mut table = table(std::iter::once("needs".to_owned()).chain(heads).collect());
        let mut row = |what: &str, need: &dyn Fn(f64) -> String| {
            let needs = rates.iter().map(|rate| need(*rate));
            table.add_row(std::iter::once(what.to_owned()).chain(needs).collect::<Vec<_>>());
        };
        for (part, milliseconds) in PARTS.iter().zip(&self.processor) {
            row(&format!("cores of {part}"), &|rate| format!("{:.1}", milliseconds * rate / 1e3));
        }
        row("PostgreSQL's write-ahead log, MB a second", &|rate| format!("{:.1}", self.wal * rate / 1e6));
        row("both databases, GB a day", &|rate| {
            format!("{:.0}", self.databases.iter().sum::<f64>() * rate * DAY / 1e9)
        });
        row("rows that stay, millions a day", &|rate| format!("{:.0}", self.rows * rate * DAY / 1e6));
        row("RabbitMQ's files, MB a second", &|rate| format!("{:.1}", self.broker * rate / 1e6));
        row("records a second", &|rate| format!("{:.0}", self.records * rate));
        row("the services' logs, GB a day", &|rate| format!("{:.0}", self.log * rate * DAY / 1e9));
        let index_a_day = |rate: f64| self.index * rate * DAY;
        row("Elasticsearch, GB a day", &|rate| format!("{:.0}", index_a_day(rate) / 1e9));
        row("the same, TB in 180 days", &|rate| format!("{:.1}", index_a_day(rate) * DAYS / 1e12));
        // Each service has an index a day, so at least a shard.
        row("shards a day, of 50 GB at most", &|rate| {
            format!("{:.0}", (index_a_day(rate) / LARGEST_SHARD).ceil().max(3.0))
        });
        table
    }

    /// Milliseconds of a core in all parts.
    fn all(&self) -> f64 {
        self.processor.iter().sum()
    }
}

fn table(heads: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled).set_header(heads);
    table
}
