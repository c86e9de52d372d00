//! The REST interface, a file for each resource.

mod orders;
mod partner_form;
mod partner_orders;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes that only this service has; models may have at most `upload_limit` bytes.
pub(crate) fn routes(upload_limit: u64) -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(orders::routes()).merge(partner_orders::routes(upload_limit))
}
