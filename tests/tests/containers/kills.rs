//! Each container is killed in turn while orders come in. No order and no record may be lost, and none be there twice.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use common::domain::OrderStatus::{PriceCalculated, Submitted};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{
    Client, Response, eventually, eventually_within,
    log::{self, Record, text},
    search::{Search, matching},
    site::{number, ring, wish},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::compose::{Running, compose, containers, docker, healthy};

/// How long a part is away.
const OUTAGE: Duration = Duration::from_secs(3);
/// A part that was killed may take its time to come back.
const PATIENCE: Duration = Duration::from_secs(240);
const CUSTOMERS: usize = 4;
/// The time between two orders of a customer: Elasticsearch takes a minute to come up, and then has to take all their records.
const BETWEEN_ORDERS: Duration = Duration::from_millis(200);

/// A test for each part, so that each can be run alone.
macro_rules! killing {
    ($($name:ident: $part:literal,)*) => {$(
        #[tokio::test]
        #[ignore = "needs a running system: deploy/containers/test"]
        async fn $name() {
            loses_nothing_when_killed($part).await;
        }
    )*};
}

killing! {
    killing_the_shop_loses_no_order_and_no_record: "shop-api",
    killing_the_crm_loses_no_order_and_no_record: "crm-api",
    killing_the_mes_loses_no_order_and_no_record: "mes-api",
    killing_the_gateway_loses_no_order_and_no_record: "gateway",
    killing_the_broker_loses_no_order_and_no_record: "rabbitmq",
    killing_the_database_loses_no_order_and_no_record: "postgres",
    killing_the_shipper_loses_no_order_and_no_record: "rsyslog",
    killing_elasticsearch_loses_no_order_and_no_record: "elasticsearch",
}

async fn loses_nothing_when_killed(part: &str) {
    let running = Running::new().await;
    let since = OffsetDateTime::now_utc().format(&Rfc3339).expect("a time can be written");
    let orders = while_killed(&running, part).await;
    println!("{part} was killed while {} orders came in", orders.len());
    every_line_is_one_document(&running.search(), &since).await;
    for order in &orders {
        every_change_is_recorded_once(&running.search(), order, part).await;
    }
}

/// The orders that came in before, while and after a part was killed. All of them have a price.
async fn while_killed(running: &Running, part: &str) -> Vec<String> {
    let (stop, count) = (Cell::new(false), Cell::new(0));
    let customers = (0..CUSTOMERS).map(|_| async {
        let ada = running.site.customer().await;
        let mut orders = Vec::new();
        let mut clock = tokio::time::interval(BETWEEN_ORDERS);
        while !stop.get() {
            clock.tick().await;
            orders.push(order_stubbornly(&ada).await);
            count.set(count.get() + 1);
        }
        for order in &orders {
            eventually_within(PATIENCE, &format!("{order} to have a price"), async || {
                let response = Response::try_to(ada.request(Method::GET, &format!("/orders/{order}"))).await;
                let order = response.map_err(|error| error.to_string())?.json;
                if order["status"] == PriceCalculated.name() { Ok(()) } else { Err(order.to_string()) }
            })
            .await;
        }
        orders
    });
    let more_orders = async || {
        let before = count.get();
        eventually_within(PATIENCE, "more orders", async || {
            let more = count.get() - before;
            if more >= 2 * CUSTOMERS { Ok(()) } else { Err(more) }
        })
        .await;
    };
    let kill = async {
        more_orders().await;
        let container = containers(part).await.remove(0);
        docker(&["kill", &container]).await;
        tokio::time::sleep(OUTAGE).await;
        docker(&["start", &container]).await;
        healthy(&container).await;
        more_orders().await;
        stop.set(true);
    };
    let (orders, ()) = futures::join!(join_all(customers), kill);
    orders.concat()
}

