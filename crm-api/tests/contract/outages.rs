//! A dependency is away: the client is told so, and the log says why.

use serde_json::json;
use testkit::{
    contract::outages::lose_the_connection_at,
    eventually,
    records::{only_error, records_with},
};

use crate::{
    create_order, create_order_with_model, crm, get_order, messages::priced_order, put_into_status, ring_for,
    set_status, valid_records_of,
};

#[tokio::test]
async fn what_can_not_be_stored_is_one_error_and_changes_nothing() {
    let crm = crm().await;
    let (seller, carrier, customer) = (crm.seller().await, crm.carrier().await, crm.customer_account().await);
    let uploaded = create_order_with_model(&seller, customer).await;
    let shipped = create_order(&seller, customer).await;
    put_into_status(&crm, &shipped, "SHIPPED", "0 minutes").await;
    lose_the_connection_at(&crm, "order_history").await;

    let response = seller.post_json("/orders", ring_for(customer)).await;
    let error = only_error(&response);
    response.expect_problem(503, "unavailable");
    assert_eq!(error["event.action"], "order.created");
    assert_eq!(error["customer.id"], customer.to_string());
    assert_eq!(error["error.type"], "database_unavailable");

    for (response, id) in [
        (set_status(&seller, &uploaded, "SUBMITTED").await, &uploaded),
        (carrier.post_json("/deliveries", json!({"order_id": shipped})).await, &shipped),
    ] {
        let error = only_error(&response);
        response.expect_problem(503, "unavailable");
        assert_eq!((&error["event.action"], &error["order.id"]), (&json!("order.status_changed"), &json!(id)));
        assert_eq!(error["error.type"], "database_unavailable");
        // The order was read before the connection broke, so whose it is was known.
        assert_eq!(error["customer.id"], customer.to_string());
    }
    assert_eq!(get_order(&seller, &uploaded).await["status"], "FILE_UPLOADED");
    assert_eq!(get_order(&seller, &shipped).await["status"], "SHIPPED");
}

#[tokio::test]
async fn a_model_that_got_lost_is_one_error_that_names_the_order() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order_with_model(&seller, crm.customer_account().await).await;
    for file in crm.stored_models() {
        std::fs::remove_file(file).expect("the file goes");
    }
    let response = seller.get(&format!("/orders/{id}/model")).await;
    let error = only_error(&response);
    let problem = response.expect_problem(500, "internal_error").to_string();
    assert!(!problem.contains(".stl"), "{problem}");
    assert_eq!((&error["event.action"], &error["order.id"]), (&json!("http.request"), &json!(id)));
    assert_eq!(error["error.type"], "model_missing");
}

#[tokio::test]
async fn without_the_broker_sellers_go_on_and_the_log_says_once_that_messages_wait() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let customer = crm.customer_account().await;
    let id = create_order_with_model(&seller, customer).await;
    let submitted = set_status(&seller, &id, "SUBMITTED").await;
    // The relay's records are in the trace of the request whose message it sends.
    let trace = valid_records_of(&submitted)[0]["trace.id"].as_str().expect("a trace").to_owned();
    submitted.expect(200);
    let of_action = |action: &str| {
        let mut records = records_with("trace.id", &trace);
        records.retain(|record| record["event.action"] == action);
        records
    };
    let retries = eventually("two tries", async || {
        let retries = of_action("message.retried");
        if retries.len() < 2 { Err(retries.len()) } else { Ok(retries) }
    })
    .await;
    let errors = of_action("message.published");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["level"], &errors[0]["error.type"]), (&json!(50), &json!("broker_unavailable")));
    for record in errors.iter().chain(&retries) {
        assert_eq!(catalogue::record::violations(record), [""; 0], "{record:?}");
        assert_eq!((&record["messaging.message.type"], &record["order.id"]), (&json!("order.submitted"), &json!(id)));
    }
    assert!(retries.iter().all(|record| record["level"] == 40), "{retries:?}");
    // What doesn't need the MES goes on.
    create_order(&seller, customer).await;
    let other = priced_order(&crm, &seller).await;
    set_status(&seller, &other, "MANUFACTURING_APPROVED").await.expect(200);
}
