//! A client's mistake.

use std::{borrow::Cow, time::Duration};

use super::code::ProblemCode;
use crate::domain::{InvalidOrder, InvalidOrderId, Refusal};

/// A client's mistake. The client sees it; in the log it is never an error.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The kind of problem.
    pub code: ProblemCode,
    /// What is wrong with this request, in a sentence.
    pub detail: Cow<'static, str>,
    /// How long the client has to wait before it tries again.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// A problem of this kind.
    pub fn new(code: ProblemCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), retry_after: None }
    }

    /// A problem that is over after this time.
    pub fn retry_after(code: ProblemCode, detail: &'static str, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..Self::new(code, detail) }
    }

    /// A field of the request makes no sense.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ProblemCode::InvalidRequest, detail)
    }

    /// The request can't be read.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ProblemCode::MalformedRequest, detail)
    }

    /// There is no such order, or the viewer may not see it.
    #[must_use]
    pub fn no_such_order() -> Self {
        Self::new(ProblemCode::OrderNotFound, "There is no such order.")
    }

    /// The account has no such session.
    #[must_use]
    pub fn no_such_session() -> Self {
        Self::new(ProblemCode::SessionNotFound, "This account has no such session.")
    }

    /// The order has no model yet.
    #[must_use]
    pub fn no_model() -> Self {
        Self::new(ProblemCode::ModelNotFound, "The order has no model yet.")
    }

    /// The request has no valid token.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let detail = "A valid token is needed: `Authorization: Bearer TOKEN`, from `POST /sessions`.";
        Self::new(ProblemCode::Unauthenticated, detail)
    }

    /// The account's role does not permit the operation.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(ProblemCode::Forbidden, "This account may not do that.")
    }

    /// More logins at once than can be checked.
    #[must_use]
    pub fn busy() -> Self {
        Self::retry_after(ProblemCode::Busy, "Too many logins at once; try again later.", Duration::from_secs(1))
    }

    /// The body came too slowly.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::new(ProblemCode::BodyTooSlow, "The body came too slowly.")
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Repeated(_) => ProblemCode::StatusRepeated,
            Refusal::Undone { .. } => ProblemCode::StatusUndone,
            Refusal::Skipped { .. } => ProblemCode::StatusSkipped,
            Refusal::NotYours(_) => ProblemCode::StatusNotSettable,
        };
        Self::new(code, format!("Not possible: {refusal}."))
    }
}

impl From<InvalidOrder> for Rejection {
    fn from(invalid: InvalidOrder) -> Self {
        Self::invalid(invalid.to_string())
    }
}

impl From<InvalidOrderId> for Rejection {
    fn from(_: InvalidOrderId) -> Self {
        Self::no_such_order()
    }
}
