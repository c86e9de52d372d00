//! `/openapi.json` for programs.

use testkit::contract::documentation::expect_operations;

use crate::support::{NO_PRICES, start};

#[tokio::test]
async fn the_document_lists_every_operation_with_its_statuses() {
    expect_operations(
        start(&NO_PRICES).await.anonymous(),
        &[
            ("get", "/orders", &["200", "400", "401", "403", "422", "503"]),
            ("get", "/orders/{id}", &["200", "401", "403", "404", "503"]),
            ("get", "/orders/{id}/model", &["200", "401", "403", "404", "503"]),
            ("put", "/orders/{id}/operator", &["200", "401", "403", "404", "409", "503"]),
            ("post", "/orders/{id}/status", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "503"]),
            ("post", "/orders/{id}/price", &["202", "401", "403", "404", "409", "503"]),
            ("post", "/partner/orders", &["202", "400", "401", "403", "409", "413", "415", "422", "503"]),
            ("get", "/partner/orders/{id}", &["200", "401", "403", "404", "503"]),
        ],
    )
    .await;
}
