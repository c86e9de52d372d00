//! What the CRM tells: new orders, and those that a seller has approved. Both tell all that the CRM knows, so whichever
//! comes first does for both.

use std::collections::HashSet;

use catalogue::Action;
use common::{
    Failure,
    domain::{Change, OrderFacts, OrderId, OrderStatus, news},
    failure::ErrorType,
    journal::Entry,
    messaging::{Handler, InboundMessage},
    telemetry::{Record, Subject, TraceContext},
};
use sqlx::PgConnection;
use tracing::Instrument as _;

use crate::{
    Mes,
    orders::{self, Arrival, NewChange, StoredOrder},
    pricing::{self, PriceStatus},
};

impl Handler for Mes {
    async fn apply(&self, transaction: &mut PgConnection, messages: &[&InboundMessage]) -> Result<Vec<Entry>, Failure> {
        apply(transaction, messages).await
    }

    fn committed(&self) {
        self.prices.wake();
        self.core.outbox_written.notify_one();
    }
}

/// Applies messages in the given transaction; gives the records of what they change.
///
/// # Errors
///
/// If a message doesn't fit, or the database fails.
pub async fn apply(transaction: &mut PgConnection, messages: &[&InboundMessage]) -> Result<Vec<Entry>, Failure> {
    messages.iter().try_for_each(|message| check(&message.facts))?;
    let mut taken_on = take_on(transaction, messages).await?;
    let mut entries = Vec::with_capacity(messages.len());
    for InboundMessage { facts, span } in messages {
        if !taken_on.remove(&facts.order.id) {
            entries.extend(catch_up(transaction, facts).instrument(span.clone()).await?);
        } else if facts.order.price.is_none() {
            let subject = Subject::order(&facts.order.id, facts.order.owner);
            let queued = pricing::changed(subject, PriceStatus::NONE, PriceStatus::Queued);
            entries.push(span.in_scope(|| queued.of_change()));
        }
    }
    Ok(entries)
}

/// Stores the orders that weren't known, all at once and each as its first message tells it, and queues their prices.
async fn take_on(transaction: &mut PgConnection, messages: &[&InboundMessage]) -> Result<HashSet<OrderId>, Failure> {
    let mut seen = HashSet::new();
    let first: Vec<_> = messages.iter().filter(|message| seen.insert(&message.facts.order.id)).collect();
    let orders = first.iter().map(|message| Arrival {
        order: &message.facts.order,
        model_key: &message.facts.model_key,
        price_status: match message.facts.order.price {
            Some(_) => PriceStatus::Calculated,
            None => PriceStatus::Queued,
        },
        // The system that made these changes has their records.
        history: message.facts.history.iter().map(|change| NewChange { change, event_id: None }).collect(),
    });
    let stored = orders::insert(transaction, &orders.collect::<Vec<_>>()).await?;
    let unpriced = first
        .iter()
        .filter(|message| message.facts.order.price.is_none() && stored.contains(&message.facts.order.id))
        .map(|message| (&message.facts.order.id, TraceContext::of(&message.span)));
    pricing::queue(transaction, unpriced).await?;
    Ok(stored)
}

/// Applies what a message brings beyond what is known of the order.
async fn catch_up(transaction: &mut PgConnection, facts: &OrderFacts) -> Result<Vec<Entry>, Failure> {
    let id = &facts.order.id;
    let known = orders::lock(transaction, id).await?;
    let known = known.ok_or(Failure::bare(ErrorType::Internal, "an order is there and is not"))?;
    let news = news(known.status(), &facts.history)
        .map_err(|gap| Failure::new(ErrorType::MessageUnexpected, "reading an order's history", gap))?;
    let entries = changes_made(&known, news);
    let changes = news.iter().zip(&entries).map(|(change, entry)| NewChange { change, event_id: Some(entry.id()) });
    orders::copy_changes(transaction, id, &changes.collect::<Vec<_>>()).await?;
    // Only after data was lost here: the price was calculated and told, and isn't known any more. A job that still
    // stands finds nothing to do.
    if known.order.order.price.is_none()
        && news.iter().any(|change| change.status == OrderStatus::PriceCalculated)
        && let Some(price) = &facts.order.price
    {
        orders::set_price(transaction, id, PriceStatus::Calculated, Some(price), None).await?;
    }
    Ok(entries)
}

fn changes_made(known: &StoredOrder, news: &[Change]) -> Vec<Entry> {
    let mut from = known.status();
    let mut record = |change: &Change| {
        let record = Record::success(Action::OrderStatusChanged, known.subject()).status(from, change.status);
        from = change.status;
        record.of_change()
    };
    news.iter().map(&mut record).collect()
}

/// Whether a message tells of an order as orders are: submitted at least, with a model, its whole history, and a price
/// exactly if it was calculated. No sender of ours writes another one.
fn check(facts: &OrderFacts) -> Result<(), Failure> {
    let order = &facts.order;
    let statuses = facts.history.iter().map(|change| change.status);
    let whole = OrderStatus::ALL.into_iter().take_while(|status| *status <= order.status);
    let fits = order.status >= OrderStatus::Submitted
        && (order.status >= OrderStatus::PriceCalculated) == order.price.is_some()
        && order.model.is_some()
        && statuses.eq(whole);
    let unfit = Failure::bare(ErrorType::MessageUnexpected, "a message tells of an order that can't be like this");
    if fits { Ok(()) } else { Err(unfit) }
}
