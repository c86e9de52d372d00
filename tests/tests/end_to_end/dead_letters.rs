//! Dead letters: seen and sent back by the services' own subcommand, as a person does it.

use std::path::PathBuf;

use catalogue::{Action, ErrorType, Service, field, record::violations};
use common::domain::OrderStatus::PriceCalculated;
use serde_json::{Value, json};
use testkit::eventually;
use tokio::sync::OnceCell;

use crate::support::{
    broker::Message,
    log::{self, text},
    site::OrderActions as _,
    world::World,
};

/// The logs of services whose dead letters were sent back.
pub(crate) async fn logs() -> &'static [PathBuf] {
    static LOGS: OnceCell<Vec<PathBuf>> = OnceCell::const_new();
    LOGS.get_or_init(live).await
}

async fn live() -> Vec<PathBuf> {
    let mut world = World::start(&[]).await;
    a_mended_cause(&world).await;
    poison(&world).await;
    world.stop().await;
    world.logs()
}

/// What a subcommand says: one JSON object per line.
async fn said(world: &World, service: Service, arguments: &'static [&'static str]) -> Vec<Value> {
    let output = world.run(service, arguments).await;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
}

async fn listed(world: &World, service: Service) -> Vec<Value> {
    said(world, service, &["dead-letters", "list"]).await
}

/// Waits until there are so many dead letters.
async fn letters(world: &World, service: Service, count: usize) -> Vec<Value> {
    eventually("dead letters", async || {
        let letters = listed(world, service).await;
        if letters.len() == count { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await
}

/// A message that failed too often takes effect after its replay, once what was wrong is mended.
async fn a_mended_cause(world: &World) {
    let rename = async |from: &str, to: &str| {
        let change = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
        sqlx::query(change).execute(&world.mes_tables).await.expect("the table is there");
    };
    rename("orders", "orders_elsewhere").await;
    let ada = world.site.customer().await;
    let order = ada.submit_new().await;
    let of_order = |action: Action| [(field::ORDER_ID, &*order), (field::EVENT_ACTION, action.name())];
    let dead = world.mes.found(1, &of_order(Action::MessageDeadLettered)).await;
    assert_eq!(text(&dead[0], field::ERROR_TYPE), ErrorType::DatabaseError.name());
    rename("orders_elsewhere", "orders").await;

    let letters = letters(world, Service::MesApi, 1).await;
    let letter = &letters[0];
    assert_eq!(letter["message_id"], text(&dead[0], field::MESSAGING_MESSAGE_ID));
    assert_eq!((&letter["message_type"], &letter["order_id"]), (&json!("order.submitted"), &json!(order)));
    assert_eq!((&letter["reason"], &letter["unreadable"]), (&json!("rejected"), &Value::Null));
    assert_eq!(letter["replays"], 0);
    let age = letter["age_hours"].as_f64().expect("a number");
    assert!((-0.01..0.2).contains(&age), "{letter}");
    assert_eq!(listed(world, Service::MesApi).await.len(), 1, "looking takes nothing away");

    let replayed = said(world, Service::MesApi, &["dead-letters", "replay", "--all"]).await;
    assert_eq!(replayed[0]["message_id"], letter["message_id"]);
    ada.wait_for(&order, PriceCalculated).await;
    assert_eq!(listed(world, Service::MesApi).await, [json!(null); 0]);
    let records = world.mes.found(1, &of_order(Action::MessageReplayed)).await;
    assert_eq!(violations(&records[0]), [""; 0], "{records:?}");
    // The replay belongs to the trace of the request that the message comes from.
    assert_eq!(records[0][field::TRACE_ID], dead[0][field::TRACE_ID]);
    world.mes.found(1, &of_order(Action::MessageConsumed)).await;
}

/// A message that can't be read comes back to the dead letters, however often it is sent.
async fn poison(world: &World) {
    let wire = world.broker.channel().await;
    let poison = [b"{\"order\": 1}", b"{\"order\": 2}"].map(|body| Message::new("order.priced", body));
    for message in &poison {
        wire.publish(message).await;
    }
    let dead = letters(world, Service::CrmApi, 2).await;
    assert!(dead.iter().all(|letter| letter["unreadable"] == ErrorType::MessageMalformed.name()), "{dead:?}");
    assert!(dead.iter().all(|letter| letter["order_id"] == Value::Null), "{dead:?}");

    for round in 1..=2 {
        let replayed = said(world, Service::CrmApi, &["dead-letters", "replay", "--all"]).await;
        assert_eq!(replayed.len(), 2, "{replayed:?}");
        let back = letters(world, Service::CrmApi, 2).await;
        assert!(back.iter().all(|letter| letter["replays"] == round), "{back:?}");
        for message in &poison {
            let id = message.id();
            let replays = [(field::MESSAGING_MESSAGE_ID, &*id), (field::EVENT_ACTION, "message.replayed")];
            assert_eq!(world.crm.found(round, &replays).await.len(), round);
        }
    }
    one_alone(world, &poison).await;
}

/// One of several is sent back alone; one that isn't there is an error.
async fn one_alone(world: &World, poison: &[Message]) {
    let id: &'static str = poison[1].id().leak();
    let arguments: &'static [&'static str] = vec!["dead-letters", "replay", "--message", id].leak();
    let replayed = said(world, Service::CrmApi, arguments).await;
    assert_eq!(replayed.iter().map(|letter| &letter["message_id"]).collect::<Vec<_>>(), [id]);
    let counts = eventually("it to come back", async || {
        let letters = listed(world, Service::CrmApi).await;
        let mut counts: Vec<_> = letters.iter().filter_map(|letter| letter["replays"].as_i64()).collect();
        counts.sort_unstable();
        if counts.len() == 2 { Ok(counts) } else { Err(format!("{letters:?}")) }
    });
    assert_eq!(counts.await, [2, 3]);

    let nothing = ["dead-letters", "replay", "--message", "01990000-0000-7000-8000-000000000000"];
    let output = world.run(Service::CrmApi, Vec::from(nothing).leak()).await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no dead letter 01990000"), "{output:?}");
    let neither = world.run(Service::CrmApi, &["dead-letters", "replay"]).await;
    assert!(!neither.status.success(), "it does nothing without a selection");
}

#[tokio::test]
async fn dead_letters_take_effect_after_their_replay_and_poison_comes_back() {
    let log = logs().await;
    assert!(log.iter().any(|log| !log::lines(log).is_empty()));
}
