//! The dashboards about orders and access, and their questions. Those about operations are in `operations`.

use catalogue::{Action, ORDER_STATUSES, field};

use crate::kibana::{
    dashboard::Dashboard,
    operations,
    panel::{Bucket, Chart, Formula, Metric, Panel, View},
    parts::{
        FAILURES, HALF, THIRD, WHOLE, action, any_of, by_service, count, every_change_once, last, max, orders_hit,
        percentile, terms, unique,
    },
    search::{ERRORS, TRAIL},
};

/// Every dashboard.
#[must_use]
pub fn dashboards() -> [Dashboard; 9] {
    let [requests, messaging, logs, objectives] = operations::dashboards();
    [orders(), errors(), one_order(), prices(), access(), requests, messaging, logs, objectives]
}

fn orders() -> Dashboard {
    Dashboard {
        id: "alexandrite-orders",
        title: "Orders",
        description: "Where orders stand, and where they stand still.",
        since: "now-180d",
        of_one_order: false,
        panels: vec![
            Panel::chart(
                Chart::Table,
                [WHOLE, 6],
                "How many orders are in each status now?",
                "Those that entered a status in the chosen time, less those that left it. Right if the chosen time has \
                 all of the open orders' lives, so leave its beginning well back; records are kept for 180 days.",
                every_change_once(),
                [],
                ORDER_STATUSES.map(in_status),
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 13],
                "How long do orders stay in each status?",
                "Of the orders that left a status in the chosen time; who is still in it doesn't count. 50, 90 and 99 \
                 of 100 orders were faster than this.",
                every_change_once(),
                [terms(field::ORDER_STATUS_FROM, "Status", 10)],
                [
                    count("Orders that left it"),
                    percentile("Half", field::ORDER_STATUS_FROM_HOURS, 50),
                    percentile("90 %", field::ORDER_STATUS_FROM_HOURS, 90),
                    percentile("99 %", field::ORDER_STATUS_FROM_HOURS, 99),
                    max("Longest", field::ORDER_STATUS_FROM_HOURS),
                ],
            ),
            Panel::chart(
                Chart::Bars,
                [HALF, 12],
                "How many orders are completed per day?",
                "Orders that became CLOSED.",
                every_change_once(),
                [Bucket::Time("1d")],
                [count("Completed").only("order.status:\"CLOSED\"")],
            ),
            Panel::chart(
                Chart::StackedBars,
                [HALF, 12],
                "How many orders are created per day?",
                "A multiple of the usual number is an advertisement that worked, or an attack.",
                action(Action::OrderCreated) + " AND event.outcome:\"success\"",
                [Bucket::Time("1d"), by_service()],
                [count("Created")],
            ),
            Panel::chart(
                Chart::StackedBars,
                [WHOLE, 12],
                "How many orders enter each status per day?",
                "A status that fewer and fewer orders get beyond is where they stand still.",
                every_change_once(),
                [Bucket::Time("1d"), terms(field::ORDER_STATUS, "Status", 10)],
                [count("Orders")],
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 14],
                "Which orders got stuck, and how old was that?",
                "Orders that stayed in a status for longer than it allows, as the CRM reported them: once per order and \
                 status. Some have gone on since; the CRM's GET /orders?stuck=true has those that haven't.",
                action(Action::OrderStuck),
                [terms(field::ORDER_ID, "Order", 100), terms(field::ORDER_STATUS, "Stuck in", 10)],
                [max("Then in it for", field::ORDER_AGE_HOURS), last("Reported")],
            ),
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
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which errors hurt most?",
                "Errors by their class, the most frequent first, and by service. One failure is one error.",
                FAILURES,
                [terms(field::ERROR_TYPE, "Error", 20), by_service()],
                [count("Errors"), orders_hit(), last("Last")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which service fails most?",
                "Errors by service, with how many classes they are of.",
                FAILURES,
                [by_service()],
                [count("Errors"), unique("Classes", field::ERROR_TYPE), orders_hit(), last("Last")],
            ),
            Panel::chart(
                Chart::Lines,
                [HALF, 12],
                "How many errors a minute does each service have?",
                "A step up that stays is a broken part; a peak is a restart, or an outage that is over.",
                FAILURES,
                [Bucket::Time("auto"), by_service()],
                [Metric::of("Errors a minute", Formula::PerMinute)],
            ),
            Panel::chart(
                Chart::Lines,
                [HALF, 12],
                "Which share of each service's requests fails because of us?",
                "Answers from 500 on, in all answers.",
                action(Action::HttpRequest),
                [Bucket::Time("auto"), by_service()],
                [Metric::of("Share", Formula::ShareOf("*".to_owned())).only("http.response.status_code:[500 TO 599]")],
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 10],
                "Which messages get stuck between CRM and MES?",
                "Messages that were tried again, and those that went to the dead letters, by what they say.",
                any_of([Action::MessageRetried, Action::MessageDeadLettered]),
                [terms(field::MESSAGING_MESSAGE_TYPE, "Message", 10), terms(field::EVENT_ACTION, "Event", 2)],
                [count("Times"), unique("Messages", field::MESSAGING_MESSAGE_ID), orders_hit(), last("Last")],
            ),
            Panel { view: View::List(&ERRORS), width: WHOLE, height: 20 },
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
            Panel { view: View::List(&TRAIL), width: WHOLE, height: 26 },
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "How long was it in each status?",
                "Statuses that it has left.",
                every_change_once(),
                [terms(field::ORDER_STATUS_FROM, "Status", 10)],
                [max("Stayed", field::ORDER_STATUS_FROM_HOURS), last("Left it")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which traces is it in?",
                "Each action on an order is a trace of its own; a trace goes through all services.",
                "order.id:* AND trace.id:*",
                [terms(field::TRACE_ID, "Trace", 50)],
                [last("Last record"), count("Records")],
            ),
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
            Panel::chart(
                Chart::Table,
                [THIRD, 12],
                "How many prices are waited for now?",
                "Those that were queued or begun in the chosen time, less those that went on. Right if the chosen time \
                 has all calculations that aren't over.",
                action(Action::OrderPriceStatusChanged),
                [],
                ["QUEUED", "CALCULATING"].map(waiting),
            ),
            Panel::chart(
                Chart::Bars,
                [2 * THIRD, 12],
                "How does the duration grow with the model?",
                "Calculations that ended well, by their model's triangles.",
                ended("\"CALCULATED\""),
                [Bucket::Ranges {
                    field: field::MODEL_TRIANGLES,
                    label: "Triangles",
                    starts: &[0, 1_000, 10_000, 100_000, 1_000_000],
                }],
                [
                    percentile("Half are faster", field::EVENT_DURATION, 50),
                    percentile("95 % are faster", field::EVENT_DURATION, 95),
                ],
            ),
            Panel::chart(
                Chart::StackedBars,
                [WHOLE, 12],
                "How many prices are calculated, and how many fail?",
                "Calculations by how they ended.",
                ended("(\"CALCULATED\" OR \"FAILED\")"),
                [Bucket::Time("auto"), terms(field::ORDER_PRICE_STATUS, "Ended as", 2)],
                [count("Calculations")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Why do calculations fail?",
                "By class: the model_… ones are the customer's file, all others are ours.",
                ended("\"FAILED\""),
                [terms(field::ERROR_TYPE, "Error", 20)],
                [count("Failures"), orders_hit(), last("Last")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which calculations took longest?",
                "Orders by their longest calculation, however it ended.",
                ended("(\"CALCULATED\" OR \"FAILED\")"),
                [terms(field::ORDER_ID, "Order", 20)],
                [max("Longest", field::EVENT_DURATION), max("Triangles", field::MODEL_TRIANGLES), last("Last")],
            ),
        ],
    }
}

