//! Attacks on each service, in the test's own process against a real PostgreSQL: callers who may not, floods, slow clients,
//! other sites' pages, and requests that come twice.

mod access;
mod access_model;
mod browsers;
mod connections;
mod idempotency;
mod logins;
mod uploads;

use reqwest::Method;
use testkit::Client;
use tokio::net::{TcpSocket, TcpStream};

/// Where a service listens, as `host:port`.
fn host(service: &Client) -> &str {
    service.base().trim_start_matches("http://")
}

/// A connection on which nothing was sent, with so small a receive buffer that the other side notices when it is not read.
async fn connect(service: &Client) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    socket.connect(host(service).parse().expect("an address")).await.expect("the service listens")
}

/// The beginning of a request as it goes over the wire, without the line that ends the headers.
fn head(method: &Method, path: &str, client: &Client, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: service\r\nAuthorization: Bearer {}\r\n{headers}", client.token())
}
