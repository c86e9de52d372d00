//! A line between a service and what it depends on, which can be cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

/// Forwards connections to one address, until it is cut.
pub(crate) struct Relay {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    task: AbortHandle,
}

impl Relay {
    /// A line to this `host:port`.
    pub(crate) async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let (is_cut, cut) = watch::channel(false);
        let target = target.to_owned();
        let accept = async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, target.clone(), cut.clone()));
            }
        };
        Self { address, is_cut, task: tokio::spawn(accept).abort_handle() }
    }

    /// Cuts every connection, and each that is tried from now on.
    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Connections work again.
    pub(crate) fn mend(&self) {
        self.is_cut.send_replace(false);
    }

    /// The same URL, but through this line.
    pub(crate) fn instead_in(&self, url: &str) -> String {
        url.replacen(host_in(url), &self.address.to_string(), 1)
    }
}

/// The `host:port` in a URL.
pub(crate) fn host_in(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL has a scheme");
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn forward(mut near: TcpStream, target: String, mut cut: watch::Receiver<bool>) {
    // Whoever is cut off is told so at once, in the middle of whatever was being said.
    let _ = near.set_zero_linger();
    if *cut.borrow() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // Whoever ends the connection ends it on both sides.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}
