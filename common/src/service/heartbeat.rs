//! Writes a record at regular intervals, so that silence in the log means something: a service without this record is dead,
//! hangs, or its records don't arrive. It also says what no other record does: what waits, and what was begun and never done.

use std::time::Duration;

use catalogue::Action;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    http,
    telemetry::{Record, Subject, metrics},
};

/// Writes a record every `period` until the service stops.
pub async fn heartbeat(period: Duration, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(period);
    // A process that was stopped for a while doesn't make up for missed records.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(clock.tick()).await.is_some() {
        let beat = Record::notice(Action::ServiceHeartbeat, Subject::default());
        beat.unfinished_connections(http::take_unfinished()).waiting(metrics::waiting()).write();
    }
}
