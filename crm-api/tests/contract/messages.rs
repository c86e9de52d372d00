//! Messages of the MES: they may come twice, late or out of order, and the outcome is the same.

use catalogue::Service;
use common::{
    domain::{
        Actor, Change, Language, Material, Measured, Model, ModelFormat, ModelUnit, Notice, Order, OrderFacts, OrderId,
        OrderStatus, Owner, PartnerId, Price, Role,
    },
    failure::{ErrorType, Failure},
};
use crm_api::Inbound;
use serde_json::{Value, json};
use testkit::{Client, service::RunningService};
use time::{Duration, OffsetDateTime};

use crate::{create_order, crm, get_order, set_status, statuses, submit_order};

/// Applies a message as the consumer does: in one transaction. Returns how many changes it brought.
pub(crate) async fn apply(crm: &RunningService, message: &OrderFacts) -> Result<usize, Failure> {
    testkit::facts::apply(crm.tables(), &Inbound, message).await
}

/// What the MES knows of a submitted order: the message about it.
pub(crate) async fn sent_to_the_mes(crm: &RunningService, id: &str) -> OrderFacts {
    let body = sqlx::query_scalar("SELECT body FROM outbox WHERE order_id = $1 AND type = 'order.submitted'");
    let body: Value = body.bind(id).fetch_one(crm.tables()).await.expect("a message");
    serde_json::from_value(body).expect("an order's facts")
}

/// What the MES sends after it has advanced an order to `status`.
pub(crate) fn advanced_to(status: OrderStatus, before: &OrderFacts) -> OrderFacts {
    let mut facts = before.clone();
    while let Some(next) = facts.order.status.next().filter(|next| *next <= status) {
        let service = if next == OrderStatus::ManufacturingApproved { Service::CrmApi } else { Service::MesApi };
        let at = facts.history.last().expect("a beginning").at + Duration::SECOND;
        facts.history.push(Change { status: next, at, actor: Actor::Service(service), service });
        facts.order.status = next;
        if next == OrderStatus::PriceCalculated {
            facts.order.price = Some(Price { amount_minor: 48_950, currency: "EUR".to_owned() });
            let model = facts.order.model.as_mut().expect("a model");
            model.measured = Some(measured());
            model.warnings = vec![overlap()];
        }
    }
    facts
}

fn measured() -> Measured {
    Measured { size_mm: [21.5, 21.5, 6.0], volume_mm3: 177.6, weight_g: 3.8, triangles: 20_000, bodies: 2 }
}

fn overlap() -> Notice {
    Notice::new("overlapping_bodies", |language| match language {
        Language::English => "Bodies overlap.".to_owned(),
        Language::Russian => "Тела пересекаются.".to_owned(),
    })
}

/// The same, but no price could be calculated.
fn without_price(before: &OrderFacts) -> OrderFacts {
    let failure = Notice::new("not_closed", |language| match language {
        Language::English => "The model has holes.".to_owned(),
        Language::Russian => "В модели есть отверстия.".to_owned(),
    });
    OrderFacts { price_failure: Some(failure), ..before.clone() }
}

/// The same, this long after `before`, for a reason on our side.
fn without_price_for_our_reason(before: &OrderFacts, after: Duration) -> OrderFacts {
    let failure = Notice::new("calculation_failed", |_| "We will calculate it again.".to_owned());
    let mut facts = OrderFacts { price_failure: Some(failure), ..before.clone() };
    facts.order.updated_at += after;
    facts
}

/// Submits an order and lets the MES calculate its price; returns its number.
pub(crate) async fn priced_order(crm: &RunningService, seller: &Client) -> String {
    let id = submit_order(seller, crm.customer_account().await).await;
    let priced = advanced_to(OrderStatus::PriceCalculated, &sent_to_the_mes(crm, &id).await);
    assert_eq!(apply(crm, &priced).await.expect("it is applied"), 1);
    id
}

