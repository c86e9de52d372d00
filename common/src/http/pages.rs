//! Pages for people inside what they have in common with the services' interfaces: the request's record, limits, headers.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, header},
    middleware,
};
use catalogue::Service;
use tower::ServiceBuilder;
use tower_http::timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer};

use super::{
    headers::{always, keep_to_tls},
    request::{self, Observer},
    router::RequestLimits,
};

/// The largest form, in bytes.
const LARGEST_FORM: usize = 8 * 1024;
/// A page loads only what its own server has as a file: nothing that got into its text runs or is fetched.
const OWN_FILES_ONLY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                              form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of a service whose responses are pages.
pub fn pages(service: Service, limits: &RequestLimits, routes: Router) -> Router {
    let observer = Observer { auth: None, service, trusted_proxies: limits.trusted_proxies.clone().into() };
    let around = ServiceBuilder::new()
        .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(always(header::CACHE_CONTROL, "no-store"))
        .layer(always(header::CONTENT_SECURITY_POLICY, OWN_FILES_ONLY))
        .layer(always(header::X_FRAME_OPTIONS, "DENY"))
        // Without any referrer, a browser doesn't say the origin of a form either.
        .layer(always(header::REFERRER_POLICY, "same-origin"))
        .layer(always(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
        .layer(always(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(middleware::from_fn(keep_to_tls))
        .layer(middleware::from_fn_with_state(observer, request::observe))
        .layer(RequestBodyDeadlineLayer::new(limits.body))
        .layer(RequestBodyTimeoutLayer::new(limits.stalled))
        .layer(DefaultBodyLimit::max(LARGEST_FORM));
    routes.layer(around)
}
