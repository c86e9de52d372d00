//! A service dies at one place after another, as by SIGKILL, and each order goes on all the same: to its end, with every
//! effect once and every record once.

use catalogue::{Action, Service, field};
use common::domain::OrderStatus::{Closed, FileUploaded, Initiated, PriceCalculated, Shipped, Submitted};
use reconcile::{Report, Scope};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use testkit::{Client, Response, eventually};

use crate::{
    shipping::arrived,
    support::{
        search::{Search, matching},
        secrets,
        site::{OrderActions as _, number, ring, wish},
        world::World,
    },
};

/// Lines that were left are written again after ten seconds, and then take their way.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

#[tokio::test]
async fn a_shop_that_dies_anywhere_loses_no_change_and_no_record() {
    let mut world = World::start(&[]).await;
    let mut orders = Vec::new();
    for place in [
        "create.committed",
        "upload.receiving",
        "upload.stored",
        "upload.committed",
        "status.changed",
        "status.committed",
        "status.recorded",
    ] {
        world.replace(Service::ShopApi, &[("CRASH_AT", place.to_owned())]).await;
        let ada = world.site.customer().await;
        let (key, wish) = (secrets::new("key"), wish());
        submit(&ada, &key, &wish).await.expect_err("it dies before it responds");
        world.shop.crashed().await;

        world.replace(Service::ShopApi, &[]).await;
        let ada = world.site.shop.holding(ada.token(), Some(ada.account()));
        orders.push(submit(&ada, &key, &wish).await.expect("a response"));
        let mine = ada.get("/orders").await.expect(200);
        assert_eq!(mine["items"].as_array().map(Vec::len), Some(1), "{place}: {mine}");
    }
    all_end_well(&world, &orders).await;
}

#[tokio::test]
async fn a_crm_that_dies_anywhere_loses_no_message_and_no_record() {
    let mut world = World::start(&[]).await;
    let mut orders = Vec::new();
    for place in [
        "relay.published",
        "relay.confirmed",
        "relay.committed",
        "consumer.changed",
        "consumer.committed",
        "consumer.recorded",
    ] {
        world.replace(Service::CrmApi, &[("CRASH_AT", place.to_owned())]).await;
        let ada = world.site.customer().await;
        let order = ada.submit_new().await;
        world.crm.crashed().await;
        world.replace(Service::CrmApi, &[]).await;
        // So that nothing of it reaches the next place.
        ada.wait_for(&order, PriceCalculated).await;
        nothing_waits(&world).await;
        orders.push(order);
    }
    all_end_well(&world, &orders).await;
}

#[tokio::test]
async fn a_mes_that_dies_anywhere_loses_no_message_no_price_and_no_record() {
    let mut world = World::start(&[("PRICE_LEASE_SECONDS", "2".to_owned())]).await;
    let mut orders = Vec::new();
    for place in [
        "consumer.changed",
        "consumer.committed",
        "consumer.recorded",
        "claim.committed",
        "price.calculating",
        "price.changed",
        "price.committed",
        "price.recorded",
        "relay.published",
        "relay.confirmed",
        "relay.committed",
    ] {
        world.replace(Service::MesApi, &[("CRASH_AT", place.to_owned())]).await;
        let ada = world.site.customer().await;
        let order = ada.submit_new().await;
        world.mes.crashed().await;
        world.replace(Service::MesApi, &[]).await;
        // So that nothing of it reaches the next place.
        ada.wait_for(&order, PriceCalculated).await;
        nothing_waits(&world).await;
        orders.push(order);
    }
    all_end_well(&world, &orders).await;
}

