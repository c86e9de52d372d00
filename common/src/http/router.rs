//! A service's routes inside what all services have around them.

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, header},
    middleware,
};
use tower_http::{set_header::SetResponseHeaderLayer, timeout::RequestBodyTimeoutLayer};
use utoipa_axum::router::OpenApiRouter;

use super::{docs, health, request};
use crate::{Core, auth::login};

/// The largest body that isn't a model, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// A body that brings nothing for this long is given up.
const BODY_PATIENCE: Duration = Duration::from_secs(20);

/// The service's own routes with sessions, health, documentation, limits and the request's record.
pub fn router(core: &Core, own: OpenApiRouter) -> Router {
    let shared = OpenApiRouter::new().merge(login::routes()).merge(health::routes()).with_state(core.clone());
    let (routes, document) =
        OpenApiRouter::with_openapi(docs::base(core.system)).merge(own).merge(shared).split_for_parts();
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    routes
        .merge(docs::routes(document))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(RequestBodyTimeoutLayer::new(BODY_PATIENCE))
        .layer(middleware::from_fn(request::observe))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
        .layer(header(header::X_FRAME_OPTIONS, "DENY"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
}
