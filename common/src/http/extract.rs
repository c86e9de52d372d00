//! axum's extractors, with problems instead of plain text when they refuse a request.

use std::{error::Error, iter::successors};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt as _};
use serde::de::{DeserializeOwned, IgnoredAny};
use tower_http::timeout::TimeoutError;
use utoipa::IntoParams;

use crate::{
    domain::OrderId,
    idempotency::IdempotencyKey,
    model_store::BodyError,
    problem::{ApiError, ProblemCode, Rejection},
};

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// The order that the path names.
#[derive(Debug, IntoParams)]
#[into_params(names("id"), parameter_in = Path)]
pub struct OrderPath(
    /// The order's number.
    #[param(example = "A-100042")]
    pub OrderId,
);

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !says_json(request.headers()) {
            let detail = "The body must be JSON: `Content-Type: application/json`.";
            return Err(Rejection::new(ProblemCode::UnsupportedMediaType, detail).into());
        }
        // Copied into one buffer: kept as they came, chunks of one byte would each hold the buffer that they were received into.
        let bytes = BytesMut::from_request(request, state).await;
        let bytes = bytes.map_err(|refused| match body_error(&refused) {
            BodyError::TooSlow => Rejection::too_slow(),
            BodyError::Broken => unreadable_body(refused.status(), refused.body_text()),
        })?;
        let refused = match axum::Json::from_bytes(&bytes) {
            Ok(axum::Json(value)) => return Ok(Self(value)),
            Err(refused) => refused.body_text(),
        };
        // The parser reports some values of a wrong type as bad syntax; only the body itself shows which it is.
        let is_json = serde_json::from_slice::<IgnoredAny>(&bytes).is_ok();
        Err(if is_json { Rejection::invalid(refused) } else { Rejection::malformed(refused) }.into())
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Why reading a body failed.
#[must_use]
pub fn body_error(error: &(dyn Error + 'static)) -> BodyError {
    let mut chain = successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    if chain.any(|error| error.is::<TimeoutError>()) { BodyError::TooSlow } else { BodyError::Broken }
}

/// The bytes of a request's body.
pub fn body_stream(body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin {
    body.into_data_stream().map_err(|error| body_error(&error))
}

/// A body that ended early, or is too large.
pub(super) fn unreadable_body(status: StatusCode, text: String) -> Rejection {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Rejection::new(ProblemCode::BodyTooLarge, "The body is too large."),
        _ => Rejection::malformed(text),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // An id that can't be read is that of no order.
        let id = Path::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Rejection::no_such_order().into())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|refused| Rejection::new(ProblemCode::InvalidQuery, refused.body_text()).into())
    }
}

/// The header `Idempotency-Key`, if the request has one.
#[derive(Debug, IntoParams)]
#[into_params(names("Idempotency-Key"), parameter_in = Header)]
pub struct Idempotency(
    /// The same key and body again get the first response. It is kept for two days; after that, the key counts as new.
    #[param(value_type = Option<String>, pattern = "^[ -~]{1,255}$")]
    pub Option<IdempotencyKey>,
);

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let header = parts.headers.get("idempotency-key");
        Ok(Self(header.map(|value| IdempotencyKey::parse(value.as_bytes())).transpose()?))
    }
}
