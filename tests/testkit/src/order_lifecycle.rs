//! Whole lives of orders, from their creation to their delivery, and the trails that they leave.

use catalogue::record::violations;
use common::domain::OrderStatus::{self, Closed, FileUploaded, PriceCalculated, Shipped, Submitted};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    eventually,
    log::{Record, text},
    search::{Search, matching},
    site::{OrderActions as _, Site, number, partner_form, ring},
};

/// The trail of an order as Support sees it, once it is these events: of each its service, its action, and what it was
/// about. Which system is faster is left open.
async fn trail(support: &Search, order: &str, expected: &[(&str, &str, &str)]) -> Vec<Record> {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let found = eventually(&format!("the whole trail of {order}"), async || {
        let documents = support.documents(&matching(&[("order.id", order)])).await;
        let records = documents.into_iter().map(|document| document.record);
        // Who asked for the order is in the same search, and changes nothing about it.
        let records: Vec<Record> = records.filter(|record| text(record, "event.action") != "http.request").collect();
        let mut events: Vec<_> = records.iter().map(event).collect();
        events.sort_unstable();
        if events == expected { Ok(records) } else { Err(format!("{events:#?} instead of {expected:#?}")) }
    })
    .await;
    for record in &found {
        assert_eq!(violations(record), [""; 0], "{record:?}");
        assert_eq!(text(record, "trace.id").len(), 32, "{record:?}");
    }
    found
}

fn event(record: &Record) -> (&str, &str, &str) {
    let about = ["order.status", "order.price_status", "messaging.message.type", "file.extension"];
    let about = about.iter().map(|field| text(record, field)).find(|text| !text.is_empty());
    (text(record, "name"), text(record, "event.action"), about.unwrap_or_default())
}

/// What happens to every order between its submission and its handing over to the carrier.
const PRODUCTION: [(&str, &str, &str); 24] = [
    ("mes-api", "order.price_status_changed", "CALCULATING"),
    ("mes-api", "order.price_status_changed", "CALCULATED"),
    ("mes-api", "order.status_changed", "PRICE_CALCULATED"),
    ("mes-api", "message.published", "order.priced"),
    ("crm-api", "message.consumed", "order.priced"),
    ("crm-api", "order.status_changed", "PRICE_CALCULATED"),
    ("crm-api", "order.status_changed", "MANUFACTURING_APPROVED"),
    ("crm-api", "message.published", "order.approved"),
    ("mes-api", "message.consumed", "order.approved"),
    ("mes-api", "order.status_changed", "MANUFACTURING_APPROVED"),
    ("mes-api", "order.operator_assigned", ""),
    ("mes-api", "order.status_changed", "MANUFACTURING_STARTED"),
    ("crm-api", "order.status_changed", "MANUFACTURING_STARTED"),
    ("mes-api", "order.status_changed", "MANUFACTURING_COMPLETED"),
    ("crm-api", "order.status_changed", "MANUFACTURING_COMPLETED"),
    ("mes-api", "order.status_changed", "PACKAGING"),
    ("crm-api", "order.status_changed", "PACKAGING"),
    ("mes-api", "order.status_changed", "SHIPPED"),
    ("crm-api", "order.status_changed", "SHIPPED"),
    ("mes-api", "message.published", "order.progressed"),
    ("mes-api", "message.published", "order.progressed"),
    ("mes-api", "message.published", "order.progressed"),
    ("mes-api", "message.published", "order.progressed"),
    ("crm-api", "order.status_changed", "CLOSED"),
];

/// The messages of production, as the CRM takes them.
const PROGRESS: [(&str, &str, &str); 4] = [("crm-api", "message.consumed", "order.progressed"); 4];

/// How a customer's or a seller's order reaches the MES.
const SUBMISSION: [(&str, &str, &str); 3] = [
    ("crm-api", "message.published", "order.submitted"),
    ("mes-api", "message.consumed", "order.submitted"),
    ("mes-api", "order.price_status_changed", "QUEUED"),
];

/// How an order comes to be in this service.
fn beginning(service: &'static str) -> [(&'static str, &'static str, &'static str); 4] {
    [
        (service, "order.created", "INITIATED"),
        (service, "order.model_uploaded", "stl"),
        (service, "order.status_changed", "FILE_UPLOADED"),
        (service, "order.status_changed", "SUBMITTED"),
    ]
}

