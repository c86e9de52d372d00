//! A service from its settings to its stop.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{counting, definition::Definition, heartbeat, housekeeping, settings::Settings};
use crate::{background::Background, http, journal::Journal, state::Core, telemetry::metrics};

/// How long pruning the journal and closing connections may take at the end.
const LAST_WORK: Duration = Duration::from_secs(5);

/// A service that is ready to serve: its port is known, its tables are there, its background work is running.
pub struct Application {
    listener: TcpListener,
    router: axum::Router,
    limits: http::ConnectionLimits,
    core: Core,
    background: Background,
    deadline: Duration,
}

impl Application {
    /// Builds the service.
    ///
    /// # Errors
    ///
    /// If a setting can't be used, the database can't be reached, or the address is taken; the message says which.
    pub async fn build<S: Definition>(settings: &Settings<S>) -> anyhow::Result<Self> {
        settings.core.raise_descriptor_limit()?;
        let core = settings.core.open(S::SERVICE, Journal::default())?;
        core.database.migrate(S::migrations()).await.context("DATABASE_URL: the database can't be used")?;
        core.database.open_all().await;
        let address = settings.core.server.listen_addr;
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("LISTEN_ADDR: can't listen on {address}"))?;
        let mut background = Background::default();
        let routes = S::start(&core, &settings.own, &mut background)?;
        background.spawn("housekeeping", housekeeping::run(core.clone(), background.stopping()));
        background.spawn("journal", core.journal.clone().run(core.database.pool().clone(), background.stopping()));
        background.spawn("heartbeat", heartbeat::heartbeat(settings.core.server.heartbeat(), background.stopping()));
        if metrics::are_on() {
            core.database.observe();
            let counting = counting::run::<S>(core.database.clone(), core.count_every, background.stopping());
            background.spawn("counting", counting);
        }
        let router = http::router(&core, &settings.core.request_limits(), routes);
        let (limits, deadline) = (settings.core.server.connection_limits(), settings.core.server.shutdown_deadline());
        Ok(Self { listener, router, limits, core, background, deadline })
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If the operating system doesn't say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Cancel it to stop the service.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.background.stopping()
    }

    /// Serves until it is stopped: takes no new requests then, finishes those under way and the background work.
    ///
    /// # Errors
    ///
    /// If a background task ends by itself, or something is still under way at the deadline.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        let Self { listener, router, limits, core, mut background, deadline } = self;
        let stopping = background.stopping();
        let requests = core.requests.clone();
        let server = tokio::spawn(http::serve(listener, router, requests, limits, stopping.clone(), deadline));

        let died = tokio::select! {
            // A task that ends because the service stops hasn't died.
            biased;
            () = stopping.cancelled() => None,
            ended = background.next_ended() => ended,
        };
        stopping.cancel();
        let served = server.await.context("the server panicked")?;
        let rest = async { while background.next_ended().await.is_some() {} };
        let finished = tokio::time::timeout(deadline, rest).await;
        // What stays is flushed once more by the next start, and Elasticsearch refuses the second copy.
        let last = async {
            let _ = core.journal.prune(core.database.pool()).await;
            core.database.close().await;
        };
        // A database that is silent would keep the process here, and so would requests that are still under way.
        let _ = tokio::time::timeout(LAST_WORK, last).await;
        match died {
            Some(Ok(name)) => anyhow::bail!("the background task {name} ended by itself"),
            Some(Err(error)) => Err(error).context("a background task panicked"),
            None => served.and(finished.context("background work was still under way at the deadline")),
        }
    }
}