/// A partner's order as it was placed in the MES.
pub(crate) fn placed_by_partner(number: u32) -> OrderFacts {
    let created_at = OffsetDateTime::from_unix_timestamp(1_770_000_000).expect("a time");
    let partner = PartnerId::new();
    let change = |(step, status): (i64, &OrderStatus)| Change {
        status: *status,
        at: created_at + Duration::seconds(step),
        actor: Actor::Account(Role::Partner, partner.uuid().into()),
        service: Service::MesApi,
    };
    OrderFacts {
        order: Order {
            id: format!("P-{number}").parse().expect("a number"),
            status: OrderStatus::Submitted,
            owner: Owner::Partner(partner),
            material: Material::Platinum950,
            quantity: 2,
            comment: Some("a pair".to_owned()),
            model: Some(Model {
                filename: "pair.obj".to_owned(),
                format: ModelFormat::Obj,
                bytes: 1234,
                sha256: "0".repeat(64),
                unit: Some(ModelUnit::Inch),
                measured: None,
                warnings: Vec::new(),
            }),
            price: None,
            created_at,
            updated_at: created_at,
        },
        model_key: format!("2026-02-02/{partner}.obj"),
        history: (0..).zip(&OrderStatus::ALL[..3]).map(change).collect(),
        price_failure: None,
    }
}

/// An order without what differs from one to the next, and without the time of its last change.
async fn end_state(seller: &Client, id: &OrderId) -> Value {
    let mut order = get_order(seller, id.as_str()).await;
    for own in ["id", "partner_id", "updated_at"] {
        assert!(order.as_object_mut().expect("an object").remove(own).is_some(), "{own}");
    }
    for change in order["history"].as_array_mut().expect("a history") {
        change["actor"] = Value::Null;
    }
    order
}

/// Every order in which `length` messages of `kinds` kinds can come that has each kind at least once.
fn arrivals(kinds: usize, length: u32) -> Vec<Vec<usize>> {
    let all = (0..kinds.pow(length)).map(|code| (0..length).map(|place| code / kinds.pow(place) % kinds).collect());
    all.filter(|arrival: &Vec<usize>| (0..kinds).all(|kind| arrival.contains(&kind))).collect()
}

#[tokio::test]
async fn a_price_takes_the_order_on_and_is_shown() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = submit_order(&seller, crm.customer_account().await).await;
    assert_eq!(get_order(&seller, &id).await["price"], Value::Null);
    let priced = advanced_to(OrderStatus::PriceCalculated, &sent_to_the_mes(&crm, &id).await);
    assert_eq!(apply(&crm, &priced).await.expect("it is applied"), 1);

    let order = get_order(&seller, &id).await;
    assert_eq!(order["status"], "PRICE_CALCULATED");
    assert_eq!(order["price"], json!({"amount_minor": 48950, "currency": "EUR"}));
    assert_eq!(statuses(&order), ["INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED"]);
    assert_eq!(order["history"][3]["service"], "mes-api");
    assert_eq!(order["history"][3]["actor"], "service:mes-api");
}

#[tokio::test]
async fn the_same_message_again_changes_nothing() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    let before = get_order(&seller, &id).await;
    let priced = advanced_to(OrderStatus::PriceCalculated, &sent_to_the_mes(&crm, &id).await);
    for _ in 0..3 {
        assert_eq!(apply(&crm, &priced).await.expect("it is applied"), 0);
    }
    assert_eq!(get_order(&seller, &id).await, before);
}

#[tokio::test]
async fn another_price_for_the_same_order_does_not_replace_the_first() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    let mut other = advanced_to(OrderStatus::PriceCalculated, &sent_to_the_mes(&crm, &id).await);
    other.order.price = Some(Price { amount_minor: 1, currency: "EUR".to_owned() });
    assert_eq!(apply(&crm, &other).await.expect("it is applied"), 0);
    assert_eq!(get_order(&seller, &id).await["price"]["amount_minor"], 48_950);
}

#[tokio::test]
async fn why_there_is_no_price_is_shown_until_there_is_one() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = submit_order(&seller, crm.customer_account().await).await;
    let submitted = sent_to_the_mes(&crm, &id).await;
    assert_eq!(apply(&crm, &without_price(&submitted)).await.expect("it is applied"), 0);
    let order = get_order(&seller, &id).await;
    assert_eq!((&order["status"], &order["price"]), (&json!("SUBMITTED"), &Value::Null));
    assert_eq!(order["price_failure"], json!({"code": "not_closed", "detail": "The model has holes."}));
    assert_eq!(order["model"]["measured"], Value::Null);
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect_problem(409, "status_skipped");

    apply(&crm, &advanced_to(OrderStatus::PriceCalculated, &submitted)).await.expect("it is applied");
    let priced = get_order(&seller, &id).await;
    assert_eq!(priced["price_failure"], Value::Null);
    assert_eq!(priced["price"]["amount_minor"], 48_950);
    assert_eq!(priced["model"]["measured"], json!(measured()));
    assert_eq!(priced["model"]["warnings"], json!([{"code": "overlapping_bodies", "detail": "Bodies overlap."}]));

    // The failure again, late.
    apply(&crm, &without_price(&submitted)).await.expect("it is applied");
    assert_eq!(get_order(&seller, &id).await, priced);
}

