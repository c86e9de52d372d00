//! The management listener: the process's metrics for Prometheus, apart from where clients come in.

use std::{future::ready, net::SocketAddr, str::FromStr, time::Duration};

use anyhow::Context as _;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    http::{self, ConnectionLimits},
    telemetry::metrics::{Scrape, TEXT_FORMAT},
};

/// A scraper or two, and a person who looks.
const LIMITS: ConnectionLimits =
    ConnectionLimits { connections: 16, head: Duration::from_secs(60), stalled: Duration::from_secs(10) };

/// Where metrics can be scraped; nowhere if it is empty.
#[derive(Clone, Copy, Debug)]
pub struct MetricsAddr(Option<SocketAddr>);

impl MetricsAddr {
    /// The address, if there is one.
    #[must_use]
    pub const fn get(self) -> Option<SocketAddr> {
        self.0
    }
}

impl FromStr for MetricsAddr {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// Serves `/metrics` from now on, as long as the process runs. Returns where.
///
/// # Errors
///
/// If the address is taken.
pub(super) async fn serve(address: SocketAddr, scrape: Scrape) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("METRICS_ADDR: can't listen on {address}"))?;
    let bound = listener.local_addr()?;
    let metrics = get(move || ready(([(CONTENT_TYPE, TEXT_FORMAT)], scrape.text())));
    let router = Router::new().route("/metrics", metrics);
    // Also while the service stops: what it still does is counted.
    let never = CancellationToken::new();
    tokio::spawn(http::serve(listener, router, TaskTracker::new(), LIMITS, never, Duration::ZERO));
    Ok(bound)
}
