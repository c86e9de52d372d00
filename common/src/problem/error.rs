//! Why a command has no result.

use std::{borrow::Cow, time::Duration};

use catalogue::{Action, ErrorType};

use super::{code::ProblemCode, rejection::Rejection};
use crate::{
    domain::{InvalidOrder, InvalidOrderId, Refusal},
    failure::Failure,
    telemetry::Subject,
};

/// How long clients are asked to wait for a part that is not available.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(5);

/// Why a command or a request has no result.
#[derive(Debug)]
pub enum ApiError {
    /// The client's mistake.
    Rejected(Rejection),
    /// A failure of ours, and the action that it kept from happening, if that is known.
    Failed(Failure, Option<Box<(Action, Subject)>>),
}

impl ApiError {
    /// Says which action a failure kept from happening, unless that is known already.
    #[must_use]
    pub fn during(self, action: Action, subject: Subject) -> Self {
        match self {
            Self::Failed(failure, None) => Self::Failed(failure, Some(Box::new((action, subject)))),
            other => other,
        }
    }

    /// The problem as the client sees it. A failure of ours shows nothing but that there was one.
    #[must_use]
    pub fn rejection(&self) -> Cow<'_, Rejection> {
        match self {
            Self::Rejected(rejection) => Cow::Borrowed(rejection),
            Self::Failed(failure, _) => Cow::Owned(match failure.error_type {
                ErrorType::DatabaseUnavailable
                | ErrorType::ModelStoreUnavailable
                | ErrorType::BrokerUnavailable
                | ErrorType::SearchUnavailable => {
                    let code = ProblemCode::Unavailable;
                    Rejection::retry_after(code, code.meaning(), UNAVAILABLE_FOR)
                }
                _ => {
                    let detail = "Something went wrong on our side. Tell us the request's id.";
                    Rejection::new(ProblemCode::InternalError, detail)
                }
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

impl From<InvalidOrder> for ApiError {
    fn from(invalid: InvalidOrder) -> Self {
        Self::Rejected(invalid.into())
    }
}

impl From<InvalidOrderId> for ApiError {
    fn from(error: InvalidOrderId) -> Self {
        Self::Rejected(error.into())
    }
}
