//! Health checks.

use serde_json::json;

use crate::crm;

#[tokio::test]
async fn without_the_broker_it_is_degraded_and_ready_all_the_same() {
    let crm = crm().await;
    assert_eq!(crm.anonymous().get("/health/live").await.expect(200)["status"], "ok");
    assert_eq!(
        crm.anonymous().get("/health/ready").await.expect(200),
        json!({"status": "degraded", "dependencies": {"database": "up", "model_store": "up", "rabbitmq": "down"}})
    );
}
