//! Who gets to a page: employees with an open session, whose account Elasticsearch still knows with its role.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Redirect, Response},
};
use common::http::RequestInfo;
use questions::SearchError;

use super::{headers, visit};
use crate::{app::App, auth::ROLE, pages};

/// Lets a request through to its page, or leads to the login.
///
/// The account is asked about with each request: one that is disabled, or has lost its role, sees no further page.
pub(super) async fn only_logged_in(
    State(app): State<App>,
    Extension(info): Extension<Arc<RequestInfo>>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = headers::token(request.headers());
    let found = token.and_then(|token| app.sessions.holder(&token).map(|session| (token, session)));
    let Some((token, session)) = found else {
        if headers::from_another_site(request.method(), request.headers()) {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            return visit::html(StatusCode::OK, &pages::login::once_more(headers::local(path)));
        }
        return to_login(&request);
    };
    info.identify_user(session.account);
    let context = headers::context(&app, request.uri(), request.headers(), Some(session.login.clone()));
    let visit = visit::Visit { app, context, session, info };
    match visit.logs().identity().await {
        Ok(identity) if identity.roles.iter().any(|role| role == ROLE) => {}
        Ok(_) | Err(SearchError::Forbidden) => {
            visit.app.sessions.close(&token);
            return with_cookie(visit.without_role(), headers::no_session_cookie(request.headers()));
        }
        Err(SearchError::Unauthenticated) => {
            visit.app.sessions.close(&token);
            return with_cookie(to_login(&request), headers::no_session_cookie(request.headers()));
        }
        Err(error) => return visit.no_answer(&error),
    }
    request.extensions_mut().insert(token);
    request.extensions_mut().insert(visit);
    next.run(request).await
}

/// Refuses forms that another site's page sends.
pub(super) async fn no_foreign_forms(request: Request, next: Next) -> Response {
    if headers::is_foreign(request.method(), request.headers()) {
        return visit::html(StatusCode::FORBIDDEN, &pages::message::foreign_form());
    }
    next.run(request).await
}

fn to_login(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let next = headers::local(path);
    if next == "/" {
        return Redirect::to("/login").into_response();
    }
    Redirect::to(&format!("/login?next={}", pages::parts::escaped(next))).into_response()
}

pub(super) fn with_cookie(mut response: Response, cookie: HeaderValue) -> Response {
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
