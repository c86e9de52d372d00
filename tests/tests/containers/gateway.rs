//! The gateway's configuration in a real HAProxy.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, TcpListener as StdListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::Certificate;
use testkit::{certificates::Authority, eventually};
use time::{Duration, OffsetDateTime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    process::{Child, Command},
};

use crate::compose::root;

/// As many connections the gateway takes from one address here.
const CONNECTIONS_PER_ADDRESS: usize = 10;
/// An address with so many requests in ten seconds is in the log with all of them here.
const LOGGED_REQUESTS: usize = 20;
/// Clients' addresses.
const ADA: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const GRACE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const MALLORY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

#[tokio::test]
async fn services_on_ipv4_are_reached_where_their_names_have_addresses_of_both_families() {
    let gateway = Gateway::start(Setup::default()).await;
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
    let gateway = Gateway::start(Setup { certificates: Some(&folder), ..Setup::default() }).await;
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
    let gateway = Gateway::start(Setup { timeout: "1s", ..Setup::default() }).await;
    let half = "GET / HTTP/1.1\r\nHost: shop\r\n";
    let said = gateway.said_until_the_end(half).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    // Between two requests there is nothing to respond to.
    let said = gateway.said_until_the_end(&format!("{half}\r\n")).await;
    assert_eq!((said.matches("HTTP/1.1 ").count(), said.contains(" 408 ")), (1, false), "{said}");
}

#[tokio::test]
async fn one_address_can_not_take_all_connections() {
    let gateway = Gateway::start(Setup::default()).await;
    gateway.responds_to(ADA, Some(200)).await;
    let mut held = Vec::new();
    for port in gateway.ports[..3].iter().cycle().take(CONNECTIONS_PER_ADDRESS) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((MALLORY, 0).into()).expect("an address of this machine");
        let mut connection = socket.connect((Ipv4Addr::LOCALHOST, *port).into()).await.expect("a connection");
        connection.write_all(b"GET / HTTP/1.1\r\n").await.expect("it takes half a head");
        held.push(connection);
    }
    gateway.responds_to(MALLORY, None).await;
    gateway.responds_to(ADA, Some(200)).await;
    drop(held);
    gateway.responds_to(MALLORY, Some(200)).await;
}

#[tokio::test]
async fn addresses_and_networks_of_the_list_are_refused_after_a_reload() {
    let list = fs::read_to_string(root().join("deploy/containers/gateway/denied/addresses.txt")).expect("a list");
    let gateway = Gateway::start(Setup { denied: &list, ..Setup::default() }).await;
    for address in [ADA, GRACE, MALLORY] {
        gateway.responds_to(address, Some(200)).await;
    }
    fs::write(gateway.folder.join("addresses.txt"), format!("{list}{MALLORY}\n127.0.0.3/32\n")).expect("a list");
    gateway.signal(Signal::SIGUSR2);
    gateway.responds_to(MALLORY, None).await;
    gateway.responds_to(GRACE, None).await;
    gateway.responds_to(ADA, Some(200)).await;
}

#[tokio::test]
async fn the_log_has_addresses_of_failed_requests_and_of_floods_but_no_query() {
    let gateway = Gateway::start(Setup { timeout: "1s", ..Setup::default() }).await;
    gateway.responds_to(GRACE, Some(200)).await;
    assert_eq!(gateway.status(ADA, "/orders?filename=ring.stl").await, Some(200));
    gateway.status(GRACE, "/missing?filename=ring.stl").await;
    gateway.said_until_the_end("GET / HTTP/1.1\r\n").await;
    for _ in 0..2 * LOGGED_REQUESTS {
        gateway.status(MALLORY, "/docs?filename=ring.stl").await;
    }
    let log = eventually("the requests to be in the log", async || {
        let log = fs::read_to_string(gateway.folder.join("log")).expect("a log");
        let has = |address: Ipv4Addr, what: &str| {
            log.lines().any(|line| line.starts_with(&format!("{address}:")) && line.contains(what))
        };
        let all = has(GRACE, "GET /missing") && has(Ipv4Addr::LOCALHOST, " 408 ") && has(MALLORY, "GET /docs");
        if all { Ok(log) } else { Err(log) }
    })
    .await;
    assert!(!log.contains("filename") && !log.contains(&ADA.to_string()), "{log}");
}

