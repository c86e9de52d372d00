//! Requests to stop this process: signals, and on request the end of standard input.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Listens from its creation on, so that no signal during the start gets lost.
pub(crate) struct StopRequests {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    stdin_closed: Option<oneshot::Receiver<()>>,
}

impl StopRequests {
    pub(crate) fn listen(until_stdin_closes: bool) -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            stdin_closed: until_stdin_closes.then(watch_stdin),
        })
    }

    /// Waits for the next request and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        let stdin_closed = async {
            match &mut self.stdin_closed {
                // The reading thread drops the sender when it ends.
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        };
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
            () = stdin_closed => "the end of standard input",
        };
        if name == "the end of standard input" {
            self.stdin_closed = None;
        }
        name
    }
}

/// Reads on a thread of its own: a runtime would wait for a blocking read when it shuts down.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 1024];
        while matches!(stdin.read(&mut buffer), Ok(1..)) {}
        drop(closed);
    });
    is_closed
}
