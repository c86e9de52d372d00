//! The state that a service's handlers and background tasks share, and what they know about dependencies.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use catalogue::Service;
use tokio_util::task::TaskTracker;

use crate::{
    auth::Auth, authorities::Authorities, database::Database, journal::Journal, model_store::ModelStore,
    unit_of_work::Units,
};

/// What every handler and background task of a service can use.
#[derive(Clone)]
pub struct Core {
    /// The service.
    pub service: Service,
    /// Whose certificates are trusted in connections to other servers.
    pub(crate) authorities: Authorities,
    /// The service's database, for reading.
    pub database: Database,
    /// The one way to change an order.
    pub units: Units,
    /// The 3D models.
    pub models: ModelStore,
    /// Who the callers are.
    pub auth: Auth,
    /// A stored model without an order is removed at this age.
    pub unused_model_age: Duration,
    /// How often what the database and the broker hold is counted, for metrics.
    pub count_every: Duration,
    /// What is known about dependencies.
    pub health: Health,
    /// Requests under way, also those whose client has gone.
    pub requests: TaskTracker,
    /// The records of changes.
    pub(crate) journal: Journal,
    /// Notified after each commit that enqueued a message.
    pub(crate) outbox_written: Arc<tokio::sync::Notify>,
}

/// What background tasks know about dependencies that can't be asked within a request.
#[derive(Clone, Debug, Default)]
pub struct Health {
    broker: Arc<OnceLock<Arc<AtomicBool>>>,
}

impl Health {
    /// Where the consumer notes whether messages are being received. A service that never calls this needs no broker.
    #[must_use]
    pub fn broker(&self) -> Arc<AtomicBool> {
        Arc::clone(self.broker.get_or_init(Arc::default))
    }

    /// Whether messages are being received right now; none if the service needs no broker.
    #[must_use]
    pub fn broker_is_up(&self) -> Option<bool> {
        self.broker.get().map(|up| up.load(Ordering::Relaxed))
    }
}
