//! HTTP: reads requests, asks the logs as the employee who is logged in, and responds with a page.

mod files;
mod form;
mod guard;
mod headers;
mod health;
mod lists;
mod login;
mod orders;
mod parameters;
mod visit;

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::app::App;

/// All routes. Only `/login`, with the files of its page, and `/health` are for those who are not logged in.
pub(crate) fn routes(app: App) -> Router {
    let open = Router::new()
        .route("/login", get(login::form).post(login::log_in))
        .route("/login/page.css", get(files::style))
        .route("/login/page.js", get(files::script))
        .route("/login/icon.svg", get(files::icon))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    Router::new()
        .route("/", get(lists::start))
        .route("/search", get(orders::search))
        .route("/orders/{id}", get(orders::order))
        .route("/errors", get(lists::errors))
        .route("/errors/{class}", get(lists::class))
        .route("/stuck", get(lists::stuck))
        .route("/alerts", get(lists::alerts))
        .route("/logins", get(lists::logins))
        .route("/logout", post(login::log_out))
        .fallback(lists::unknown_path)
        .layer(middleware::from_fn_with_state(app.clone(), guard::only_logged_in))
        .merge(open)
        .layer(middleware::from_fn(guard::no_foreign_forms))
        .layer(middleware::from_fn(headers::keep_language))
        .with_state(app)
}
