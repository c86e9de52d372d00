//! The REST interface, a file for each resource.

mod deliveries;
mod orders;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes that only this service has.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(deliveries::routes()).merge(orders::routes())
}
