//! Sellers' accounts.

use serde_json::json;
use testkit::service::PASSWORD;

use crate::crm;

#[tokio::test]
async fn there_is_no_registration_here() {
    let crm = crm().await;
    let credentials = json!({"login": "mallory", "password": PASSWORD});
    crm.anonymous().post_json("/customers", credentials).await.expect_problem(404, "unknown_path");
}
