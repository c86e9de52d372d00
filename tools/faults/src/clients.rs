//! Everybody who uses the system, order by order: customers and partners, a seller, an operator, the carrier.
//!
//! A client asks again until it is answered, as a person would. Each answer that says that something was done is kept, to
//! be held against the databases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use common::domain::OrderStatus::{
    self, Closed, FileUploaded, ManufacturingApproved, ManufacturingCompleted, ManufacturingStarted, Packaging,
    PriceCalculated, Shipped, Submitted,
};
use testkit::solids;
use futures::StreamExt as _;
use local::Login;
use reqwest::{
    Method, RequestBuilder,
    header::CONTENT_TYPE,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{Run, door::Door, say};

/// What another system has to do takes no longer than this, unless the order is stuck.
const PATIENCE: Duration = Duration::from_secs(600);
/// Every so many orders is a partner's.
const PARTNERS: u64 = 10;

/// The doors of all services.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    pub(crate) shop: Door,
    pub(crate) crm: Door,
    pub(crate) mes: Door,
}

/// What became of an order, as its clients were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journey {
    /// Stands in the order's comment: how often it is there tells how often it was created.
    pub(crate) key: String,
    /// Its number, once somebody was told.
    pub(crate) order: Option<String>,
    /// Statuses that somebody was told it has.
    pub(crate) acknowledged: Vec<OrderStatus>,
    /// Requests that were answered well, but not at the first try.
    pub(crate) recovered: u64,
    /// Answers that nobody should get.
    pub(crate) unexpected: Vec<String>,
    /// Where it stopped, if it did.
    pub(crate) stuck: Option<String>,
}

/// Why a journey doesn't go on.
enum Halt {
    Stuck(String),
    Unexpected(String),
}

#[derive(Clone)]
pub(crate) struct Clients {
    run: Arc<Run>,
    doors: Doors,
    customer: String,
    seller: String,
    operator: String,
    ring: Vec<u8>,
}

impl Clients {
    /// Logs everybody in.
    pub(crate) async fn prepare(run: &Arc<Run>, doors: Doors) -> Result<Self> {
        let customer = Login { login: "fault-run".into(), password: "a ring to find them".into() };
        let body = json!({"login": customer.login, "password": customer.password});
        let registered = doors.shop.insist(Method::POST, "/customers", |request| request.json(&body)).await;
        let registered = registered.context("nobody can register")?.answer;
        // 409: a lost answer's second try.
        ensure!([201, 409].contains(&registered.status), "a registration was answered by {}", registered.status);
        let accounts = &run.file.accounts;
        let seller = accounts.seller.as_ref().context("there is no seller")?;
        let operator = accounts.operator.as_ref().context("there is no operator")?;
        Ok(Self {
            run: Arc::clone(run),
            customer: log_in(&doors.shop, &customer).await?,
            seller: log_in(&doors.crm, seller).await?,
            operator: log_in(&doors.mes, operator).await?,
            doors,
            ring: solids::torus(9.0, 1.0, 12).to_binary_stl(),
        })
    }

    /// Makes orders and sees each through, until there are enough of them and of faults.
    pub(crate) async fn order(self) -> Vec<Journey> {
        let (begun, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let run = Arc::clone(&self.run);
        let one_by_one = (0..self.run.options.clients).map(|_| {
            let (clients, begun, done) = (self.clone(), Arc::clone(&begun), Arc::clone(&done));
            tokio::spawn(async move {
                let mut journeys = Vec::new();
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if number >= clients.run.options.orders && !clients.run.needs_more_faults() {
                        return journeys;
                    }
                    journeys.push(clients.journey(number).await);
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(500) {
                        say(format!("{done} orders are through, {} faults", run_faults(&clients.run)));
                    }
                }
            })
        });
        let tasks: Vec<_> = one_by_one.collect();
        let journeys = futures::stream::iter(tasks).buffered(run.options.clients.max(1));
        journeys.map(|journeys| journeys.unwrap_or_default()).concat().await
    }

    async fn journey(&self, number: u64) -> Journey {
        let mut journey =
            Journey { key: format!("fault run {} {number}", self.run.options.seed), ..Journey::default() };
        match self.travel(&mut journey, number % PARTNERS == PARTNERS - 1).await {
            Ok(()) => {}
            Err(Halt::Stuck(place)) => journey.stuck = Some(place),
            Err(Halt::Unexpected(answer)) => journey.unexpected.push(answer),
        }
        journey
    }

    async fn travel(&self, journey: &mut Journey, by_partner: bool) -> Result<(), Halt> {
        if by_partner {
            self.place_as_partner(journey).await?;
        } else {
            self.place(journey).await?;
        }
        let (crm, mes) = (&self.doors.crm, &self.doors.mes);
        self.wait(crm, &self.seller, journey, PriceCalculated).await?;
        self.advance(crm, &self.seller, journey, ManufacturingApproved).await?;
        self.wait(mes, &self.operator, journey, ManufacturingApproved).await?;
        let take = format!("{}/operator", path(journey));
        self.change(mes, &self.operator, journey, ManufacturingStarted, Method::PUT, &take, |request| request).await?;
        for status in [ManufacturingCompleted, Packaging, Shipped] {
            self.advance(mes, &self.operator, journey, status).await?;
        }
        self.wait(crm, &self.seller, journey, Shipped).await?;
        self.advance(crm, &self.seller, journey, Closed).await
    }

