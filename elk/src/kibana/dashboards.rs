//! The five dashboards: which questions they ask.

use super::{
    Dashboard, ERRORS, Search, TRAIL,
    lens::{Bucket, Chart, Formula, Metric, Panel, View},
};
use catalogue::{Action, ORDER_STATUSES, field};

/// Kibana's whole width, and parts of it.
const WHOLE: u32 = 48;
const HALF: u32 = 24;
const THIRD: u32 = 16;

/// Every dashboard.
#[must_use]
pub fn dashboards() -> [Dashboard; 5] {
    [orders(), errors(), one_order(), prices(), access()]
}

fn orders() -> Dashboard {
    Dashboard {
        id: "alexandrite-orders",
        title: "Orders",
        description: "Where orders stand, and where they stand still.",
        since: "now-180d",
        of_one_order: false,
        panels: vec![
            chart(
                "How many orders are in each status now?",
                "Those that entered a status in the chosen time, less those that left it. Right if the chosen time has \
                 all of the open orders' lives, so leave its beginning well back; records are kept for 180 days.",
                every_change_once(),
                Chart::Table,
                vec![],
                ORDER_STATUSES.map(in_status).into(),
            )
            .sized(WHOLE, 6),
            chart(
                "How long do orders stay in each status?",
                "Of the orders that left a status in the chosen time; who is still in it doesn't count. 50, 90 and 99 \
                 of 100 orders were faster than this.",
                every_change_once(),
                Chart::Table,
                vec![terms(field::ORDER_STATUS_FROM, "Status", 10)],
                vec![
                    Metric::of("Orders that left it", Formula::Count),
                    stay("Half", 50),
                    stay("90 %", 90),
                    stay("99 %", 99),
                    Metric::of("Longest", Formula::Max(field::ORDER_STATUS_FROM_HOURS)),
                ],
            )
            .sized(WHOLE, 13),
            chart(
                "How many orders are completed per day?",
                "Orders that became CLOSED.",
                every_change_once(),
                Chart::Bars,
                vec![Bucket::Time("1d")],
                vec![Metric::of("Completed", Formula::Count).only("order.status:\"CLOSED\"")],
            )
            .sized(HALF, 12),
            chart(
                "How many orders are created per day?",
                "A multiple of the usual number is an advertisement that worked, or an attack.",
                action(Action::OrderCreated) + " AND event.outcome:\"success\"",
                Chart::StackedBars,
                vec![Bucket::Time("1d"), terms(field::NAME, "Service", 3)],
                vec![Metric::of("Created", Formula::Count)],
            )
            .sized(HALF, 12),
            chart(
                "Which orders got stuck, and how old was that?",
                "Orders that stayed in a status for longer than it allows, as the CRM reported them: once per order and \
                 status. Some have gone on since; the CRM's GET /orders?stuck=true has those that haven't.",
                action(Action::OrderStuck),
                Chart::Table,
                vec![terms(field::ORDER_ID, "Order", 100), terms(field::ORDER_STATUS, "Stuck in", 10)],
                vec![Metric::of("Then in it for", Formula::Max(field::ORDER_AGE_HOURS)), last("Reported")],
            )
            .sized(WHOLE, 14),
        ],
    }
}

fn errors() -> Dashboard {
    Dashboard {
        id: "alexandrite-errors",
        title: "Errors",
        description: "What is broken, and which of it hurts most.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            chart(
                "Which errors hurt most?",
                "Errors by their class, the most frequent first, and by service. One failure is one error.",
                failures(),
                Chart::Table,
                vec![terms(field::ERROR_TYPE, "Error", 20), terms(field::NAME, "Service", 3)],
                vec![Metric::of("Errors", Formula::Count), orders_hit(), last("Last")],
            )
            .sized(HALF, 14),
            chart(
                "Which service fails most?",
                "Errors by service, with how many classes they are of.",
                failures(),
                Chart::Table,
                vec![terms(field::NAME, "Service", 3)],
                vec![
                    Metric::of("Errors", Formula::Count),
                    Metric::of("Classes", Formula::Unique(field::ERROR_TYPE)),
                    orders_hit(),
                    last("Last"),
                ],
            )
            .sized(HALF, 14),
            chart(
                "How many errors a minute does each service have?",
                "A step up that stays is a broken part; a peak is a restart, or an outage that is over.",
                failures(),
                Chart::Lines,
                vec![Bucket::Time("auto"), terms(field::NAME, "Service", 3)],
                vec![Metric::of("Errors a minute", Formula::PerMinute)],
            )
            .sized(HALF, 12),
            chart(
                "Which share of each service's requests fails because of us?",
                "Answers from 500 on, in all answers.",
                action(Action::HttpRequest),
                Chart::Lines,
                vec![Bucket::Time("auto"), terms(field::NAME, "Service", 3)],
                vec![
                    Metric::of("Share", Formula::ShareOf("*".to_owned()))
                        .only("http.response.status_code:[500 TO 599]"),
                ],
            )
            .sized(HALF, 12),
            chart(
                "Which messages get stuck between CRM and MES?",
                "Messages that were tried again, and those that went to the dead letters, by what they say.",
                format!("{} OR {}", action(Action::MessageRetried), action(Action::MessageDeadLettered)),
                Chart::Table,
                vec![terms(field::MESSAGING_MESSAGE_TYPE, "Message", 10), terms(field::EVENT_ACTION, "Event", 2)],
                vec![
                    Metric::of("Times", Formula::Count),
                    Metric::of("Messages", Formula::Unique(field::MESSAGING_MESSAGE_ID)),
                    orders_hit(),
                    last("Last"),
                ],
            )
            .sized(WHOLE, 10),
            list(&ERRORS).sized(WHOLE, 20),
        ],
    }
}

