//! The objectives: what is promised of the system as a share of cases over 30 days, how the records show it, and the files
//! that follow from that: the rules that see a budget burn, and `docs/objectives.md`.

use std::fmt::Write as _;

/// A promise that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Objective {
    /// The name in the rules' names and in the runbook's section, `objective-‹name›`.
    pub name: &'static str,
    /// What is promised, as a sentence.
    pub promise: &'static str,
    /// The share of cases that keep it, in percent.
    pub percent: f64,
    /// The records that are cases, in Lucene's syntax.
    pub cases: &'static str,
    /// Those of them that miss it, in Lucene's syntax.
    pub missed: &'static str,
    /// The share of cases that miss it, in PromQL with `WINDOW` for the time; none where no metric shows it.
    pub share_missed: Option<&'static str>,
    /// The exact meaning of both, and what they leave out.
    pub measured: &'static str,
    /// Fewer misses within a long window set no rule off: of few cases, one is a large share.
    pub least: u32,
    /// The first thing to do when its budget burns.
    pub what_to_do: &'static str,
}

/// A speed at which a budget burns that is worth a mail, over two windows of time that end now.
#[derive(Clone, Copy, Debug)]
pub struct BurnRate {
    /// The last part of the rules' names.
    pub name: &'static str,
    /// How many times as fast as it may the budget burns.
    pub rate: f64,
    /// The window that shows that it matters.
    pub hours: u32,
    /// The window that shows that it goes on.
    pub minutes: u32,
}

/// The days that a budget is for.
pub const PERIOD_DAYS: u32 = 30;

/// Two percent of the budget in an hour, and five percent in six hours
/// (<https://sre.google/workbook/alerting-on-slos/#6-multiwindow-multi-burn-rate-alerts>).
pub const BURN_RATES: [BurnRate; 2] = [
    BurnRate { name: "fast", rate: 14.4, hours: 1, minutes: 5 },
    BurnRate { name: "slow", rate: 6.0, hours: 6, minutes: 30 },
];

/// Every objective that the records show.
pub const OBJECTIVES: [Objective; 5] = [
    Objective {
        name: "availability",
        promise: "A request doesn't fail for a reason of ours.",
        percent: 99.9,
        cases: r#"event.action:"http.request" AND NOT http.route:("/health/live" OR "/health/ready")"#,
        missed: "http.response.status_code:[500 TO 599]",
        share_missed: Some(
            r#"(sum(increase(http_server_request_duration_seconds_count{http_route!~"/health/.*",http_response_status_code=~"5.."}[WINDOW])) or vector(0)) / sum(increase(http_server_request_duration_seconds_count{http_route!~"/health/.*"}[WINDOW]))"#,
        ),
        measured: "Responses from 500 on, of all requests but those for the service's health. A request that gets no response \
                   because the service is dead has no record: `service-silent` sees that.",
        least: 10,
        what_to_do: "See which error.type it is: docs/runbook.md#service-errors has the table.",
    },
    Objective {
        name: "reads",
        promise: "An order, or a page of them, is there within 250 ms.",
        percent: 99.0,
        // Support's page has a route of the same name, which waits for Elasticsearch.
        cases: r#"event.action:"http.request" AND name:("shop-api" OR "crm-api" OR "mes-api") AND http.request.method:"GET" AND http.route:("/orders" OR "/orders/{id}" OR "/partner/orders/{id}")"#,
        missed: "event.duration:>250000000",
        share_missed: Some(
            r#"1 - sum(increase(http_server_request_duration_seconds_bucket{job=~"shop-api|crm-api|mes-api",http_request_method="GET",http_route=~"/orders|/orders/{id}|/partner/orders/{id}",le="0.25"}[WINDOW])) / sum(increase(http_server_request_duration_seconds_count{job=~"shop-api|crm-api|mes-api",http_request_method="GET",http_route=~"/orders|/orders/{id}|/partner/orders/{id}"}[WINDOW]))"#,
        ),
        measured: "From the request's arrival to its response's head, in shop, CRM or MES: not on the network, and not in \
                   Support's page.",
        least: 20,
        what_to_do: "See whether all routes are slow (database, processors) or one (a query without its index).",
    },
    Objective {
        name: "creates",
        promise: "An order is created within 500 ms.",
        percent: 99.0,
        cases: r#"event.action:"http.request" AND http.request.method:"POST" AND http.route:"/orders""#,
        missed: "event.duration:>500000000",
        share_missed: Some(
            r#"1 - sum(increase(http_server_request_duration_seconds_bucket{http_request_method="POST",http_route="/orders",le="0.5"}[WINDOW])) / sum(increase(http_server_request_duration_seconds_count{http_request_method="POST",http_route="/orders"}[WINDOW]))"#,
        ),
        measured: "The same for `POST /orders`. A partner's order comes with its model, whose size decides, and is left out.",
        least: 5,
        what_to_do: "Look at the database: commits wait for its disk.",
    },
    Objective {
        name: "price",
        promise: "A submitted order has its price within 60 seconds.",
        percent: 99.0,
        cases: r#"name:"crm-api" AND event.action:"order.status_changed" AND order.status:"PRICE_CALCULATED""#,
        // 60 seconds.
        missed: "order.status_from_hours:>0.0166667",
        share_missed: None,
        measured: "How long an order was SUBMITTED, when it gets its price. One that has none yet is no case: `order-stuck` \
                   reports it. Nor is one whose model has no price.",
        least: 3,
        what_to_do: "See where they wait: outbox and queues on the dashboard Messaging, or calculations on Price calculation.",
    },
    Objective {
        name: "approval",
        promise: "An approved order is in the MES within 10 seconds.",
        percent: 99.9,
        cases: r#"name:"mes-api" AND event.action:"order.status_changed" AND order.status:"MANUFACTURING_APPROVED""#,
        missed: "event.duration:>10000000000",
        share_missed: None,
        measured: "From the seller's approval to its record in the MES, by the clocks of both. One that isn't there yet is no \
                   case: `outbox-waits` and `dead-letter` see it.",
        least: 3,
        what_to_do: "See whether messages wait in the CRM's outbox or in the MES's queue, on the dashboard Messaging.",
    },
];

