//! Watches for orders that stand still or take too long, and reports each once.

use std::{sync::Arc, time::Duration};

use catalogue::{Action, field};
use common::{
    database::in_time,
    domain::OrderStatus,
    failure::Failure,
    telemetry::{OfChange, Record, Subject, TraceContext, adopt},
    unit_of_work::Units,
};
use shop_orders::store::{self, LateOrder};
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, field::Empty};

use super::deadlines::{Deadlines, waits_for_customer};

/// Orders that are reported at a time; the next transaction takes the others.
const BATCH: i64 = 500;

pub(crate) struct Watch {
    pub(crate) units: Units,
    pub(crate) deadlines: Arc<Deadlines>,
    pub(crate) period: Duration,
    pub(crate) stopping: CancellationToken,
}

impl Watch {
    pub(crate) async fn run(self) {
        let mut clock = tokio::time::interval(self.period);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while self.stopping.run_until_cancelled(clock.tick()).await.is_some() {
            let span = tracing::error_span!("order.watch", { field::TRACE_ID } = Empty);
            adopt(&span, &TraceContext::default());
            let reported = self.report_all().instrument(span.clone()).await;
            if let (Err(failure), false) = (&reported, failing) {
                span.in_scope(|| Record::failure(Action::OrderStuck, Subject::default(), failure).write());
            }
            failing = reported.is_err();
        }
    }

    async fn report_all(&self) -> Result<(), Failure> {
        while in_time(self.report_batch()).await? {}
        Ok(())
    }

    /// Returns whether there may be more to report.
    async fn report_batch(&self) -> Result<bool, Failure> {
        let now = OffsetDateTime::now_utc();
        let mut unit = self.units.begin("watch").await?;
        let deadlines = [self.deadlines.stuck(now), self.deadlines.abandoned(now)].concat();
        let standing = store::lock_standing(unit.connection(), &deadlines, BATCH).await?;
        if !standing.is_empty() {
            let records = standing.iter().map(|order| record(action(order.status), order, now));
            store::mark_standing(unit.record_all(records), &standing).await?;
        }
        let overdue = match self.deadlines.overdue(now) {
            Some(since) => store::lock_overdue(unit.connection(), since, BATCH).await?,
            None => Vec::new(),
        };
        if !overdue.is_empty() {
            let records = overdue.iter().map(|order| record(Action::OrderOverdue, order, now));
            store::mark_overdue(unit.record_all(records), &overdue).await?;
        }
        unit.commit().await?;
        Ok(!standing.is_empty() || !overdue.is_empty())
    }
}

/// The action that reports an order which stands still in this status.
const fn action(status: OrderStatus) -> Action {
    if waits_for_customer(status) { Action::OrderAbandoned } else { Action::OrderStuck }
}

fn record(action: Action, order: &LateOrder, now: OffsetDateTime) -> Record<OfChange> {
    let hours = (now - order.since).as_seconds_f64() / 3600.0;
    // An order that its customer abandoned needs no work.
    let level = if action == Action::OrderAbandoned { Level::INFO } else { Level::WARN };
    Record::of_change(action, order.subject())
        .level(level)
        .in_status(order.status)
        .age(hours)
        .message(format!("{action} {} in {} for {hours:.1} hours", order.id, order.status))
}
