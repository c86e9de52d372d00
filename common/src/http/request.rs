//! What happens around every request: its number, its trace, its one record, and the last word on errors.

use std::{
    any::Any,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use elk::{Action, field};
use futures::FutureExt as _;
use opentelemetry::trace::Status;
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{ApiError, Rejection, detached::ClientGone, problem};
use crate::{
    Fault,
    domain::OrderId,
    fault::ErrorType,
    telemetry::{Record, Subject, TraceContext, adopt, identify, trace_id},
};

/// What handlers know about their request, beside what it says.
#[derive(Debug)]
pub struct RequestInfo {
    /// Its number, in the log and in the answer.
    pub id: String,
    /// Where it came from, cut to the network.
    pub source_network: IpAddr,
    /// The order that its path names.
    order: Option<OrderId>,
    user: OnceLock<Uuid>,
}

impl RequestInfo {
    /// Notes who is asking, for the request's record.
    pub fn identify_user(&self, account: Uuid) {
        // A request has one caller; a second call says the same.
        let _ = self.user.set(account);
    }
}

/// The answer's status in the log when the client went away before it, as web servers have long written it.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The route in the log when none matched.
const UNMATCHED: &str = "UNMATCHED";
const REQUEST_ID: &str = "x-request-id";

/// Gives a request its number and its trace, and writes its record.
pub(super) async fn observe(ConnectInfo(peer): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client_gone = request.extensions().get::<ClientGone>().cloned().unwrap_or_default();
    let info = Arc::new(RequestInfo {
        id: request_id(request.headers()),
        source_network: network(peer.ip()),
        order: route.as_ref().and_then(|route| order_in(request.uri().path(), route.as_str())),
        user: OnceLock::new(),
    });
    request.extensions_mut().insert(Arc::clone(&info));

    let span = root_span(&method, route.as_ref(), &info, request.headers());
    let work = async move {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|panic| ApiError::from(panicked(&*panic)).into_response());
        finish(answer, &method, route.as_ref(), &info, started, client_gone.is_true())
    };
    work.instrument(span).await
}

fn root_span(method: &Method, route: Option<&MatchedPath>, info: &RequestInfo, headers: &HeaderMap) -> Span {
    let route = route.map_or(UNMATCHED, MatchedPath::as_str);
    // At ERROR level, so that no filter takes the trace's id from a warning.
    let span = tracing::error_span!(
        "http.request",
        { field::TRACE_ID } = Empty,
        { field::HTTP_REQUEST_ID } = info.id,
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
    );
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    adopt(&span, &TraceContext::from_outside(text("traceparent"), text("tracestate")));
    identify(&span, field::HTTP_REQUEST_METHOD, method);
    identify(&span, field::HTTP_ROUTE, route);
    span
}

/// Takes a client's own number if it is well-formed, and makes one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let well_formed = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    sent.filter(well_formed).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The order that stands in the path where the route has `{id}`.
fn order_in(path: &str, route: &str) -> Option<OrderId> {
    let place = route.split('/').position(|part| part == "{id}")?;
    path.split('/').nth(place)?.parse().ok()
}

/// What a request was for that failed before its handler could say so: when the caller's token can't be looked up, or
/// when the handler panics.
fn purpose(method: &Method, route: Option<&MatchedPath>) -> Action {
    match (method.as_str(), route.map_or(UNMATCHED, MatchedPath::as_str)) {
        ("POST", "/sessions") => Action::LoginFailed,
        ("POST", "/orders" | "/partner/orders") => Action::OrderCreated,
        ("PUT", "/orders/{id}/model") => Action::OrderModelUploaded,
        ("POST", "/orders/{id}/status" | "/deliveries") => Action::OrderStatusChanged,
        ("PUT", "/orders/{id}/operator") => Action::OrderOperatorAssigned,
        ("POST", "/orders/{id}/price") => Action::OrderPriceStatusChanged,
        _ => Action::HttpRequest,
    }
}

/// Enough to see where attacks come from, not enough to tell one person from another: /24, or /48.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (!0 << 8))),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (!0 << 80))),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Fault::new(ErrorType::Panic, "a handler panicked", text.unwrap_or("no message"))
}

