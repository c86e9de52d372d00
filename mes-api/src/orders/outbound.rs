//! What the MES sends of its orders to the CRM.

use common::{
    domain::OrderId,
    failure::{ErrorType, Failure},
    outbox::MessageType,
    unit_of_work::UnitOfWork,
};

use super::{order::OrderDetails, store};

/// Enqueues a message about an order as it is now, in the unit of work that changed it. Returns what it says.
pub(crate) async fn enqueue(
    unit: &mut UnitOfWork,
    message_type: MessageType,
    id: &OrderId,
) -> Result<OrderDetails, Failure> {
    let stored = store::find(unit.connection(), id).await?;
    let stored = stored.ok_or(Failure::bare(ErrorType::Internal, "a changed order is gone"))?;
    let history = store::history(unit.connection(), &stored.order.order).await?;
    let facts = stored.facts(history);
    unit.enqueue(message_type, &facts).await?;
    Ok(OrderDetails { order: stored.order, history: facts.history })
}
