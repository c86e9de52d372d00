//! What happens around every request: its id, its trace, its one record, and the body of its error.

use std::{
    any::Any,
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    body::HttpBody as _,
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

use super::{detached::ClientGone, extract::unreadable_body, problem, source::source};
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
/// A request is given up when it takes longer, beside its body. All its waits together, each of which has a limit of its
/// own, may take less; only a server that has gone silent makes it take so long.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);
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
    /// How long a request's body may take.
    pub(super) longest_body: Duration,
}

/// Gives a request its id and its trace, and writes its record.
pub(super) async fn observe(
    State(observer): State<Observer>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let observed = Observed::new(&observer, peer.ip(), &request);
    request.extensions_mut().insert(Arc::clone(&observed.info));
    let span = observed.root_span(request.headers());
    let active = metrics::request_began(observed.method.as_str());
    let work = async move {
        let _active = active;
        let response = respond(next, request, observer.longest_body).await;
        let info = &observed.info;
        if let (Some(auth), Some(account)) = (&observer.auth, probing(&response, info)) {
            auth.note_probe(account, info.source, info.subject()).await;
        }
        observed.finish(response)
    };
    work.instrument(span).await
}

/// The handler's response; that of a failure if it panics, or is given up.
async fn respond(next: Next, request: Request, longest_body: Duration) -> Response {
    let limit = if request.body().is_end_stream() { LONGEST_REQUEST } else { longest_body + LONGEST_REQUEST };
    match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => ApiError::from(panicked(&*panic)).into_response(),
        Err(_) => {
            let failure = Failure::bare(ErrorType::DatabaseUnavailable, "the request has not ended in time");
            ApiError::from(failure).into_response()
        }
    }
}

/// The account that has asked for an order that isn't its own or isn't there, if its role has own orders only.
fn probing(response: &Response, info: &RequestInfo) -> Option<AccountId> {
    let Some(Caller { account, role: Role::Customer | Role::Partner }) = info.caller.get() else { return None };
    let error = response.extensions().get::<Arc<ApiError>>()?;
    let is_unknown = matches!(&**error, ApiError::Rejected(rejection) if rejection.code == ProblemCode::OrderNotFound);
    is_unknown.then_some(*account)
}

/// A request, as its records, its metrics and its span report it.
struct Observed {
    started: Instant,
    service: Service,
    method: Method,
    route: Option<MatchedPath>,
    info: Arc<RequestInfo>,
    client_gone: ClientGone,
}

impl Observed {
    fn new(observer: &Observer, peer: IpAddr, request: &Request) -> Self {
        let started = Instant::now();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let info = RequestInfo {
            id: request_id(request.headers()),
            source: source(peer, request.headers(), &observer.trusted_proxies),
            order: route.as_ref().and_then(|route| order_in(request.uri().path(), route.as_str())),
            caller: OnceLock::new(),
            user: OnceLock::new(),
        };
        Self {
            started,
            service: observer.service,
            method: request.method().clone(),
            route,
            info: Arc::new(info),
            client_gone: request.extensions().get::<ClientGone>().cloned().unwrap_or_default(),
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str)
    }

    fn root_span(&self, headers: &HeaderMap) -> Span {
        let (method, route) = (&self.method, self.route());
        // At ERROR level, so that no filter drops the span and with it the trace's id of a warning.
        let span = tracing::error_span!(
            "http.request",
            { field::TRACE_ID } = Empty,
            { field::HTTP_REQUEST_ID } = self.info.id,
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
        );
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        adopt(&span, &TraceContext::from_outside(text("traceparent"), text("tracestate")));
        identify(&span, field::HTTP_REQUEST_METHOD, method);
        identify(&span, field::HTTP_ROUTE, route);
        if let Some(order) = &self.info.order {
            identify(&span, field::ORDER_ID, order);
        }
        span
    }

    /// Completes the response, then writes the request's records and measures it.
    fn finish(&self, mut response: Response) -> Response {
        let error = response.extensions_mut().remove::<Arc<ApiError>>();
        let response = self.complete(response, error.as_deref());
        let status = response.status();
        let record = self.outcome(status, error.as_deref());
        if status == StatusCode::FORBIDDEN {
            self.record_denied();
        }
        self.conclude(status, record);
        response
    }

