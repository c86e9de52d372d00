//! `/login` and `/logout`.

use std::sync::Arc;

use axum::{
    Extension, Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Redirect, Response},
};
use catalogue::Action;
use common::{
    auth::Token,
    http::RequestInfo,
    problem::ApiError,
    telemetry::{Record, Subject},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    guard::with_cookie,
    headers,
    parameters::Parameters,
    visit::{self, Visit},
};
use crate::{
    app::App,
    auth::{self, NotAdmitted},
    pages,
};

/// Where a login leads.
#[derive(Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// What an employee logs in with.
#[derive(Deserialize)]
pub(super) struct Credentials {
    login: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// The form.
pub(super) async fn form(
    State(app): State<App>,
    uri: Uri,
    request: HeaderMap,
    Parameters(Next { next }): Parameters<Next>,
) -> Response {
    let context = headers::context(&app, &uri, &request, None);
    visit::html(StatusCode::OK, &pages::login::login(&context, headers::local(&next), None))
}

/// Logs in, or shows the form again with the reason.
pub(super) async fn log_in(
    State(app): State<App>,
    Extension(info): Extension<Arc<RequestInfo>>,
    uri: Uri,
    request: HeaderMap,
    credentials: Result<Form<Credentials>, FormRejection>,
) -> Response {
    let context = headers::context(&app, &uri, &request, None);
    let language = context.language;
    let again = |status: StatusCode, next: &str, text: &str| {
        visit::html(status, &pages::login::login(&context, headers::local(next), Some(text)))
    };
    let Ok(Form(credentials)) = credentials else {
        let text = language.of("The form was not complete.", "Форма заполнена не полностью.");
        return again(StatusCode::BAD_REQUEST, "/", text);
    };
    let next = credentials.next;
    let refused = match auth::log_in(&app, info.source, &credentials.login, credentials.password).await {
        Ok((token, account)) => {
            info.identify_user(account);
            // A session that this browser had before is over.
            if let Some(before) = headers::token(&request) {
                app.sessions.close(&before);
            }
            let response = Redirect::to(headers::local(&next)).into_response();
            return with_cookie(response, headers::session_cookie(&request, &token));
        }
        Err(refused) => refused,
    };
    match refused {
        NotAdmitted::Wrong => {
            let text = language.of(
                "No active account has this login and password.",
                "Нет действующей учётной записи с таким именем и паролем.",
            );
            again(StatusCode::UNAUTHORIZED, &next, text)
        }
        NotAdmitted::Role(account) => {
            info.identify_user(account);
            let text = language.of(
                "This account may not read the logs: it does not have the role “support”.",
                "У этой учётной записи нет роли «support»: она не читает журналы.",
            );
            again(StatusCode::FORBIDDEN, &next, text)
        }
        NotAdmitted::Wait(wait) => {
            let text = language
                .of("Too many logins failed; wait a little.", "Слишком много неудачных входов; подождите немного.");
            let mut response = again(StatusCode::TOO_MANY_REQUESTS, &next, text);
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        NotAdmitted::Undecided(error) => {
            let text = language.of(
                "Elasticsearch can't be reached, so nobody can log in now. Orders go on as always. Try again in a minute.",
                "Elasticsearch недоступен, поэтому войти сейчас нельзя. Заказы идут как обычно. Попробуйте через минуту.",
            );
            failed(again(StatusCode::SERVICE_UNAVAILABLE, &next, text), visit::failure(&error))
        }
        NotAdmitted::Failed(failure) => {
            let text = language.of("Something went wrong on our side.", "Что-то пошло не так у нас.");
            failed(again(StatusCode::INTERNAL_SERVER_ERROR, &next, text), failure)
        }
    }
}

/// The response, with the failure for the log: a login that nobody decided on.
fn failed(mut response: Response, failure: common::failure::Failure) -> Response {
    let failed = ApiError::from(failure).during(Action::LoginFailed, Subject::default());
    response.extensions_mut().insert(Arc::new(failed));
    response
}

/// Ends the session.
pub(super) async fn log_out(visit: Visit, Extension(token): Extension<Token>, request: HeaderMap) -> Response {
    visit.app.sessions.close(&token);
    let record = Record::notice(Action::LoggedOut, Subject::default());
    record.user(Some(visit.session.account)).source_ip(visit.info.source.network).write();
    // What the browser has kept of the pages goes with the session.
    let forget = [(HeaderName::from_static("clear-site-data"), "\"cache\", \"storage\"")];
    with_cookie((forget, Redirect::to("/login")).into_response(), headers::no_session_cookie(&request))
}
