//! The interface describes itself.

use crate::support::{NO_PRICES, start};

#[tokio::test]
async fn every_call_is_in_the_document_with_its_problems() {
    let mes = start(&NO_PRICES).await;
    let document = mes.anonymous().get("/openapi.json").await.expect(200);
    for (path, method, statuses) in [
        ("/orders", "get", &["200", "400", "401", "403", "422", "503"][..]),
        ("/orders/{id}", "get", &["200", "401", "403", "404", "503"]),
        ("/orders/{id}/model", "get", &["200", "401", "403", "404", "503"]),
        ("/orders/{id}/operator", "put", &["200", "401", "403", "404", "409", "503"]),
        ("/orders/{id}/status", "post", &["200", "400", "401", "403", "404", "409", "413", "415", "422", "503"]),
        ("/orders/{id}/price", "post", &["202", "401", "403", "404", "409", "503"]),
        ("/partner/orders", "post", &["202", "400", "401", "403", "409", "413", "415", "422", "503"]),
        ("/partner/orders/{id}", "get", &["200", "401", "403", "404", "503"]),
    ] {
        let call = &document["paths"][path][method];
        for status in statuses {
            assert!(call["responses"][*status].is_object(), "{method} {path} {status}");
        }
        assert!(call["security"].is_array(), "{method} {path}");
    }
}
