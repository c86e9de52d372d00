//! A service's routes inside what all services have around them.

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
};
use tower::ServiceBuilder;
use tower_http::{
    cors::CorsLayer,
    set_header::SetResponseHeaderLayer,
    timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer},
};
use utoipa_axum::router::OpenApiRouter;

use super::{docs, health, request};
use crate::{Core, auth::login};

/// The largest body that isn't a model, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// A browser asks so often at most whether another site's page may use us.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);
/// An answer is data: whatever a browser makes of it runs nothing, loads nothing and stands in no frame.
const NOTHING_ACTIVE: &str = "default-src 'none'; frame-ancestors 'none'";

/// How long a request's body may take, and whose pages may send it.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// A body that brings nothing for so long is given up.
    pub stalled: Duration,
    /// A body that isn't there after so long is given up, however steadily it comes.
    pub body: Duration,
    /// The origins of web pages elsewhere that may use this service; none unless set.
    pub cors_origins: Vec<HeaderValue>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// The service's own routes with sessions, health, documentation, limits and the request's record.
pub fn router(core: &Core, own: OpenApiRouter) -> Router {
    let shared = OpenApiRouter::new().merge(login::routes()).merge(health::routes()).with_state(core.clone());
    let (routes, mut document) =
        OpenApiRouter::with_openapi(docs::base(core.service)).merge(own).merge(shared).split_for_parts();
    docs::say_who_may(&mut document, core.service);
    let limits = &core.request_limits;
    let cors = (!limits.cors_origins.is_empty()).then(|| cors(limits.cors_origins.clone()));
    // One stack for all routes, the outermost first: layer by layer, each would be boxed and cloned for every request.
    let around = ServiceBuilder::new()
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::CONTENT_SECURITY_POLICY, NOTHING_ACTIVE))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(always(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(middleware::from_fn_with_state(limits.trusted_proxies.clone().into(), request::observe))
        .option_layer(cors)
        .layer(RequestBodyDeadlineLayer::new(limits.body))
        .layer(RequestBodyTimeoutLayer::new(limits.stalled))
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    routes.merge(docs::routes(document)).layer(around)
}

/// Sets a header on every answer that has none of this name.
pub(super) fn always(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Lets these origins' pages use the service. No cookies are involved: a page needs its user's token.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let own = ["idempotency-key", "traceparent", "tracestate", "x-api-key", "x-request-id"];
    let asked = [header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(own.map(HeaderName::from_static));
    let told = [header::LOCATION, header::RETRY_AFTER, HeaderName::from_static("x-request-id")];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(asked.collect::<Vec<_>>())
        .expose_headers(told)
        .max_age(PREFLIGHT_MAX_AGE)
}
