//! The routes, a file per resource.

mod deliveries;
mod orders;

use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(deliveries::routes()).merge(orders::routes())
}
