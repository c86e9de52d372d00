//! Orders that stand still or take too long: lists for sellers, and one record for each order and status.

use std::{fs, path::Path};

use common::{
    domain::OrderStatus,
    service::{Application, Settings},
};
use crm_api::CrmApi;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::{
    Client, eventually,
    records::records_with,
    service::{self, RunningService},
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    create_order, crm,
    lists::pages,
    messages::{apply, placed_by_partner},
    put_into_status, set_status, submit_order,
};

const DEADLINES: &str = "SUBMITTED = \"60 minutes\"\nPACKAGING = \"2 days\"\nSHIPPED = \"0 minutes\"";

/// A CRM with these deadlines that looks for stuck orders every second.
async fn crm_with(deadlines: &str) -> RunningService {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("deadlines-{}.toml", Uuid::now_v7()));
    fs::write(&path, deadlines).expect("a file");
    let file = path.to_str().expect("a path");
    let crm = service::start::<CrmApi>(&["--deadlines-file", file, "--stuck-check-seconds", "1"]).await;
    // It was read at the start.
    fs::remove_file(&path).expect("the file goes");
    crm
}

/// The records that say that this customer's order is stuck. Orders have the same numbers in each test's database.
fn reports(id: &str, customer: Uuid) -> Vec<Map<String, Value>> {
    reports_of("order.stuck", id, customer)
}

fn reports_of(action: &str, id: &str, customer: Uuid) -> Vec<Map<String, Value>> {
    let mut records = records_with("customer.id", &customer.to_string());
    records.retain(|record| record["order.id"] == id);
    records.retain(|record| record["event.action"] == action);
    records
}

/// The first such report, once it is there.
async fn first_report(action: &str, id: &str, customer: Uuid) -> Map<String, Value> {
    let report = eventually(action, async || reports_of(action, id, customer).pop().ok_or("none")).await;
    assert_eq!(catalogue::record::violations(&report), [""; 0]);
    report
}

/// Changes an order's row behind the service's back.
async fn set(crm: &RunningService, id: &str, change: &str) {
    let change = format!("UPDATE orders SET {change} WHERE id = '{id}'");
    let changed = sqlx::query(AssertSqlSafe(change)).execute(crm.tables()).await.expect("a change");
    assert_eq!(changed.rows_affected(), 1);
}

/// Waits until the CRM has looked once more, as the report of another order shows.
async fn another_look(crm: &RunningService, seller: &Client, customer: Uuid) {
    let id = create_order(seller, customer).await;
    put_into_status(crm, &id, "SUBMITTED", "3 hours").await;
    first_report("order.stuck", &id, customer).await;
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
        assert_eq!(catalogue::record::violations(report), [""; 0]);
        assert_eq!((&report["level"], &report["order.status"]), (&Value::from(40), &Value::from(status)));
        assert_eq!(report["customer.id"], customer.to_string());
        let hours = report["order.age_hours"].as_f64().expect("a number");
        assert!((least..most).contains(&hours), "{hours}");
    }
    another_look(&crm, &seller, customer).await;
    assert_eq!(reports(&id, customer).len(), expected);
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
    another_look(&crm, &seller, customer).await;
    for id in orders {
        assert_eq!(reports(&id, customer).len(), 1);
    }
}

#[tokio::test]
async fn what_a_customer_left_lying_is_abandoned_and_not_stuck() {
    let crm = crm_with("INITIATED = \"7 days\"\nFILE_UPLOADED = \"7 days\"\nSUBMITTED = \"1 hour\"").await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let [new, old] = [create_order(&seller, customer).await, create_order(&seller, customer).await];
    put_into_status(&crm, &new, "INITIATED", "6 days").await;
    for status in ["INITIATED", "FILE_UPLOADED"] {
        put_into_status(&crm, &old, status, "8 days").await;
        let report = first_report("order.abandoned", &old, customer).await;
        assert_eq!(report["level"], 30);
        assert!((192.0..192.1).contains(&report["order.age_hours"].as_f64().expect("a number")), "{report:?}");
        assert_eq!(pages(&seller, "stuck=true").await.concat(), [""; 0]);
        eventually("a report for the status", async || {
            let reported = |report: &Map<_, _>| report["order.status"] == status;
            if reports_of("order.abandoned", &old, customer).iter().any(reported) { Ok(()) } else { Err("none") }
        })
        .await;
    }
    another_look(&crm, &seller, customer).await;
    let mut connection = crm.tables().acquire().await.expect("a connection");
    let standing = shop_orders::store::standing(&mut connection).await.expect("counts");
    let mut counted: Vec<_> = standing.statuses.iter().map(|of| (of.status, of.orders, of.stuck)).collect();
    counted.sort_unstable();
    // The other look has left a stuck order.
    let expected = [(OrderStatus::Initiated, 1, 0), (OrderStatus::FileUploaded, 1, 0), (OrderStatus::Submitted, 1, 1)];
    assert_eq!(counted, expected);
    assert_eq!(reports_of("order.abandoned", &old, customer).len(), 2);
    assert_eq!(reports(&old, customer).len(), 0);
    assert_eq!(reports_of("order.abandoned", &new, customer).len(), 0);
}

