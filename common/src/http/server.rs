//! Listening, and stopping without cutting anybody off.

use std::{net::SocketAddr, sync::Arc, time::Duration};

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

/// The longest request line with all headers, in bytes; a longer one is answered `431` and the connection closed.
const LONGEST_HEAD: usize = 32 * 1024;
/// When no connection can be taken (no file descriptors, say), the next try is so much later.
const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_secs(1);

/// What one client can't take more of.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at the same time; whoever comes then waits until one ends.
    pub connections: usize,
    /// A connection ends when no whole request line with its headers came for so long.
    pub head: Duration,
    /// A connection ends when its client takes nothing of an answer for so long.
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
    let service = Detached { router, requests: requests.clone() };
    let drained = async {
        accept(&listener, &service, limits, &stopping).await.shutdown().await;
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

/// Takes connections until it is time to stop; gives those that are still open.
async fn accept(
    listener: &TcpListener,
    service: &Detached,
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
    while let Some((place, accepted)) = stopping.run_until_cancelled(next()).await {
        let Ok((stream, peer)) = accepted else {
            stopping.run_until_cancelled(tokio::time::sleep(AFTER_A_FAILED_ACCEPT)).await;
            continue;
        };
        let connection = open.watch(connection(stream, peer, service.clone(), limits));
        tokio::spawn(async move {
            // That a client hangs up, or is cut off for being slow, is no failure of ours.
            let _ = connection.await;
            drop(place);
        });
    }
    open
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    service: Detached,
    limits: ConnectionLimits,
) -> impl hyper_util::server::graceful::GracefulConnection {
    // An answer's last bytes are not to wait for more; without it they are sent all the same.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stalled));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(LONGEST_HEAD);
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().call(request)
    });
    http.serve_connection(TokioIo::new(Box::pin(stream)), answer)
}