fn one_order() -> Dashboard {
    Dashboard {
        id: "alexandrite-one-order",
        title: "One order",
        description: "Where an order is, and what happened to it: choose its number at the top.",
        since: "now-180d",
        of_one_order: true,
        panels: vec![
            list(&TRAIL).sized(WHOLE, 26),
            chart(
                "How long was it in each status?",
                "Statuses that it has left.",
                every_change_once(),
                Chart::Table,
                vec![terms(field::ORDER_STATUS_FROM, "Status", 10)],
                vec![Metric::of("Stayed", Formula::Max(field::ORDER_STATUS_FROM_HOURS)), last("Left it")],
            )
            .sized(HALF, 14),
            chart(
                "Which traces is it in?",
                "Each action on an order is a trace of its own; a trace goes through all services.",
                "order.id:* AND trace.id:*",
                Chart::Table,
                vec![terms(field::TRACE_ID, "Trace", 50)],
                vec![last("Last record"), Metric::of("Records", Formula::Count)],
            )
            .sized(HALF, 14),
        ],
    }
}

fn prices() -> Dashboard {
    let ended = |status: &str| format!("{} AND order.price_status:{status}", action(Action::OrderPriceStatusChanged));
    let waiting = |status: &str| {
        let less = Formula::Less(format!("order.price_status_from:\"{status}\""));
        Metric::of(status, less).only(format!("order.price_status:\"{status}\""))
    };
    Dashboard {
        id: "alexandrite-prices",
        title: "Price calculation",
        description: "Whether prices come, how fast, and why not.",
        since: "now-7d",
        of_one_order: false,
        panels: vec![
            chart(
                "How many prices are waited for now?",
                "Those that were queued or begun in the chosen time, less those that went on. Right if the chosen time \
                 has all calculations that aren't over.",
                action(Action::OrderPriceStatusChanged),
                Chart::Table,
                vec![],
                ["QUEUED", "CALCULATING"].map(waiting).into(),
            )
            .sized(THIRD, 12),
            chart(
                "How does the duration grow with the model?",
                "Calculations that ended well, by their model's triangles.",
                ended("\"CALCULATED\""),
                Chart::Bars,
                vec![Bucket::Ranges {
                    field: field::MODEL_TRIANGLES,
                    label: "Triangles",
                    starts: &[0, 1_000, 10_000, 100_000, 1_000_000],
                }],
                vec![
                    Metric::of("Half are faster", Formula::Percentile(field::EVENT_DURATION, 50)),
                    Metric::of("95 % are faster", Formula::Percentile(field::EVENT_DURATION, 95)),
                ],
            )
            .sized(2 * THIRD, 12),
            chart(
                "How many prices are calculated, and how many fail?",
                "Calculations by how they ended.",
                ended("(\"CALCULATED\" OR \"FAILED\")"),
                Chart::StackedBars,
                vec![Bucket::Time("auto"), terms(field::ORDER_PRICE_STATUS, "Ended as", 2)],
                vec![Metric::of("Calculations", Formula::Count)],
            )
            .sized(WHOLE, 12),
            chart(
                "Why do calculations fail?",
                "By class: the model_… ones are the customer's file, all others are ours.",
                ended("\"FAILED\""),
                Chart::Table,
                vec![terms(field::ERROR_TYPE, "Error", 20)],
                vec![Metric::of("Failures", Formula::Count), orders_hit(), last("Last")],
            )
            .sized(HALF, 14),
            chart(
                "Which calculations took longest?",
                "Orders by their longest calculation, however it ended.",
                ended("(\"CALCULATED\" OR \"FAILED\")"),
                Chart::Table,
                vec![terms(field::ORDER_ID, "Order", 20)],
                vec![
                    Metric::of("Longest", Formula::Max(field::EVENT_DURATION)),
                    Metric::of("Triangles", Formula::Max(field::MODEL_TRIANGLES)),
                    last("Last"),
                ],
            )
            .sized(HALF, 14),
        ],
    }
}