    async fn place(&self, journey: &mut Journey) -> Result<(), Halt> {
        let wish = json!({"material": "silver_925", "quantity": 1, "comment": journey.key});
        let create = |request: RequestBuilder| request.header("idempotency-key", &journey.key).json(&wish);
        let created = self.ask(&self.doors.shop, &self.customer, Method::POST, "/orders", create).await?;
        created.check(201, journey)?;
        let upload = format!("{}/model?filename=ring.stl", path(journey));
        let ring =
            |request: RequestBuilder| request.header(CONTENT_TYPE, "application/octet-stream").body(self.ring.clone());
        self.change(&self.doors.shop, &self.customer, journey, FileUploaded, Method::PUT, &upload, ring).await?;
        self.advance(&self.doors.shop, &self.customer, journey, Submitted).await
    }

    async fn place_as_partner(&self, journey: &mut Journey) -> Result<(), Halt> {
        let key = self.run.file.partner_key.clone().unwrap_or_default();
        let form = |request: RequestBuilder| {
            let form = Form::new().text("material", "silver_925").text("quantity", "1");
            let form = form.text("comment", journey.key.clone());
            let form = form.part("model", Part::bytes(self.ring.clone()).file_name("ring.stl"));
            request.header("idempotency-key", &journey.key).multipart(form)
        };
        let placed = self.ask(&self.doors.mes, &key, Method::POST, "/partner/orders", form).await?;
        placed.check(202, journey)
    }

    /// Asks for the next status by name.
    async fn advance(&self, door: &Door, token: &str, journey: &mut Journey, to: OrderStatus) -> Result<(), Halt> {
        let path = format!("{}/status", path(journey));
        let body = json!({"status": to});
        self.change(door, token, journey, to, Method::POST, &path, |request| request.json(&body)).await
    }

    /// Asks for a change. Whoever had to ask twice may be told that it was done before, and then looks.
    #[expect(clippy::too_many_arguments, reason = "who asks whom for what, of which order")]
    async fn change(
        &self,
        door: &Door,
        token: &str,
        journey: &mut Journey,
        to: OrderStatus,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<(), Halt> {
        let asked = self.ask(door, token, method, path, complete).await?;
        if asked.status == 409 && asked.tries_before > 0 {
            let found = self.ask(door, token, Method::GET, &self::path(journey), |request| request).await?;
            if status_of(&found.json) >= Some(to) {
                journey.acknowledged.push(to);
                journey.recovered += 1;
                return Ok(());
            }
        }
        asked.check(200, journey)
    }

    /// Looks until the order has a status that another system gives it.
    async fn wait(&self, door: &Door, token: &str, journey: &Journey, status: OrderStatus) -> Result<(), Halt> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(100);
        loop {
            let found = self.ask(door, token, Method::GET, &path(journey), |request| request).await?;
            if status_of(&found.json) >= Some(status) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Halt::Stuck(format!("{} waits for {status}: {}", path(journey), found.json)));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(2));
        }
    }

    async fn ask(
        &self,
        door: &Door,
        token: &str,
        method: Method,
        path: &str,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Asked, Halt> {
        let what = format!("{method} {path}");
        let insisted = door.insist(method, path, |request| complete(request.bearer_auth(token))).await;
        let insisted = insisted.ok_or_else(|| Halt::Stuck(format!("{what} gets no answer")))?;
        Ok(Asked {
            what,
            status: insisted.answer.status,
            json: insisted.answer.json,
            tries_before: insisted.tries_before,
        })
    }
}

/// A request and its answer.
struct Asked {
    what: String,
    status: u16,
    json: Value,
    tries_before: u32,
}

impl Asked {
    /// Notes what the answer acknowledges, if it is the one that was hoped for.
    fn check(self, hoped_for: u16, journey: &mut Journey) -> Result<(), Halt> {
        let status = status_of(&self.json);
        let (Some(status), true) = (status, self.status == hoped_for) else {
            return Err(Halt::Unexpected(format!("{}: {} {}", self.what, self.status, self.json)));
        };
        journey.acknowledged.push(status);
        journey.order = self.json["id"].as_str().map(str::to_owned);
        journey.recovered += u64::from(self.tries_before > 0);
        Ok(())
    }
}

fn path(journey: &Journey) -> String {
    format!("/orders/{}", journey.order.as_deref().unwrap_or_default())
}

fn status_of(order: &Value) -> Option<OrderStatus> {
    serde_json::from_value(order["status"].clone()).ok()
}

fn run_faults(run: &Run) -> u64 {
    run.faults.load(Ordering::Relaxed)
}

async fn log_in(door: &Door, login: &Login) -> Result<String> {
    let body = json!({"login": login.login, "password": login.password});
    let session = door.insist(Method::POST, "/sessions", |request| request.json(&body)).await;
    let session = session.context("nobody can log in")?.answer;
    ensure!(session.status == 201, "a login was answered by {}", session.status);
    session.json["token"].as_str().map(str::to_owned).context("a session without a token")
}
