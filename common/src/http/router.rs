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
    timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer},
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    accounts, docs,
    headers::{always, keep_to_tls},
    health, problem,
    request::{self, Observer},
    sessions,
};
use crate::state::Core;

/// The largest body that isn't a model, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// How long a browser may remember what another site's page may do.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);
/// A response is data: a browser that shows it runs nothing, loads nothing, sends nothing and puts it in no frame.
const NOTHING_ACTIVE: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How long a request's body may take, and whose pages may send it.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// A body that brings nothing for this long is given up.
    pub stalled: Duration,
    /// A body that isn't complete after this long is given up.
    pub body: Duration,
    /// The origins of web pages elsewhere that may use this service; none unless set.
    pub cors_origins: Vec<HeaderValue>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// The service's own routes with sessions, health, documentation, limits and the request's record.
pub fn router(core: &Core, limits: &RequestLimits, own: OpenApiRouter) -> Router {
    let shared = OpenApiRouter::new()
        .merge(sessions::routes())
        .merge(accounts::routes())
        .merge(health::routes())
        .with_state(core.clone());
    let (routes, mut document) =
        OpenApiRouter::with_openapi(docs::base(core.service)).merge(own).merge(shared).split_for_parts();
    docs::complete(&mut document, core.service);
    let observer = Observer {
        auth: Some(core.auth.clone()),
        service: core.service,
        trusted_proxies: limits.trusted_proxies.clone().into(),
    };
    let cors = (!limits.cors_origins.is_empty()).then(|| cors(limits.cors_origins.clone()));
    // One stack for all routes, the outermost first: added one by one, each would be boxed and cloned for every request.
    let around = ServiceBuilder::new()
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::CONTENT_SECURITY_POLICY, NOTHING_ACTIVE))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        .layer(always(header::REFERRER_POLICY, "no-referrer"))
        .layer(always(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(middleware::from_fn(keep_to_tls))
        .layer(middleware::from_fn_with_state(observer, request::observe))
        .option_layer(cors)
        .layer(RequestBodyDeadlineLayer::new(limits.body))
        .layer(RequestBodyTimeoutLayer::new(limits.stalled))
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
    routes.merge(docs::routes(document)).merge(problem::routes()).layer(around)
}

/// Lets these origins' pages use the service. No cookies are involved: a page needs its user's token.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let own = ["idempotency-key", "traceparent", "tracestate", "x-api-key", "x-request-id"];
    let allowed = [header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(own.map(HeaderName::from_static));
    let exposed = [header::LOCATION, header::RETRY_AFTER, HeaderName::from_static("x-request-id")];
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(allowed.collect::<Vec<_>>())
        .expose_headers(exposed)
        .max_age(PREFLIGHT_MAX_AGE)
}
