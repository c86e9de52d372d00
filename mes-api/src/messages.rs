//! What the CRM tells: new orders, and those that a seller has approved. Both tell all that the CRM knows, so whichever
//! comes first does for both.

use common::{
    Fault,
    domain::{Change, Model, OrderFacts, OrderStatus, news},
    fault::ErrorType,
    journal::Entry,
    messaging::{Handled, Handler},
    telemetry::{Record, Subject},
};
use elk::Action;
use sqlx::PgConnection;

use crate::{
    Mes,
    orders::{self, StoredOrder},
    pricing::{self, PriceStatus},
};

impl Handler for Mes {
    async fn apply(&self, transaction: &mut PgConnection, facts: &OrderFacts) -> Result<Handled, Fault> {
        apply(transaction, facts).await
    }

    fn committed(&self) {
        self.prices.wake();
        self.core.outbox_written.notify_one();
    }
}

/// Applies a message in the given transaction; gives the records of what it changes.
///
/// # Errors
///
/// If the message doesn't fit, or the database fails.
pub async fn apply(transaction: &mut PgConnection, facts: &OrderFacts) -> Result<Handled, Fault> {
    if let Some(known) = orders::lock(transaction, &facts.order.id).await? {
        return catch_up(transaction, &known, facts).await;
    }
    if let Some(handled) = take_on(transaction, facts).await? {
        return Ok(handled);
    }
    // Another message of the same order came first, and was committed meanwhile.
    let known = orders::lock(transaction, &facts.order.id).await?;
    let known = known.ok_or(Fault::bare(ErrorType::Internal, "an order is there and is not"))?;
    catch_up(transaction, &known, facts).await
}

/// Stores an order that wasn't known and queues its price. Nothing if it is known now.
async fn take_on(transaction: &mut PgConnection, facts: &OrderFacts) -> Result<Option<Handled>, Fault> {
    let order = &facts.order;
    let model = check(facts)?;
    let price_status = match order.price {
        Some(_) => PriceStatus::Calculated,
        None => PriceStatus::Queued,
    };
    // The system that made these changes has their records.
    let history: Vec<_> = facts.history.iter().map(|change| (change.clone(), None)).collect();
    if !orders::insert(transaction, order, model, &facts.model_key, price_status, &history).await? {
        return Ok(None);
    }
    if price_status == PriceStatus::Calculated {
        return Ok(Some(Handled::default()));
    }
    pricing::queue(transaction, &order.id).await?;
    let subject = Subject::order(&order.id, order.owner);
    let queued = pricing::changed(subject, PriceStatus::NONE, PriceStatus::Queued);
    Ok(Some(Handled(vec![queued.of_change()])))
}

/// Applies what a message brings beyond what is known of the order.
async fn catch_up(transaction: &mut PgConnection, known: &StoredOrder, facts: &OrderFacts) -> Result<Handled, Fault> {
    let id = &facts.order.id;
    let news = news(known.status(), &facts.history)
        .map_err(|gap| Fault::new(ErrorType::MessageUnexpected, "reading an order's history", gap))?;
    let entries = changes_made(known, news);
    let changes: Vec<_> = news.iter().cloned().zip(entries.iter().map(|entry| Some(entry.id()))).collect();
    orders::copy_changes(transaction, id, &changes).await?;
    // Only after data was lost here: the price was calculated and told, and isn't known any more. A job that still
    // stands finds nothing to do.
    if known.order.order.price.is_none()
        && news.iter().any(|change| change.status == OrderStatus::PriceCalculated)
        && let Some(price) = &facts.order.price
    {
        orders::set_price(transaction, id, PriceStatus::Calculated, Some(price), None).await?;
    }
    Ok(Handled(entries))
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
fn check(facts: &OrderFacts) -> Result<&Model, Fault> {
    let order = &facts.order;
    let statuses = facts.history.iter().map(|change| change.status);
    let whole = OrderStatus::ALL.into_iter().take_while(|status| *status <= order.status);
    let fits = order.status >= OrderStatus::Submitted
        && (order.status >= OrderStatus::PriceCalculated) == order.price.is_some()
        && statuses.eq(whole);
    let model = order.model.as_ref().filter(|_| fits);
    model.ok_or(Fault::bare(ErrorType::MessageUnexpected, "a message tells of an order that can't be like this"))
}