/// Which services an order's history says that it got each status in.
fn services(order: &Value) -> Vec<(OrderStatus, &str)> {
    let history = order["history"].as_array().expect("an order has a history");
    let times: Vec<&str> = history.iter().map(|change| change["at"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let entry = |change: &'_ Value| serde_json::from_value(change["status"].clone()).expect("a status");
    history.iter().map(|change| (entry(change), change["service"].as_str().expect("a service"))).collect()
}

/// How long it was from an order's first change to its last one.
fn life_in_hours(order: &Value) -> f64 {
    let at = |change: &Value| OffsetDateTime::parse(change["at"].as_str().expect("a time"), &Rfc3339).expect("a time");
    let history = order["history"].as_array().expect("an order has a history");
    (at(&history[history.len() - 1]) - at(&history[0])).as_seconds_f64() / 3600.0
}

fn all_ten(first: &'static str) -> Vec<(OrderStatus, &'static str)> {
    let service = |status: OrderStatus| match status {
        Closed | OrderStatus::ManufacturingApproved => "crm-api",
        status if status <= Submitted => first,
        _ => "mes-api",
    };
    OrderStatus::ALL.map(|status| (status, service(status))).into()
}

/// A customer's order, closed by the carrier. Returns its number.
///
/// # Panics
///
/// If anything on its way, or a record of it, is other than it should be.
pub async fn a_customers_order(site: &Site, support: &Search) -> String {
    let ada = site.customer().await;
    let order = ada.create().await;
    assert_eq!(ada.get(&format!("/orders/{order}")).await.expect(200)["status"], "INITIATED");
    let uploaded = ada.upload(&order, "ring.stl", ring()).await;
    assert_eq!((&uploaded["status"], &uploaded["model"]["bytes"]), (&json!("FILE_UPLOADED"), &json!(ring().len())));
    ada.advance(&order, Submitted).await;
    let priced = ada.wait_for(&order, PriceCalculated).await;
    assert!(priced["price"]["amount_minor"].as_i64() > Some(0), "{priced}");

    site.make_and_ship(&order).await;
    ada.wait_for(&order, Shipped).await;
    site.carrier().post_json("/deliveries", json!({"order_id": order})).await.expect(200);
    let closed = ada.wait_for(&order, Closed).await;
    assert_eq!(services(&closed), all_ten("shop-api"));

    let expected = [&beginning("shop-api")[..], &SUBMISSION, &PRODUCTION, &PROGRESS].concat();
    let customer = ada.account().to_string();
    let trail = trail(support, &order, &expected).await;
    // Shop and CRM record each change once, so the times in their statuses are the order's whole life.
    let stays = trail.iter().filter_map(|record| record.get("order.status_from_hours")?.as_f64());
    let (lived, life) = (stays.sum::<f64>(), life_in_hours(&closed));
    assert!((lived - life).abs() < 1e-6, "{lived} of {life} hours");
    for record in trail {
        let has_owner = text(&record, "name") != "mes-api" && text(&record, "event.action").starts_with("order.");
        assert!(!has_owner || text(&record, "customer.id") == customer, "{record:?}");
    }
    order
}

/// An order that a seller makes for a customer, and closes. Returns its number.
///
/// # Panics
///
/// If anything on its way, or a record of it, is other than it should be.
pub async fn a_sellers_order(site: &Site, support: &Search) -> String {
    let (grace, seller) = (site.customer().await, site.seller().await);
    let wish = json!({"customer_id": grace.account(), "material": "platinum_950", "quantity": 1});
    let order = number(&seller.post_json("/orders", wish).await.expect(201));
    seller.upload(&order, "ring.stl", ring()).await;
    assert_eq!(grace.get(&format!("/orders/{order}")).await.expect(200)["status"], FileUploaded.name());
    seller.advance(&order, Submitted).await;
    seller.wait_for(&order, PriceCalculated).await;
    assert_eq!(seller.get(&format!("/orders/{order}/model")).await.bytes, ring());

    site.make_and_ship(&order).await;
    seller.wait_for(&order, Shipped).await;
    assert_eq!(site.operator().await.get(&format!("/orders/{order}/model")).await.bytes, ring());
    seller.advance(&order, Closed).await;
    assert_eq!(services(&grace.get(&format!("/orders/{order}")).await.expect(200)), all_ten("crm-api"));

    let expected = [&beginning("crm-api")[..], &SUBMISSION, &PRODUCTION, &PROGRESS].concat();
    let customer = grace.account().to_string();
    for record in trail(support, &order, &expected).await {
        let has_owner = text(&record, "name") == "crm-api" && text(&record, "event.action").starts_with("order.");
        assert!(!has_owner || text(&record, "customer.id") == customer, "{record:?}");
    }
    order
}

/// A partner's order. Returns its number.
///
/// # Panics
///
/// If anything on its way, or a record of it, is other than it should be.
pub async fn a_partners_order(site: &Site, support: &Search) -> String {
    let (partner, seller) = (site.partner(), site.seller().await);
    let accepted = partner.post_form("/partner/orders", partner_form(ring())).await.expect(202);
    let order = number(&accepted);
    assert!(order.starts_with("P-"), "{order}");
    let partner_id = accepted["partner_id"].as_str().expect("it is a partner's").to_owned();
    let in_crm = seller.wait_for(&order, PriceCalculated).await;
    assert_eq!(in_crm["partner_id"], partner_id);

    site.make_and_ship(&order).await;
    seller.wait_for(&order, Shipped).await;
    seller.advance(&order, Closed).await;
    let seen_by_partner = partner.get(&format!("/partner/orders/{order}")).await.expect(200);
    assert_eq!((&seen_by_partner["status"], &seen_by_partner["price"]), (&json!("SHIPPED"), &in_crm["price"]));
    assert_eq!(services(&seller.get(&format!("/orders/{order}")).await.expect(200)), all_ten("mes-api"));

    let arrival = [
        ("mes-api", "order.price_status_changed", "QUEUED"),
        ("mes-api", "message.published", "order.partner_submitted"),
        ("crm-api", "message.consumed", "order.partner_submitted"),
    ];
    let expected = [&beginning("mes-api")[..], &arrival, &PRODUCTION, &PROGRESS].concat();
    for record in trail(support, &order, &expected).await {
        let has_owner = text(&record, "event.action").starts_with("order.");
        assert!(!has_owner || text(&record, "partner.id") == partner_id, "{record:?}");
    }
    order
}