fn access() -> Dashboard {
    let refused_login = || any_of([Action::LoginFailed, Action::LoginFailedRepeatedly]);
    let refused_request =
        || format!("{} AND http.response.status_code:(401 OR 403 OR 429)", action(Action::HttpRequest));
    let unknown_logins = || unique("Logins that nobody has", field::USER_HASH);
    let networks = || unique("Networks", field::SOURCE_IP);
    Dashboard {
        id: "alexandrite-access",
        title: "Access",
        description: "Whether somebody tries to get in.",
        since: "now-24h",
        of_one_order: false,
        panels: vec![
            Panel::chart(
                Chart::StackedBars,
                [HALF, 12],
                "When were logins refused?",
                "The third failure in a row within 15 minutes and all further ones are repeated ones.",
                refused_login(),
                [Bucket::Time("auto"), terms(field::EVENT_ACTION, "Event", 2)],
                [count("Refused")],
            ),
            Panel::chart(
                Chart::StackedBars,
                [HALF, 12],
                "When were requests refused?",
                "401 not logged in, 403 not allowed, 429 too fast.",
                refused_request(),
                [Bucket::Time("auto"), terms(field::HTTP_RESPONSE_STATUS_CODE, "Answer", 3)],
                [count("Refused")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "Which accounts are guessed at?",
                "Refused logins of accounts that there are. One account, many failures: its password is being guessed.",
                refused_login(),
                [terms(field::USER_ID, "Account", 50)],
                [count("Refused"), max("In a row", field::AUTH_FAILURES), networks(), last("Last")],
            ),
            Panel::chart(
                Chart::Table,
                [HALF, 14],
                "From which networks are logins refused?",
                "One network, many accounts: a few passwords are tried on everybody.",
                refused_login(),
                [terms(field::SOURCE_IP, "Network", 50)],
                [count("Refused"), unique("Accounts", field::USER_ID), unknown_logins(), last("Last")],
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 14],
                "From which networks are requests refused?",
                "Responses from 400 to 499. Many routes from one network: a scanner.",
                action(Action::HttpRequest) + " AND http.response.status_code:[400 TO 499]",
                [terms(field::SOURCE_IP, "Client", 50)],
                [
                    count("Refused"),
                    unique("Routes", field::HTTP_ROUTE),
                    unique("Accounts", field::USER_ID),
                    last("Last"),
                ],
            ),
            Panel::chart(
                Chart::Table,
                [WHOLE, 14],
                "Which requests were refused?",
                "By route and answer.",
                refused_request(),
                [
                    terms(field::HTTP_ROUTE, "Route", 30),
                    by_service(),
                    terms(field::HTTP_RESPONSE_STATUS_CODE, "Answer", 3),
                ],
                [count("Refused"), unique("Accounts", field::USER_ID), last("Last")],
            ),
        ],
    }
}

/// The number of orders in a status: those that entered it minus those that left it.
fn in_status(status: &'static str) -> Metric {
    let left = format!("order.status_from:\"{status}\"");
    Metric::of(status, Formula::Less(left)).only(format!("order.status:\"{status}\""))
}