    /// The response with the request's id, and with the problem as its body if there is one.
    fn complete(&self, mut response: Response, error: Option<&ApiError>) -> Response {
        if let Some(rejection) = rejection(&response, error) {
            let rendered = problem::render(&rejection, &self.info.id, &trace_id(&Span::current()));
            response = with_headers_of(response, rendered);
        }
        if let Ok(id) = HeaderValue::from_str(&self.info.id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    /// The request's record with its outcome. A failure that kept another action from happening is in that action's record,
    /// which is written here.
    fn outcome(&self, status: StatusCode, error: Option<&ApiError>) -> Record {
        let subject = self.info.subject();
        let Some(ApiError::Failed(failure, kept_from)) = error else {
            if !status.is_server_error() {
                return Record::notice(Action::HttpRequest, subject);
            }
            // Of a library, or of a handler that doesn't say what has failed: no other record reports it.
            let failure = Failure::bare(ErrorType::Internal, "the response is a failure that has no known cause");
            return Record::failure(Action::HttpRequest, subject, &failure);
        };
        // A request that failed before its handler knew more: when its token is looked up, or by a panic.
        let of_route = || (access::action(self.service, self.method.as_str(), self.route()), subject.clone());
        let (action, of_failure) = kept_from.as_deref().cloned().unwrap_or_else(of_route);
        if action == Action::HttpRequest {
            return Record::failure(action, subject, failure);
        }
        Record::failure(action, of_failure, failure).write();
        Record::notice(Action::HttpRequest, subject).unsuccessful()
    }

    /// Records that an account may not do what it asked for.
    fn record_denied(&self) {
        let Some(user) = self.info.user() else { return };
        let denied = Record::notice(Action::AccessDenied, self.info.subject()).unsuccessful().level(Level::WARN);
        let denied = denied.user(Some(user)).source_ip(self.info.source.network);
        denied.operation(self.method.as_str(), self.route()).write();
    }

    /// Writes the request's record, and adds its status to the metrics and the span.
    fn conclude(&self, response: StatusCode, mut record: Record) {
        let (method, route, took) = (self.method.as_str(), self.route(), self.started.elapsed());
        let status = if self.client_gone.is_true() { CLIENT_CLOSED_REQUEST } else { response.as_u16() };
        record = record.operation(method, route).status_code(status).duration(took).user(self.info.user());
        if response.is_client_error() {
            // A flood of refused requests is traced to its network. The others may come from where they like.
            record = record.source_ip(self.info.source.network);
        }
        record.write();
        metrics::request_ended(method, route, status, took);
        let span = Span::current();
        span.set_attribute(field::HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        if response.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
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

fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure::new(ErrorType::Panic, "a handler panicked", text.unwrap_or("no message"))
}

/// The problem that the response's body has to report; none if a handler made the body, or if nothing is wrong.
fn rejection<'a>(response: &Response, error: Option<&'a ApiError>) -> Option<Cow<'a, Rejection>> {
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|of_body| OWN_BODIES.contains(&of_body.as_bytes())) {
        // A handler's own body, even if it failed: the health report, a page.
        return None;
    }
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    error.map(ApiError::rejection).or_else(|| failed.then(|| Cow::Owned(of_library(status))))
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

    #[test]
    fn a_failure_that_no_handler_knows_of_is_one_error() {
        static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        fn keep(line: &[u8]) -> io::Result<()> {
            WRITTEN.lock().unwrap().write_all(line)
        }

        telemetry::redirect(keep);
        let observer = Observer {
            auth: None,
            service: Service::ShopApi,
            trusted_proxies: Arc::new([]),
            longest_body: Duration::ZERO,
        };
        let observed = Observed::new(&observer, IpAddr::from([203, 0, 113, 7]), &Request::default());
        let response = tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            observed.finish(StatusCode::BAD_GATEWAY.into_response())
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
