//! axum's extractors, with our problems instead of plain text when they refuse.

use std::{error::Error, iter::successors};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};
use tower_http::timeout::TimeoutError;

use super::{ApiError, Rejection};

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// The variable parts of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !says_json(request.headers()) {
            let detail = "The body must be JSON: `Content-Type: application/json`.";
            return Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into());
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|refused| match is_too_slow(&refused) {
            true => too_slow(),
            false => body(refused.status(), refused.body_text()),
        })?;
        let refused = match axum::Json::from_bytes(&bytes) {
            Ok(axum::Json(value)) => return Ok(Self(value)),
            Err(refused) => refused.body_text(),
        };
        // The parser takes another type than it expects for bad syntax in places; only the body itself tells.
        let is_json = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        Err(if is_json { Rejection::invalid(refused) } else { Rejection::malformed(refused) }.into())
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Whether reading a body failed because its time was over.
#[must_use]
pub fn is_too_slow(error: &(dyn Error + 'static)) -> bool {
    successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source()).any(|error| error.is::<TimeoutError>())
}

/// A body that paused for too long, or took too long as a whole.
#[must_use]
pub fn too_slow() -> Rejection {
    Rejection::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body came too slowly.")
}

/// A body that ended early, or is too large.
pub(super) fn body(status: StatusCode, text: String) -> Rejection {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Rejection::new(status, "body_too_large", "The body is too large."),
        _ => Rejection::new(status, "malformed_request", text),
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // What doesn't fit a route's variable names nothing that exists.
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Rejection::no_such_order().into())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|refused| Rejection::new(StatusCode::BAD_REQUEST, "invalid_query", refused.body_text()).into())
    }
}
