//! Two replicas of each service over real databases, and what happens to them beside requests.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use common::{
    auth::accounts,
    domain::{OrderFacts, Role},
    messaging::Handler,
};
use crm_api::CrmApi;
use mes_api::MesApi;
use serde_json::Value;
use shop_api::ShopApi;
use sqlx::PgPool;
use testkit::{
    Client, facts,
    service::{self, PASSWORD, RunningService},
};
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use super::model::{Account, At, Model, Session};

const PEOPLE: [(Role, usize); 3] = [(Role::Customer, 3), (Role::Seller, 2), (Role::Operator, 3)];
const KEY_OWNERS: [Role; 3] = [Role::Partner, Role::Partner, Role::Carrier];
/// No login has to wait for its turn, nor is held off: it is always from the same address.
const FLAGS: [&str; 4] = ["--login-burst", "100000", "--logins-per-second", "10000"];
/// One replica of the MES calculates the prices, and looks for them often.
const PRICES: [&str; 4] = ["--price-workers", "1", "--price-poll-ms", "40"];
const NO_PRICES: [&str; 2] = ["--price-workers", "0"];
const PRICE_PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks for prices that are not there yet. One takes some milliseconds.
const PRICE_PAUSE: Duration = Duration::from_millis(5);

/// The three services, twice each.
pub(crate) struct World {
    shop: RunningService,
    mes: RunningService,
    /// Clients without a token, for each system, of each replica.
    replicas: [[Client; 2]; 3],
    people: Vec<Person>,
    /// Tokens of people that were open when a sequence ended, for the next one.
    open: RefCell<BTreeMap<Uuid, String>>,
    _stop_on_drop: Vec<DropGuard>,
}

#[derive(Clone)]
struct Person {
    id: Uuid,
    login: String,
    role: Role,
}

impl World {
    pub(crate) async fn start() -> Self {
        let shop = service::start::<ShopApi>(&FLAGS).await;
        let mes = service::start::<MesApi>(&[&FLAGS[..], &PRICES].concat()).await;
        let (other_shop, crm, other_crm, other_mes) = (
            shop.replica::<ShopApi>(&FLAGS).await,
            shop.replica::<CrmApi>(&FLAGS).await,
            shop.replica::<CrmApi>(&FLAGS).await,
            mes.replica::<MesApi>(&[&FLAGS[..], &NO_PRICES].concat()).await,
        );
        let mut people = Vec::new();
        for (role, count) in PEOPLE {
            for _ in 0..count {
                let (id, login) = if role == Role::Operator { &mes } else { &shop }.account(role).await;
                people.push(Person { id, login, role });
            }
        }
        let replicas =
            [[shop.anonymous().clone(), other_shop.1], [crm.1, other_crm.1], [mes.anonymous().clone(), other_mes.1]];
        let _stop_on_drop = vec![other_shop.0, crm.0, other_crm.0, other_mes.0];
        Self { shop, mes, replicas, people, open: RefCell::default(), _stop_on_drop }
    }

    /// A client without a token of one of a system's replicas.
    pub(crate) fn replica(&self, at: At, replica: usize) -> &Client {
        &self.replicas[at as usize][replica]
    }

    fn service_of(&self, role: Role) -> &RunningService {
        if At::Mes.knows(role) { &self.mes } else { &self.shop }
    }

    /// Begins a sequence: no orders, nobody disabled, a session for each person and new owners of keys.
    pub(crate) async fn begin(&self) -> Model {
        for service in [&self.shop, &self.mes] {
            let emptied = "TRUNCATE orders, outbox, inbox, login_failures, login_failure_sources CASCADE";
            sqlx::raw_sql(emptied).execute(service.tables()).await.expect("empty tables");
        }
        let mut model = Model::default();
        for person in self.people.clone() {
            accounts::enable(&self.service_of(person.role).units(), &person.login).await.expect("an account");
            model.accounts.push(Account { id: person.id, role: person.role, is_disabled: false });
            let account = model.accounts.len() - 1;
            match self.open_token(&person).await {
                Some(token) => model.sessions.push(Session { account, token, is_over: false }),
                None => self.log_in(&mut model, account).await,
            }
        }
        for role in KEY_OWNERS {
            let client = self.service_of(role).with_key(role).await;
            model.accounts.push(Account { id: client.account(), role, is_disabled: false });
            let account = model.accounts.len() - 1;
            model.sessions.push(Session { account, token: client.token().to_owned(), is_over: false });
        }
        model
    }

