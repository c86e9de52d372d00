//! What happens around every request: its id, its trace, its one record, and the body of its error.

use std::{
    any::Any,
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use catalogue::{Action, Service, field};
use futures::FutureExt as _;
use ipnet::IpNet;
use opentelemetry::trace::Status;
use tracing::{Instrument as _, Level, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::{detached::ClientGone, extract::unreadable_body, problem};
use crate::{
    auth::{Auth, Caller, Source, access},
    domain::{AccountId, OrderId, Role},
    failure::{ErrorType, Failure},
    problem::{ApiError, ProblemCode, Rejection},
    telemetry::{Record, Subject, TraceContext, adopt, identify, metrics, trace_id},
};

/// What is known about a request beside its content.
#[derive(Debug)]
pub struct RequestInfo {
    /// Its id, in the log and in the response.
    pub id: String,
    /// Where it came from.
    pub source: Source,
    /// The order that its path names.
    order: Option<OrderId>,
    caller: OnceLock<Caller>,
    user: OnceLock<AccountId>,
}

impl RequestInfo {
    /// Notes the account behind the request, for its record.
    pub fn identify(&self, caller: Caller) {
        // A request has one caller.
        let _ = self.caller.set(caller);
        self.identify_user(caller.account);
    }

    /// Notes an account that is another system's and has no role here.
    pub fn identify_user(&self, account: AccountId) {
        let _ = self.user.set(account);
    }

    fn user(&self) -> Option<AccountId> {
        self.user.get().copied()
    }

    fn subject(&self) -> Subject {
        Subject { order: self.order.clone(), ..Subject::default() }
    }
}

/// The status in the log when the client went away before the response; nginx's convention.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The route in the log when none matched.
const UNMATCHED: &str = "UNMATCHED";
const REQUEST_ID: &str = "x-request-id";
/// The media types of bodies that handlers make.
const OWN_BODIES: [&[u8]; 2] = [b"application/json", b"text/html; charset=utf-8"];

/// What the middleware knows of its service.
#[derive(Clone)]
pub(super) struct Observer {
    /// What counts those who ask for others' orders; none where no account is the service's own.
    pub(super) auth: Option<Auth>,
    pub(super) service: Service,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(super) trusted_proxies: Arc<[IpNet]>,
}

/// Gives a request its id and its trace, and writes its record.
pub(super) async fn observe(
    State(observer): State<Observer>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client_gone = request.extensions().get::<ClientGone>().cloned().unwrap_or_default();
    let client = client(peer.ip(), request.headers(), &observer.trusted_proxies);
    let info = Arc::new(RequestInfo {
        id: request_id(request.headers()),
        source: Source { address: cut(client, 32, 64), network: cut(client, 24, 48) },
        order: route.as_ref().and_then(|route| order_in(request.uri().path(), route.as_str())),
        caller: OnceLock::new(),
        user: OnceLock::new(),
    });
    request.extensions_mut().insert(Arc::clone(&info));

    let span = root_span(&method, route.as_ref(), &info, request.headers());
    let active = metrics::request_began(method.as_str());
    let work = async move {
        let _active = active;
        let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = response.unwrap_or_else(|panic| ApiError::from(panicked(&*panic)).into_response());
        if let (Some(auth), Some(account)) = (&observer.auth, probing(&response, &info)) {
            auth.note_probe(account, info.source, info.subject()).await;
        }
        let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        finish(response, observer.service, &method, route, &info, started, client_gone.is_true())
    };
    work.instrument(span).await
}

/// The account that has asked for an order that isn't its own or isn't there, if its role has own orders only.
fn probing(response: &Response, info: &RequestInfo) -> Option<AccountId> {
    let Some(Caller { account, role: Role::Customer | Role::Partner }) = info.caller.get() else { return None };
    let error = response.extensions().get::<Arc<ApiError>>()?;
    let is_unknown = matches!(&**error, ApiError::Rejected(rejection) if rejection.code == ProblemCode::OrderNotFound);
    is_unknown.then_some(*account)
}

fn root_span(method: &Method, route: Option<&MatchedPath>, info: &RequestInfo, headers: &HeaderMap) -> Span {
    let route = route.map_or(UNMATCHED, MatchedPath::as_str);
    // At ERROR level, so that no filter drops the span and with it the trace's id of a warning.
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
    if let Some(order) = &info.order {
        identify(&span, field::ORDER_ID, order);
    }
    span
}

/// The client's own id if it is well-formed, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let well_formed = |id: &&str| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    sent.filter(well_formed).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The order that is in the path where the route has `{id}`.
fn order_in(path: &str, route: &str) -> Option<OrderId> {
    let place = route.split('/').position(|part| part == "{id}")?;
    path.split('/').nth(place)?.parse().ok()
}

/// The client's address: the nearest one of `X-Forwarded-For` that isn't a trusted proxy's. What the header has before that
/// may be forged.
fn client(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let mut hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    while trusted_proxies.iter().any(|proxies| proxies.contains(&client)) {
        match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(before)) => client = before.to_canonical(),
            _ => break,
        }
    }
    client
}

/// The first bits of an address. 24 (IPv4) or 48 (IPv6) show where attacks come from and don't identify a person; 32 or 64
/// are what one household or server has.
fn cut(address: IpAddr, bits_of_v4: u8, bits_of_v6: u8) -> IpAddr {
    let bits = if address.is_ipv4() { bits_of_v4 } else { bits_of_v6 };
    IpNet::new(address, bits).map_or(address, |network| network.network())
}

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(ErrorType::Panic, "a handler panicked", text.unwrap_or("no message"))
}

