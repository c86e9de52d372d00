//! The management listener: the process's metrics for Prometheus, apart from where clients come in.

use std::{future::ready, net::SocketAddr, str::FromStr, time::Duration};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use catalogue::ErrorType;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Level;

use crate::{
    failure::Failure,
    http::{self, ConnectionLimits},
    telemetry::{
        Record,
        metrics::{Scrape, TEXT_FORMAT},
    },
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

/// Serves `/metrics` from now on, as long as the process runs. Returns where; nowhere if the address is taken, as it is for
/// the second of two replicas with the same settings: orders are worth more than their metrics.
pub(super) async fn serve(address: SocketAddr, scrape: Scrape) -> Option<SocketAddr> {
    let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (bound, listener) = match bound {
        Ok(bound) => bound,
        Err(error) => {
            let failure = Failure::new(ErrorType::ConfigurationInvalid, "listening on METRICS_ADDR", error);
            Record::lifecycle("degraded").failed(Level::WARN, &failure).write();
            return None;
        }
    };
    let metrics = get(move || ready(([(CONTENT_TYPE, TEXT_FORMAT)], scrape.text())));
    let router = Router::new().route("/metrics", metrics);
    // Also while the service stops: what it still does is counted.
    let never = CancellationToken::new();
    tokio::spawn(http::serve(listener, router, TaskTracker::new(), LIMITS, never, Duration::ZERO));
    Some(bound)
}
