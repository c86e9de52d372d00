//! Orders that stand still: a list for sellers, and one record for each order and status.

use std::{fs, path::Path};

use common::service::{Application, Settings};
use crm_api::CrmApi;
use e2e::{
    contract::{self, RunningService, records_with},
    eventually,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{create_order, crm, lists::pages, put_into_status};

const DEADLINES: &str = "SUBMITTED = \"60 minutes\"\nPACKAGING = \"2 days\"\nSHIPPED = \"0 minutes\"";

/// A CRM with these deadlines that looks for stuck orders every second.
async fn crm_with(deadlines: &str) -> RunningService {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deadlines-{}.toml", Uuid::now_v7()));
    fs::write(&path, deadlines).expect("a file");
    let file = path.to_str().expect("a path");
    let crm = contract::start::<CrmApi>(&["--deadlines-file", file, "--stuck-check-seconds", "1"]).await;
    // It was read at the start.
    fs::remove_file(&path).expect("the file goes");
    crm
}

/// The records that say that this customer's order is stuck. Orders have the same numbers in each test's database.
fn reports(id: &str, customer: Uuid) -> Vec<Map<String, Value>> {
    let mut records = records_with("customer.id", &customer.to_string());
    records.retain(|record| record["order.id"] == id);
    records.retain(|record| record["event.action"] == "order.stuck");
    records
}

#[tokio::test]
async fn stuck_orders_are_listed_the_longest_waiting_first() {
    let crm = crm_with(DEADLINES).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let mut orders = Vec::new();
    for (status, ago) in [
        ("SUBMITTED", "3 hours"),
        ("PACKAGING", "50 hours"),
        ("SUBMITTED", "59 minutes"),
        ("PACKAGING", "47 hours"),
        ("CLOSED", "1000 hours"),
        ("INITIATED", "1000 hours"),
        ("SUBMITTED", "61 minutes"),
        ("SHIPPED", "4 hours"),
    ] {
        let id = create_order(&seller, customer).await;
        put_into_status(&crm, &id, status, ago).await;
        orders.push(id);
    }
    let stuck = [1, 7, 0, 6].map(|place: usize| orders[place].clone());
    assert_eq!(pages(&seller, "stuck=true").await, [&stuck]);
    assert_eq!(pages(&seller, "stuck=true&limit=1").await.concat(), stuck);
    assert_eq!(pages(&seller, "stuck=true&limit=3").await, [&stuck[..3], &stuck[3..]]);
    assert_eq!(pages(&seller, "stuck=true&limit=4").await, [&stuck]);
    assert_eq!(pages(&seller, "stuck=false").await.concat().len(), orders.len());

    let listed = seller.get("/orders?stuck=true&limit=1").await.expect(200);
    let mut order = crate::get_order(&seller, &orders[1]).await;
    for more in ["history", "price_failure"] {
        order.as_object_mut().expect("an object").remove(more);
    }
    assert_eq!(listed["items"][0], order);
}

#[tokio::test]
async fn stuck_orders_can_be_those_of_a_customer_or_a_status() {
    let crm = crm_with(DEADLINES).await;
    let seller = crm.seller().await;
    let (ada, bob) = (crm.customer_account().await, crm.customer_account().await);
    let mut orders = Vec::new();
    for (customer, status) in [(ada, "SUBMITTED"), (bob, "SUBMITTED"), (ada, "PACKAGING")] {
        let id = create_order(&seller, customer).await;
        put_into_status(&crm, &id, status, "100 hours").await;
        orders.push(id);
    }
    assert_eq!(pages(&seller, &format!("stuck=true&customer_id={bob}")).await.concat(), [orders[1].clone()]);
    assert_eq!(pages(&seller, "stuck=true&status=PACKAGING").await.concat(), [orders[2].clone()]);
    assert_eq!(pages(&seller, "stuck=true&status=SUBMITTED&limit=1").await, [&orders[..1], &orders[1..2]]);
    assert_eq!(pages(&seller, "stuck=true&status=INITIATED").await.concat(), [""; 0]);
    // All have waited equally long.
    assert_eq!(pages(&seller, "stuck=true&limit=2").await.concat(), orders);
}

#[tokio::test]
async fn without_a_file_the_defaults_hold() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let [soon, late, undecided] = [
        create_order(&seller, customer).await,
        create_order(&seller, customer).await,
        create_order(&seller, customer).await,
    ];
    put_into_status(&crm, &soon, "SUBMITTED", "43 minutes").await;
    put_into_status(&crm, &late, "SUBMITTED", "46 minutes").await;
    put_into_status(&crm, &undecided, "FILE_UPLOADED", "1000 hours").await;
    assert_eq!(pages(&seller, "stuck=true").await, [[late]]);
}

#[tokio::test]
async fn an_order_is_reported_once_for_each_status_that_it_is_stuck_in() {
    let crm = crm_with(DEADLINES).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let id = create_order(&seller, customer).await;
    let mut expected = 0;
    for (status, ago, least, most) in [("SUBMITTED", "3 hours", 3.0, 3.1), ("PACKAGING", "50 hours", 50.0, 50.1)] {
        put_into_status(&crm, &id, status, ago).await;
        expected += 1;
        let reports = eventually("a report", async || {
            let reports = reports(&id, customer);
            if reports.len() < expected { Err(reports.len()) } else { Ok(reports) }
        })
        .await;
        let report = &reports[expected - 1];
        assert_eq!(elk::record::faults(report), [""; 0]);
        assert_eq!((&report["level"], &report["order.status"]), (&Value::from(40), &Value::from(status)));
        assert_eq!(report["customer.id"], customer.to_string());
        let hours = report["order.age_hours"].as_f64().expect("a number");
        assert!((least..most).contains(&hours), "{hours}");
    }
}

#[tokio::test]
async fn several_watches_report_an_order_once() {
    let crm = crm_with(DEADLINES).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    // Another replica, with the defaults: SUBMITTED may last 45 minutes.
    let models = format!("file://{}", crm.models().display());
    let flags = ["--listen-addr", "127.0.0.1:0", "--database-url", crm.database_url(), "--model-store-url", &models];
    let flags = flags.into_iter().chain(["--amqp-url", "amqp://127.0.0.1:1", "--stuck-check-seconds", "1"]);
    let settings = Settings::<CrmApi>::from_flags(flags).expect("the flags are right");
    let replica = Application::build(&settings).await.expect("it starts");
    let stopping = replica.stopping();
    let replica = tokio::spawn(replica.run_until_stopped());

    // Each round is a later look of both.
    let mut orders = Vec::new();
    for _ in 0..3 {
        let id = create_order(&seller, customer).await;
        put_into_status(&crm, &id, "SUBMITTED", "3 hours").await;
        eventually("a report", async || if reports(&id, customer).is_empty() { Err("none") } else { Ok(()) }).await;
        orders.push(id);
    }
    stopping.cancel();
    replica.await.expect("no panic").expect("it stops");
    for id in orders {
        assert_eq!(reports(&id, customer).len(), 1);
    }
}
