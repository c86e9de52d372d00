//! Runs every request to its end, also if its client hangs up.
//!
//! A server drops a request's future when the client hangs up: a change would be committed and its record never written,
//! and a request whose client left at once would not even begin. So each one runs in a task of its own, spawned when the
//! request arrives; the future that the server may drop only waits for it.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;
use tower::Service;

/// A connection's router, whose requests run in tasks of their own. `requests` is what a shutdown waits for.
#[derive(Clone)]
pub(super) struct Detached {
    pub(super) router: Router,
    pub(super) requests: TaskTracker,
    /// The connection's place, which a request keeps to its end: a client that hangs up gets no other one for it meanwhile.
    pub(super) place: Arc<OwnedSemaphorePermit>,
}

/// Whether the client of a request has gone; among the request's extensions.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientGone(Arc<AtomicBool>);

impl ClientGone {
    pub(super) fn is_true(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Notices that the server drops the future that waits for the response.
struct HangUp(ClientGone);

impl Drop for HangUp {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Service<Request> for Detached {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let client_gone = ClientGone::default();
        let hang_up = HangUp(client_gone.clone());
        request.extensions_mut().insert(client_gone);
        let (mut router, place) = (self.router.clone(), Arc::clone(&self.place));
        let task = self.requests.spawn(async move {
            let _place = place;
            router.call(request).await
        });
        Box::pin(async move {
            let response = task.await;
            // Until here: if this future is dropped earlier, the client has gone.
            drop(hang_up);
            // Handlers' panics are caught inside, and the task is never aborted.
            response.unwrap_or_else(|_| Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()))
        })
    }
}
