//! Bodies of messages: all that their sender knows of an order.
//!
//! They are made from JSON, as they come over the wire.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use catalogue::Action;
use common::{
    database::Database,
    domain::{OrderFacts, OrderStatus},
    failure::Failure,
    journal::Journal,
    messaging::{Handler, InboundMessage},
    telemetry::{Record, Subject},
    unit_of_work::{UnitOfWork, Units},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Begins a unit of work in a service's database.
///
/// # Errors
///
/// If the database can't be reached.
pub async fn begin(tables: &PgPool) -> Result<UnitOfWork, Failure> {
    Units::new(Database::from(tables.clone()), Journal::default(), Arc::default()).begin("test").await
}

/// Applies a message as the consumer does, in this unit of work. Returns how many changes it records.
///
/// # Errors
///
/// What the handler fails with.
pub async fn apply_in(unit: &mut UnitOfWork, handler: &impl Handler, facts: &OrderFacts) -> Result<usize, Failure> {
    let span = tracing::Span::none();
    let consumed = Record::of_change(Action::MessageConsumed, Subject::just_order(&facts.order.id));
    let consumed = unit.record(consumed).event_id();
    let before = unit.recorded();
    handler.apply(unit, &[InboundMessage { facts, span: &span, consumed }]).await?;
    Ok(unit.recorded() - before)
}

/// Applies a message in a unit of work of its own. Returns how many changes it records.
///
/// # Errors
///
/// What the handler fails with; nothing is changed then.
pub async fn apply(tables: &PgPool, handler: &impl Handler, facts: &OrderFacts) -> Result<usize, Failure> {
    let mut unit = begin(tables).await?;
    let changes = apply_in(&mut unit, handler, facts).await?;
    unit.commit().await?;
    Ok(changes)
}

/// What the CRM sends when a customer has submitted an order of three silver pieces of this model, an STL, OBJ or 3MF
/// file. The model is put into the folder `models`.
///
/// # Panics
///
/// If the model can't be written.
#[must_use]
pub fn submitted(models: &Path, file: &[u8], extension: &str) -> OrderFacts {
    static NUMBER: AtomicU32 = AtomicU32::new(100_000);
    let id = format!("A-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let model_key = format!("test/{id}.{extension}");
    store(models, &model_key, file);
    // What a database keeps has no nanoseconds.
    let created_at = OffsetDateTime::now_utc().replace_nanosecond(123_456_000).expect("a second has that many");
    let customer = Uuid::now_v7();
    let actor = format!("customer:{customer}");
    let order = json!({
        "id": id, "customer_id": customer, "material": "silver_925", "quantity": 3, "comment": "For Ada, with love",
        "model": {"filename": format!("ring.{extension}"), "format": extension, "bytes": file.len(),
                  "sha256": "0".repeat(64)},
    });
    first_three(order, &model_key, created_at, &actor, "shop-api")
}

/// What the MES sends of a partner's order of two pieces of platinum, `P-` and this number.
///
/// # Panics
///
/// If the number is none of an order.
#[must_use]
pub fn placed_by_partner(number: u32) -> OrderFacts {
    let created_at = OffsetDateTime::from_unix_timestamp(1_770_000_000).expect("a time");
    let partner = Uuid::now_v7();
    let order = json!({
        "id": format!("P-{number}"), "partner_id": partner, "material": "platinum_950", "quantity": 2,
        "comment": "a pair",
        "model": {"filename": "pair.obj", "format": "obj", "bytes": 1234, "sha256": "0".repeat(64)},
    });
    let model_key = format!("2026-02-02/{partner}.obj");
    first_three(order, &model_key, created_at, &format!("partner:{partner}"), "mes-api")
}

/// An order in `SUBMITTED`, with a second between its changes.
fn first_three(
    mut order: Value,
    model_key: &str,
    created_at: OffsetDateTime,
    actor: &str,
    service: &str,
) -> OrderFacts {
    let at = |seconds: i64| (created_at + Duration::seconds(seconds)).format(&Rfc3339).expect("RFC 3339");
    let change = |(second, status): (i64, &OrderStatus)| json!({"status": status, "at": at(second), "actor": actor, "service": service});
    let history: Vec<_> = (0..).zip(&OrderStatus::ALL[..3]).map(change).collect();
    order["status"] = json!(OrderStatus::Submitted);
    (order["created_at"], order["updated_at"]) = (json!(at(0)), json!(at(2)));
    order["price"] = Value::Null;
    let facts = json!({"order": order, "model_key": model_key, "history": history, "price_failure": null});
    serde_json::from_value(facts).expect("an order's facts")
}

/// The same order one status further on, a minute later: by the CRM if it is approved, by the MES otherwise. Its price
/// is 489.50 € unless it has one.
///
/// # Panics
///
/// If it is closed.
#[must_use]
pub fn advanced(facts: &OrderFacts) -> OrderFacts {
    let status = facts.order.status.next().expect("a next status");
    let (actor, service) = match status {
        OrderStatus::ManufacturingApproved => (format!("seller:{}", Uuid::nil()), "crm-api"),
        _ => ("service:mes-api".to_owned(), "mes-api"),
    };
    let at = facts.history.last().expect("a beginning").at + Duration::MINUTE;
    let at = at.format(&Rfc3339).expect("RFC 3339");
    let mut facts = serde_json::to_value(facts).expect("JSON");
    let changes = facts["history"].as_array_mut().expect("a history");
    changes.push(json!({"status": status, "at": at, "actor": actor, "service": service}));
    (facts["order"]["status"], facts["order"]["updated_at"]) = (json!(status), json!(at));
    if status == OrderStatus::PriceCalculated && facts["order"]["price"].is_null() {
        facts["order"]["price"] = price(48_950);
    }
    serde_json::from_value(facts).expect("an order's facts")
}

/// The same order, advanced up to this status.
///
/// # Panics
///
/// If it is further already.
#[must_use]
pub fn advanced_to(status: OrderStatus, facts: &OrderFacts) -> OrderFacts {
    let mut facts = facts.clone();
    while facts.order.status != status {
        facts = advanced(&facts);
    }
    facts
}

/// The same with another price, or none.
///
/// # Panics
///
/// If it is no price.
#[must_use]
pub fn with_price(facts: &OrderFacts, amount_minor: Option<i64>) -> OrderFacts {
    let mut facts = serde_json::to_value(facts).expect("JSON");
    facts["order"]["price"] = amount_minor.map_or(Value::Null, price);
    serde_json::from_value(facts).expect("an order's facts")
}

fn price(amount_minor: i64) -> Value {
    json!({"amount_minor": amount_minor, "currency": "EUR"})
}

/// Puts a file where a service keeps its models.
///
/// # Panics
///
/// If it can't be written.
pub fn store(models: &Path, key: &str, file: &[u8]) {
    let path = models.join(key);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the model");
    std::fs::write(&path, file).expect("a model");
}
