//! Says at regular intervals that the service is there, so that whoever watches the log can tell silence from a quiet
//! night: a service without this record is dead, hangs, or its records don't arrive.

use std::time::Duration;

use catalogue::Action;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::telemetry::{Record, Subject};

pub(super) async fn run(period: Duration, stopping: CancellationToken) {
    let mut clock = tokio::time::interval(period);
    // A process that stood still has nothing to make up for.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stopping.run_until_cancelled(clock.tick()).await.is_some() {
        Record::success(Action::ServiceHeartbeat, Subject::default()).write();
    }
}
