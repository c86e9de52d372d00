//! The gateway's configuration in a real HAProxy.

use std::{fs, net::TcpListener as StdListener, path::Path, process::Stdio};

use testkit::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
    process::Command,
};

use crate::compose::root;

#[tokio::test]
async fn services_on_ipv4_are_reached_where_their_names_have_addresses_of_both_families() {
    let haproxy = local::provide_program("haproxy", "haproxy").await.expect("HAProxy is installed");
    let (names, service) = (name_server().await, service().await);
    let gateway = [(); 4].map(|()| free_port());
    let [shop, crm, mes, health] = gateway;
    let mut configuration = fs::read_to_string(root().join("deploy/containers/gateway/haproxy.cfg")).expect("a file");
    for (in_a_container, here) in [
        ("127.0.0.11:53", format!("127.0.0.1:{names}")),
        ("bind 127.0.0.1:8080", format!("bind 127.0.0.1:{health}")),
        ("bind :8081", format!("bind 127.0.0.1:{shop}")),
        ("bind :8082", format!("bind 127.0.0.1:{crm}")),
        ("bind :8083", format!("bind 127.0.0.1:{mes}")),
        ("-api:8080", format!("-api:{service}")),
    ] {
        assert!(configuration.contains(in_a_container), "{in_a_container}");
        configuration = configuration.replace(in_a_container, &here);
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("haproxy.cfg");
    fs::write(&path, configuration).expect("a file");
    let mut command = Command::new(haproxy);
    command.arg("-db").arg("-f").arg(&path).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let _haproxy = command.spawn().expect("HAProxy starts");
    for port in gateway {
        let address = format!("http://127.0.0.1:{port}/");
        eventually(&format!("a response from {address}"), async || match reqwest::get(&address).await {
            Ok(response) if response.status() == 200 => Ok(()),
            Ok(response) => Err(response.status().to_string()),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Something that answers each request with 200, on IPv4 only. Returns its port.
async fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A health check only connects.
                if connection.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    let _ = connection.write_all(response).await;
                }
            });
        }
    });
    port
}

/// A name server for which every name is this machine, by IPv4 and by IPv6. Returns its port.
async fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = socket.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let mut query = [0; 4096];
        while let Ok((length, client)) = socket.recv_from(&mut query).await {
            let _ = socket.send_to(&answer(&query[..length]), client).await;
        }
    });
    port
}

/// RFC 1035, section 4.1: the question once more, and the one address of the family that it asks for.
fn answer(query: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = query[HEADER..].iter().position(|length| *length == 0).expect("a name ends");
    let question = &query[HEADER..HEADER + name + 5];
    let kind = question[name + 2];
    let address: &[u8] = match kind {
        1 => &[127, 0, 0, 1],
        28 => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        _ => &[],
    };
    let answers = u8::from(!address.is_empty());
    let head = [&query[..2], &[0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]].concat();
    let mut response = [&head, question].concat();
    if answers > 0 {
        // The name is the question's; valid for a minute.
        response.extend([0xc0, 0x0c, 0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(address.len()).expect("16 at most")]);
        response.extend(address);
    }
    response
}