fn finish(
    mut response: Response,
    service: Service,
    method: &Method,
    route: &str,
    info: &RequestInfo,
    started: Instant,
    client_gone: bool,
) -> Response {
    let error = response.extensions_mut().remove::<Arc<ApiError>>();
    let trace = trace_id(&Span::current());
    let rejection =
        if response.headers().get(header::CONTENT_TYPE).is_some_and(|of_body| OWN_BODIES.contains(&of_body.as_bytes()))
        {
            // A handler's own body, even if it failed: the health report, a page.
            None
        } else if let Some(error) = &error {
            Some(error.rejection())
        } else {
            let failed = response.status().is_client_error() || response.status().is_server_error();
            failed.then(|| Cow::Owned(of_library(response.status())))
        };
    if let Some(rejection) = rejection {
        let rendered = problem::render(&rejection, &info.id, &trace);
        response = with_headers_of(response, rendered);
    }
    if let Ok(id) = HeaderValue::from_str(&info.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }

    let failed = response.status().is_server_error();
    let subject = info.subject();
    let mut record = match error.as_deref() {
        Some(ApiError::Failed(failure, kept_from)) => {
            // A request that failed before its handler knew more: when its token is looked up, or by a panic.
            let of_route = || (access::action(service, method.as_str(), route), subject.clone());
            let (action, of_failure) = kept_from.as_deref().cloned().unwrap_or_else(of_route);
            if action == Action::HttpRequest {
                Record::failure(action, subject, failure)
            } else {
                Record::failure(action, of_failure, failure).write();
                Record::notice(Action::HttpRequest, subject).unsuccessful()
            }
        }
        // Of a library, or of a handler that doesn't say what has failed: no other record reports it.
        _ if failed => {
            let failure = Failure::bare(ErrorType::Internal, "the response is a failure that has no known cause");
            Record::failure(Action::HttpRequest, subject, &failure)
        }
        _ => Record::notice(Action::HttpRequest, subject),
    };
    let user = info.user();
    if response.status() == StatusCode::FORBIDDEN && user.is_some() {
        let denied = Record::notice(Action::AccessDenied, info.subject()).unsuccessful().level(Level::WARN).user(user);
        denied.source_ip(info.source.network).operation(method.as_str(), route).write();
    }
    let status = if client_gone { CLIENT_CLOSED_REQUEST } else { response.status().as_u16() };
    let took = started.elapsed();
    record = record.operation(method.as_str(), route).status_code(status).duration(took).user(user);
    if response.status().is_client_error() {
        // A flood of refused requests is traced to its network. The others may come from where they like.
        record = record.source_ip(info.source.network);
    }
    record.write();
    metrics::request_ended(method.as_str(), route, status, took);

    let span = Span::current();
    span.set_attribute(field::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
    if failed {
        span.set_status(Status::error(""));
    }
    response
}

/// Responses that a library made (405, 413, …) get the same form.
fn of_library(status: StatusCode) -> Rejection {
    match status {
        StatusCode::NOT_FOUND => Rejection::new(ProblemCode::UnknownPath, "There is nothing at this path."),
        StatusCode::METHOD_NOT_ALLOWED => {
            let detail = "This path doesn't know this method; `Allow` names those it does.";
            Rejection::new(ProblemCode::MethodNotAllowed, detail)
        }
        _ if status.is_server_error() => {
            ApiError::from(Failure::bare(ErrorType::Internal, "a library failed")).rejection().into_owned()
        }
        _ => unreadable_body(status, status.canonical_reason().unwrap_or("Problem").to_owned()),
    }
}

/// The second response, with those headers of the first that aren't about its body, such as `Allow`.
fn with_headers_of(first: Response, mut second: Response) -> Response {
    let (mut parts, _) = first.into_parts();
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(std::mem::take(second.headers_mut()));
    *second.headers_mut() = parts.headers;
    second
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write as _},
        sync::Mutex,
    };

    use super::*;
    use crate::telemetry;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_cut_to_their_network() {
        assert_eq!(cut(address("203.0.113.77"), 24, 48), address("203.0.113.0"));
        assert_eq!(cut(address("203.0.113.77"), 32, 64), address("203.0.113.77"));
        assert_eq!(cut(address("2001:db8:1:2:3:4:5:6"), 24, 48), address("2001:db8:1::"));
        assert_eq!(cut(address("2001:db8:1:2:3:4:5:6"), 32, 64), address("2001:db8:1:2::"));
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "192.0.2.1/32"].map(|text| text.parse().unwrap()).into();
        let client_of = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
            }
            client(address(peer), &headers, &proxies).to_string()
        };
        assert_eq!(client_of("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client_of("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1, 198.51.100.1 , 192.0.2.1"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.9.9.9"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1, made up"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_failure_that_no_handler_knows_of_is_one_error() {
        static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        fn keep(line: &[u8]) -> io::Result<()> {
            WRITTEN.lock().unwrap().write_all(line)
        }

        telemetry::redirect(keep);
        let client = address("203.0.113.7");
        let info = RequestInfo {
            id: "caller-0001".to_owned(),
            source: Source { address: client, network: client },
            order: None,
            caller: OnceLock::new(),
            user: OnceLock::new(),
        };
        let response = tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            let response = StatusCode::BAD_GATEWAY.into_response();
            finish(response, Service::ShopApi, &Method::GET, "/of-a-library", &info, Instant::now(), false)
        });
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let record: serde_json::Value = serde_json::from_slice(&WRITTEN.lock().unwrap()).expect("one record");
        assert_eq!(record[field::EVENT_ACTION], Action::HttpRequest.name());
        assert_eq!(record[field::LEVEL], 50);
        assert_eq!(record[field::ERROR_TYPE], ErrorType::Internal.name());
        assert_eq!(record[field::HTTP_RESPONSE_STATUS_CODE], 500);
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
