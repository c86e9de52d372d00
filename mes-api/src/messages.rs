//! Messages of the CRM: new orders, and those that a seller has approved. Both have all that the CRM knows, so whichever comes
//! first serves for both.

use std::{collections::HashSet, time::Duration};

use catalogue::Action;
use common::{
    domain::{OrderFacts, OrderId, OrderStatus, missing},
    failure::{ErrorType, Failure},
    messaging::{Handler, InboundMessage},
    telemetry::{Record, Subject, TraceContext},
    unit_of_work::UnitOfWork,
};
use time::OffsetDateTime;
use tracing::Instrument as _;

use crate::orders::{
    PriceQueue, PriceStatus,
    price_status::changed,
    store::{self, Arrival, NewChange},
};

/// Applies the CRM's messages.
#[derive(Clone, Debug, Default)]
pub struct Inbound {
    prices: PriceQueue,
}

impl Inbound {
    /// Queues the prices of new orders there.
    #[must_use]
    pub const fn new(prices: PriceQueue) -> Self {
        Self { prices }
    }
}

impl Handler for Inbound {
    async fn apply(&self, unit: &mut UnitOfWork, messages: &[InboundMessage<'_>]) -> Result<(), Failure> {
        messages.iter().try_for_each(|message| check(message.facts))?;
        let mut new = add_new(unit, &self.prices, messages).await?;
        for message in messages {
            let order = &message.facts.order;
            if !new.remove(&order.id) {
                catch_up(unit, message).instrument(message.span.clone()).await?;
            } else if order.price.is_none() {
                let subject = Subject::order(&order.id, order.owner);
                let queued = changed(subject, PriceStatus::NONE, PriceStatus::Queued);
                message.span.in_scope(|| unit.record(queued).event_id());
            }
        }
        Ok(())
    }
}

/// Adds the orders that aren't known yet, all in one statement and each as its first message has it, and queues their
/// prices. Returns their numbers.
async fn add_new(
    unit: &mut UnitOfWork,
    prices: &PriceQueue,
    messages: &[InboundMessage<'_>],
) -> Result<HashSet<OrderId>, Failure> {
    let Some(any) = messages.first() else { return Ok(HashSet::new()) };
    let mut seen = HashSet::new();
    let first: Vec<_> = messages.iter().filter(|message| seen.insert(&message.facts.order.id)).collect();
    let arrivals = first.iter().map(|message| Arrival {
        order: &message.facts.order,
        model_key: &message.facts.model_key,
        price_status: match message.facts.order.price {
            Some(_) => PriceStatus::Calculated,
            None => PriceStatus::Queued,
        },
        // The service that made these changes has their records.
        history: message.facts.history.iter().map(|change| NewChange { change, event_id: None }).collect(),
    });
    let new = store::insert(unit.covered_by(any.consumed)?, &arrivals.collect::<Vec<_>>()).await?;
    let unpriced = first
        .iter()
        .filter(|message| message.facts.order.price.is_none() && new.contains(&message.facts.order.id))
        .map(|message| (&message.facts.order.id, TraceContext::of(message.span)));
    prices.queue(unit, unpriced).await?;
    Ok(new)
}

/// Applies what a message has beyond what is known of the order.
async fn catch_up(unit: &mut UnitOfWork, message: &InboundMessage<'_>) -> Result<(), Failure> {
    let facts = message.facts;
    let id = &facts.order.id;
    let known = store::lock(unit.connection(), id).await?;
    let known = known.ok_or(Failure::bare(ErrorType::Internal, "an order exists and can't be found"))?;
    let changes = missing(known.status(), &facts.history)
        .map_err(|gap| Failure::new(ErrorType::MessageUnexpected, "reading an order's history", gap))?;
    if changes.is_empty() {
        return Ok(());
    }
    let mut from = known.status();
    let records = changes.iter().map(|change| {
        let record = Record::of_change(Action::OrderStatusChanged, known.subject()).status(from, change.status);
        from = change.status;
        // The clocks of two services differ a little, and nothing is on its way for less than no time.
        record.duration(Duration::try_from(OffsetDateTime::now_utc() - change.at).unwrap_or_default())
    });
    let recorded = unit.record_all(records);
    let events = recorded.event_ids();
    let new = changes.iter().zip(events).map(|(change, event)| NewChange { change, event_id: Some(event) });
    store::copy_changes(recorded, id, &new.collect::<Vec<_>>()).await?;
    // Only after data was lost here: the price was calculated and sent, and isn't known any more. A job that is still there
    // finds nothing to do.
    if known.order.order.price.is_none()
        && changes.iter().any(|change| change.status == OrderStatus::PriceCalculated)
        && let Some(price) = &facts.order.price
    {
        let covered = unit.covered_by(message.consumed)?;
        store::set_price(covered, id, PriceStatus::Calculated, Some(price), None).await?;
    }
    Ok(())
}

/// Checks that a message has an order as orders are: submitted at least, with a model, its whole history, and a price exactly
/// if it was calculated. No sender of ours writes another one.
fn check(facts: &OrderFacts) -> Result<(), Failure> {
    let order = &facts.order;
    let statuses = facts.history.iter().map(|change| change.status);
    let whole = OrderStatus::ALL.into_iter().take_while(|status| *status <= order.status);
    let fits = order.status >= OrderStatus::Submitted
        && (order.status >= OrderStatus::PriceCalculated) == order.price.is_some()
        && order.model.is_some()
        && statuses.eq(whole);
    let unfit = Failure::bare(ErrorType::MessageUnexpected, "a message has an order that can't be like this");
    if fits { Ok(()) } else { Err(unfit) }
}
