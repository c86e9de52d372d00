//! Health checks, in the form that the services have.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::app::App;

/// Is the process alive?
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok", "dependencies": {} }))
}

/// Can it do its work? Without Elasticsearch it is `degraded`, and ready as well: the page says what is the matter.
pub(super) async fn ready(State(app): State<App>) -> Json<Value> {
    let (status, elasticsearch) = if app.elasticsearch.responds().await { ("ok", "up") } else { ("degraded", "down") };
    Json(json!({ "status": status, "dependencies": { "elasticsearch": elasticsearch } }))
}
