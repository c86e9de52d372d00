//! A flood against one service: connections that bring no whole request, and logins that are refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
    time::MissedTickBehavior,
};

use crate::{Client, Response};

/// Connections that are open at every time.
const CONNECTIONS: usize = 200;
/// Logins in each of so many intervals of a second: 1,000 a second.
const INTERVAL: Duration = Duration::from_millis(10);
const LOGINS: u64 = 10;
/// Logins that wait for their responses at most; beyond it, the service is slower than the flood, and the rest is not sent.
const UNANSWERED: usize = 128;

/// A flood, until it is dropped.
#[derive(Debug)]
pub struct Flood {
    tasks: JoinSet<()>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
    others: AtomicU64,
}

/// What became of a flood so far.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Connections that were opened: further ones in the place of those that the service has ended.
    pub opened: u64,
    /// Logins that were checked and refused (401).
    pub refused: u64,
    /// Logins that were turned away unchecked (429).
    pub throttled: u64,
    /// Logins with another response, or none.
    pub others: u64,
}

impl Flood {
    /// Starts one against the service with this base address.
    #[must_use]
    pub fn start(base: &str) -> Self {
        let (mut tasks, counts) = (JoinSet::new(), Arc::new(Counts::default()));
        for _ in 0..CONNECTIONS {
            let host = base.trim_start_matches("http://").to_owned();
            tasks.spawn(hold_open(host, Arc::clone(&counts)));
        }
        tasks.spawn(log_in_in_vain(Client::new(base), Arc::clone(&counts)));
        Self { tasks, counts }
    }

    /// Ends it.
    pub async fn stop(mut self) -> Outcome {
        self.tasks.shutdown().await;
        let Counts { opened, refused, throttled, others } = &*self.counts;
        let [opened, refused, throttled, others] =
            [opened, refused, throttled, others].map(|count| count.load(Ordering::Relaxed));
        Outcome { opened, refused, throttled, others }
    }
}

/// Keeps a connection open on which half of a request was sent, and opens another one when the service ends it.
async fn hold_open(host: String, counts: Arc<Counts>) {
    while let Ok(mut connection) = TcpStream::connect(&host).await {
        counts.opened.fetch_add(1, Ordering::Relaxed);
        // However it ends, it has ended.
        let _ = connection.write_all(b"POST /sessions HTTP/1.1\r\nHost: service\r\nX-Half: ").await;
        let _ = connection.read_to_end(&mut Vec::new()).await;
    }
}

async fn log_in_in_vain(client: Client, counts: Arc<Counts>) {
    let places = Arc::new(Semaphore::new(UNANSWERED));
    let mut logins = JoinSet::new();
    let mut clock = tokio::time::interval(INTERVAL);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for tick in 0_u64.. {
        clock.tick().await;
        while logins.try_join_next().is_some() {}
        for number in 0..LOGINS {
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
            let (client, counts) = (client.clone(), Arc::clone(&counts));
            logins.spawn(async move {
                let login = json!({"login": format!("guessed-{tick}-{number}"), "password": "known from elsewhere"});
                let response = Response::try_to(client.request(Method::POST, "/sessions").json(&login)).await;
                let count = match response.map(|response| response.status) {
                    Ok(401) => &counts.refused,
                    Ok(429) => &counts.throttled,
                    _ => &counts.others,
                };
                count.fetch_add(1, Ordering::Relaxed);
                drop(place);
            });
        }
    }
}