#[tokio::test]
async fn of_several_price_failures_the_latest_is_shown_in_whichever_order_their_messages_come() {
    let crm = crm().await;
    let seller = crm.seller().await;
    for (arrival, number) in arrivals(3, 4).into_iter().zip(300_000..) {
        let placed = placed_by_partner(number);
        let ours = |after| without_price_for_our_reason(&placed, after);
        let mut latest = without_price(&placed);
        latest.order.updated_at += Duration::MINUTE;
        let messages = [ours(Duration::SECOND), ours(Duration::milliseconds(59_999)), latest];
        for kind in &arrival {
            assert_eq!(apply(&crm, &messages[*kind]).await.expect("it is applied"), 0);
        }
        let order = get_order(&seller, placed.order.id.as_str()).await;
        let expected = json!({"code": "not_closed", "detail": "The model has holes."});
        assert_eq!(order["price_failure"], expected, "{arrival:?}");

        apply(&crm, &messages[2]).await.expect("it is applied");
        assert_eq!(get_order(&seller, placed.order.id.as_str()).await, order, "a repetition changes nothing");
    }
}

#[tokio::test]
async fn a_partners_order_appears_whichever_message_comes_first_and_however_often() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let mut states = Vec::new();
    for (arrival, number) in [arrivals(3, 3), arrivals(3, 4)].concat().into_iter().zip(100_000..) {
        let placed = placed_by_partner(number);
        let messages = [placed.clone(), without_price(&placed), advanced_to(OrderStatus::PriceCalculated, &placed)];
        let mut changes = 0;
        for kind in &arrival {
            changes += apply(&crm, &messages[*kind]).await.expect("it is applied");
        }
        assert_eq!(changes, 1, "it goes one status on: {arrival:?}");
        states.push((arrival, end_state(&seller, &placed.order.id).await));
    }
    let expected = json!({
        "status": "PRICE_CALCULATED", "material": "platinum_950", "quantity": 2, "comment": "a pair",
        "model": {"filename": "pair.obj", "format": "obj", "bytes": 1234, "sha256": "0".repeat(64), "unit": "in",
                  "measured": measured(), "warnings": [{"code": "overlapping_bodies", "detail": "Bodies overlap."}]},
        "price": {"amount_minor": 48950, "currency": "EUR"}, "price_failure": null,
        "created_at": "2026-02-02T02:40:00Z", "history": states[0].1["history"],
    });
    assert_eq!(statuses(&expected), ["INITIATED", "FILE_UPLOADED", "SUBMITTED", "PRICE_CALCULATED"]);
    for (arrival, state) in states {
        assert_eq!(state, expected, "{arrival:?}");
    }
}

#[tokio::test]
async fn production_ends_the_same_in_whichever_order_its_messages_come() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let permutations = arrivals(4, 4).into_iter().map(|mut arrival| {
        // The first one comes once more at the end.
        arrival.push(arrival[0]);
        arrival
    });
    let mut states = Vec::new();
    for (arrival, number) in permutations.zip(200_000..) {
        let priced = advanced_to(OrderStatus::PriceCalculated, &placed_by_partner(number));
        let id = &priced.order.id;
        apply(&crm, &priced).await.expect("it is applied");
        set_status(&seller, id.as_str(), "MANUFACTURING_APPROVED").await.expect(200);
        let mut changes = 0;
        for kind in &arrival {
            let message = advanced_to(OrderStatus::ALL[5 + kind], &priced);
            changes += apply(&crm, &message).await.expect("it is applied");
        }
        assert_eq!(changes, 4, "{arrival:?}");
        let mut state = end_state(&seller, id).await;
        // Set here, when the seller said so.
        state["history"][4]["at"] = Value::Null;
        states.push((arrival, state));
    }
    assert_eq!(states.len(), 24);
    let first = states[0].1.clone();
    assert_eq!(first["status"], "SHIPPED");
    assert_eq!(statuses(&first), OrderStatus::ALL[..9].iter().map(|status| status.name()).collect::<Vec<_>>());
    for (arrival, state) in states {
        assert_eq!(state, first, "{arrival:?}");
    }
}

