//! The users of the system: customers and partners, a seller, an operator. They take orders through their whole life.
//!
//! Each request is retried until there is a response, and each acknowledged change is noted for the checker.

use std::{
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use common::domain::OrderStatus::{
    self, Closed, FileUploaded, ManufacturingApproved, ManufacturingCompleted, ManufacturingStarted, Packaging,
    PriceCalculated, Shipped, Submitted,
};
use futures::{StreamExt as _, stream};
use local::Login;
use mesh::solids;
use reqwest::{
    Method, RequestBuilder,
    header::CONTENT_TYPE,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    retrying_client::{Response, RetryingClient},
    run::{Run, say},
};

/// How long another system may take to change an order's status; after that the order is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(600);
/// One of this many orders is a partner's.
const ORDERS_PER_PARTNER_ORDER: u64 = 10;

/// An order and what its users saw of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journey {
    /// The order's comment, by which the checker finds duplicates.
    pub(crate) key: String,
    /// The order's id, once a response had it.
    pub(crate) order: Option<String>,
    /// Statuses that a response acknowledged.
    pub(crate) acknowledged: Vec<OrderStatus>,
    /// Requests that succeeded after a retry.
    pub(crate) recovered: u64,
    /// What ended the journey early.
    pub(crate) failure: Option<Failure>,
}

/// Why a journey ended early.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// No response, or no change of status, within ten minutes.
    Stuck(String),
    /// A response that the request can't have.
    Unexpected(String),
}

/// A client with a user's token.
struct User {
    client: RetryingClient,
    token: String,
}

/// All users of a run.
pub(crate) struct Workload {
    run: Arc<Run>,
    customer: User,
    partner: User,
    seller: User,
    operator: User,
    /// The model that is uploaded, as binary STL.
    model: Vec<u8>,
}

impl Workload {
    /// Registers a customer and logs all users in.
    pub(crate) async fn prepare(run: &Arc<Run>, [shop, crm, mes]: [RetryingClient; 3]) -> Result<Self> {
        let customer = Login { login: "fault-run".into(), password: "a ring to find them".into() };
        let credentials = json!({"login": customer.login, "password": customer.password});
        let registered = shop.send(Method::POST, "/customers", |request| request.json(&credentials)).await?;
        // 409: the response to an earlier try was lost.
        ensure!([201, 409].contains(&registered.status), "a registration got status {}", registered.status);
        let accounts = &run.file.accounts;
        let partner_key = run.file.partner_key.clone().context("there is no partner")?;
        Ok(Self {
            run: Arc::clone(run),
            customer: User::log_in(shop, &customer).await?,
            partner: User { client: mes.clone(), token: partner_key },
            seller: User::log_in(crm, accounts.seller.as_ref().context("there is no seller")?).await?,
            operator: User::log_in(mes, accounts.operator.as_ref().context("there is no operator")?).await?,
            model: solids::torus(9.0, 1.0, 12).to_binary_stl(),
        })
    }

    /// Takes orders from creation to their end, until there are enough orders and enough faults.
    pub(crate) async fn run(self) -> Vec<Journey> {
        let (run, workload) = (Arc::clone(&self.run), Arc::new(self));
        let goes_on = |number: &u64| *number < run.options.orders || run.fault_count() < run.options.faults;
        let start = |number| {
            let workload = Arc::clone(&workload);
            tokio::spawn(async move { workload.journey(number).await })
        };
        let mut done = 0;
        stream::iter((0..).take_while(goes_on).map(start))
            .buffer_unordered(run.options.clients.max(1))
            .filter_map(|journey| ready(journey.ok()))
            .inspect(|_| {
                done += 1;
                if done % 500 == 0 {
                    say(format!("{done} orders are through, {} faults", run.fault_count()));
                }
            })
            .collect()
            .await
    }

    async fn journey(&self, number: u64) -> Journey {
        let key = format!("fault run {} {number}", self.run.options.seed);
        let mut journey = Journey { key, ..Journey::default() };
        let by_partner = number % ORDERS_PER_PARTNER_ORDER == ORDERS_PER_PARTNER_ORDER - 1;
        journey.failure = self.complete(&mut journey, by_partner).await.err();
        journey
    }

    async fn complete(&self, journey: &mut Journey, by_partner: bool) -> Result<(), Failure> {
        let Self { seller, operator, .. } = self;
        if by_partner {
            self.create_as_partner(journey).await?;
        } else {
            self.create_as_customer(journey).await?;
        }
        seller.wait_for(journey, PriceCalculated).await?;
        seller.advance(journey, ManufacturingApproved).await?;
        operator.wait_for(journey, ManufacturingApproved).await?;
        let take = format!("{}/operator", journey.path());
        operator.change(journey, ManufacturingStarted, Method::PUT, &take, |request| request).await?;
        for status in [ManufacturingCompleted, Packaging, Shipped] {
            operator.advance(journey, status).await?;
        }
        seller.wait_for(journey, Shipped).await?;
        seller.advance(journey, Closed).await
    }