    /// The token that a person has from the sequence before, if it is still good.
    async fn open_token(&self, person: &Person) -> Option<String> {
        let token = self.open.borrow_mut().remove(&person.id)?;
        let at = if person.role == Role::Operator { At::Mes } else { At::Shop };
        let client = self.replica(at, 0).holding(&token, None);
        (client.get("/accounts/me/sessions").await.status == 200).then_some(token)
    }

    /// Ends a sequence; sessions that are open by the model stay for the next one.
    pub(crate) fn end(&self, model: &Model) {
        for (account, of) in model.accounts.iter().enumerate().filter(|(_, of)| !of.role.has_keys()) {
            if let Some(session) = model.session_of(account) {
                self.open.borrow_mut().insert(of.id, model.sessions[session].token.clone());
            }
        }
    }

    /// A person logs in.
    pub(crate) async fn log_in(&self, model: &mut Model, account: usize) {
        let person = self.people.iter().find(|person| person.id == model.accounts[account].id).expect("a person");
        let at = if person.role == Role::Operator { At::Mes } else { At::Shop };
        let client = self.replica(at, model.sessions.len() % 2).log_in(&person.login, PASSWORD).await;
        model.sessions.push(Session { account, token: client.token().to_owned(), is_over: false });
    }

    /// Disables an account.
    pub(crate) async fn disable(&self, model: &Model, account: usize) {
        let of = &model.accounts[account];
        let units = self.service_of(of.role).units();
        accounts::disable(&units, &self.login(of).await).await.expect("an account");
    }

    /// Replaces the key of a partner or carrier; returns the new one.
    pub(crate) async fn rotate(&self, model: &Model, account: usize, ends_old_one: bool) -> String {
        let of = &model.accounts[account];
        let units = self.service_of(of.role).units();
        let login = self.login(of).await;
        let key = accounts::create_key(&units, &login, of.role, ends_old_one).await.expect("a new key");
        key.1.expose().to_owned()
    }

    async fn login(&self, account: &Account) -> String {
        let login = sqlx::query_scalar("SELECT login FROM accounts WHERE id = $1").bind(account.id);
        login.fetch_one(self.service_of(account.role).tables()).await.expect("an account")
    }

    /// Waits until no price is left to calculate.
    pub(crate) async fn calculate_prices(&self) {
        let unfinished = "SELECT EXISTS (SELECT FROM orders WHERE price_status IN ('QUEUED', 'CALCULATING'))";
        let deadline = Instant::now() + PRICE_PATIENCE;
        while sqlx::query_scalar(unfinished).fetch_one(self.mes.tables()).await.expect("a truth value") {
            assert!(Instant::now() < deadline, "prices take too long");
            tokio::time::sleep(PRICE_PAUSE).await;
        }
    }

    /// The MES gets what the CRM has sent. The services' own handlers apply it; there is no broker, so that a sequence is the
    /// same each time.
    pub(crate) async fn deliver_orders(&self) {
        deliver(&self.shop, &self.mes, &mes_api::Inbound::default()).await;
    }

    /// The CRM gets what the MES has sent.
    pub(crate) async fn deliver_progress(&self) {
        deliver(&self.mes, &self.shop, &crm_api::Inbound).await;
    }
}

/// Applies what is in one service's outbox to the other one's tables, with the models.
async fn deliver(from: &RunningService, to: &RunningService, handler: &impl Handler) {
    for facts in taken_from_outbox(from.tables()).await {
        copy_model(from.models(), to.models(), &facts.model_key);
        facts::apply(to.tables(), handler, &facts).await.expect("a message that fits");
    }
}

async fn taken_from_outbox(tables: &PgPool) -> Vec<OrderFacts> {
    let taken = "WITH taken AS (DELETE FROM outbox RETURNING seq, body) SELECT body FROM taken ORDER BY seq";
    let bodies: Vec<Value> = sqlx::query_scalar(taken).fetch_all(tables).await.expect("the outbox");
    bodies.into_iter().map(|body| serde_json::from_value(body).expect("an order's facts")).collect()
}

/// The services of one system have one model store; here, each database has its own folder.
fn copy_model(from: &Path, to: &Path, key: &str) {
    if !to.join(key).exists() {
        facts::store(to, key, &std::fs::read(from.join(key)).expect("a model"));
    }
}
