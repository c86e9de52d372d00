//! Floods: many times the same request, or connections without one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use mesh::solids;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::ongoing::Ongoing;
use crate::clients::api::ApiClient;
use crate::host::secret;
use crate::system::{accounts::Login, system_file::SystemFile};

/// The number of concurrent requests: far fewer than a service has connections to its database, so that none waits for one
/// until it fails, however slow the machine.
const CONCURRENCY: usize = 4;
/// The number of concurrent logins: more than can be checked in time.
const CONCURRENT_LOGINS: usize = 128;

/// The content of an order.
pub(super) fn order_content() -> Value {
    json!({ "material": "silver_925", "quantity": 1 })
}

/// Sends one request `count` times and returns how many of the responses had a status that `counts`, and how long all of it
/// took.
async fn flood(
    [count, concurrency]: [usize; 2],
    counts: fn(StatusCode) -> bool,
    send: impl AsyncFn(usize) -> Result<StatusCode>,
) -> Result<(usize, Duration)> {
    let began = Instant::now();
    let mut responses = futures::stream::iter((0..count).map(|number| send(number))).buffer_unordered(concurrency);
    let mut counted = 0;
    while let Some(status) = responses.next().await {
        counted += usize::from(counts(status?));
    }
    Ok((counted, began.elapsed()))
}

fn is_success(status: StatusCode) -> bool {
    status.is_success()
}

fn of(done: Vec<String>) -> Ongoing {
    Ongoing { done, ..Ongoing::default() }
}

pub(super) async fn orders(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let (customer, _) = ApiClient::new_customer(system.running_shop()?).await?;
    for _ in 0..4 {
        customer.create_order(&order_content()).await?;
    }
    let content = order_content();
    let (created, took) =
        flood([count, CONCURRENCY], is_success, async |_| Ok(customer.attempt("/orders", &content).await?.0)).await?;
    Ok(of(vec![
        format!(
            "One customer created 4 orders, then {created} more within {:.1} s; {} were refused.",
            took.as_secs_f64(),
            count - created
        ),
        "They stay INITIATED, and the CRM will report them as abandoned after seven days.".to_owned(),
    ]))
}

pub(super) async fn scan(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let scanner = ApiClient::anonymous(system.running_shop()?);
    let (found, took) = flood([count, CONCURRENCY], is_success, async |number| {
        scanner.status(Method::GET, &format!("/backup-{number}.zip")).await
    })
    .await?;
    Ok(of(vec![format!("{count} made-up paths were asked for within {:.1} s; {found} are there.", took.as_secs_f64())]))
}

pub(super) async fn logins(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let attacker = ApiClient::anonymous(system.running_shop()?);
    let is_throttled = |status| status == StatusCode::TOO_MANY_REQUESTS;
    let (throttled, took) = flood([count, CONCURRENT_LOGINS], is_throttled, async |_| {
        let login = Login { login: format!("guessed-{}", &secret::random()?[..12]), password: secret::random()? };
        Ok(attacker.attempt("/sessions", &json!(login)).await?.0)
    })
    .await?;
    Ok(of(vec![format!(
        "{count} logins that no account has were tried within {:.1} s; {throttled} were turned away unchecked.",
        took.as_secs_f64()
    )]))
}

pub(super) async fn requests(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let (customer, _) = ApiClient::new_customer(system.running_shop()?).await?;
    let (answered, took) =
        flood([count, CONCURRENCY], is_success, async |_| customer.status(Method::GET, "/orders").await).await?;
    Ok(of(vec![format!(
        "One customer asked for their orders {count} times within {:.1} s; {answered} responses were 200.",
        took.as_secs_f64()
    )]))
}

pub(super) async fn uploads(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let (customer, _) = ApiClient::new_customer(system.running_shop()?).await?;
    let order = customer.create_order(&order_content()).await?;
    let model = solids::torus(10.0, 1.0, 48).to_binary_stl();
    for _ in 0..count {
        customer.upload(&order, "ring.stl", model.clone()).await?;
    }
    Ok(of(vec![format!("One customer uploaded the model of {order} {count} times; each replaced the one before.")]))
}

/// Opens connections and sends nothing, until the service ends each of them.
pub(super) async fn slow_connections(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let address = system.running_shop()?.rsplit_once("//").context("an address without a scheme")?.1;
    let began = Instant::now();
    let ended = futures::future::try_join_all((0..count).map(async |_| {
        let mut connection = TcpStream::connect(address).await.context("connecting")?;
        // A reset is an end as well.
        let _ = connection.read_to_end(&mut Vec::new()).await;
        anyhow::Ok(())
    }));
    ended.await?;
    let took = began.elapsed().as_secs_f64();
    Ok(of(vec![
        format!(
            "{count} connections were opened, and nothing was sent; the shop had ended all of them after {took:.0} s."
        ),
        "The shop says their number with its next heartbeat.".to_owned(),
    ]))
}
