//! A line between a service and what it depends on, which can be cut, slowed down and silenced.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

/// Forwards connections to one address, until it is cut.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_cut: bool,
    is_silent: bool,
    /// How often what was open then has been silenced.
    silenced: u32,
    delay: Duration,
}

impl TcpProxy {
    /// A line to this `host:port`.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (state, watched) = watch::channel(State::default());
        let target = target.to_owned();
        let accept = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, target.clone(), watched.clone()));
            }
        };
        Self { address, state, task: tokio::spawn(accept).abort_handle() }
    }

    /// Cuts every connection, and each that is tried from now on.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.is_cut = true);
    }

    /// Holds everything back for so long, in both directions.
    pub fn slow_down(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// Passes nothing on, while connections stay open: what was sent arrives when the line is mended.
    pub fn silence(&self) {
        self.state.send_modify(|state| state.is_silent = true);
    }

    /// Passes nothing more on over the connections that are open now; new ones work.
    pub fn silence_open(&self) {
        self.state.send_modify(|state| state.silenced += 1);
    }

    /// Connections work again, and at full speed.
    pub fn mend(&self) {
        self.state.send_replace(State::default());
    }

    /// The same URL, but through this line.
    #[must_use]
    pub fn instead_in(&self, url: &str) -> String {
        url.replacen(host_in(url), &self.address.to_string(), 1)
    }
}

/// The `host:port` in a URL.
///
/// # Panics
///
/// If it has no scheme.
#[must_use]
pub fn host_in(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL has a scheme");
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn forward(near: TcpStream, target: String, mut state: watch::Receiver<State>) {
    // Both ends notice the cut at once, by a reset.
    let _ = near.set_zero_linger();
    if state.borrow().is_cut {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (there, back) = (state.clone(), state.clone());
    let both = async { tokio::join!(copy(near_read, far_write, there), copy(far_read, near_write, back)) };
    tokio::select! {
        // The end of one side is the end of both.
        _ = both => {}
        _ = state.wait_for(|state| state.is_cut) => {}
    }
}

/// Passes everything on, each piece after the delay, until its sender ends.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    let silenced_before = state.borrow().silenced;
    loop {
        let length = from.read(&mut piece).await?;
        // An error means that the line is gone.
        let _ = state.wait_for(|state| !state.is_silent && state.silenced <= silenced_before).await;
        if length == 0 {
            return to.shutdown().await;
        }
        let delay = state.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&piece[..length]).await?;
    }
}
