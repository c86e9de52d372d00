//! A server that only responds, in a process of its own: the least that HTTP costs.

use std::{net::SocketAddr, process::Stdio};

use anyhow::{Context as _, Result};
use axum::{Router, http::StatusCode, response::IntoResponse, routing::post};
use bytes::Bytes;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

/// As long as the shop's response to a new order.
const ORDER: &str = r#"{"id":"A-100000","status":"INITIATED","material":"gold_585","quantity":1,"comment":"For her birthday, please.","created_at":"2026-01-02T03:04:05.678901Z","updated_at":"2026-01-02T03:04:05.678901Z","price":null,"model":null,"delivery":null}"#;

/// The running server; dropping it kills the process.
pub(crate) struct Responder {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Responder {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("respond").stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let address = BufReader::new(stdout).lines().next_line().await?.context("the server ended")?.parse()?;
        Ok(Self { address, child })
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("the server has ended")?)?)
    }
}

/// Responds to requests for new orders until the process is killed.
pub(crate) async fn respond() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let created = async |_: Bytes| (StatusCode::CREATED, [("content-type", "application/json")], ORDER).into_response();
    Ok(axum::serve(listener, Router::new().route("/orders", post(created))).await?)
}
