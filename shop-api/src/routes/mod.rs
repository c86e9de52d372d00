//! The routes, a file per resource.

mod customers;
mod orders;

use utoipa_axum::router::OpenApiRouter;

use crate::App;

pub(crate) fn all() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(customers::routes()).merge(orders::routes())
}
