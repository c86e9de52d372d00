//! The load generator: repeats one request over several connections, at as little cost as possible, because it runs on
//! the machine that is measured.

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// As many clients of the shop as load it: twice as many as a service's database connections by default.
pub(crate) const CONNECTIONS: usize = 32;

/// A request to a service, and the status that each response must have.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    request: Vec<u8>,
    status: u16,
}

/// The responses to a target's requests.
pub(crate) struct Outcome {
    /// Responses a second.
    pub(crate) rate: f64,
    pub(crate) responses: u64,
    /// The duration of each request, in microseconds.
    durations: Histogram<u64>,
}

impl Outcome {
    /// The outcome of several turns of the same length.
    pub(crate) fn of_turns(turns: Vec<Self>) -> Result<Self> {
        let mut durations = Histogram::new(3)?;
        let rate = turns.iter().map(|turn| turn.rate).sum::<f64>() / turns.len() as f64;
        for turn in turns {
            durations.add(turn.durations)?;
        }
        Ok(Self { rate, responses: durations.len(), durations })
    }

    /// A percentile of the durations, in milliseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.durations.value_at_percentile(percent) as f64 / 1000.0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.percentile(50.0), self.percentile(99.0));
        write!(f, "{:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms", self.rate)
    }
}

impl Target {
    /// `GET` of a path.
    pub(crate) fn get(address: SocketAddr, path: &str, token: &str) -> Self {
        Self::new(address, "GET", path, token, "", 200)
    }

    /// `POST /orders` of the shop, by the customer with this token.
    pub(crate) fn new_order(address: SocketAddr, token: &str) -> Self {
        let order = r#"{"material":"gold_585","quantity":1,"comment":"For her birthday, please."}"#;
        Self::new(address, "POST", "/orders", token, order, 201)
    }

    fn new(address: SocketAddr, method: &str, path: &str, token: &str, body: &str, status: u16) -> Self {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        Self { address, request: request.into_bytes(), status }
    }

    /// Sends the request again and again over this many connections.
    pub(crate) async fn load(&self, connections: usize, time: Duration) -> Result<Outcome> {
        let (target, begun) = (self.clone(), Instant::now());
        // One separate thread for all connections: waking tasks across threads would cost more than the requests.
        let clients = move || -> Result<Vec<Histogram<u64>>> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let until = begun + time;
            runtime.block_on(try_join_all((0..connections).map(|_| target.repeat(until))))
        };
        let all = tokio::task::spawn_blocking(clients).await??;
        let seconds = begun.elapsed().as_secs_f64();
        let mut durations = Histogram::new(3)?;
        for one in all {
            durations.add(one)?;
        }
        let responses = durations.len();
        Ok(Outcome { rate: responses as f64 / seconds, responses, durations })
    }

    async fn repeat(&self, until: Instant) -> Result<Histogram<u64>> {
        let mut stream = TcpStream::connect(self.address).await.context("connecting to the measured service")?;
        stream.set_nodelay(true)?;
        let mut durations = Histogram::new(3)?;
        let mut response = Vec::with_capacity(64 * 1024);
        loop {
            let sent = Instant::now();
            if sent > until {
                return Ok(durations);
            }
            stream.write_all(&self.request).await?;
            response.clear();
            let status = loop {
                ensure!(stream.read_buf(&mut response).await? > 0, "the connection was closed within a response");
                if let Some(status) = complete(&response)? {
                    break status;
                }
            };
            ensure!(status == self.status, "a response has status {status}: {}", String::from_utf8_lossy(&response));
            durations.record(u64::try_from(sent.elapsed().as_micros())?)?;
        }
    }
}

/// The status of a response, once it is complete. The response must have a `content-length`.
fn complete(response: &[u8]) -> Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_length) = head.parse(response)? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("a response without a content-length")?;
    let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    Ok(head.code.filter(|_| response.len() >= head_length + length))
}