/// A customer's way from the wish to the submitted order, whatever of it is done already.
async fn submit(ada: &Client, key: &str, wish: &Value) -> Result<String, reqwest::Error> {
    let create = ada.request(Method::POST, "/orders").header("idempotency-key", key).json(wish);
    let order = number(&Response::try_to(create).await?.expect(201));
    let path = format!("/orders/{order}");
    let is_in = async |status| {
        let found = Response::try_to(ada.request(Method::GET, &path)).await?.expect(200);
        Ok::<_, reqwest::Error>(found["status"] == json!(status))
    };
    if is_in(Initiated).await? {
        let upload = ada.request(Method::PUT, &format!("{path}/model?filename=ring.stl"));
        let upload = upload.header(CONTENT_TYPE, "application/octet-stream").body(ring());
        Response::try_to(upload).await?.expect(200);
    }
    if is_in(FileUploaded).await? {
        let submit = ada.request(Method::POST, &format!("{path}/status")).json(&json!({"status": Submitted}));
        Response::try_to(submit).await?.expect(200);
    }
    Ok(order)
}

/// Takes the orders to their end. Then every change has one record, each effect was had once, and nothing waits.
async fn all_end_well(world: &World, orders: &[String]) {
    let seller = world.site.seller().await;
    for order in orders {
        seller.wait_for(order, PriceCalculated).await;
        world.site.make_and_ship(order).await;
        seller.wait_for(order, Shipped).await;
        seller.advance(order, Closed).await;
    }
    let scope = Scope { orders: Some(orders.to_vec()), since: None };
    let report = reconcile::reconcile(&world.sources().await, &scope, PATIENCE).await;
    let Report { orders: compared, rows, records, findings } = report.expect("a comparison");
    assert_eq!(findings, [], "databases and log disagree");
    // Ten statuses in the shop and nine in the MES, of which the shop's system has made or heard ten and the MES six.
    let count = orders.len() as u64;
    assert_eq!((compared, rows), (count, count * 19));
    assert!(records >= count, "{records}");
    nothing_waits(world).await;
    // What is counted is all there, so that nothing comes twice behind the count.
    for log in world.logs() {
        arrived(&log).await;
    }

    let support = Search::as_support().await;
    for order in orders {
        for (action, more, times) in [
            (Action::OrderModelUploaded, None, 1),
            (Action::OrderPriceStatusChanged, Some((field::ORDER_PRICE_STATUS, "QUEUED")), 1),
            (Action::OrderPriceStatusChanged, Some((field::ORDER_PRICE_STATUS, "CALCULATING")), 1),
            (Action::OrderPriceStatusChanged, Some((field::ORDER_PRICE_STATUS, "CALCULATED")), 1),
            (Action::OrderOperatorAssigned, None, 1),
            (Action::OrderStatusChanged, None, 9 + 6),
            (Action::MessagePublished, None, 7),
            (Action::MessageConsumed, None, 7),
        ] {
            let mut fields = vec![(field::ORDER_ID, order.as_str()), (field::EVENT_ACTION, action.name())];
            fields.extend(more);
            let found = support.at_least(times, &matching(&fields)).await;
            assert_eq!(found.len(), times, "{order}: {action} {more:?}: {found:?}");
        }
    }
}

/// Waits until every message is sent and every line is written. A message may be heard before its sender has noted that it
/// is sent, and a process that is killed in between sends it again.
async fn nothing_waits(world: &World) {
    for (tables, place) in [(&world.shop_tables, "shop"), (&world.mes_tables, "mes")] {
        eventually(&format!("nothing to wait in {place}"), async || {
            let waiting = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM journal)";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(tables).await.expect("a count");
            if waiting == 0 { Ok(()) } else { Err(waiting) }
        })
        .await;
    }
}

#[tokio::test]
async fn orders_go_on_while_the_logs_disk_is_full_and_their_records_follow() {
    let mut world = World::start(&[]).await;
    world.shop.kill();
    let mute = world.shop_that_can_not_write().await;
    let ada = mute.client().register(&secrets::new("customer"), &secrets::new("password")).await;
    secrets::keep(ada.token());
    let order = ada.submit_new().await;
    let kept = "SELECT count(*) FROM journal WHERE line LIKE '%' || $1 || '%'";
    let kept: i64 = sqlx::query_scalar(kept).bind(&order).fetch_one(&world.shop_tables).await.expect("a count");
    assert_eq!(kept, 4, "created, uploaded, and two changes of status");
    drop(mute);

    world.replace(Service::ShopApi, &[]).await;
    all_end_well(&world, &[order]).await;
}