    async fn create_as_customer(&self, journey: &mut Journey) -> Result<(), Failure> {
        let order = json!({"material": "silver_925", "quantity": 1, "comment": journey.key});
        let create = |request: RequestBuilder| request.header("idempotency-key", &journey.key).json(&order);
        let created = self.customer.send(Method::POST, "/orders", create).await?;
        journey.acknowledge(created, 201)?;
        let path = format!("{}/model?filename=ring.stl", journey.path());
        let upload =
            |request: RequestBuilder| request.header(CONTENT_TYPE, "application/octet-stream").body(self.model.clone());
        self.customer.change(journey, FileUploaded, Method::PUT, &path, upload).await?;
        self.customer.advance(journey, Submitted).await
    }

    async fn create_as_partner(&self, journey: &mut Journey) -> Result<(), Failure> {
        let create = |request: RequestBuilder| {
            let form = Form::new().text("material", "silver_925").text("quantity", "1");
            let form = form.text("comment", journey.key.clone());
            let form = form.part("model", Part::bytes(self.model.clone()).file_name("ring.stl"));
            request.header("idempotency-key", &journey.key).multipart(form)
        };
        let created = self.partner.send(Method::POST, "/partner/orders", create).await?;
        journey.acknowledge(created, 202)
    }
}

impl User {
    async fn log_in(client: RetryingClient, Login { login, password }: &Login) -> Result<Self> {
        let credentials = json!({"login": login, "password": password});
        let session = client.send(Method::POST, "/sessions", |request| request.json(&credentials)).await?;
        ensure!(session.status == 201, "a login got status {}", session.status);
        let token = session.json["token"].as_str().context("a session without a token")?.to_owned();
        Ok(Self { client, token })
    }

    /// Changes the order's status to the next one by its name.
    async fn advance(&self, journey: &mut Journey, to: OrderStatus) -> Result<(), Failure> {
        let (path, body) = (format!("{}/status", journey.path()), json!({"status": to}));
        self.change(journey, to, Method::POST, &path, |request| request.json(&body)).await
    }

    /// Sends a request that changes the order's status. A retry may get 409 because an earlier try made the change; the
    /// order's status then decides.
    async fn change(
        &self,
        journey: &mut Journey,
        to: OrderStatus,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<(), Failure> {
        let response = self.send(method, path, complete).await?;
        if response.status == 409 && response.retries > 0 {
            let order = self.get(journey).await?;
            if status_of(&order) >= Some(to) {
                journey.acknowledged.push(to);
                journey.recovered += 1;
                return Ok(());
            }
        }
        journey.acknowledge(response, 200)
    }

    /// Polls until the order has this status, or a later one, because of another system's work.
    async fn wait_for(&self, journey: &Journey, status: OrderStatus) -> Result<(), Failure> {
        let deadline = Instant::now() + STUCK_AFTER;
        let mut pause = Duration::from_millis(100);
        loop {
            let order = self.get(journey).await?;
            if status_of(&order) >= Some(status) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::Stuck(format!("{} waits for {status}: {order}", journey.path())));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(2));
        }
    }

    async fn get(&self, journey: &Journey) -> Result<Value, Failure> {
        Ok(self.send(Method::GET, &journey.path(), |request| request).await?.json)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let response = self.client.send(method, path, |request| complete(request.bearer_auth(&self.token))).await;
        response.map_err(|error| Failure::Stuck(error.to_string()))
    }
}

impl Journey {
    /// Notes the id and the status that a response acknowledges; it must have this status code.
    fn acknowledge(&mut self, response: Response, expected: u16) -> Result<(), Failure> {
        let Response { request, status, json, retries } = response;
        let Some(acknowledged) = status_of(&json).filter(|_| status == expected) else {
            return Err(Failure::Unexpected(format!("{request}: {status} {json}")));
        };
        self.acknowledged.push(acknowledged);
        self.order = json["id"].as_str().map(str::to_owned);
        self.recovered += u64::from(retries > 0);
        Ok(())
    }

    fn path(&self) -> String {
        format!("/orders/{}", self.order.as_deref().unwrap_or_default())
    }
}

fn status_of(order: &Value) -> Option<OrderStatus> {
    serde_json::from_value(order["status"].clone()).ok()
}