impl BurnRate {
    /// The longer window in words.
    fn long(&self) -> String {
        if self.hours == 1 { "1 hour".to_owned() } else { format!("{} hours", self.hours) }
    }
}

impl Objective {
    /// What of its cases may miss it, as a share.
    #[must_use]
    pub fn budget(&self) -> f64 {
        // Without the noise of binary fractions.
        (1e6 - self.percent * 1e4).round() / 1e6
    }

    /// The cases that miss it, in Lucene's syntax.
    #[must_use]
    pub fn case_missed(&self) -> String {
        format!("({}) AND {}", self.cases, self.missed)
    }
}

/// The name of each generated rule's file in `elk/alerts/rules`, and its content.
#[must_use]
pub fn rules() -> Vec<(String, String)> {
    let of = |objective: &Objective| BURN_RATES.map(|burn_rate| rule(objective, &burn_rate));
    OBJECTIVES.iter().flat_map(of).collect()
}

fn rule(objective: &Objective, burn_rate: &BurnRate) -> (String, String) {
    let Objective { name, promise, percent, cases, missed, least, what_to_do, .. } = objective;
    let BurnRate { name: speed, rate, hours, minutes } = burn_rate;
    let long = burn_rate.long();
    let file = format!("objective-{name}-{speed}.yaml");
    let rule = format!(
        r#"# Generated from elk/src/objectives.rs: UPDATE_GENERATED=1 cargo test -p elk.
name: objective-{name}-{speed}
import: objective.part
objective_name: {name}
objective: {percent}
long: {{ hours: {hours} }}
short: {{ minutes: {minutes} }}
rate: {rate}
least: {least}
filter:
  - query_string: {{ query: '{cases}' }}
counted:
  - query_string: {{ query: '{missed}' }}
# That of the other speed, too: the one that fires first silences the other.
realert_key: objective-{name}
meaning: >-
  The budget of an objective burns too fast. {promise} {percent} % of the cases of {PERIOD_DAYS} days have to keep that.
limit: {rate} times as fast as it may, over {long} and over {minutes} minutes.
what_to_do: >-
  {what_to_do}
cases: '{}'
runbook: objective-{name}
"#,
        objective.case_missed()
    );
    (file, rule)
}

const INTRODUCTION: &str = "\
# Objectives

What is promised of the running system, as a share of cases over 30 days. The rest is the budget: what may go wrong
before the promise is broken. This page, the rules in `elk/alerts/rules/objective-*.yaml` and the dashboards *Objectives* are
written from one table, [`elk/src/objectives.rs`](../elk/src/objectives.rs), and a test compares them;
`UPDATE_GENERATED=1 cargo test -p elk` writes them anew.

| objective | promise | share | how it is measured | cases | missed |
| --- | --- | --- | --- | --- | --- |
";

const REST: &str = "
## When a budget burns

A budget that burns once as fast as it may is used up after 30 days. Two rules for each objective look at two windows of
time that end now, as the [SRE workbook](https://sre.google/workbook/alerting-on-slos/) has it: the long one says that it
matters, the short one that it goes on, so that a mail comes within minutes and none comes when it is over.

";

const ELSEWHERE: &str = "
The mail names the objective, how fast it burns now, how much of the budget of the last 30 days is left, and the search that
shows the cases. Paste it into Kibana's Discover, or

```sh
search 'alexandrite-*' '{\"sort\": [{\"time\": \"desc\"}], \"query\": {\"query_string\": {\"query\": \"…\"}}}'
```

A rule is silent as long as fewer cases than its `least` have missed the objective within the long window: of ten requests at
night, one is ten percent.

## What is promised and measured elsewhere

| promise | where |
| --- | --- |
| No order stays in a status for longer than it may. | The target is none, so there is no budget: the rule `order-stuck` reports the first one, and `alexandrite_orders_stuck` counts them. |
| A record is found by a search within 10 seconds, for 99.9 % of records. | A document doesn't say when it became searchable, and no pipeline adds that ([ADR 3](adr/0003-no-ingest-pipeline.md)), so the share can't be counted. `cargo run --release --bin bench -- shipping` measures it, and the rule `records-late` reports when the newest record is a minute old. |
";

/// `docs/objectives.md`.
#[must_use]
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for Objective { name, promise, percent, cases, missed, measured, .. } in OBJECTIVES {
        let line = format!("| `{name}` | {promise} | {percent} % | {measured} | `{cases}` | `{missed}` |");
        writeln!(page, "{line}").expect("writing to a string can't fail");
    }
    page.push_str(REST);
    page.push_str("| rule | burns | over both | of the budget of 30 days |\n| --- | --- | --- | --- |\n");
    for burn_rate in BURN_RATES {
        let BurnRate { name, rate, hours, minutes } = burn_rate;
        let long = burn_rate.long();
        let share = rate * f64::from(hours) / f64::from(24 * PERIOD_DAYS) * 100.0;
        let line = format!(
            "| `objective-‹name›-{name}` | {rate} times as fast as it may | {long} and {minutes} minutes | {share:.0} % in {long} |"
        );
        writeln!(page, "{line}").expect("writing to a string can't fail");
    }
    page.push_str(ELSEWHERE);
    page
}
