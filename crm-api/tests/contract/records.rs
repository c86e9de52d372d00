//! What stands in the log.

use serde_json::json;
use testkit::records::{assert_fields, take_hours_in_status};

use crate::{
    actions, create_order, crm, cube, messages::priced_order, put_into_status, ring_for, set_status, upload,
    valid_records_of,
};

#[tokio::test]
async fn what_a_seller_does_is_recorded_with_the_customer_whose_order_it_is() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let response = seller.post_json("/orders", ring_for(customer)).await;
    let records = valid_records_of(&response);
    assert_eq!(actions(&records), ["order.created", "http.request"]);
    let id = crate::id_of(&response.expect(201));
    assert_fields(
        &records[0],
        &json!({"event.action": "order.created", "event.outcome": "success", "order.id": id,
                "order.status": "INITIATED", "customer.id": customer}),
    );
    assert_eq!(records[0]["name"], "crm-api");
    assert_eq!(records[1]["user.id"], seller.account().to_string());

    let records = valid_records_of(&upload(&seller, &id).await);
    assert_eq!(actions(&records), ["order.model_uploaded", "order.status_changed", "http.request"]);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.model_uploaded", "event.outcome": "success", "order.id": id,
                "customer.id": customer, "file.size": cube().len(), "file.extension": "stl", "model.unit": "mm"}),
    );
    let records = valid_records_of(&upload(&seller, &id).await);
    assert_eq!(actions(&records), ["order.model_uploaded", "http.request"]);

    let mut records = valid_records_of(&set_status(&seller, &id, "SUBMITTED").await);
    assert_eq!(actions(&records), ["order.status_changed", "http.request"]);
    take_hours_in_status(&mut records[0], 0.0);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": customer, "order.status": "SUBMITTED", "order.status_from": "FILE_UPLOADED"}),
    );
}

#[tokio::test]
async fn an_approval_is_recorded_once() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = priced_order(&crm, &seller).await;
    let records = valid_records_of(&set_status(&seller, &id, "MANUFACTURING_APPROVED").await);
    assert_eq!(actions(&records), ["order.status_changed", "http.request"]);
    assert_eq!(records[0]["order.status_from"], "PRICE_CALCULATED");
    assert_eq!(records[0]["order.status"], "MANUFACTURING_APPROVED");
    let refused = set_status(&seller, &id, "MANUFACTURING_APPROVED").await;
    assert_eq!(actions(&valid_records_of(&refused)), ["http.request"]);
}

#[tokio::test]
async fn a_delivery_is_recorded_once() {
    let crm = crm().await;
    let (seller, carrier, customer) = (crm.seller().await, crm.carrier().await, crm.customer_account().await);
    let id = create_order(&seller, customer).await;
    put_into_status(&crm, &id, "SHIPPED", "90 minutes").await;
    let deliver = || carrier.post_json("/deliveries", json!({"order_id": id}));
    let mut records = valid_records_of(&deliver().await);
    assert_eq!(actions(&records), ["order.status_changed", "http.request"]);
    take_hours_in_status(&mut records[0], 1.5);
    assert_fields(
        &records[0],
        &json!({"event.action": "order.status_changed", "event.outcome": "success", "order.id": id,
                "customer.id": customer, "order.status": "CLOSED", "order.status_from": "SHIPPED"}),
    );
    assert_eq!(records[1]["user.id"], carrier.account().to_string());
    assert_eq!(actions(&valid_records_of(&deliver().await)), ["http.request"]);
}

#[tokio::test]
async fn a_clients_mistake_is_no_error() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let id = create_order(&seller, customer).await;
    for response in [
        seller.post_json("/orders", ring_for(seller.account())).await,
        seller.get("/orders/A-999999").await,
        seller.get(&format!("/orders/{id}/model")).await,
        set_status(&seller, &id, "CLOSED").await,
        seller.post_json("/deliveries", json!({"order_id": id})).await,
        crm.carrier().await.post_json("/deliveries", json!({"order_id": id})).await,
        crm.anonymous().get("/orders").await,
    ] {
        assert!((400..500).contains(&response.status));
        let mut records = valid_records_of(&response);
        let request = records.pop().expect("a record of the request");
        assert_eq!((&request["event.action"], &request["level"]), (&json!("http.request"), &json!(30)));
        assert_eq!(request.get("error.type"), None);
        // Who may not do something leaves a warning beside it.
        let denied = response.status == 403;
        assert_eq!(actions(&records), if denied { vec!["auth.access_denied"] } else { vec![] });
    }
}
