//! The gateway's configuration in a real HAProxy.

use std::{fs, io, net::TcpListener as StdListener, path::Path, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Certificate;
use testkit::{certificates::Authority, eventually};
use time::{Duration, OffsetDateTime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command},
};

use crate::compose::root;

#[tokio::test]
async fn services_on_ipv4_are_reached_where_their_names_have_addresses_of_both_families() {
    let gateway = Gateway::start(None).await;
    for port in gateway.ports {
        let address = format!("http://127.0.0.1:{port}/");
        eventually(&format!("a response from {address}"), async || match reqwest::get(&address).await {
            Ok(response) if response.status() == 200 => Ok(()),
            Ok(response) => Err(response.status().to_string()),
            Err(error) => Err(error.to_string()),
        })
        .await;
    }
}

#[tokio::test]
async fn tls_ends_at_the_gateway_and_a_certificate_is_renewed_without_a_restart() {
    let openssl = local::test_programs::openssl().expect("there is OpenSSL");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gateway-certificates");
    fs::create_dir_all(&folder).expect("a folder");
    let until = OffsetDateTime::now_utc() + Duration::days(1);
    let (first, second) = (Authority::create(), Authority::create());
    let put = |authority: &Authority| fs::write(folder.join("gateway.pem"), authority.issues(until).pem());
    put(&first).expect("a file");
    let gateway = Gateway::start(Some(&folder)).await;
    for port in &gateway.ports[..3] {
        let seen = gateway.is_trusted(*port, &first).await;
        assert!(seen.contains("\r\nx-forwarded-proto: https\r\n"), "{seen}");
        assert_eq!(seen.matches("x-forwarded-proto").count(), 1, "{seen}");
    }

    let with = async |version: &str| {
        let mut client = Command::new(&openssl);
        client.args(["s_client", "-connect", &format!("127.0.0.1:{}", gateway.ports[0]), version]);
        // The client itself would refuse old versions otherwise.
        client.args(["-cipher", "DEFAULT@SECLEVEL=0"]).stdin(Stdio::null()).kill_on_drop(true);
        let output = client.output().await.expect("OpenSSL runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    for old in ["-tls1", "-tls1_1"] {
        let said = with(old).await;
        assert!(said.contains("alert protocol version"), "{old}: {said}");
    }
    for new in ["-tls1_2", "-tls1_3"] {
        let said = with(new).await;
        assert!(said.contains("Server certificate\n-----BEGIN"), "{new}: {said}");
    }

    put(&second).expect("a file");
    let process = gateway.process.id();
    gateway.signal(Signal::SIGUSR2);
    gateway.is_trusted(gateway.ports[0], &second).await;
    assert_eq!(gateway.process.id(), process);
}

#[tokio::test]
async fn a_connection_ends_that_brings_no_whole_head_in_time() {
    let gateway = Gateway::start(None).await;
    let half = "GET / HTTP/1.1\r\nHost: shop\r\n";
    let said = gateway.said_until_the_end(half).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    // Between two requests there is nothing to respond to.
    let said = gateway.said_until_the_end(&format!("{half}\r\n")).await;
    assert_eq!((said.matches("HTTP/1.1 ").count(), said.contains(" 408 ")), (1, false), "{said}");
}

/// A gateway, ended when this is dropped.
struct Gateway {
    process: Child,
    /// Of shop, CRM and MES, and of its health.
    ports: [u16; 4],
}

impl Gateway {
    /// Starts HAProxy with the configuration and with what it runs with in its container.
    async fn start(certificates: Option<&Path>) -> Self {
        let haproxy = local::test_programs::haproxy().expect("there is HAProxy");
        let (names, service) = (name_server().await, service().await);
        let ports = [(); 4].map(|()| free_port());
        let [shop, crm, mes, health] = ports;
        let source = root().join("deploy/containers/gateway/haproxy.cfg");
        let mut configuration = fs::read_to_string(source).expect("a file");
        for (in_a_container, here) in [
            ("127.0.0.11:53", format!("127.0.0.1:{names}")),
            ("bind 127.0.0.1:8080", format!("bind 127.0.0.1:{health}")),
            ("bind :8081", format!("bind 127.0.0.1:{shop}")),
            ("bind :8082", format!("bind 127.0.0.1:{crm}")),
            ("bind :8083", format!("bind 127.0.0.1:{mes}")),
            ("-api:8080", format!("-api:{service}")),
            // No test waits so long.
            ("timeout http-request 15s", "timeout http-request 1s".to_owned()),
            ("timeout http-keep-alive 15s", "timeout http-keep-alive 1s".to_owned()),
        ] {
            assert!(configuration.contains(in_a_container), "{in_a_container}");
            configuration = configuration.replace(in_a_container, &here);
        }
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("haproxy-{shop}.cfg"));
        fs::write(&path, configuration).expect("a file");
        let mut command = Command::new("/usr/bin/setpriv");
        // The master ends its workers when it is told to, which a killed one isn't.
        command.args(["--pdeathsig", "TERM"]).arg(haproxy).args(["-W", "-db", "-f"]).arg(&path);
        command.env("GATEWAY_CERTIFICATES", certificates.map_or(Path::new(""), |folder| folder));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("HAProxy starts");
        Self { process, ports }
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.id().and_then(|id| i32::try_from(id).ok()).expect("HAProxy runs");
        kill(Pid::from_raw(process), signal).expect("HAProxy runs");
    }

    /// Sends this to the shop's port, and returns all that comes back until the gateway ends the connection.
    async fn said_until_the_end(&self, sent: &str) -> String {
        eventually("a response of the gateway", async || {
            let mut connection = TcpStream::connect(("127.0.0.1", self.ports[0])).await?;
            connection.write_all(sent.as_bytes()).await?;
            let mut said = String::new();
            connection.read_to_string(&mut said).await?;
            Ok::<_, io::Error>(said)
        })
        .await
    }

    /// Waits until who trusts this authority alone is let in, and returns the request as a service gets it.
    async fn is_trusted(&self, port: u16, authority: &Authority) -> String {
        let trusted = Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
        let address = format!("https://127.0.0.1:{port}/");
        eventually(&format!("a response from {address}"), async || {
            // A new client each time: a kept connection would show nothing of a new certificate.
            let client = reqwest::Client::builder().tls_certs_only([trusted.clone()]).build().expect("a client");
            let response = client.get(&address).header("X-Forwarded-Proto", "http").send().await;
            let response = response.map_err(|error| format!("{error:?}"))?;
            if response.status() != 200 {
                return Err(response.status().to_string());
            }
            response.text().await.map_err(|error| error.to_string())
        })
        .await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.signal(Signal::SIGTERM);
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Something that answers each request with itself, on IPv4 only. Returns its port.
async fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A health check only connects.
                let mut request = [0; 4096];
                let length = connection.read(&mut request).await.unwrap_or_default();
                if length > 0 {
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                    let _ = connection.write_all(&[head.as_bytes(), &request[..length]].concat()).await;
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