/// An order of a client that repeats each step until it is acknowledged.
async fn order_stubbornly(ada: &Client) -> String {
    let (key, wish) = (Uuid::now_v7().to_string(), wish());
    let made = until_acknowledged("an order", || {
        ada.request(Method::POST, "/orders").header("Idempotency-Key", &key).json(&wish)
    });
    let order = number(&made.await);
    until_acknowledged("a model", || {
        ada.request(Method::PUT, &format!("/orders/{order}/model?filename=ring.stl")).body(ring())
    })
    .await;
    let path = format!("/orders/{order}/status");
    eventually_within(PATIENCE, "a submitted order", async || {
        let submit = ada.request(Method::POST, &path).json(&json!({"status": Submitted}));
        let response = Response::try_to(submit).await.map_err(|error| error.to_string())?;
        // It may have been submitted by an attempt whose response was lost.
        if [200, 409].contains(&response.status) { Ok(()) } else { Err(response.status.to_string()) }
    })
    .await;
    order
}

async fn until_acknowledged(what: &str, request: impl Fn() -> reqwest::RequestBuilder) -> Value {
    eventually_within(PATIENCE, what, async || {
        let response = Response::try_to(request()).await.map_err(|error| error.to_string())?;
        if (200..300).contains(&response.status) { Ok(response.json) } else { Err(response.status.to_string()) }
    })
    .await
}

/// What the services have written since then: every line of every log, how often it is there.
async fn lines(since: &str) -> BTreeMap<String, usize> {
    let logs = compose(&["exec", "-T", "rsyslog", "sh", "-c", "cat /logs/*.log"]).await;
    let mut lines = BTreeMap::new();
    for line in logs.lines() {
        let record = log::parse(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        if text(&record, "time") >= since {
            *lines.entry(json!(record).to_string()).or_default() += 1;
        }
    }
    lines
}

/// Waits until each line that was written since then is a document, and asserts that none is there twice.
async fn every_line_is_one_document(support: &Search, since: &str) {
    let written = lines(since).await;
    assert!(!written.is_empty(), "nothing was written since {since}");
    let since = [json!({"range": {"time": {"gte": since}}})];
    eventually_within(PATIENCE, "every line to be a document", async || {
        let mut missing = written.clone();
        for document in support.documents(&since).await {
            assert!(!document.index.starts_with("alexandrite-unknown"), "{document:?}");
            let mut record = document.record;
            record.remove("@timestamp");
            // What isn't among the lines was written since.
            if let Some(count) = missing.get_mut(&json!(record).to_string()) {
                *count = count.checked_sub(1).unwrap_or_else(|| panic!("{record:?} is there twice"));
            }
        }
        missing.retain(|_, count| *count > 0);
        if missing.is_empty() { Ok(()) } else { Err(format!("{} are missing: {missing:?}", missing.len())) }
    })
    .await;
}

/// The changes of an order until it has a price, as the services have to record them.
const CHANGES: [(&str, &str, &str); 6] = [
    ("shop-api", "order.created", "INITIATED"),
    ("shop-api", "order.status_changed", "FILE_UPLOADED"),
    ("shop-api", "order.status_changed", "SUBMITTED"),
    ("mes-api", "order.price_status_changed", "QUEUED"),
    ("mes-api", "order.status_changed", "PRICE_CALCULATED"),
    ("crm-api", "order.status_changed", "PRICE_CALCULATED"),
];

/// A change that a service was about to record when it was killed may be missing: it was not acknowledged. None
/// may be there twice, and no other service's may be missing.
async fn every_change_is_recorded_once(support: &Search, order: &str, killed: &str) {
    eventually(&format!("the changes of {order}"), async || {
        let documents = support.documents(&matching(&[("order.id", order)])).await;
        for (service, action, status) in CHANGES {
            let reports = |record: &Record| {
                text(record, "name") == service
                    && text(record, "event.action") == action
                    && text(record, "event.outcome") == "success"
                    && [text(record, "order.status"), text(record, "order.price_status")].contains(&status)
            };
            let count = documents.iter().filter(|document| reports(&document.record)).count();
            assert!(count <= 1, "{order} has {count} records of {service}'s {action} {status}");
            if count == 0 && service != killed {
                return Err(format!("no record of {service}'s {action} {status}"));
            }
        }
        Ok(())
    })
    .await;
}
