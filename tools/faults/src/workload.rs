//! Takes orders through their whole life: customers and partners create them, sellers, operators and the carrier go on.
//!
//! Several users ask for the same step of an order, each request is retried until there is a response, and each acknowledged
//! change is noted for the checker.

use std::{future::ready, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use common::domain::OrderStatus::{
    self, Closed, FileUploaded, ManufacturingApproved, ManufacturingCompleted, ManufacturingStarted, Packaging,
    PriceCalculated, Shipped, Submitted,
};
use futures::{
    StreamExt as _,
    future::{join, try_join_all},
    stream,
};
use local::Login;
use serde_json::json;

use crate::{
    background,
    history::Call,
    models::Models,
    retrying_client::{Request, Response, RetryingClient},
    run::{Run, say},
    user::{Failure, Role, User, status_of},
};

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

/// All users of a run.
pub(crate) struct Workload {
    run: Arc<Run>,
    customer: User,
    partner: User,
    seller: User,
    carrier: User,
    operators: [User; 2],
    login: Login,
}

impl Workload {
    /// Registers a customer and logs all users in.
    pub(crate) async fn prepare(run: &Arc<Run>, [shop, crm, mes]: [RetryingClient; 3]) -> Result<Self> {
        let login = Login { login: "fault-run".into(), password: "a ring to find them".into() };
        let credentials = json!({"login": login.login, "password": login.password});
        let build = |address: &str| shop.http.post(format!("{address}/customers")).json(&credentials);
        let registered = shop.send(&Request { account: "", call: None, build: &build }).await?;
        // 409: the response to an earlier try was lost.
        ensure!([201, 409].contains(&registered.status), "a registration got status {}", registered.status);
        let (accounts, models) = (&run.file.accounts, Arc::new(Models::new()));
        let holder = |client: &RetryingClient, role: Role, name: &str, key: &Option<String>| {
            let token = key.clone().with_context(|| format!("there is no {name}"))?;
            let (client, models, account) = (client.clone(), Arc::clone(&models), name.to_owned());
            anyhow::Ok(User { client, models, role, account, token })
        };
        let employee = async |client: &RetryingClient, account: &Option<Login>| {
            User::log_in(client.clone(), &models, account.as_ref().context("an account is missing")?).await
        };
        Ok(Self {
            run: Arc::clone(run),
            customer: User::log_in(shop, &models, &login).await?,
            partner: holder(&mes, Role::Partner, "partner", &run.file.partner_key)?,
            seller: employee(&crm, &accounts.seller).await?,
            carrier: holder(&crm, Role::Carrier, "carrier", &run.file.carrier_key)?,
            operators: [employee(&mes, &accounts.operator).await?, employee(&mes, &accounts.second_operator).await?],
            login,
        })
    }

    /// Takes orders from creation to their end, until there are enough orders and enough faults. Meanwhile lists are read and
    /// sessions are opened and ended.
    pub(crate) async fn run(self) -> Result<Vec<Journey>> {
        let (run, workload) = (Arc::clone(&self.run), Arc::new(self));
        let start = |number| {
            let workload = Arc::clone(&workload);
            tokio::spawn(async move { workload.journey(number).await })
        };
        let background = tokio::spawn({
            let workload = Arc::clone(&workload);
            async move {
                let Self { run, customer, seller, operators, login, .. } = &*workload;
                let lists = join(background::walk(run, seller, "crm"), background::walk(run, &operators[0], "mes"));
                let (lists, sessions) = join(lists, background::use_sessions(run, customer, login)).await;
                lists.0.and(lists.1).and(sessions)
            }
        });
        let mut done = 0;
        let journeys = stream::iter((0..).take_while(|number| run.needs(*number)).map(start))
            .buffer_unordered(run.options.clients.max(1))
            .filter_map(|journey| ready(journey.ok()))
            .inspect(|_| {
                done += 1;
                if done % 100 == 0 {
                    say(format!("{done} orders are through, {} faults", run.fault_count()));
                }
            })
            .collect()
            .await;
        run.end();
        background.await.context("a task in the background panicked")??;
        Ok(journeys)
    }

    async fn journey(&self, number: u64) -> Journey {
        let key = format!("fault run {} {number}", self.run.options.seed);
        let mut journey = Journey { key, ..Journey::default() };
        let by_partner = number % ORDERS_PER_PARTNER_ORDER == ORDERS_PER_PARTNER_ORDER - 1;
        journey.failure = self.complete(&mut journey, by_partner).await.err();
        journey
    }

    async fn complete(&self, journey: &mut Journey, by_partner: bool) -> Result<(), Failure> {
        self.create(journey, if by_partner { &self.partner } else { &self.customer }).await?;
        let order = journey.order.clone().unwrap_or_default();
        let readers = [&self.customer, &self.seller, &self.operators[0]];
        let live = async {
            if !by_partner {
                self.place(journey, &order).await?;
            }
            self.produce(journey, &order).await
        };
        tokio::select! {
            lived = live => lived,
            failed = background::read(&readers[usize::from(by_partner)..], &order) => failed,
        }
    }

    /// Creates the order, often by several requests with the same key.
    async fn create(&self, journey: &mut Journey, user: &User) -> Result<(), Failure> {
        let call = Call::Create { key: journey.key.clone() };
        let requests = 1 + usize::from(fastrand::u8(..4) == 0);
        let created = try_join_all((0..requests).map(|_| user.send(&call))).await?;
        let expected = if user.role == Role::Partner { 202 } else { 201 };
        for response in &created {
            journey.acknowledge(&call, response, expected)?;
        }
        if fastrand::u8(..4) == 0 {
            user.send(&call).await?;
        }
        Ok(())
    }

    /// Uploads a model, and sometimes another one in its place, and submits the order.
    async fn place(&self, journey: &mut Journey, order: &str) -> Result<(), Failure> {
        let models = &self.customer.models;
        let all = [&models.small, &models.large];
        let first = fastrand::usize(..2);
        let uploads = 1 + usize::from(fastrand::u8(..4) == 0);
        for model in all.into_iter().cycle().skip(first).take(uploads) {
            let call = Call::Upload { order: order.to_owned(), model: model.clone() };
            self.change(journey, &[&self.customer], &call, FileUploaded).await?;
        }
        self.advance(journey, &[&self.customer, &self.seller], order, Submitted).await
    }

    /// Everything from the price to the delivery.
    async fn produce(&self, journey: &mut Journey, order: &str) -> Result<(), Failure> {
        let Self { seller, carrier, operators: [first, second], .. } = self;
        seller.wait_for(order, PriceCalculated).await?;
        self.advance(journey, &[seller], order, ManufacturingApproved).await?;
        first.wait_for(order, ManufacturingApproved).await?;
        let take = Call::Take { order: order.to_owned() };
        self.change(journey, &[first, second], &take, ManufacturingStarted).await?;
        let taken = first.read(order).await?;
        let (winner, loser) = if taken["operator_id"] == *second.account { (second, first) } else { (first, second) };
        if fastrand::u8(..8) == 0 {
            let refused = loser.send(&Call::Advance { order: order.to_owned(), to: ManufacturingCompleted }).await?;
            if refused.status != 403 {
                return Err(unexpected("an operator goes on with another one's order", &refused));
            }
        }
        for status in [ManufacturingCompleted, Packaging, Shipped] {
            self.advance(journey, &[winner], order, status).await?;
        }
        seller.wait_for(order, Shipped).await?;
        self.advance(journey, &[seller, carrier], order, Closed).await
    }

    /// Changes the order's status to the next one by its name.
    async fn advance(
        &self,
        journey: &mut Journey,
        users: &[&User],
        order: &str,
        to: OrderStatus,
    ) -> Result<(), Failure> {
        self.change(journey, users, &Call::Advance { order: order.to_owned(), to }, to).await
    }

    /// Lets users ask for the same change, sometimes all of them at once. All of them may get 409, because an earlier try made
    /// the change; the order's status then decides.
    async fn change(
        &self,
        journey: &mut Journey,
        users: &[&User],
        call: &Call,
        to: OrderStatus,
    ) -> Result<(), Failure> {
        let first = fastrand::usize(..users.len());
        let users = if fastrand::bool() { users } else { &users[first..=first] };
        let responses = try_join_all(users.iter().map(|user| user.send(call))).await?;
        if let Some(other) = responses.iter().find(|response| ![200, 409].contains(&response.status)) {
            return Err(unexpected(&format!("{call:?}"), other));
        }
        if let Some(done) = responses.iter().find(|response| response.status == 200) {
            return journey.acknowledge(call, done, 200);
        }
        let order = self.reader_of(users[0]).read(journey.order.as_deref().unwrap_or_default()).await?;
        if status_of(&order) < Some(to) || responses.iter().all(|response| response.retries == 0) {
            return Err(unexpected(&format!("{call:?}"), &responses[0]));
        }
        journey.acknowledged.push(to);
        journey.recovered += 1;
        Ok(())
    }

    /// The carrier reads no orders.
    fn reader_of<'a>(&'a self, user: &'a User) -> &'a User {
        if user.role == Role::Carrier { &self.seller } else { user }
    }
}

impl Journey {
    /// Notes the id and the status that a response acknowledges; it must have this status code.
    fn acknowledge(&mut self, call: &Call, response: &Response, expected: u16) -> Result<(), Failure> {
        let Some(acknowledged) = status_of(&response.json).filter(|_| response.status == expected) else {
            return Err(unexpected(&format!("{call:?}"), response));
        };
        self.acknowledged.push(acknowledged);
        self.order = response.json["id"].as_str().map(str::to_owned);
        self.recovered += u64::from(response.retries > 0);
        Ok(())
    }
}

fn unexpected(what: &str, Response { status, json, .. }: &Response) -> Failure {
    Failure::Unexpected(format!("{what}: {status} {json}"))
}
