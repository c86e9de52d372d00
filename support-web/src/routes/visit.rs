//! A request of an employee who is logged in, and the responses to it.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use catalogue::{Action, ErrorType};
use common::{domain::OrderId, failure::Failure, http::RequestInfo, problem::ApiError, telemetry::Subject};
use maud::Markup;
use questions::{Logs, SearchError};

use crate::{app::App, auth::Session, pages, pages::layout::Context};

/// A request of an employee who is logged in.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) app: App,
    pub(super) context: Context,
    pub(super) session: Session,
    pub(super) info: Arc<RequestInfo>,
}

impl Visit {
    /// The logs, as the employee may read them.
    pub(super) fn logs(&self) -> Logs {
        self.app.elasticsearch.as_account(&self.session.login, self.session.password.clone())
    }

    /// The page that the logs' answer has become, or the one that says why there is no answer.
    pub(super) fn answer(&self, page: Result<Markup, SearchError>) -> Response {
        match page {
            Ok(page) => html(StatusCode::OK, &page),
            Err(error) => self.no_answer(&error),
        }
    }

    /// The page that says why there is no answer; the failure is one record.
    pub(super) fn no_answer(&self, error: &SearchError) -> Response {
        self.failed(error, None)
    }

    /// The same for an order that can't be looked up.
    pub(super) fn no_order(&self, error: &SearchError, order: &OrderId) -> Response {
        self.failed(error, Some((Action::OrderLookedUp, Subject::just_order(order))))
    }

    /// The form again for an account that has lost its role.
    pub(super) fn without_role(&self) -> Response {
        let context = Context { login: None, ..self.context.clone() };
        let text = pages::login::no_role(context.language);
        html(StatusCode::FORBIDDEN, &pages::login::login(&context, "/", Some(text)))
    }

    fn failed(&self, error: &SearchError, kept_from: Option<(Action, Subject)>) -> Response {
        if matches!(error, SearchError::Forbidden | SearchError::Unauthenticated) {
            return self.without_role();
        }
        let mut response =
            html(StatusCode::SERVICE_UNAVAILABLE, &pages::message::no_answer(&self.context, error, &self.info.id));
        let mut failed = ApiError::from(failure(error));
        if let Some((action, subject)) = kept_from {
            failed = failed.during(action, subject);
        }
        response.extensions_mut().insert(Arc::new(failed));
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        // The guard has put it there.
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The failure for the log.
pub(super) fn failure(error: &SearchError) -> Failure {
    let class = match error {
        SearchError::Unavailable(_) | SearchError::Timeout => ErrorType::SearchUnavailable,
        _ => ErrorType::SearchError,
    };
    Failure::new(class, "asking Elasticsearch", error.to_string())
}

/// A page.
pub(super) fn html(status: StatusCode, page: &Markup) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.0.clone()).into_response()
}
