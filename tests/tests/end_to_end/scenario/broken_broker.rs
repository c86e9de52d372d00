//! A broker that is gone, and messages that can't be handled.

use std::path::PathBuf;

use catalogue::{Action, ErrorType, Service, field, record::violations};
use common::domain::OrderStatus::{FileUploaded, PriceCalculated};
use serde_json::json;
use testkit::eventually;
use tokio::sync::OnceCell;

use crate::support::{
    broker::Message,
    log::{self, level, text},
    process::Process,
    site::OrderActions as _,
    world::World,
};

/// The logs of the services that lived through it.
pub(crate) async fn logs() -> &'static [PathBuf] {
    static LOGS: OnceCell<Vec<PathBuf>> = OnceCell::const_new();
    LOGS.get_or_init(live).await
}

async fn live() -> Vec<PathBuf> {
    let mut world = World::start(&[]).await;
    customers_order_on(&world).await;
    poisoned_messages(&world).await;
    world.stop().await;
    world.logs()
}

/// Without a broker, orders come in and wait; afterwards they go their way.
async fn customers_order_on(world: &World) {
    world.crm_to_broker.cut();
    world.mes_to_broker.cut();
    for system in [Service::CrmApi, Service::MesApi] {
        world.healthy(system, "degraded").await;
    }
    world.healthy(Service::ShopApi, "ok").await;
    let of_customer = world.site.customer().await.submit_new().await;
    let of_partner = world.site.partner().order_as_partner().await;
    waits(&world.crm, &of_customer, "order.submitted").await;
    waits(&world.mes, &of_partner, "order.partner_submitted").await;

    world.crm_to_broker.mend();
    world.mes_to_broker.mend();
    for system in [Service::CrmApi, Service::MesApi] {
        world.healthy(system, "ok").await;
    }
    let seller = world.site.seller().await;
    for order in [&of_customer, &of_partner] {
        seller.wait_for(order, PriceCalculated).await;
    }
}

/// That a message waits is one error, and a warning at each try.
async fn waits(service: &Process, order: &str, message_type: &str) {
    let of_message = [(field::ORDER_ID, order), (field::MESSAGING_MESSAGE_TYPE, message_type)];
    let with = |action: Action| [&of_message[..], &[(field::EVENT_ACTION, action.name())]].concat();
    let tries = service.found(2, &with(Action::MessageRetried)).await;
    assert!(tries.iter().all(|record| level(record) == 40), "{tries:?}");
    let errors: Vec<_> = service.records().into_iter().filter(|record| level(record) == 50).collect();
    let about_broker = |record: &&log::Record| text(record, field::ERROR_TYPE).starts_with("broker_");
    let errors: Vec<_> = errors.iter().filter(about_broker).collect();
    let [error] = errors[..] else { panic!("{errors:?}") };
    assert!(log::has(error, &with(Action::MessagePublished)), "{error:?}");
    assert!(text(error, field::ERROR_MESSAGE).contains(": "), "{error:?}");
    let tried = service.found(1, &with(Action::MessagePublished)).await;
    assert_eq!(tried.len(), 1, "{tried:?}");
}

/// What can't be handled is an error and a dead letter, and delays no other message.
async fn poisoned_messages(world: &World) {
    let wire = world.broker.channel().await;
    let mut copies = wire.listen().await;
    let order = world.site.customer().await.submit_new().await;
    let sent = copies.about(&order, 2).await;

    for (service, queue, good) in [(&world.mes, "mes-api.orders", &sent[0]), (&world.crm, "crm-api.orders", &sent[1])] {
        let mut impossible = good.json();
        impossible["order"]["id"] = json!("A-987654321");
        // A history with a gap is that of no order.
        impossible["history"]
            .as_array_mut()
            .expect("a history")
            .retain(|change| change["status"] != FileUploaded.name());
        let unfit = Message::new(&good.routing_key, impossible.to_string().as_bytes());
        let garbage = Message::new(&good.routing_key, b"{\"order\": 1}");
        let mut stranger = Message::new("order.submitted", &good.body);
        stranger.routing_key.clone_from(&good.routing_key);
        stranger.properties = stranger.properties.with_type("order.forgotten".into());
        for (message, class, id) in [
            (&unfit, ErrorType::MessageUnexpected, "A-987654321"),
            (&garbage, ErrorType::MessageMalformed, ""),
            (&stranger, ErrorType::MessageMalformed, &*order),
        ] {
            wire.publish(message).await;
            let found = service.found(1, &[(field::MESSAGING_MESSAGE_ID, &message.id())]).await;
            let [record] = &found[..] else { panic!("{found:?}") };
            assert_eq!(text(record, field::EVENT_ACTION), Action::MessageDeadLettered.name(), "{record:?}");
            assert_eq!((level(record), text(record, field::ERROR_TYPE)), (50, class.name()), "{record:?}");
            assert_eq!(text(record, field::ORDER_ID), id, "{record:?}");
            assert_eq!(violations(record), [""; 0], "{record:?}");
            let dead = eventually("the dead letter", async || {
                wire.take(&format!("{queue}.dead-letter")).await.ok_or("there is none")
            });
            assert_eq!(dead.await.id(), message.id());
        }
    }
    // Work goes on behind them.
    let order = world.site.customer().await.submit_new().await;
    world.site.seller().await.wait_for(&order, PriceCalculated).await;
}
