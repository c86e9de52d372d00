//! Messages that come twice, late and in the wrong order, and replicas that share the work.

use std::collections::{BTreeMap, BTreeSet};

use common::domain::OrderStatus::{
    self, ManufacturingApproved, ManufacturingCompleted, Packaging, PriceCalculated, Shipped,
};
use serde_json::Value;
use testkit::eventually;

use crate::support::{
    log::{self, Record, text},
    site::OrderActions as _,
    world::World,
};

/// How often each of an order's statuses was reported. A line may be there twice, after a service was killed; it is one
/// change all the same.
fn changes<'a>(records: impl IntoIterator<Item = &'a Record>, order: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let of_order = [("order.id", order), ("event.action", "order.status_changed"), ("event.outcome", "success")];
    let mut seen = BTreeSet::new();
    let is_new = |record: &&Record| seen.insert(text(record, "event.id").to_owned());
    for record in records.into_iter().filter(|record| log::has(record, &of_order)).filter(is_new) {
        *counts.entry(text(record, "order.status").to_owned()).or_default() += 1;
    }
    counts
}

fn once_each(statuses: &[OrderStatus]) -> BTreeMap<String, usize> {
    statuses.iter().map(|status| (status.name().to_owned(), 1)).collect()
}

fn history(order: &Value) -> Vec<OrderStatus> {
    let history = order["history"].as_array().expect("an order has a history");
    history.iter().map(|change| serde_json::from_value(change["status"].clone()).expect("a status")).collect()
}

#[tokio::test]
async fn messages_that_come_again_change_nothing() {
    let world = World::start(&[]).await;
    let wire = world.broker.channel().await;
    let mut copies = wire.listen().await;
    let order = world.site.customer().await.submit_new().await;
    let (seller, operator) = (world.site.seller().await, world.site.operator().await);
    seller.wait_for(&order, PriceCalculated).await;
    world.site.make_and_ship(&order).await;
    seller.wait_for(&order, Shipped).await;
    let sent = copies.about(&order, 7).await;
    let before =
        (seller.get(&format!("/orders/{order}")).await.json, operator.get(&format!("/orders/{order}")).await.json);

    // All of them once more as they were, then under new numbers from the last to the first.
    for message in &sent {
        wire.publish(message).await;
    }
    let again: Vec<_> = sent.iter().rev().map(|message| message.renumbered()).collect();
    for message in &again {
        wire.publish(message).await;
    }
    for message in &again {
        eventually("a repeated message to be taken", async || {
            let records = [world.crm.records(), world.mes.records()].concat();
            let taken = [("event.action", "message.consumed"), ("messaging.message.id", &*message.id())];
            records.iter().any(|record| log::has(record, &taken)).then_some(()).ok_or(message.routing_key.clone())
        })
        .await;
    }
    let after =
        (seller.get(&format!("/orders/{order}")).await.json, operator.get(&format!("/orders/{order}")).await.json);
    assert_eq!(after, before);
    let mes_statuses = &OrderStatus::ALL[3..9];
    assert_eq!(changes(&world.crm.records(), &order), once_each(mes_statuses));
    assert_eq!(changes(&world.mes.records(), &order), once_each(mes_statuses));
}

#[tokio::test]
async fn messages_in_the_wrong_order_and_late_lead_to_the_same_end() {
    let mut world = World::start(&[]).await;
    let order = world.site.customer().await.submit_new().await;
    let operator = world.site.operator().await;
    world.site.seller().await.wait_for(&order, PriceCalculated).await;
    world.site.seller().await.advance(&order, ManufacturingApproved).await;
    operator.wait_for(&order, ManufacturingApproved).await;
    // The CRM takes no messages for a while.
    let first_log = {
        world.crm.kill();
        world.crm.records()
    };
    operator.take(&order).await;
    for status in [ManufacturingCompleted, Packaging, Shipped] {
        operator.advance(&order, status).await;
    }
    let wire = world.broker.channel().await;
    let mut waiting = Vec::new();
    eventually("four messages to wait for the CRM", async || {
        waiting.extend(wire.take("crm-api.orders").await);
        if waiting.len() == 4 { Ok(()) } else { Err(waiting.len()) }
    })
    .await;
    for message in waiting.iter().rev() {
        wire.publish(message).await;
        wire.publish(&message.renumbered()).await;
        wire.publish(message).await;
    }
    world.replace_crm().await;
    let seller = world.site.seller().await;
    let shipped = seller.wait_for(&order, Shipped).await;
    assert_eq!(history(&shipped), OrderStatus::ALL[..9]);
    seller.advance(&order, OrderStatus::Closed).await;
    let records = [first_log, world.crm.records()].concat();
    assert_eq!(changes(&records, &order), once_each(&OrderStatus::ALL[3..]));
}

#[tokio::test]
async fn messages_for_a_queue_that_is_not_there_wait_and_the_log_says_so_once() {
    let mut world = World::start(&[]).await;
    world.mes.kill();
    world.broker.channel().await.delete("mes-api.orders").await;
    let ada = world.site.customer().await;
    let orders = futures::future::join_all((0..3).map(|_| ada.submit_new())).await;

    let refused = [("error.type", "broker_error")];
    eventually("two tries in vain", async || {
        let records = world.crm.records();
        let tries = records.iter().filter(|record| text(record, "event.action") == "message.retried");
        let tries = tries.filter(|record| log::has(record, &refused)).count();
        if tries >= 2 { Ok(()) } else { Err(tries) }
    })
    .await;
    let errors: Vec<_> = world.crm.records().into_iter().filter(|record| log::level(record) == 50).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(log::has(&errors[0], &[("event.action", "message.published"), refused[0]]), "{errors:?}");
    assert_eq!(waiting(&world).await, 3);

    world.replace_mes().await;
    for order in &orders {
        ada.wait_for(order, PriceCalculated).await;
    }
    eventually("an empty outbox", async || match waiting(&world).await {
        0 => Ok(()),
        messages => Err(messages),
    })
    .await;
}

/// How many messages wait in the shop's outbox.
async fn waiting(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&world.shop_tables).await.expect("a count")
}

#[tokio::test]
async fn two_crms_and_two_mes_share_the_work_and_do_it_once() {
    let world = World::start(&[]).await;
    let (second_crm, second_mes) = tokio::join!(world.another_crm(), world.another_mes());
    let ada = world.site.customer().await;
    let orders = futures::future::join_all((0..12).map(|_| ada.submit_new())).await;
    for order in &orders {
        ada.wait_for(order, PriceCalculated).await;
    }
    let crm = [world.crm.records(), second_crm.records()];
    let mes = [world.mes.records(), second_mes.records()];
    let took =
        |records: &Vec<Record>| records.iter().any(|record| log::has(record, &[("event.action", "message.consumed")]));
    assert!(crm.iter().chain(&mes).all(took), "a replica had nothing to do");
    for order in &orders {
        for records in [crm.concat(), mes.concat()] {
            assert_eq!(changes(&records, order), once_each(&[PriceCalculated]), "{order}");
        }
    }
}
