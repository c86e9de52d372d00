//! Problems as responses: problem details for HTTP APIs (RFC 9457).

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{ApiError, Rejection, page};

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// The body of every response from 400 on (`application/problem+json`, RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind of problem, as a reference to its entry in the page about problems of this service.
    #[serde(rename = "type")]
    #[schema(example = "/problems#status_repeated")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The kind of problem in one stable word, for programs.
    #[schema(example = "status_repeated")]
    pub code: String,
    /// The request's id, as in the log.
    pub request_id: String,
    /// The request's trace, as in the log.
    pub trace_id: String,
}

impl IntoResponse for ApiError {
    /// Only carries the error to the request's middleware, which logs it and writes the body.
    fn into_response(self) -> Response {
        let mut response = status(&self.rejection()).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

fn status(rejection: &Rejection) -> StatusCode {
    StatusCode::from_u16(rejection.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The response with its body, once the request's id and trace are known.
pub(super) fn render(rejection: &Rejection, request_id: &str, trace_id: &str) -> Response {
    let status = status(rejection);
    let problem = Problem {
        kind: format!("{}#{}", page::PATH, rejection.code),
        title: status.canonical_reason().unwrap_or("Problem").to_owned(),
        status: status.as_u16(),
        detail: rejection.detail.clone().into_owned(),
        code: rejection.code.name().to_owned(),
        request_id: request_id.to_owned(),
        trace_id: trace_id.to_owned(),
    };
    let mut response = (status, axum::Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110, section 11.6.1.
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(delay) = rejection.retry_after {
        headers.insert(header::RETRY_AFTER, retry_after(delay));
    }
    response
}

/// The value of `Retry-After`, in seconds, rounded up: after them the time is over.
#[must_use]
pub fn retry_after(delay: Duration) -> HeaderValue {
    HeaderValue::from(delay.as_secs() + u64::from(delay.subsec_nanos() > 0))
}

/// Serves the page about problems, which each problem's `type` leads to.
pub(super) fn routes() -> Router {
    let page = page::html();
    Router::new().route(page::PATH, get(async move || Html(page.clone())))
}