#[tokio::test]
async fn an_early_message_brings_what_the_late_ones_would_have_brought() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect(200);
    let submitted = sent_to_the_mes(&crm, &id).await;
    let shipped = advanced_to(OrderStatus::Shipped, &submitted);
    assert_eq!(apply(&crm, &shipped).await.expect("it is applied"), 4);
    let order = get_order(&seller, &id).await;
    assert_eq!(order["status"], "SHIPPED");
    assert_eq!(apply(&crm, &advanced_to(OrderStatus::Packaging, &submitted)).await.expect("it is applied"), 0);
    assert_eq!(get_order(&seller, &id).await, order);
}

#[tokio::test]
async fn a_message_that_leaves_a_status_out_is_refused_and_changes_nothing() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect(200);
    let before = get_order(&seller, &id).await;
    let mut gap = advanced_to(OrderStatus::Packaging, &sent_to_the_mes(&crm, &id).await);
    gap.history.retain(|change| change.status != OrderStatus::ManufacturingCompleted);
    let failure = apply(&crm, &gap).await.expect_err("a status is missing");
    assert_eq!(failure.error_type, ErrorType::MessageUnexpected);
    assert!(failure.chain().contains("MANUFACTURING_STARTED"), "{}", failure.chain());
    assert_eq!(get_order(&seller, &id).await, before);
}

#[tokio::test]
async fn a_message_about_a_customers_order_that_nobody_placed_is_refused() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let mut facts = placed_by_partner(100_000);
    facts.order.id = "A-999999".parse().expect("a number");
    facts.order.owner = Owner::Customer(crm.customer_account().await.into());
    let failure = apply(&crm, &facts).await.expect_err("there is no such order");
    assert_eq!(failure.error_type, ErrorType::MessageUnexpected);
    seller.get("/orders/A-999999").await.expect_problem(404, "order_not_found");
}

#[tokio::test]
async fn a_partners_order_is_handled_like_any_other() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let customers = create_order(&seller, crm.customer_account().await).await;
    let priced = advanced_to(OrderStatus::PriceCalculated, &placed_by_partner(100_007));
    apply(&crm, &priced).await.expect("it is applied");
    let partner = priced.order.owner.partner().expect("a partner");

    let order = set_status(&seller, "P-100007", "MANUFACTURING_APPROVED").await.expect(200);
    assert_eq!(order["partner_id"], partner.to_string());
    assert!(order.get("customer_id").is_none(), "{order}");
    let found = get_order(&seller, "P-100007").await;
    assert_eq!(found["history"][0]["actor"], format!("partner:{partner}"));
    assert_eq!(found["history"][0]["service"], "mes-api");

    let listed = seller.get("/orders").await.expect(200);
    let numbers: Vec<_> = listed["items"].as_array().expect("a list").iter().map(|order| &order["id"]).collect();
    assert_eq!(numbers, [&json!(customers), &json!("P-100007")], "by when they were created");
}

#[tokio::test]
async fn an_order_goes_through_all_ten_statuses() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    set_status(&seller, &id, "MANUFACTURING_APPROVED").await.expect(200);
    let submitted = sent_to_the_mes(&crm, &id).await;
    for status in &OrderStatus::ALL[5..9] {
        assert_eq!(apply(&crm, &advanced_to(*status, &submitted)).await.expect("it is applied"), 1);
        assert_eq!(get_order(&seller, &id).await["status"], status.name());
    }
    set_status(&seller, &id, "CLOSED").await.expect(200);
    let order = get_order(&seller, &id).await;
    assert_eq!(statuses(&order), OrderStatus::ALL.map(OrderStatus::name));
    let services: Vec<_> =
        order["history"].as_array().expect("a history").iter().map(|change| &change["service"]).collect();
    let [crm_api, mes_api] = [json!("crm-api"), json!("mes-api")];
    assert_eq!(services[..4], [&crm_api, &crm_api, &crm_api, &mes_api]);
    assert_eq!(services[4..], [&crm_api, &mes_api, &mes_api, &mes_api, &mes_api, &crm_api]);

    // Whatever still comes, comes too late.
    apply(&crm, &advanced_to(OrderStatus::Shipped, &submitted)).await.expect("it is applied");
    assert_eq!(get_order(&seller, &id).await, order);
}