fn finish(
    mut answer: Response,
    method: &Method,
    route: Option<&MatchedPath>,
    info: &RequestInfo,
    started: Instant,
    client_gone: bool,
) -> Response {
    let error = answer.extensions_mut().remove::<Arc<ApiError>>();
    let trace = trace_id(&Span::current());
    if answer.headers().get(header::CONTENT_TYPE).is_some_and(|media_type| media_type == "application/json") {
        // A handler's own words, even if it failed: the health report.
    } else if let Some(error) = &error {
        answer = problem::render(&error.rejection(), &info.id, &trace);
    } else if answer.status().is_client_error() || answer.status().is_server_error() {
        answer = rendered_anew(&answer, &info.id, &trace);
    }
    if let Ok(id) = HeaderValue::from_str(&info.id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }

    let failed = answer.status().is_server_error();
    let failure = match error.as_deref() {
        Some(ApiError::Failed(fault, kept_from)) => {
            let before_the_handler =
                || (purpose(method, route), Subject { order: info.order.clone(), ..Subject::default() });
            let (action, subject) = kept_from.as_deref().cloned().unwrap_or_else(before_the_handler);
            Some((fault, action, subject))
        }
        _ => None,
    };
    let mut record = match failure {
        Some((fault, Action::HttpRequest, subject)) => Record::failure(Action::HttpRequest, subject, fault),
        Some((fault, action, subject)) => {
            Record::failure(action, subject, fault).write();
            Record::success(Action::HttpRequest, Subject::default()).unsuccessful()
        }
        None if failed => Record::success(Action::HttpRequest, Subject::default()).unsuccessful(),
        None => Record::success(Action::HttpRequest, Subject::default()),
    };
    let status = if client_gone { CLIENT_CLOSED_REQUEST } else { answer.status().as_u16() };
    record = record
        .http(method.as_str(), route.map_or(UNMATCHED, MatchedPath::as_str), status)
        .duration(started.elapsed())
        .user(info.user.get().copied());
    record.write();

    let span = Span::current();
    span.set_attribute(field::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    if failed {
        span.set_status(Status::error(""));
    }
    answer
}

/// Answers that a library made (405, 413, …) get the same form as ours, and keep the headers that belong to them.
fn rendered_anew(answer: &Response, request_id: &str, trace_id: &str) -> Response {
    let status = answer.status();
    let rejection = match status {
        StatusCode::NOT_FOUND => Rejection::new(status, "unknown_path", "There is nothing at this path."),
        StatusCode::METHOD_NOT_ALLOWED => Rejection::new(
            status,
            "method_not_allowed",
            "This path doesn't know this method; `Allow` names those it does.",
        ),
        _ => super::extract::body(status, status.canonical_reason().unwrap_or("Problem").to_owned()),
    };
    let mut rendered = problem::render(&rejection, request_id, trace_id);
    if let Some(allow) = answer.headers().get(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow.clone());
    }
    rendered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_to_their_network() {
        let cut = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(cut("203.0.113.77"), "203.0.113.0");
        assert_eq!(cut("::ffff:203.0.113.77"), "203.0.113.0");
        assert_eq!(cut("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
    }

    #[test]
    fn the_order_is_where_the_route_says() {
        let order = |path, route| order_in(path, route).map(|id| id.to_string());
        assert_eq!(order("/orders/A-100042/model", "/orders/{id}/model").as_deref(), Some("A-100042"));
        assert_eq!(order("/partner/orders/P-100007", "/partner/orders/{id}").as_deref(), Some("P-100007"));
        for (path, route) in
            [("/orders/nonsense", "/orders/{id}"), ("/orders", "/orders"), ("/A-100042", "/docs/{*rest}")]
        {
            assert_eq!(order(path, route), None, "{path}");
        }
    }

    #[test]
    fn only_a_well_formed_request_id_is_taken_over() {
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(text).unwrap());
            request_id(&headers)
        };
        assert_eq!(id("caller-0001"), "caller-0001");
        for bad in ["short", "with blank in it", "quote\"in-it", &"x".repeat(65)] {
            assert_ne!(id(bad), bad);
        }
    }
}
