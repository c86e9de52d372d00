//! Orders from their creation to their delivery, and the trails that they leave.

use common::domain::OrderStatus::{self, Closed, FileUploaded, PriceCalculated, Shipped, Submitted};
use e2e::{Client, eventually, solids};
use elk::record::faults;
use serde_json::{Value, json};

use crate::support::{
    log::{self, Record, text},
    people::{WithOrders as _, number, partner_form, ring},
    search::{Search, matching},
    system,
};

/// The trail of an order as Support sees it, once it is these events: of each its service, its action, and what it was
/// about. Which system is faster is left open.
async fn trail(order: &str, expected: &[(&str, &str, &str)]) -> Vec<Record> {
    let support = Search::as_support().await;
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let found = eventually(&format!("the whole trail of {order}"), async || {
        let documents = support.documents(&matching(&[("order.id", order)])).await;
        let records: Vec<Record> = documents.into_iter().map(|document| document.record).collect();
        let mut events: Vec<_> = records.iter().map(event).collect();
        events.sort_unstable();
        if events == expected { Ok(records) } else { Err(format!("{events:#?} instead of {expected:#?}")) }
    })
    .await;
    for record in &found {
        assert_eq!(faults(record), [""; 0], "{record:?}");
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

fn all_ten(first: &'static str) -> Vec<(OrderStatus, &'static str)> {
    let service = |status: OrderStatus| match status {
        Closed | OrderStatus::ManufacturingApproved => "crm-api",
        status if status <= Submitted => first,
        _ => "mes-api",
    };
    OrderStatus::ALL.map(|status| (status, service(status))).into()
}

#[tokio::test]
async fn a_customers_order_lives_through_all_ten_statuses_and_support_sees_its_whole_trail() {
    let site = system::site().await;
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
    for record in trail(&order, &expected).await {
        let told = text(&record, "name") != "mes-api" && text(&record, "event.action").starts_with("order.");
        assert!(!told || text(&record, "customer.id") == customer, "{record:?}");
    }
}

#[tokio::test]
async fn a_seller_orders_for_a_customer_who_sees_the_order_in_the_shop() {
    let site = system::site().await;
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
    for record in trail(&order, &expected).await {
        let told = text(&record, "name") == "crm-api" && text(&record, "event.action").starts_with("order.");
        assert!(!told || text(&record, "customer.id") == customer, "{record:?}");
    }
}

#[tokio::test]
async fn a_partners_order_appears_in_the_crm_and_goes_the_same_way() {
    let site = system::site().await;
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
    for record in trail(&order, &expected).await {
        let told = text(&record, "event.action").starts_with("order.");
        assert!(!told || text(&record, "partner.id") == partner_id, "{record:?}");
    }
}

/// The published formula, in whole numbers: for a volume in thousandths of a mm³.
fn price_of(volume: u128, triangles: u128, material: &str, quantity: u128) -> u128 {
    let list: toml::Table = include_str!("../../../mes-api/prices.toml").parse().expect("prices.toml is TOML");
    let number = |table: &toml::Value, name: &str| table[name].as_integer().expect("a whole number").unsigned_abs();
    let metal = &list["materials"][material];
    let per_volume = u128::from(number(metal, "density_mg_per_cm3")) * u128::from(number(metal, "per_gram_minor"));
    let work = u128::from(number(&list["work"], "base_minor"))
        + triangles.div_ceil(1000) * u128::from(number(&list["work"], "per_1000_triangles_minor"));
    ((volume * per_volume + 500_000_000) / 1_000_000_000 + work) * quantity
}

#[tokio::test]
async fn the_price_is_that_of_the_published_formula_for_every_format() {
    let inch = solids::cube(1.0).to_3mf_mesh();
    let inch = format!("<object id=\"1\" type=\"model\">{inch}</object>");
    let ball = solids::sphere(8.0, 64);
    let models = [
        ("cube.stl", solids::cube(12.0).to_binary_stl(), "gold_750", 1, 1_728_000, 12),
        ("text.stl", solids::cube(5.0).to_ascii_stl(), "platinum_950", 1000, 125_000, 12),
        ("frame.obj", solids::cube_with_hole(10.0, 4.0).to_obj(), "silver_925", 3, 840_000, 32),
        ("cube.3mf", solids::cube(7.5).to_3mf(), "gold_585", 2, 421_875, 12),
        ("inch.3mf", solids::model_3mf("inch", &inch, "<item objectid=\"1\"/>"), "silver_925", 1, 16_387_064, 12),
        ("ball.obj", ball.to_obj(), "gold_585", 1, thousandths(&ball), ball.triangles.len() as u128),
    ];
    let ada = system::site().await.customer().await;
    let priced = models.map(|(filename, model, material, quantity, volume, triangles)| {
        let ada = ada.clone();
        async move {
            let price = price_in_the_shop(&ada, filename, model, material, quantity).await;
            let expected = price_of(volume, triangles, material, u128::from(quantity));
            assert_eq!(price, json!({"amount_minor": expected, "currency": "EUR"}), "{filename}");
        }
    });
    futures::future::join_all(priced).await;
}

/// The volume by the divergence theorem, in thousandths of a mm³.
fn thousandths(solid: &solids::Solid) -> u128 {
    let corner = |index: u32| solid.vertices[index as usize];
    let sixfold: f64 = solid
        .triangles
        .iter()
        .map(|&[a, b, c]| {
            let ([ax, ay, az], [bx, by, bz], [cx, cy, cz]) = (corner(a), corner(b), corner(c));
            ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        })
        .sum();
    (sixfold / 6.0 * 1000.0).round() as u128
}

async fn price_in_the_shop(ada: &Client, filename: &str, model: Vec<u8>, material: &str, quantity: u16) -> Value {
    let wish = json!({"material": material, "quantity": quantity});
    let order = number(&ada.post_json("/orders", wish).await.expect(201));
    ada.upload(&order, filename, model).await;
    ada.advance(&order, Submitted).await;
    ada.wait_for(&order, PriceCalculated).await["price"].clone()
}

#[tokio::test]
async fn of_two_operators_at_once_one_gets_the_order() {
    let site = system::site().await;
    let order = site.customer().await.submit_new().await;
    let (seller, one, other) = (site.seller().await, site.operator().await, site.second_operator().await);
    seller.wait_for(&order, PriceCalculated).await;
    seller.advance(&order, OrderStatus::ManufacturingApproved).await;
    one.wait_for(&order, OrderStatus::ManufacturingApproved).await;
    let path = format!("/orders/{order}/operator");
    let (first, second) = tokio::join!(one.put(&path), other.put(&path));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let winner = if first.status == 200 { &one } else { &other };
    let of_order = matching(&[("order.id", &order), ("event.action", "order.operator_assigned")]);
    let assigned = Search::as_support().await.at_least(1, &of_order).await;
    assert_eq!(assigned.len(), 1);
    assert!(log::has(&assigned[0], &[("operator.id", &winner.account().to_string())]), "{assigned:?}");
}
