//! `/openapi.json` for programs.

use testkit::contract::documentation::expect_operations;

use crate::crm;

#[tokio::test]
async fn the_document_lists_every_operation_with_its_statuses() {
    expect_operations(
        crm().await.anonymous(),
        &[
            ("post", "/orders", &["201", "401", "403", "409", "422", "default"]),
            ("get", "/orders", &["200", "400", "401", "403", "422", "default"]),
            ("get", "/orders/{id}", &["200", "401", "403", "404", "default"]),
            ("get", "/orders/{id}/model", &["200", "401", "403", "404", "default"]),
            ("put", "/orders/{id}/model", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "default"]),
            ("post", "/orders/{id}/status", &["200", "401", "403", "404", "409", "422", "default"]),
            ("post", "/deliveries", &["200", "401", "403", "404", "409", "422", "default"]),
        ],
    )
    .await;
}