#[tokio::test]
async fn an_order_that_takes_too_long_as_a_whole_is_overdue_wherever_it_is() {
    let crm = crm_with("SUBMITTED = \"1 hour\"\nWHOLE_ORDER = \"3 weeks\"").await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let mut orders = Vec::new();
    for (status, ago) in
        [("PACKAGING", "22 days"), ("SHIPPED", "20 days"), ("PRICE_CALCULATED", "60 days"), ("CLOSED", "60 days")]
    {
        let id = submit_order(&seller, customer).await;
        put_into_status(&crm, &id, status, "1 hour").await;
        set(&crm, &id, &format!("submitted_at = date_trunc('minute', now()) - interval '{ago}'")).await;
        orders.push(id);
    }
    let late = [orders[2].clone(), orders[0].clone()];
    assert_eq!(pages(&seller, "overdue=true").await, [&late]);
    assert_eq!(pages(&seller, "overdue=true&limit=1").await, [&late[..1], &late[1..]]);
    assert_eq!(pages(&seller, "overdue=true&status=PACKAGING").await, [&late[1..]]);
    assert_eq!(pages(&seller, "stuck=true").await.concat(), [""; 0], "none stands still in its status");
    seller.get("/orders?overdue=true&stuck=true").await.expect_problem(422, "invalid_request");

    for (id, status, days) in [(&orders[0], "PACKAGING", 22.0), (&orders[2], "PRICE_CALCULATED", 60.0)] {
        let report = first_report("order.overdue", id, customer).await;
        assert_eq!((&report["level"], &report["order.status"]), (&Value::from(40), &Value::from(status)));
        let hours = report["order.age_hours"].as_f64().expect("a number");
        assert!((days * 24.0..days * 24.0 + 0.1).contains(&hours), "{hours}");
    }
    // Once, even if it goes on.
    put_into_status(&crm, &orders[0], "SHIPPED", "1 minute").await;
    another_look(&crm, &seller, customer).await;
    let counts = orders.iter().map(|id| reports_of("order.overdue", id, customer).len());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 0, 1, 0]);
    set_status(&seller, &orders[0], "CLOSED").await.expect(200);
    assert_eq!(pages(&seller, "overdue=true").await, [&late[..1]]);
}

#[tokio::test]
async fn the_clock_of_the_whole_order_starts_when_it_is_submitted() {
    let crm = crm_with("WHOLE_ORDER = \"0 minutes\"").await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let draft = create_order(&seller, customer).await;
    let submitted = submit_order(&seller, customer).await;
    first_report("order.overdue", &submitted, customer).await;
    assert_eq!(pages(&seller, "overdue=true").await, [[submitted]]);
    assert_eq!(reports_of("order.overdue", &draft, customer).len(), 0);
}

#[tokio::test]
async fn a_partners_order_is_watched_like_any_other() {
    let crm = crm_with("SUBMITTED = \"1 hour\"\nWHOLE_ORDER = \"3 weeks\"").await;
    let placed = placed_by_partner(100_042);
    let partner = placed.order.owner.partner().expect("a partner").to_string();
    apply(&crm, &placed).await.expect("it is applied");
    let reported = eventually("two reports", async || {
        let mut records = records_with("partner.id", &partner);
        records.retain(|record| record["event.action"] != "order.status_changed");
        if records.len() == 2 { Ok(records) } else { Err(records.len()) }
    })
    .await;
    let mut actions: Vec<_> = reported.iter().map(|record| &record["event.action"]).collect();
    actions.sort_by_key(|action| action.to_string());
    assert_eq!(actions, ["order.overdue", "order.stuck"]);
    for record in &reported {
        assert_eq!(catalogue::record::violations(record), [""; 0]);
        assert_eq!((&record["order.id"], &record["order.status"]), (&"P-100042".into(), &"SUBMITTED".into()));
    }
    let seller = crm.seller().await;
    for list in ["stuck=true", "overdue=true"] {
        assert_eq!(pages(&seller, list).await.concat(), ["P-100042"]);
    }
}