fn access() -> Dashboard {
    let refused_login = || format!("{} OR {}", action(Action::LoginFailed), action(Action::LoginFailedRepeatedly));
    let refused_request =
        || format!("{} AND http.response.status_code:(401 OR 403 OR 429)", action(Action::HttpRequest));
    let unknown_logins = || Metric::of("Logins that nobody has", Formula::Unique(field::USER_HASH));
    let networks = || Metric::of("Networks", Formula::Unique(field::SOURCE_IP));
    Dashboard {
        id: "alexandrite-access",
        title: "Access",
        description: "Whether somebody tries to get in.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            chart(
                "When were logins refused?",
                "The third failure in a row within 15 minutes and all further ones are repeated ones.",
                refused_login(),
                Chart::StackedBars,
                vec![Bucket::Time("auto"), terms(field::EVENT_ACTION, "Event", 2)],
                vec![Metric::of("Refused", Formula::Count)],
            )
            .sized(HALF, 12),
            chart(
                "When were requests refused?",
                "401 not logged in, 403 not allowed, 429 too fast.",
                refused_request(),
                Chart::StackedBars,
                vec![Bucket::Time("auto"), terms(field::HTTP_RESPONSE_STATUS_CODE, "Answer", 3)],
                vec![Metric::of("Refused", Formula::Count)],
            )
            .sized(HALF, 12),
            chart(
                "Which accounts are guessed at?",
                "Refused logins of accounts that there are. One account, many failures: its password is being guessed.",
                refused_login(),
                Chart::Table,
                vec![terms(field::USER_ID, "Account", 50)],
                vec![
                    Metric::of("Refused", Formula::Count),
                    Metric::of("In a row", Formula::Max(field::AUTH_FAILURES)),
                    networks(),
                    last("Last"),
                ],
            )
            .sized(HALF, 14),
            chart(
                "From which networks are logins refused?",
                "One network, many accounts: a few passwords are tried on everybody.",
                refused_login(),
                Chart::Table,
                vec![terms(field::SOURCE_IP, "Network", 50)],
                vec![
                    Metric::of("Refused", Formula::Count),
                    Metric::of("Accounts", Formula::Unique(field::USER_ID)),
                    unknown_logins(),
                    last("Last"),
                ],
            )
            .sized(HALF, 14),
            chart(
                "Which requests were refused?",
                "By route and answer.",
                refused_request(),
                Chart::Table,
                vec![
                    terms(field::HTTP_ROUTE, "Route", 30),
                    terms(field::NAME, "Service", 3),
                    terms(field::HTTP_RESPONSE_STATUS_CODE, "Answer", 3),
                ],
                vec![
                    Metric::of("Refused", Formula::Count),
                    Metric::of("Accounts", Formula::Unique(field::USER_ID)),
                    last("Last"),
                ],
            )
            .sized(WHOLE, 14),
        ],
    }
}

/// Every change of an order's status, each by one record. Shop and CRM see all of them but a partner order's first ones,
/// which only the MES sees.
fn every_change_once() -> String {
    format!(
        "({} OR {}) AND event.outcome:\"success\" AND (name:(\"shop-api\" OR \"crm-api\") \
         OR (name:\"mes-api\" AND order.status:(\"INITIATED\" OR \"FILE_UPLOADED\" OR \"SUBMITTED\")))",
        action(Action::OrderCreated),
        action(Action::OrderStatusChanged),
    )
}

fn failures() -> String {
    "level:>=50".to_owned()
}

fn action(action: Action) -> String {
    format!("event.action:\"{action}\"")
}

/// How many orders are in a status: nobody leaves the last one.
fn in_status(status: &'static str) -> Metric {
    let left = format!("order.status_from:\"{status}\"");
    Metric::of(status, Formula::Less(left)).only(format!("order.status:\"{status}\""))
}

fn stay(label: &str, percent: u8) -> Metric {
    Metric::of(label, Formula::Percentile(field::ORDER_STATUS_FROM_HOURS, percent))
}

fn orders_hit() -> Metric {
    Metric::of("Orders", Formula::Unique(field::ORDER_ID))
}

fn last(label: &str) -> Metric {
    Metric::of(label, Formula::Max(field::TIMESTAMP))
}

const fn terms(field: &'static str, label: &'static str, size: u32) -> Bucket {
    Bucket::Terms { field, label, size }
}

fn list(search: &'static Search) -> Panel {
    Panel { view: View::List(search), width: WHOLE, height: 20 }
}

fn chart(
    title: &'static str,
    description: &'static str,
    query: impl Into<String>,
    chart: Chart,
    buckets: Vec<Bucket>,
    metrics: Vec<Metric>,
) -> Panel {
    let view = View::Chart { title, description, query: query.into(), chart, buckets, metrics };
    Panel { view, width: WHOLE, height: 12 }
}

impl Panel {
    const fn sized(mut self, width: u32, height: u32) -> Self {
        self.width = width;
        self.height = height;
        self
    }
}
