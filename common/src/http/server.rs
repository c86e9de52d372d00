//! Listening, and stopping without interrupting requests.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use super::detached::Detached;
use crate::telemetry::metrics;

/// The longest request line with all headers, in bytes; the response to a longer one is `431`, and the connection is closed.
const LONGEST_HEAD: usize = 32 * 1024;
/// The wait after a connection could not be accepted, for want of file descriptors for example.
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_secs(1);

/// Connections that ended without one whole request, since they were taken.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// How many connections have ended without one whole request in time, since this was asked the last time.
pub fn take_unfinished() -> u64 {
    UNFINISHED.swap(0, Ordering::Relaxed)
}

/// What connections may not exceed.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at the same time; further ones wait until one has ended, with what was asked for over it.
    pub connections: usize,
    /// A connection ends when no complete request line with headers came for this long.
    pub head: Duration,
    /// A connection ends when its client takes nothing of a response for this long.
    pub stalled: Duration,
}

/// Serves until `stopping` is cancelled, then finishes what is under way.
///
/// # Errors
///
/// If requests are still under way at the deadline; they are cut off then.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    requests: TaskTracker,
    limits: ConnectionLimits,
    stopping: CancellationToken,
    deadline: Duration,
) -> anyhow::Result<()> {
    let drained = async {
        accept(&listener, &router, &requests, limits, &stopping).await.shutdown().await;
        // Some requests go on after their connection has ended.
        requests.close();
        requests.wait().await;
    };
    let too_late = async {
        stopping.cancelled().await;
        tokio::time::sleep(deadline).await;
    };
    tokio::select! {
        () = drained => Ok(()),
        () = too_late => anyhow::bail!("requests were still under way {} s after the signal to stop", deadline.as_secs()),
    }
}

/// Accepts connections until the service stops. Returns those that are still open.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    requests: &TaskTracker,
    limits: ConnectionLimits,
    stopping: &CancellationToken,
) -> GracefulShutdown {
    let open = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let next = async || {
        // A connection that isn't accepted yet waits in the operating system's queue and costs no file descriptor.
        let place = Arc::clone(&places).acquire_owned().await;
        (place, listener.accept().await)
    };
    while let Some((Ok(place), accepted)) = stopping.run_until_cancelled(next()).await {
        let Ok((stream, peer)) = accepted else {
            stopping.run_until_cancelled(tokio::time::sleep(AFTER_A_FAILED_ACCEPT)).await;
            continue;
        };
        let asked = Arc::new(AtomicBool::new(false));
        let service = Detached { router: router.clone(), requests: requests.clone(), place: Arc::new(place) };
        let connection = open.watch(connection(stream, peer, service, limits, Arc::clone(&asked)));
        tokio::spawn(async move {
            // A client that hangs up or is too slow is no failure of ours. One that never asked for anything is counted.
            if connection.await.is_err_and(|error| error.is_timeout()) && !asked.load(Ordering::Relaxed) {
                UNFINISHED.fetch_add(1, Ordering::Relaxed);
                metrics::connection_unfinished();
            }
        });
    }
    open
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    detached: Detached,
    limits: ConnectionLimits,
    asked: Arc<AtomicBool>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // The last bytes of a response are sent at once; without this they are sent a little later.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(LONGEST_HEAD);
    let service = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        detached.clone().call(request)
    });
    http.serve_connection(TokioIo::new(Box::pin(stream)), service)
}
