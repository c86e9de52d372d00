//! `/login` and `/logout`.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{State, rejection::FormRejection},
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
    response::{IntoResponse as _, Redirect, Response},
};
use catalogue::Action;
use common::{
    auth::Token,
    http::{RequestInfo, retry_after},
    problem::ApiError,
    telemetry::{Record, Subject},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    form::Form,
    guard::with_cookie,
    headers,
    parameters::Parameters,
    visit::{self, Visit},
};
use crate::{
    app::App,
    auth::{self, NotAdmitted},
    language::Language,
    pages::{self, layout::Context},
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
    let Ok(Form(Credentials { login, password, next })) = credentials else {
        let text = context.language.of("The form was not complete.", "Форма заполнена не полностью.");
        return again(&context, "/", StatusCode::BAD_REQUEST, text);
    };
    match auth::log_in(&app, info.source, &login, password).await {
        Ok((token, account)) => {
            info.identify_user(account);
            // A session that this browser had before is over.
            if let Some(before) = headers::token(&request) {
                app.sessions.close(&before);
            }
            let response = Redirect::to(headers::local(&next)).into_response();
            with_cookie(response, headers::session_cookie(&request, &token))
        }
        Err(refused) => {
            let (status, text) = shown(&refused, context.language);
            noted(again(&context, &next, status, text), refused, &info)
        }
    }
}

/// The form again.
fn again(context: &Context, next: &str, status: StatusCode, text: &str) -> Response {
    visit::html(status, &pages::login::login(context, headers::local(next), Some(text)))
}

/// What an employee who was not admitted is told.
const fn shown(refused: &NotAdmitted, language: Language) -> (StatusCode, &'static str) {
    match refused {
        NotAdmitted::Wrong => (
            StatusCode::UNAUTHORIZED,
            language.of(
                "No active account has this login and password.",
                "Нет действующей учётной записи с таким именем и паролем.",
            ),
        ),
        NotAdmitted::Role(_) => (StatusCode::FORBIDDEN, pages::login::no_role(language)),
        NotAdmitted::Wait(_) => (
            StatusCode::TOO_MANY_REQUESTS,
            language
                .of("Too many logins failed; wait a little.", "Слишком много неудачных входов; подождите немного."),
        ),
        NotAdmitted::Undecided(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            language.of(
                "Elasticsearch can't be reached, so nobody can log in now. Orders go on as always. Try again in a minute.",
                "Elasticsearch недоступен, поэтому войти сейчас нельзя. Заказы идут как обычно. Попробуйте через минуту.",
            ),
        ),
        NotAdmitted::Failed(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            language.of("Something went wrong on our side.", "Что-то пошло не так у нас."),
        ),
    }
}

/// The response, with what browsers and the request's record need to know of the reason.
fn noted(mut response: Response, refused: NotAdmitted, info: &RequestInfo) -> Response {
    let failure = match refused {
        NotAdmitted::Wrong => return response,
        NotAdmitted::Role(account) => {
            info.identify_user(account);
            return response;
        }
        NotAdmitted::Wait(wait) => {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after(wait));
            return response;
        }
        NotAdmitted::Undecided(error) => visit::failure(&error),
        NotAdmitted::Failed(failure) => failure,
    };
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
