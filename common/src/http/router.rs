//! A service's routes inside what all services have around them.

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use super::{
    accounts,
    around::{Around, RequestLimits},
    docs, health, problem, sessions,
};
use crate::state::Core;

/// The largest body that isn't a model, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// A response is data: a browser that shows it runs nothing, loads nothing, sends nothing and puts it in no frame.
const NOTHING_ACTIVE: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The service's own routes with sessions, health, documentation, limits and the request's record.
pub fn router(core: &Core, limits: &RequestLimits, own: OpenApiRouter) -> Router {
    let shared = OpenApiRouter::new()
        .merge(sessions::routes())
        .merge(accounts::routes())
        .merge(health::routes())
        .with_state(core.clone());
    let (routes, mut document) =
        OpenApiRouter::with_openapi(docs::base(core.service)).merge(own).merge(shared).split_for_parts();
    docs::complete(&mut document, core.service);
    let around = Around {
        service: core.service,
        auth: Some(core.auth.clone()),
        content_security_policy: NOTHING_ACTIVE,
        referrer_policy: "no-referrer",
        opener_policy: None,
        largest_body: LARGEST_BODY,
    };
    around.apply(limits, routes.merge(docs::routes(document)).merge(problem::routes()))
}
