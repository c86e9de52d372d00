//! What a client is told when something doesn't work: problem details for HTTP APIs (RFC 9457).

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use catalogue::Action;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{InvalidOrderId, Refusal},
    failure::{ErrorType, Failure},
    telemetry::Subject,
};

/// The body of every answer from 400 on (`application/problem+json`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:alexandrite:problem:status_conflict")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The kind of problem in one stable word, for programs.
    #[schema(example = "status_conflict")]
    pub code: String,
    /// The request's number, as in the log.
    pub request_id: String,
    /// The request's trace, as in the log.
    pub trace_id: String,
}

/// A client's mistake. It is told, and never an error in the log.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The answer's status.
    pub status: StatusCode,
    /// The problem's stable word.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub detail: Cow<'static, str>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Rejection {
    /// A problem of this kind.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), header: None }
    }

    /// The fields of a request don't make sense.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", detail)
    }

    /// The request can't be read.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", detail)
    }

    /// The order is not in a state for that.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// There is no such order, or it is somebody else's.
    #[must_use]
    pub fn no_such_order() -> Self {
        Self::new(StatusCode::NOT_FOUND, "order_not_found", "There is no such order.")
    }

    /// The order has no model yet.
    #[must_use]
    pub fn no_model() -> Self {
        Self::new(StatusCode::NOT_FOUND, "model_not_found", "The order has no model yet.")
    }

    /// No good token came with the request.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let challenge = with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let detail = "A valid token is needed: `Authorization: Bearer TOKEN`, from `POST /sessions`.";
        Self { header: challenge, ..Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail) }
    }

    /// The same for an unknown, a disabled and a wrong login.
    #[must_use]
    pub fn wrong_credentials() -> Self {
        let challenge = with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        let detail = "No account has this login and password.";
        Self { header: challenge, ..Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", detail) }
    }

    /// The token is good, but for something else.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This account may not do that.")
    }

    /// The account has to wait before the next login.
    #[must_use]
    pub fn too_many_attempts(delay: Duration) -> Self {
        Self::retry_later("too_many_attempts", "Too many failed logins; try again later.", delay)
    }

    /// The caller's address has to wait before the next login.
    #[must_use]
    pub fn too_many_requests(delay: Duration) -> Self {
        Self::retry_later("too_many_requests", "Too many logins from your network; try again later.", delay)
    }

    /// More logins at once than can be checked.
    #[must_use]
    pub fn busy() -> Self {
        Self::retry_later("busy", "Too many logins at once; try again later.", Duration::from_secs(1))
    }

    fn retry_later(code: &'static str, detail: &'static str, delay: Duration) -> Self {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let header = with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        Self { header, ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail) }
    }
}

/// Boxed, so that results stay small.
fn with_header(name: HeaderName, value: HeaderValue) -> Option<Box<(HeaderName, HeaderValue)>> {
    Some(Box::new((name, value)))
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Repeated(_) => "status_repeated",
            Refusal::Undone { .. } => "status_undone",
            Refusal::Skipped { .. } => "status_skipped",
            Refusal::NotYours(_) => "status_not_settable",
        };
        Self::conflict(code, format!("Not possible: {refusal}."))
    }
}

impl From<InvalidOrderId> for Rejection {
    fn from(_: InvalidOrderId) -> Self {
        Self::no_such_order()
    }
}

/// Why a handler has no answer of its own.
#[derive(Debug)]
pub enum ApiError {
    /// The client's mistake.
    Rejected(Rejection),
    /// A failure of ours, and what it kept from happening, if that is an event of the catalogue.
    Failed(Failure, Option<Box<(Action, Subject)>>),
}

impl ApiError {
    /// Says which event of the catalogue a failure kept from happening, unless that is known already.
    #[must_use]
    pub fn during(self, action: Action, subject: Subject) -> Self {
        match self {
            Self::Failed(failure, None) => Self::Failed(failure, Some(Box::new((action, subject)))),
            other => other,
        }
    }

    /// The problem as this client is told it; of our own failures, nothing but that there was one.
    pub(super) fn rejection(&self) -> Cow<'_, Rejection> {
        match self {
            Self::Rejected(rejection) => Cow::Borrowed(rejection),
            Self::Failed(failure, _) => Cow::Owned(match failure.error_type {
                ErrorType::DatabaseUnavailable | ErrorType::ModelStoreUnavailable | ErrorType::BrokerUnavailable => {
                    let detail = "A part of the system is not available at the moment. Nothing was changed; try again.";
                    let retry = with_header(header::RETRY_AFTER, HeaderValue::from(5));
                    Rejection {
                        header: retry,
                        ..Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
                    }
                }
                _ => Rejection::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal_error",
                    "Something went wrong on our side. Tell us the request's number.",
                ),
            }),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure, None)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Rejected(refusal.into())
    }
}

impl From<InvalidOrderId> for ApiError {
    fn from(error: InvalidOrderId) -> Self {
        Self::Rejected(error.into())
    }
}

impl IntoResponse for ApiError {
    /// Only carries the error to the request's middleware, which logs it and writes the body.
    fn into_response(self) -> Response {
        let status = self.rejection().status;
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The answer with its body, once the request's number and trace are known.
pub(super) fn render(rejection: &Rejection, request_id: &str, trace_id: &str) -> Response {
    let problem = Problem {
        kind: format!("urn:alexandrite:problem:{}", rejection.code),
        title: rejection.status.canonical_reason().unwrap_or("Problem").to_owned(),
        status: rejection.status.as_u16(),
        detail: rejection.detail.clone().into_owned(),
        code: rejection.code.to_owned(),
        request_id: request_id.to_owned(),
        trace_id: trace_id.to_owned(),
    };
    let mut response = (rejection.status, axum::Json(problem)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some((name, value)) = rejection.header.as_deref() {
        response.headers_mut().insert(name, value.clone());
    }
    response
}
