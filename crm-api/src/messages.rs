//! Messages of the MES: prices, production, and partners' orders.

use catalogue::Action;
use common::{
    domain::{OrderFacts, Owner, missing},
    failure::{ErrorType, Failure},
    messaging::{Handler, InboundMessage},
    telemetry::Record,
    unit_of_work::UnitOfWork,
};
use shop_orders::store;
use tracing::Instrument as _;

/// Applies the MES's messages. Each has all that the MES knows of the order, so neither its kind matters nor the sequence in
/// which messages come.
#[derive(Clone, Copy, Debug)]
pub struct Inbound;

impl Handler for Inbound {
    async fn apply(&self, unit: &mut UnitOfWork, messages: &[InboundMessage<'_>]) -> Result<(), Failure> {
        for message in messages {
            apply(unit, message).instrument(message.span.clone()).await?;
        }
        Ok(())
    }
}

async fn apply(unit: &mut UnitOfWork, message: &InboundMessage<'_>) -> Result<(), Failure> {
    let facts: &OrderFacts = message.facts;
    let received = &facts.order;
    if matches!(received.owner, Owner::Partner(_)) {
        store::take_over(unit.covered_by(message.consumed)?, facts).await?;
    }
    let known = store::lock(unit.connection(), &received.id).await?;
    let known = known.ok_or(Failure::bare(ErrorType::MessageUnexpected, "a message about an unknown order"))?;
    let subject = known.subject();
    let (mut order, mut since) = (known.order, known.status_since);

    if order.price.is_none() && (received.price.is_some() || facts.price_failure.is_some()) {
        store::set_price(unit.covered_by(message.consumed)?, facts).await?;
    }
    let changes = missing(order.status, &facts.history)
        .map_err(|gap| Failure::new(ErrorType::MessageUnexpected, "applying a message", gap))?;
    for change in changes {
        let changed = Record::of_change(Action::OrderStatusChanged, subject.clone());
        let changed = changed.status(order.status, change.status).stayed(change.at - since);
        store::advance(unit.record(changed), &mut order, change).await?;
        since = change.at;
    }
    Ok(())
}
