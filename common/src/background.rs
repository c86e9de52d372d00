//! A service's background tasks, and the signal that ends them.

use std::future::Future;

use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Tasks that run as long as the service does.
#[derive(Default)]
pub struct Background {
    tasks: JoinSet<&'static str>,
    stopping: CancellationToken,
}

impl Background {
    /// Cancelled when the service is to stop.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Runs a task that ends when [`Background::stopping`] is cancelled, and not before.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            task.await;
            name
        });
    }

    /// Waits for the next task that ends: its name, or its panic. None if no task is left.
    pub(crate) async fn next_ended(&mut self) -> Option<Result<&'static str, JoinError>> {
        self.tasks.join_next().await
    }
}
