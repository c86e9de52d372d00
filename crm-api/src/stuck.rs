//! Watches for orders that stand still, and says so once per order and status.

use std::{sync::Arc, time::Duration};

use common::{
    Fault,
    domain::Owner,
    telemetry::{Record, Subject, TraceContext, adopt},
};
use elk::{Action, field};
use shop_orders::store::{self, NewlyStuck};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, field::Empty};

use crate::deadlines::Deadlines;

/// Reports at most so many orders at a time; the next look takes the others.
const BATCH: i64 = 500;

pub(crate) struct Watch {
    pub(crate) database: PgPool,
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
            if let (Err(fault), false) = (&looked, failing) {
                span.in_scope(|| Record::failure(Action::OrderStuck, Subject::default(), fault).write());
            }
            failing = looked.is_err();
        }
    }

    async fn look(&self) -> Result<(), Fault> {
        loop {
            let now = OffsetDateTime::now_utc();
            let stuck = store::report_stuck(&self.database, &self.deadlines.at(now), BATCH).await?;
            stuck.iter().for_each(|order| report(order, now));
            if stuck.is_empty() {
                return Ok(());
            }
        }
    }
}

fn report(order: &NewlyStuck, now: OffsetDateTime) {
    let owner = order.customer.map(Owner::Customer).or(order.partner.map(Owner::Partner));
    let subject = owner.map_or_else(|| Subject::just_order(&order.id), |owner| Subject::order(&order.id, owner));
    let hours = (now - order.since).as_seconds_f64() / 3600.0;
    Record::success(Action::OrderStuck, subject)
        .level(Level::WARN)
        .in_status(order.status)
        .age(hours)
        .message(format!("order.stuck {} in {} for {hours:.1} hours", order.id, order.status))
        .write();
}
