//! The routes, a file per resource.

mod customers;
mod orders;

use common::Core;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn all() -> OpenApiRouter<Core> {
    OpenApiRouter::new().merge(customers::routes()).merge(orders::routes())
}
