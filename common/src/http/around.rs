//! What all routes have around them: headers for browsers, the request's record, limits.

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
};
use catalogue::Service;
use ipnet::IpNet;
use tower::ServiceBuilder;
use tower_http::{
    cors::CorsLayer,
    timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer},
};

use super::{
    headers::{always, keep_to_tls},
    request::{self, Observer},
};
use crate::auth::Auth;

/// How long a browser may remember what another site's page may do.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

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
    pub trusted_proxies: Vec<IpNet>,
}

/// What differs between routes whose responses are data and those whose responses are pages.
pub(super) struct Around {
    pub(super) service: Service,
    /// What counts those who ask for others' orders; none where no account is the service's own.
    pub(super) auth: Option<Auth>,
    pub(super) content_security_policy: &'static str,
    pub(super) referrer_policy: &'static str,
    pub(super) opener_policy: Option<&'static str>,
    /// In bytes.
    pub(super) largest_body: usize,
}

impl Around {
    /// The routes inside all of it.
    pub(super) fn apply(self, limits: &RequestLimits, routes: Router) -> Router {
        let observer = Observer {
            auth: self.auth,
            service: self.service,
            trusted_proxies: limits.trusted_proxies.clone().into(),
            longest_body: limits.body,
        };
        let opener_policy = HeaderName::from_static("cross-origin-opener-policy");
        // One stack for all routes, the outermost first: added one by one, each would be boxed and cloned for every request.
        let stack = ServiceBuilder::new()
            .layer(always(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .layer(always(header::CACHE_CONTROL, "no-store"))
            .layer(always(header::CONTENT_SECURITY_POLICY, self.content_security_policy))
            .layer(always(header::X_FRAME_OPTIONS, "DENY"))
            .layer(always(header::REFERRER_POLICY, self.referrer_policy))
            .layer(always(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
            .option_layer(self.opener_policy.map(|policy| always(opener_policy, policy)))
            .layer(middleware::from_fn(keep_to_tls))
            .layer(middleware::from_fn_with_state(observer, request::observe))
            .option_layer((!limits.cors_origins.is_empty()).then(|| cors(limits.cors_origins.clone())))
            .layer(RequestBodyDeadlineLayer::new(limits.body))
            .layer(RequestBodyTimeoutLayer::new(limits.stalled))
            .layer(DefaultBodyLimit::max(self.largest_body));
        routes.layer(stack)
    }
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
