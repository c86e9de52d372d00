//! Listening, and stopping without cutting anybody off.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, ServiceExt as _};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::detached::Detached;

/// Serves until `stopping` is cancelled, then finishes what is under way.
///
/// # Errors
///
/// If requests are still under way at the deadline; they are cut off then.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    requests: TaskTracker,
    stopping: CancellationToken,
    deadline: Duration,
) -> anyhow::Result<()> {
    let service = Detached { router, requests: requests.clone() }.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stopping.clone().cancelled_owned());
    let drained = async {
        server.await?;
        // Some requests go on after their connection has ended.
        requests.close();
        requests.wait().await;
        anyhow::Ok(())
    };
    let too_late = async {
        stopping.cancelled().await;
        tokio::time::sleep(deadline).await;
    };
    tokio::select! {
        result = drained => result,
        () = too_late => anyhow::bail!("requests were still under way {} s after the signal to stop", deadline.as_secs()),
    }
}