/// What is different about a gateway.
struct Setup<'a> {
    certificates: Option<&'a Path>,
    /// For heads, and between two requests.
    timeout: &'a str,
    /// The list of addresses that are refused.
    denied: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { certificates: None, timeout: "1m", denied: "" }
    }
}

/// A gateway, ended when this is dropped.
struct Gateway {
    process: Child,
    /// With its configuration, its list and its log.
    folder: PathBuf,
    /// Of shop, CRM and MES, and of its health.
    ports: [u16; 4],
}

impl Gateway {
    /// Starts HAProxy with the configuration and with what it runs with in its container.
    async fn start(setup: Setup<'_>) -> Self {
        let haproxy = local::test_programs::haproxy().expect("there is HAProxy");
        let (names, service) = (name_server().await, service().await);
        let ports = [(); 4].map(|()| free_port());
        let [shop, crm, mes, health] = ports;
        let source = root().join("deploy/containers/gateway/haproxy.cfg");
        let mut configuration = fs::read_to_string(source).expect("a file");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gateway-{shop}"));
        fs::create_dir_all(&folder).expect("a folder");
        let denied = folder.join("addresses.txt");
        fs::write(&denied, setup.denied).expect("a file");
        for (in_a_container, here) in [
            ("127.0.0.11:53", format!("127.0.0.1:{names}")),
            ("bind 127.0.0.1:8080", format!("bind 127.0.0.1:{health}")),
            ("bind :8081", format!("bind 127.0.0.1:{shop}")),
            ("bind :8082", format!("bind 127.0.0.1:{crm}")),
            ("bind :8083", format!("bind 127.0.0.1:{mes}")),
            ("-api:8080", format!("-api:{service}")),
            ("/denied/addresses.txt", denied.display().to_string()),
            ("timeout http-request 5s", format!("timeout http-request {}", setup.timeout)),
            ("timeout http-keep-alive 15s", format!("timeout http-keep-alive {}", setup.timeout)),
            ("sc0_http_req_rate lt 500", format!("sc0_http_req_rate lt {LOGGED_REQUESTS}")),
        ] {
            assert!(configuration.contains(in_a_container), "{in_a_container}");
            configuration = configuration.replace(in_a_container, &here);
        }
        let path = folder.join("haproxy.cfg");
        fs::write(&path, configuration).expect("a file");
        let log = fs::File::create(folder.join("log")).expect("a file");
        let mut command = Command::new("/usr/bin/setpriv");
        // The master ends its workers when it is told to, which a killed one isn't.
        command.args(["--pdeathsig", "TERM"]).arg(haproxy).args(["-W", "-db", "-f"]).arg(&path);
        command.env("GATEWAY_CERTIFICATES", setup.certificates.unwrap_or(Path::new("")));
        command.env("GATEWAY_CONNECTIONS_PER_ADDRESS", CONNECTIONS_PER_ADDRESS.to_string());
        let process = command.stdout(log).stderr(Stdio::null()).spawn().expect("HAProxy starts");
        Self { process, folder, ports }
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.id().and_then(|id| i32::try_from(id).ok()).expect("HAProxy runs");
        kill(Pid::from_raw(process), signal).expect("HAProxy runs");
    }

    /// The status that a client of this address gets from the shop, or none if the gateway refuses its connection.
    async fn status(&self, address: Ipv4Addr, path: &str) -> Option<u16> {
        let client = reqwest::Client::builder().local_address(IpAddr::from(address)).build().expect("a client");
        let response = client.get(format!("http://127.0.0.1:{}{path}", self.ports[0])).send().await;
        response.ok().map(|response| response.status().as_u16())
    }

    /// Waits until a client of this address gets this.
    async fn responds_to(&self, address: Ipv4Addr, expected: Option<u16>) {
        eventually(&format!("{expected:?} for {address}"), async || {
            let status = self.status(address, "/").await;
            if status == expected { Ok(()) } else { Err(format!("{status:?}")) }
        })
        .await;
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

/// A service that responds to each request with the request, with 404 where its path is `/missing`, on IPv4 only. Returns its
/// port.
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
                    let status = if request.starts_with(b"GET /missing") { "404 Not Found" } else { "200 OK" };
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
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
