//! Watches for orders that stand still or take too long, and says so once.

use std::{sync::Arc, time::Duration};

use catalogue::{Action, field};
use common::{
    Failure, FailureContext as _,
    domain::{OrderStatus, Owner},
    journal::{self, Entry, Journal},
    telemetry::{Record, Subject, TraceContext, adopt},
};
use shop_orders::store::{self, Late};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, field::Empty};

use crate::deadlines::{Deadlines, waits_for_customer};

/// Reports at most so many orders at a time; the next look takes the others.
const BATCH: i64 = 500;

pub(crate) struct Watch {
    pub(crate) database: PgPool,
    pub(crate) journal: Journal,
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
            let looked = self.look().instrument(span.clone()).await;
            if let (Err(failure), false) = (&looked, failing) {
                span.in_scope(|| Record::failure(Action::OrderStuck, Subject::default(), failure).write());
            }
            failing = looked.is_err();
        }
    }

    async fn look(&self) -> Result<(), Failure> {
        while self.report_some().await? {}
        Ok(())
    }

    /// Gives whether there may be more.
    async fn report_some(&self) -> Result<bool, Failure> {
        let now = OffsetDateTime::now_utc();
        let mut transaction = self.database.begin().await.failure("looking for late orders")?;
        let deadlines = [self.deadlines.stuck(now), self.deadlines.abandoned(now)].concat();
        let standing = store::report_standing(&mut *transaction, &deadlines, BATCH).await?;
        let mut records: Vec<_> = standing.iter().map(|order| record(action(order.status), order, now)).collect();
        if let Some(since) = self.deadlines.overdue(now) {
            let overdue = store::report_overdue(&mut *transaction, since, BATCH).await?;
            records.extend(overdue.iter().map(|order| record(Action::OrderOverdue, order, now)));
        }
        journal::keep(&mut transaction, &records).await?;
        transaction.commit().await.failure("reporting late orders")?;
        let found = !records.is_empty();
        self.journal.write(records);
        Ok(found)
    }
}

/// What it is called that an order stands still there.
const fn action(status: OrderStatus) -> Action {
    if waits_for_customer(status) { Action::OrderAbandoned } else { Action::OrderStuck }
}

fn record(action: Action, order: &Late, now: OffsetDateTime) -> Entry {
    let owner = order.customer.map(Owner::Customer).or(order.partner.map(Owner::Partner));
    let subject = owner.map_or_else(|| Subject::just_order(&order.id), |owner| Subject::order(&order.id, owner));
    let hours = (now - order.since).as_seconds_f64() / 3600.0;
    // What a customer left lying is nobody's task.
    let level = if action == Action::OrderAbandoned { Level::INFO } else { Level::WARN };
    Record::success(action, subject)
        .level(level)
        .in_status(order.status)
        .age(hours)
        .message(format!("{action} {} in {} for {hours:.1} hours", order.id, order.status))
        .of_change()
}
