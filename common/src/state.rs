//! What every handler and background task can use.

use catalogue::Service;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    auth::{Gate, Hasher, Sessions},
    http::{ConnectionLimits, RequestLimits},
    journal::Journal,
    model_store::ModelStore,
};

/// What every handler and background task can use.
#[derive(Clone)]
pub struct Core {
    /// Which service this is.
    pub service: Service,
    /// The service's database.
    pub database: PgPool,
    /// The 3D models.
    pub models: ModelStore,
    /// Checks passwords.
    pub hasher: Hasher,
    /// Looks sessions up.
    pub sessions: Arc<Sessions>,
    /// How long sessions live.
    pub session_limits: SessionLimits,
    /// The key that unknown logins are hashed with in the log.
    pub login_hash_key: Arc<[u8]>,
    /// Holds floods of logins off.
    pub gate: Gate,
    /// What connections may not exceed.
    pub connection_limits: ConnectionLimits,
    /// What requests may not exceed.
    pub request_limits: RequestLimits,
    /// The largest model, in bytes.
    pub upload_limit: u64,
    /// A stored model without an order is removed when it is so old.
    pub unused_model_age: Duration,
    /// What is known about dependencies.
    pub health: Health,
    /// Requests under way, even those whose client has gone.
    pub requests: TaskTracker,
    /// Writes the records of changes.
    pub journal: Journal,
    /// InboundMessage after a commit that wrote into the outbox.
    pub outbox_written: Arc<Notify>,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// It ends when it wasn't used for this long.
    pub idle: Duration,
    /// It ends this long after the login, however busy.
    pub absolute: Duration,
}

/// What the service's background tasks tell about dependencies that can't be asked within a request.
#[derive(Clone, Debug, Default)]
pub struct Health {
    broker: Arc<OnceLock<Arc<AtomicBool>>>,
}

impl Health {
    /// Where the service notes whether messages are being received. One that never asks for this doesn't need the broker.
    #[must_use]
    pub fn broker(&self) -> Arc<AtomicBool> {
        Arc::clone(self.broker.get_or_init(Arc::default))
    }

    /// Whether messages are being received right now; nothing if the service doesn't need the broker.
    #[must_use]
    pub fn broker_is_up(&self) -> Option<bool> {
        self.broker.get().map(|up| up.load(Ordering::Relaxed))
    }
}
