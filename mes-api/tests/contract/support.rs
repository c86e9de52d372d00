//! Orders as the CRM sends them, and what tests often need of them.

use catalogue::Service;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use common::{
    domain::{
        AccountId, Actor, Change, CustomerId, Material, Model, ModelFormat, Order, OrderFacts, OrderId, OrderStatus,
        Owner, Role,
    },
    failure::Failure,
    unit_of_work::UnitOfWork,
};
use mes_api::{Inbound, MesApi};
use serde_json::Value;
use testkit::{Client, eventually, facts, orders::cube, service::RunningService};
use time::OffsetDateTime;
use uuid::Uuid;

/// Prices are left alone.
pub(crate) const NO_PRICES: [&str; 2] = ["--price-workers", "0"];
/// Prices are looked for often, so that no test waits.
pub(crate) const PRICES: [&str; 4] = ["--price-workers", "2", "--price-poll-ms", "20"];

pub(crate) async fn start(flags: &[&str]) -> RunningService {
    testkit::service::start::<MesApi>(flags).await
}

/// What the CRM sends when a customer has submitted an order of three silver pieces of this model.
pub(crate) fn submitted(mes: &RunningService, file: &[u8], format: ModelFormat) -> OrderFacts {
    static NUMBER: AtomicU32 = AtomicU32::new(100_000);
    let id = format!("A-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let owner = Owner::Customer(CustomerId::new());
    // What a database keeps has no nanoseconds.
    let created_at = OffsetDateTime::now_utc().replace_nanosecond(123_456_000).expect("a second has that many");
    let model_key = format!("test/{id}.{}", format.extension());
    store(mes, &model_key, file);
    let first = [OrderStatus::Initiated, OrderStatus::FileUploaded, OrderStatus::Submitted];
    let changes = first.map(|status| Change {
        status,
        at: created_at + time::Duration::seconds(status as i64),
        actor: Actor::Account(Role::Customer, owner.customer().expect("a customer").uuid().into()),
        service: Service::ShopApi,
    });
    let order = Order {
        id: id.parse().expect("a number"),
        status: OrderStatus::Submitted,
        owner,
        material: Material::Silver925,
        quantity: 3,
        comment: Some("For Ada, with love".to_owned()),
        model: Some(Model {
            filename: format!("ring.{}", format.extension()),
            format,
            bytes: i64::try_from(file.len()).expect("a short file"),
            sha256: "0".repeat(64),
            unit: format.unit(),
            measured: None,
            warnings: Vec::new(),
        }),
        price: None,
        created_at,
        updated_at: changes[2].at,
    };
    OrderFacts { order, model_key, history: changes.into(), price_failure: None }
}

/// The same order, one status on, by the CRM or, as the CRM has heard, by the MES.
pub(crate) fn one_on(facts: &OrderFacts) -> OrderFacts {
    let mut facts = facts.clone();
    let status = facts.order.status.next().expect("a next status");
    let at = facts.order.updated_at + time::Duration::minutes(1);
    let (actor, service) = match status {
        OrderStatus::PriceCalculated => (Actor::Service(Service::MesApi), Service::MesApi),
        _ => (Actor::Account(Role::Seller, AccountId::from(Uuid::nil())), Service::CrmApi),
    };
    facts.order.status = status;
    facts.order.updated_at = at;
    facts.history.push(Change { status, at, actor, service });
    facts
}

/// Puts a file where the service keeps its models.
pub(crate) fn store(mes: &RunningService, key: &str, file: &[u8]) -> PathBuf {
    let path = mes.models().join(key);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the model");
    std::fs::write(&path, file).expect("a model");
    path
}

/// Applies a message alone, in this unit of work. Returns how many changes it records.
pub(crate) async fn apply(unit: &mut UnitOfWork, facts: &OrderFacts) -> Result<usize, Failure> {
    facts::apply_in(unit, &Inbound::default(), facts).await
}

/// A unit of work in the service's database.
pub(crate) async fn begin(mes: &RunningService) -> UnitOfWork {
    facts::begin(mes.tables()).await.expect("a unit of work")
}

/// Lets the service receive a message.
pub(crate) async fn receive(mes: &RunningService, facts: &OrderFacts) {
    facts::apply(mes.tables(), &Inbound::default(), facts).await.expect("a message that fits");
}

/// An order that is ready for an operator.
pub(crate) async fn approved(mes: &RunningService) -> OrderId {
    let mut facts = submitted(mes, &cube(), ModelFormat::Stl);
    facts.order.price = Some(common::domain::Price { amount_minor: 13_680, currency: "EUR".to_owned() });
    let facts = one_on(&one_on(&facts));
    receive(mes, &facts).await;
    facts.order.id
}

/// Waits until the calculation of the order's price has ended; returns the order.
pub(crate) async fn priced(operator: &Client, id: &OrderId) -> Value {
    eventually("a price, or none", async || {
        let order = operator.get(&format!("/orders/{id}")).await.expect(200);
        match order["price_status"].as_str() {
            Some("CALCULATED" | "FAILED") => Ok(order),
            status => Err(format!("{status:?}")),
        }
    })
    .await
}

/// What the service has sent to the CRM about the order, the oldest first: types and bodies.
pub(crate) async fn sent(mes: &RunningService, id: &str) -> Vec<(String, OrderFacts)> {
    let rows: Vec<(String, Value)> = sqlx::query_as("SELECT type, body FROM outbox WHERE order_id = $1 ORDER BY seq")
        .bind(id)
        .fetch_all(mes.tables())
        .await
        .expect("the outbox");
    let read = |(message_type, body)| (message_type, serde_json::from_value(body).expect("facts"));
    rows.into_iter().map(read).collect()
}

/// A number from the database.
pub(crate) async fn count(mes: &RunningService, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(mes.tables()).await.expect("a number")
}
