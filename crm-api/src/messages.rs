//! What the MES tells: prices, production, and orders of partners.

use catalogue::Action;
use common::{
    Failure,
    domain::{OrderFacts, Owner, news},
    failure::ErrorType,
    journal::Entry,
    messaging::{Handler, InboundMessage},
    telemetry::{Record, Subject},
};
use shop_orders::store;
use sqlx::PgConnection;
use tracing::Instrument as _;

/// Applies the MES's messages. Each tells all that the MES knows of the order, so it doesn't matter which one it is, nor
/// in which order they come.
#[derive(Clone, Copy, Debug)]
pub struct Inbound;

impl Handler for Inbound {
    async fn apply(&self, transaction: &mut PgConnection, messages: &[&InboundMessage]) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::with_capacity(messages.len());
        for message in messages {
            entries.extend(apply(transaction, &message.facts).instrument(message.span.clone()).await?);
        }
        Ok(entries)
    }

    fn committed(&self) {}
}

async fn apply(transaction: &mut PgConnection, facts: &OrderFacts) -> Result<Vec<Entry>, Failure> {
    let told = &facts.order;
    if matches!(told.owner, Owner::Partner(_)) {
        store::take_over(transaction, facts).await?;
    }
    let known = store::lock(transaction, &told.id).await?;
    let known = known.ok_or(Failure::bare(ErrorType::MessageUnexpected, "a message about an unknown order"))?;
    let (mut order, mut since) = (known.order, known.status_since);

    let price = told.price.as_ref().filter(|_| order.price.is_none());
    if price.is_some() || facts.price_failure.is_some() {
        store::note_price(transaction, &told.id, price, facts.price_failure.as_deref()).await?;
    }
    let news = news(order.status, &facts.history)
        .map_err(|gap| Failure::new(ErrorType::MessageUnexpected, "applying a message", gap))?;
    let subject = Subject::order(&order.id, order.owner);
    let mut entries = Vec::with_capacity(news.len());
    for change in news {
        let changed = Record::success(Action::OrderStatusChanged, subject.clone());
        let entry = changed.status(order.status, change.status).stayed(change.at - since).of_change();
        store::advance(transaction, &mut order, change, entry.id()).await?;
        entries.push(entry);
        since = change.at;
    }
    Ok(entries)
}
