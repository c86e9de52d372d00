//! The dashboards about the services and what carries their messages and records, and the objectives.

use catalogue::{Action, field};

use crate::{
    kibana::{
        dashboard::Dashboard,
        panel::{Bucket, Chart, Formula, Metric, Panel},
        parts::{HALF, WHOLE, action, any_of, by_service, count, last, max, percentile, terms, unique},
    },
    objectives::OBJECTIVES,
};

/// The dashboards about operations.
pub(super) fn dashboards() -> [Dashboard; 4] {
    [requests(), messaging(), logs(), objectives()]
}

/// A line over time for each service.
fn lines_by_service(
    width: u32,
    title: &'static str,
    description: &'static str,
    query: impl Into<String>,
    metric: Metric,
) -> Panel {
    Panel::chart(Chart::Lines, [width, 12], title, description, query, [Bucket::Time("auto"), by_service()], [metric])
}

fn requests() -> Dashboard {
    let request = || action(Action::HttpRequest);
    let uploaded = || action(Action::OrderModelUploaded) + " AND event.outcome:\"success\"";
    Dashboard {
        id: "alexandrite-requests",
        title: "Requests",
        description: "How much is asked of each service, how much of that fails, and how long it takes.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            lines_by_service(
                HALF,
                "How many requests a minute does each service get?",
                "A multiple of the usual number is a campaign, or a flood.",
                request(),
                Metric::of("Requests a minute", Formula::PerMinute),
            ),
            lines_by_service(
                HALF,
                "How long do requests take?",
                "99 of 100 requests of each service were faster than this, until the response's head was ready.",
                request(),
                percentile("99 %", field::EVENT_DURATION, 99),
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 14],
                "Which operations are asked for most, and how long do they take?",
                "By service, route and method.",
                request(),
                [by_service(), terms(field::HTTP_ROUTE, "Route", 30), terms(field::HTTP_REQUEST_METHOD, "Method", 5)],
                [
                    count("Requests"),
                    percentile("Half", field::EVENT_DURATION, 50),
                    percentile("99 %", field::EVENT_DURATION, 99),
                    max("Longest", field::EVENT_DURATION),
                    last("Last"),
                ],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Whose requests are the most?",
                "By account. A person has some a minute, a program any number.",
                request(),
                [terms(field::USER_ID, "Account", 20)],
                [count("Requests"), unique("Routes", field::HTTP_ROUTE), last("Last")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Who uploads the most models?",
                "Uploads that were stored, by customer.",
                uploaded(),
                [terms(field::CUSTOMER_ID, "Customer", 20)],
                [count("Uploads"), unique("Orders", field::ORDER_ID), max("Largest", field::FILE_SIZE), last("Last")],
            ),
            lines_by_service(
                WHOLE,
                "How many connections bring no request?",
                "Those that ended because no whole request came within HEADER_SECONDS, at most within one heartbeat.",
                action(Action::ServiceHeartbeat),
                max("Connections", field::CONNECTIONS_UNFINISHED),
            ),
        ],
    }
}

fn messaging() -> Dashboard {
    let heartbeat = || action(Action::ServiceHeartbeat);
    Dashboard {
        id: "alexandrite-messaging",
        title: "Messaging",
        description: "Whether CRM and MES hear of each other's changes.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            lines_by_service(
                HALF,
                "How long has the oldest message waited for the broker?",
                "In seconds, as the replica that counts says with its heartbeat. Shop and CRM share an outbox. A second is \
                 normal; a line that rises is a broker that is away.",
                heartbeat(),
                max("Seconds", field::OUTBOX_AGE_SECONDS),
            ),
            lines_by_service(
                HALF,
                "How many messages wait for the broker?",
                "Rows of the outbox, at most within the interval.",
                heartbeat(),
                max("Messages", field::OUTBOX_MESSAGES),
            ),
            Panel::chart(
                Chart::StackedBars,
                [HALF, 12],
                "How many messages are sent, and how many take effect?",
                "Each message is both once.",
                any_of([Action::MessagePublished, Action::MessageConsumed]),
                [Bucket::Time("auto"), terms(field::EVENT_ACTION, "Event", 2)],
                [count("Messages")],
            ),
            Panel::chart(
                Chart::Lines,
                [HALF, 12],
                "How long is a change on its way to the MES?",
                "From the change in the CRM to its record in the MES.",
                format!("name:\"mes-api\" AND {} AND event.duration:*", action(Action::OrderStatusChanged)),
                [Bucket::Time("auto")],
                [percentile("Half", field::EVENT_DURATION, 50), percentile("99 %", field::EVENT_DURATION, 99)],
            ),
            Panel::chart(
                Chart::StackedBars,
                [WHOLE, 12],
                "When and why are messages tried again?",
                "By the error's class. One try after the other is a part that is away.",
                action(Action::MessageRetried),
                [Bucket::Time("auto"), terms(field::ERROR_TYPE, "Error", 10)],
                [count("Tries")],
            ),
        ],
    }
}

fn logs() -> Dashboard {
    Dashboard {
        id: "alexandrite-logs",
        title: "The logs' way",
        description: "Whether what the services write arrives, and is what they should write.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            lines_by_service(
                HALF,
                "How many records a minute does each service write?",
                "A line that ends is a service that is silent; all lines, a shipper that stands still.",
                "name:*",
                Metric::of("Records a minute", Formula::PerMinute),
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 12],
                "When did each service write its newest record?",
                "The newest that arrived. More than half a minute ago: the service is silent, or its records wait.",
                "name:*",
                [by_service()],
                [last("Newest"), count("Records")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which records are the most?",
                "By service and event. Lines of libraries have no event.",
                "name:*",
                [by_service(), terms(field::EVENT_ACTION, "Event", 20)],
                [count("Records"), last("Last")],
            ),
            Panel::chart(
                Chart::StackedBars,
                [HALF, 14],
                "How many lines are no records?",
                "By the file that they were in, in containers without it.",
                "_index:alexandrite-unknown-*",
                [Bucket::Time("auto"), terms(field::LOG_FILE_PATH, "File", 10)],
                [count("Lines")],
            ),
            lines_by_service(
                WHOLE,
                "How long has the record of a change waited to be in the log?",
                "In seconds, as the replica that counts says with its heartbeat. A second is normal.",
                action(Action::ServiceHeartbeat),
                max("Seconds", field::JOURNAL_AGE_SECONDS),
            ),
        ],
    }
}

fn objectives() -> Dashboard {
    let cases = || any_of([Action::HttpRequest, Action::OrderStatusChanged]);
    Dashboard {
        id: "alexandrite-objectives",
        title: "Objectives",
        description: "Whether what is promised is kept: docs/objectives.md says what each of them means.",
        since: "now-30d",
        of_one_order: false,
        panels: vec![
            Panel::chart(
                Chart::Table,
                [WHOLE, 6],
                "How much of each objective's budget is left?",
                "Of the chosen time. 100 %: no case has missed it; less than nothing: the promise is broken.",
                cases(),
                [],
                OBJECTIVES.map(|objective| {
                    let left = Formula::BudgetLeft(objective.cases.to_owned(), objective.budget());
                    Metric::of(objective.name, left).only(objective.case_missed())
                }),
            ),
            Panel::chart(
                Chart::Lines,
                [WHOLE, 16],
                "Which share of the cases misses each objective?",
                "Of the cases in each interval.",
                cases(),
                [Bucket::Time("auto")],
                OBJECTIVES.map(|objective| {
                    let share = Formula::ShareOf(objective.cases.to_owned());
                    Metric::of(objective.name, share).only(objective.case_missed())
                }),
            ),
        ],
    }
}
