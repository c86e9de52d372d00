//! The REST interface, one file per resource.

mod orders;
mod partner_form;
mod partner_orders;
mod prices;

use utoipa_axum::router::OpenApiRouter;

use crate::Mes;

/// All routes that only this service has.
pub(crate) fn routes(mes: Mes) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(orders::routes())
        .merge(prices::routes())
        .merge(partner_orders::routes(mes.core.upload_limit))
        .with_state(mes)
}