#[tokio::test]
async fn among_many_orders_only_the_late_ones_are_read() {
    const ORDERS: i64 = 60_000;
    const REQUESTS: i64 = 20;
    let crm = crm_with("INITIATED = \"7 days\"\nSUBMITTED = \"1 hour\"\nWHOLE_ORDER = \"3 weeks\"").await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    // Mostly closed or abandoned and reported; some under way; one in six hundred stuck and reported.
    let fill = "INSERT INTO orders (id, status, status_since, reported_status, submitted_at, customer_id, material,
                                    quantity, created_at, updated_at)
                SELECT 'A-' || (10000000 + n), status, now() - age,
                       CASE WHEN status = 'INITIATED' OR age > interval '1 hour' THEN status END,
                       CASE WHEN status <> 'INITIATED' THEN now() - age END, $1, 'gold_585', 1, now() - age, now()
                FROM generate_series(1, $2) AS n
                CROSS JOIN LATERAL (SELECT
                    CASE WHEN n % 3 = 0 THEN 'INITIATED' WHEN n % 20 = 1 THEN 'SUBMITTED' ELSE 'CLOSED' END,
                    CASE WHEN n % 3 = 0 THEN interval '1 year' WHEN n % 600 = 1 THEN interval '2 days'
                         WHEN n % 20 = 1 THEN interval '1 minute' ELSE interval '1 year' END) AS kinds (status, age)";
    sqlx::query(fill).bind(customer).bind(ORDERS).execute(crm.tables()).await.expect("orders");
    sqlx::raw_sql("VACUUM ANALYZE orders").execute(crm.tables()).await.expect("statistics");
    // A look of the watch from before the statistics were there may be counted late: then once more.
    let rows = eventually("requests without a look at the whole table", async || {
        sqlx::raw_sql("SELECT pg_stat_reset()").execute(crm.tables()).await.expect("counters");
        for _ in 0..REQUESTS {
            assert_eq!(pages_of_one(&seller, "stuck=true&limit=10").await.len(), 10);
            assert_eq!(pages_of_one(&seller, "overdue=true&limit=10").await, [""; 0]);
        }
        // The server's processes report their counts with a delay.
        let (rows, whole) = eventually("the counters", async || {
            let counters = "SELECT seq_tup_read + idx_tup_fetch, seq_scan, idx_scan FROM pg_stat_user_tables
                            WHERE relname = 'orders'";
            let (rows, whole, by_index): (i64, i64, i64) =
                sqlx::query_as(counters).fetch_one(crm.tables()).await.expect("counters");
            if by_index >= 2 * REQUESTS { Ok((rows, whole)) } else { Err(by_index) }
        })
        .await;
        if whole == 0 { Ok(rows) } else { Err(whole) }
    })
    .await;
    assert!(rows < ORDERS / 10, "{rows} rows were read");
}

#[tokio::test]
async fn overdue_orders_that_were_reported_are_not_read_again() {
    const ORDERS: i64 = 2_000;
    let crm = crm().await;
    let customer = crm.customer_account().await;
    let fill = "INSERT INTO orders (id, status, status_since, reported_status, submitted_at, overdue_reported_at,
                                    customer_id, material, quantity, created_at, updated_at)
                SELECT 'A-' || (10000000 + n), 'PACKAGING', at, 'PACKAGING', at, now(), $1, 'gold_585', 1, at, now()
                FROM generate_series(1, $2) AS n CROSS JOIN (SELECT now() - interval '60 days') AS submitted (at)";
    sqlx::query(fill).bind(customer).bind(ORDERS).execute(crm.tables()).await.expect("orders");
    sqlx::raw_sql("VACUUM ANALYZE orders").execute(crm.tables()).await.expect("statistics");

    let mut transaction = crm.tables().begin().await.expect("a transaction");
    let before = rows_read(&mut transaction).await;
    let since = OffsetDateTime::now_utc() - Duration::weeks(3);
    let late = shop_orders::store::lock_overdue(&mut transaction, since, 500).await.expect("a look");
    assert!(late.is_empty(), "{late:?}");
    assert_eq!(rows_read(&mut transaction).await, before);
}

/// How many orders this connection has read since it reported its counters, which it doesn't within a transaction.
async fn rows_read(transaction: &mut PgConnection) -> i64 {
    let counters = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'orders'";
    sqlx::query_scalar(counters).fetch_one(transaction).await.expect("counters")
}

/// The first page of a list.
async fn pages_of_one(seller: &Client, query: &str) -> Vec<String> {
    let page = seller.get(&format!("/orders?{query}")).await.expect(200);
    page["items"].as_array().expect("a list").iter().map(crate::id_of).collect()
}
