//! Clients of a service, as many as are wanted and as cheap as can be: what they cost is taken from what is measured.

use std::{
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

/// What clients saw.
pub(crate) struct Outcome {
    /// Answers a second.
    pub(crate) rate: f64,
    /// How many there were.
    pub(crate) answers: u64,
    /// How long each took, in microseconds.
    durations: Histogram<u64>,
}

impl Outcome {
    /// The duration, in milliseconds, that so many percent of the answers didn't exceed.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.durations.value_at_percentile(percent) as f64 / 1000.0
    }
}

/// A whole request, ready to be sent.
pub(crate) fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Sends the same request again and again over so many connections. Each answer has to have this status.
pub(crate) async fn run(
    address: SocketAddr,
    request: &[u8],
    status: u16,
    connections: usize,
    time: Duration,
) -> Result<Outcome> {
    let (request, begun) = (request.to_vec(), Instant::now());
    // On one thread of their own: waking each other across threads would cost more than the work.
    let clients = move || -> Result<Vec<Histogram<u64>>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let until = begun + time;
        runtime.block_on(try_join_all((0..connections).map(|_| client(address, &request, status, until))))
    };
    let all = tokio::task::spawn_blocking(clients).await??;
    let seconds = begun.elapsed().as_secs_f64();
    let mut durations = Histogram::new(3)?;
    for one in all {
        durations.add(one)?;
    }
    let answers = durations.len();
    Ok(Outcome { rate: answers as f64 / seconds, answers, durations })
}

async fn client(address: SocketAddr, request: &[u8], status: u16, until: Instant) -> Result<Histogram<u64>> {
    let mut stream = TcpStream::connect(address).await.context("connecting to what is measured")?;
    stream.set_nodelay(true)?;
    let mut durations = Histogram::new(3)?;
    let mut answer = Vec::with_capacity(64 * 1024);
    loop {
        let asked = Instant::now();
        if asked > until {
            return Ok(durations);
        }
        stream.write_all(request).await?;
        answer.clear();
        let answered = loop {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the connection was closed in the middle of an answer");
            if let Some(answered) = whole(&answer)? {
                break answered;
            }
        };
        ensure!(answered == status, "answered by {answered}: {}", String::from_utf8_lossy(&answer));
        durations.record(u64::try_from(asked.elapsed().as_micros())?)?;
    }
}

/// The status of an answer that has come whole; its length has to stand in its head.
fn whole(answer: &[u8]) -> Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_length) = head.parse(answer)? else { return Ok(None) };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without a length")?;
    let length: usize = std::str::from_utf8(length.value)?.trim().parse()?;
    Ok(head.code.filter(|_| answer.len() >= head_length + length))
}
