//! A model store that is gone, a model that is gone, and models that are none.

use std::{fs, path::PathBuf};

use catalogue::{Action, ErrorType, Service, field};
use common::domain::OrderStatus::{PriceCalculated, Submitted};
use reqwest::Method;
use serde_json::Value;
use testkit::{Client, eventually, solids};
use tokio::sync::OnceCell;

use crate::support::{
    failure::{Attempt, of_customer, of_order},
    log::{Record, level, text},
    site::{OrderActions as _, partner_form, ring},
    world::World,
};

/// The logs of the services that lived through it.
pub(crate) async fn logs() -> &'static [PathBuf] {
    static LOGS: OnceCell<Vec<PathBuf>> = OnceCell::const_new();
    LOGS.get_or_init(live).await
}

/// What a store that is gone looks like.
const GONE: [ErrorType; 3] = [ErrorType::ModelStoreUnavailable, ErrorType::ModelStoreError, ErrorType::ModelMissing];

async fn live() -> Vec<PathBuf> {
    let mut world = World::start(&[]).await;
    bad_models(&world).await;
    lost_model(&world).await;
    lost_store(&world).await;
    world.stop().await;
    world.logs()
}

/// Models that can't be priced: the customer sees why, and it is an error in the log.
async fn bad_models(world: &World) {
    let ada = world.site.customer().await;
    let mut open = solids::cube(4.0);
    open.triangles.pop();
    let (huge, garbage) = (solids::cube(90_000.0).to_binary_stl(), b"v 1 2 3\nf 1 2 77\n".to_vec());
    for (filename, model, class) in [
        ("open.stl", open.to_binary_stl(), ErrorType::ModelNotClosed),
        ("huge.stl", huge, ErrorType::ModelTooLarge),
        ("garbage.obj", garbage, ErrorType::ModelUnreadable),
    ] {
        let order = ada.create().await;
        ada.upload(&order, filename, model).await;
        ada.advance(&order, Submitted).await;
        let failed = failure(world, &order).await;
        assert_eq!(text(&failed, field::ERROR_TYPE), class.name(), "{failed:?}");
        assert_eq!(text(&failed, field::CUSTOMER_ID), ada.account().to_string(), "{failed:?}");
        let reason = reason(&ada, &order).await;
        assert!(reason.ends_with('.') && reason.len() > 20, "{reason:?} is no reason for a customer");

        // Asked for again, it fails again: the model is the same.
        let operator = world.site.operator().await;
        operator.post(&format!("/orders/{order}/price")).await.expect(202);
        let of_order = [(field::ORDER_ID, &*order), (field::ORDER_PRICE_STATUS, "FAILED")];
        assert_eq!(world.mes.found(2, &of_order).await.len(), 2);
    }
}

/// The one record of a calculation that failed.
async fn failure(world: &World, order: &str) -> Record {
    let failed = world.mes.found(1, &[(field::ORDER_ID, order), (field::ORDER_PRICE_STATUS, "FAILED")]).await;
    let [record] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(level(record), 50, "{record:?}");
    assert_eq!(text(record, field::ORDER_PRICE_STATUS_FROM), "CALCULATING", "{record:?}");
    record.clone()
}

/// What the customer reads.
async fn reason(customer: &Client, order: &str) -> String {
    eventually("the customer to see it", async || {
        let order = customer.get(&format!("/orders/{order}")).await.json;
        let reason = order["price_failure"]["detail"].as_str().map(str::to_owned);
        reason.ok_or(order)
    })
    .await
}

/// A single model is gone.
async fn lost_model(world: &World) {
    let ada = world.site.customer().await;
    let order = ada.create_with_model().await;
    let key: String = sqlx::query_scalar("SELECT model_key FROM orders WHERE id = $1")
        .bind(&order)
        .fetch_one(&world.shop_tables)
        .await
        .expect("the order has a model");
    let (here, aside) = (world.models.join(&key), world.models.join("aside"));
    fs::rename(&here, &aside).expect("the model is there");
    ada.advance(&order, Submitted).await;
    let failed = failure(world, &order).await;
    assert_eq!(text(&failed, field::ERROR_TYPE), ErrorType::ModelMissing.name(), "{failed:?}");

    fs::rename(&aside, &here).expect("the model was aside");
    asks_again(world, &order).await;
}

/// An operator asks for the price again, and gets it.
async fn asks_again(world: &World, order: &str) -> Value {
    world.site.operator().await.post(&format!("/orders/{order}/price")).await.expect(202);
    world.site.seller().await.wait_for(order, PriceCalculated).await
}

/// The whole store is gone: in the place of its folder is a file.
async fn lost_store(world: &World) {
    let (ada, seller, operator) = (world.site.customer().await, world.site.seller().await, world.site.operator().await);
    let (initiated, uploaded, priced) = (ada.create().await, ada.create_with_model().await, ada.submit_new().await);
    ada.wait_for(&priced, PriceCalculated).await;
    let aside = world.models.with_extension("aside");
    fs::rename(&world.models, &aside).expect("the store is there");
    fs::write(&world.models, "in its place").expect("a file");
    for system in [Service::ShopApi, Service::CrmApi, Service::MesApi] {
        world.healthy(system, "degraded").await;
    }

    let upload = |client: &Client| {
        client.request(Method::PUT, &format!("/orders/{initiated}/model?filename=ring.stl")).body(ring())
    };
    let download = |client: &Client| client.request(Method::GET, &format!("/orders/{priced}/model"));
    let partner = world.site.partner().request(Method::POST, "/partner/orders").multipart(partner_form(ring()));
    let uploaded_action = Action::OrderModelUploaded;
    for (service, request, action, names) in [
        (&world.shop, upload(&ada), uploaded_action, of_customer(&initiated, &ada)),
        (&world.crm, upload(&seller), uploaded_action, of_order(&initiated)),
        (&world.crm, download(&seller), Action::HttpRequest, vec![]),
        (&world.mes, partner, uploaded_action, vec![]),
        (&world.mes, download(&operator), Action::HttpRequest, vec![]),
    ] {
        Attempt { service, request, action, names }.fails(&GONE).await;
    }
    // Orders still come in, and wait for their price.
    ada.advance(&uploaded, Submitted).await;
    let failed = failure(world, &uploaded).await;
    assert!(GONE.iter().any(|class| class.name() == text(&failed, field::ERROR_TYPE)), "{failed:?}");

    fs::remove_file(&world.models).and_then(|()| fs::rename(&aside, &world.models)).expect("the store is back");
    for system in [Service::ShopApi, Service::CrmApi, Service::MesApi] {
        world.healthy(system, "ok").await;
    }
    asks_again(world, &uploaded).await;
    ada.upload(&initiated, "ring.stl", ring()).await;
}
