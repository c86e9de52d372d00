//! Ends TLS in front of a server, with a certificate of the test's choice.

use std::net::SocketAddr;

use testkit::certificates::Certificate;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A client of PostgreSQL asks for TLS with eight bytes, and the server agrees with one:
/// <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Listens until the test's runtime ends, and passes on what clients send that accept the certificate.
pub(super) async fn start(certificate: &Certificate, target: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let (acceptor, target) = (certificate.acceptor(), target.to_owned());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            // That a connection breaks is what these tests are about.
            tokio::spawn(forward(near, acceptor.clone(), target.clone()));
        }
    });
    address
}

async fn forward(mut near: TcpStream, acceptor: TlsAcceptor, target: String) -> std::io::Result<()> {
    let mut beginning = [0];
    if near.peek(&mut beginning).await? == 1 && beginning[0] == SSL_REQUEST[0] {
        let mut request = [0; SSL_REQUEST.len()];
        near.read_exact(&mut request).await?;
        assert_eq!(request, SSL_REQUEST, "a client of PostgreSQL that asks for no TLS");
        near.write_all(b"S").await?;
    }
    let mut near = acceptor.accept(near).await?;
    copy_bidirectional(&mut near, &mut TcpStream::connect(target).await?).await.map(drop)
}
