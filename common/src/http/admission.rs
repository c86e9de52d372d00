//! The extractor that holds floods of logins and registrations off.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::request::RequestInfo;
use crate::{
    problem::{ApiError, ProblemCode, Rejection},
    state::Core,
};

/// Lets a request into a handler unless its address sends too many: `429` then.
#[derive(Clone, Copy, Debug)]
pub struct Admitted;

impl<S> FromRequestParts<S> for Admitted
where
    S: Send + Sync,
    Core: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Some(request) = parts.extensions.get::<Arc<RequestInfo>>() else { return Ok(Self) };
        match Core::from_ref(state).auth.rate_limit.admit(request.source.address) {
            Ok(()) => Ok(Self),
            Err(wait) => {
                request.source.record_throttled();
                let detail = "Too many logins from your network; try again later.";
                Err(Rejection::retry_after(ProblemCode::TooManyRequests, detail, wait).into())
            }
        }
    }
}
