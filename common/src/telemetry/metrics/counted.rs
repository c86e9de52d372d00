//! What one replica of each service counts in the database and the broker, until it is reported.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use catalogue::{Metric, field, metric};
use opentelemetry::KeyValue;
use time::OffsetDateTime;

use super::instruments::{Values, observe};
use crate::domain::OrderStatus;

/// What the database held a short time ago.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Each status.
    pub statuses: Vec<OfStatus>,
    /// Price calculations that ended without a price; none in a service that calculates none.
    pub failed_prices: Option<i64>,
    /// Messages that wait for the broker.
    pub outbox: Waiting,
    /// Records that may not be in the log.
    pub journal: Waiting,
}

/// What is known of a status.
#[derive(Clone, Copy, Debug)]
pub struct OfStatus {
    /// The status.
    pub status: OrderStatus,
    /// Changes to it that this service has made.
    pub changes: i64,
    /// Orders that are in it.
    pub orders: i64,
    /// Since when the longest-waiting of them is in it.
    pub oldest: Option<OffsetDateTime>,
    /// Those that were reported for it; none in a service that can't know.
    pub stuck: Option<i64>,
}

/// What waits to be sent or written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waiting {
    /// How much.
    pub count: i64,
    /// Since when the longest-waiting of it waits.
    pub oldest: Option<OffsetDateTime>,
}

impl Waiting {
    /// How long the longest-waiting of it has waited, in seconds; 0 if nothing waits.
    #[must_use]
    pub fn age(self) -> f64 {
        age(self.oldest)
    }
}

/// None in a process that doesn't count, or can't at the moment.
static COUNTED: Mutex<Option<Counted>> = Mutex::new(None);
/// Negative if it isn't known.
static DEAD_LETTERS: AtomicI64 = AtomicI64::new(-1);

/// Notes what was counted. With none, nothing is reported: another replica may count now.
pub fn counted(new: Option<Counted>) {
    *lock() = new;
}

/// Whether this process is the replica that counts.
#[must_use]
pub fn has_turn() -> bool {
    lock().is_some()
}

/// What waits in the outbox and in the journal, if this process counts it.
#[must_use]
pub fn waiting() -> Option<[Waiting; 2]> {
    lock().as_ref().map(|counted| [counted.outbox, counted.journal])
}

/// Notes how many dead letters there are; none if that isn't known.
pub fn dead_letters(count: Option<u32>) {
    DEAD_LETTERS.store(count.map_or(-1, i64::from), Ordering::Relaxed);
}

fn lock() -> MutexGuard<'static, Option<Counted>> {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds the metrics of what is counted.
pub(super) fn register() {
    of_status(&metric::STATUS_CHANGES, |of| Some(of.changes as f64));
    of_status(&metric::ORDERS, |of| Some(of.orders as f64));
    of_status(&metric::OLDEST_ORDER, |of| (of.status != OrderStatus::Closed).then(|| age(of.oldest)));
    of_status(&metric::STUCK_ORDERS, |of| Some(of.stuck? as f64));
    of_all(&metric::PRICE_CALCULATIONS, |counted| {
        let Some(failed) = counted.failed_prices else { return Vec::new() };
        let priced = |of: &&OfStatus| of.status == OrderStatus::PriceCalculated;
        let calculated = counted.statuses.iter().find(priced).map_or(0, |of| of.changes);
        let outcomes = [(metric::CALCULATED, calculated), (metric::FAILED, failed)];
        outcomes.map(|(outcome, count)| (count as f64, Some(KeyValue::new(metric::OUTCOME, outcome)))).into()
    });
    of_all(&metric::OUTBOX, |counted| vec![(counted.outbox.count as f64, None)]);
    of_all(&metric::OUTBOX_AGE, |counted| vec![(counted.outbox.age(), None)]);
    of_all(&metric::JOURNAL, |counted| vec![(counted.journal.count as f64, None)]);
    of_all(&metric::JOURNAL_AGE, |counted| vec![(counted.journal.age(), None)]);
    observe(&metric::DEAD_LETTERS, || match DEAD_LETTERS.load(Ordering::Relaxed) {
        count @ 0.. if has_turn() => vec![(count as f64, None)],
        _ => Vec::new(),
    });
}

fn of_status(metric: &Metric, value: fn(&OfStatus) -> Option<f64>) {
    observe(metric, move || {
        let labelled = |of: &OfStatus| Some((value(of)?, Some(KeyValue::new(field::ORDER_STATUS, of.status.name()))));
        lock().iter().flat_map(|counted| counted.statuses.iter().filter_map(labelled)).collect()
    });
}

fn of_all(metric: &Metric, values: fn(&Counted) -> Values) {
    observe(metric, move || lock().as_ref().map(values).unwrap_or_default());
}

/// How long ago that is, in seconds. The databases' clocks may be a little ahead of this one.
fn age(since: Option<OffsetDateTime>) -> f64 {
    since.map_or(0.0, |since| (OffsetDateTime::now_utc() - since).as_seconds_f64().max(0.0))
}
