//! Databases that can't write, and databases that are gone.

use std::path::PathBuf;

use catalogue::{Action, ErrorType, Service, field};
use common::domain::OrderStatus::{
    self, ManufacturingApproved, ManufacturingCompleted, PriceCalculated, Shipped, Submitted,
};
use local::Login;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{Client, eventually, solids};
use tokio::sync::OnceCell;

use crate::support::{
    broker::{Copies, Message, Wire},
    failure::{Attempt, of_customer, of_order},
    log::{self, level, text},
    process::Process,
    secrets,
    site::{OrderActions as _, partner_form, ring, wish},
    world::World,
};

/// The logs of the services that lived through it.
pub(crate) async fn logs() -> &'static [PathBuf] {
    static LOGS: OnceCell<Vec<PathBuf>> = OnceCell::const_new();
    LOGS.get_or_init(live).await
}

async fn live() -> Vec<PathBuf> {
    let mut world = World::start(&[("STUCK_CHECK_SECONDS", "1".to_owned())]).await;
    let wire = world.broker.channel().await;
    let mut copies = wire.listen().await;
    let scene = Scene::set(&world, &mut copies).await;

    // A full disk: everything can be read, nothing written.
    for tables in [&world.shop_tables, &world.mes_tables] {
        execute(tables, FILL).await;
    }
    for attempt in scene.attempts(&world) {
        attempt.fails(&[ErrorType::DatabaseUnavailable]).await;
    }
    for tables in [&world.shop_tables, &world.mes_tables] {
        execute(tables, CLEAR).await;
    }

    // No way to the database.
    let lines = [&world.shop_to_database, &world.crm_to_database, &world.mes_to_database];
    lines.iter().for_each(|line| line.cut());
    for system in [Service::ShopApi, Service::CrmApi, Service::MesApi] {
        world.healthy(system, "unavailable").await;
    }
    for mut attempt in scene.attempts(&world) {
        // Who asked can't be found out, only what the request itself says.
        attempt.names.retain(|(name, value)| *name == field::ORDER_ID && attempt_names(&attempt.request, value));
        attempt.fails(&[ErrorType::DatabaseUnavailable]).await;
    }
    for attempt in scene.questions(&world) {
        attempt.fails(&[ErrorType::DatabaseUnavailable]).await;
    }
    background_work_fails_once(&world).await;
    let waiting = messages_wait(&world, &wire, &scene).await;

    lines.iter().for_each(|line| line.mend());
    everything_goes_on(&world, &waiting).await;
    world.stop().await;
    world.logs()
}

fn attempt_names(request: &RequestBuilder, order: &str) -> bool {
    let request = request.try_clone().and_then(|request| request.build().ok());
    request.is_some_and(|request| request.url().path().contains(order))
}

/// Writing an order, its history or a session fails with a full disk.
const FILL: &str = "
    CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION no_space();
    CREATE TRIGGER no_space BEFORE INSERT ON order_history FOR EACH ROW EXECUTE FUNCTION no_space();
    CREATE TRIGGER no_space BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION no_space();";
const CLEAR: &str = "DROP FUNCTION no_space CASCADE;";

async fn execute(tables: &PgPool, statements: &'static str) {
    sqlx::raw_sql(statements).execute(tables).await.expect("the administrator may do that");
}

/// An order in each status that can be followed by another one.
struct Scene {
    ada: Client,
    /// What Ada logs in with.
    login: Login,
    seller: Client,
    operator: Client,
    initiated: String,
    uploaded: String,
    priced: String,
    approved: String,
    started: String,
    shipped: String,
    without_price: String,
    /// What CRM and MES sent each other about `priced`.
    sent: Vec<Message>,
}

impl Scene {
    async fn set(world: &World, copies: &mut Copies) -> Self {
        let site = &world.site;
        let login = Login { login: secrets::new("customer"), password: secrets::new("password") };
        let ada = site.shop.register(&login.login, &login.password).await;
        let (seller, operator) = (site.seller().await, site.operator().await);
        let [priced, approved, started, shipped] =
            [ada.submit_new().await, ada.submit_new().await, ada.submit_new().await, ada.submit_new().await];
        let without_price = ada.create().await;
        let mut open = solids::cube(4.0);
        open.triangles.pop();
        ada.upload(&without_price, "open.stl", open.to_binary_stl()).await;
        ada.advance(&without_price, Submitted).await;

        let sent = copies.about(&priced, 2).await;
        for order in [&approved, &started] {
            seller.wait_for(order, PriceCalculated).await;
            seller.advance(order, ManufacturingApproved).await;
            operator.wait_for(order, ManufacturingApproved).await;
        }
        operator.take(&started).await;
        seller.wait_for(&shipped, PriceCalculated).await;
        site.make_and_ship(&shipped).await;
        seller.wait_for(&shipped, Shipped).await;
        eventually("the calculation to fail", async || {
            let order = operator.get(&format!("/orders/{without_price}")).await.json;
            if order["price_status"] == "FAILED" { Ok(()) } else { Err(order) }
        })
        .await;
        let (initiated, uploaded) = (ada.create().await, ada.create_with_model().await);
        Self {
            ada,
            login,
            seller,
            operator,
            initiated,
            uploaded,
            priced,
            approved,
            started,
            shipped,
            without_price,
            sent,
        }
    }

    /// Everything that anonymous can do to an order.
    fn attempts<'a>(&self, world: &'a World) -> Vec<Attempt<'a>> {
        use Action::{
            LoginFailed, OrderCreated, OrderModelUploaded, OrderOperatorAssigned, OrderPriceStatusChanged,
            OrderStatusChanged,
        };
        let Self { ada, seller, operator, .. } = self;
        let customer = vec![(field::CUSTOMER_ID, ada.account().to_string())];
        let post = |client: &Client, path: String, body: Value| client.request(Method::POST, &path).json(&body);
        let status = |client: &Client, order: &str, status: OrderStatus| {
            post(client, format!("/orders/{order}/status"), json!({"status": status}))
        };
        let model = |client: &Client, order: &str| {
            client.request(Method::PUT, &format!("/orders/{order}/model?filename=ring.stl")).body(ring())
        };
        let login = |client: &Client, login: &Login| post(client, "/sessions".to_owned(), json!(login));
        let mut for_customer = wish();
        for_customer["customer_id"] = json!(ada.account());
        let site = &world.site;
        let delivery = json!({"order_id": self.shipped});
        let partner = site.partner().request(Method::POST, "/partner/orders").multipart(partner_form(ring()));
        let taking = operator.request(Method::PUT, &format!("/orders/{}/operator", self.approved));
        let price = operator.request(Method::POST, &format!("/orders/{}/price", self.without_price));

        let attempts = [
            (&world.shop, post(ada, "/orders".to_owned(), wish()), OrderCreated, customer.clone()),
            (&world.shop, model(ada, &self.initiated), OrderModelUploaded, of_customer(&self.initiated, ada)),
            (&world.shop, status(ada, &self.uploaded, Submitted), OrderStatusChanged, of_customer(&self.uploaded, ada)),
            (&world.shop, login(&site.shop, &self.login), LoginFailed, vec![]),
            (&world.crm, post(seller, "/orders".to_owned(), for_customer), OrderCreated, customer),
            (&world.crm, model(seller, &self.initiated), OrderModelUploaded, of_order(&self.initiated)),
            (
                &world.crm,
                status(seller, &self.priced, ManufacturingApproved),
                OrderStatusChanged,
                of_order(&self.priced),
            ),
            (
                &world.crm,
                post(&site.carrier(), "/deliveries".to_owned(), delivery),
                OrderStatusChanged,
                of_order(&self.shipped),
            ),
            (&world.crm, login(&site.crm, &site.seller), LoginFailed, vec![]),
            (&world.mes, taking, OrderOperatorAssigned, of_order(&self.approved)),
            (
                &world.mes,
                status(operator, &self.started, ManufacturingCompleted),
                OrderStatusChanged,
                of_order(&self.started),
            ),
            (&world.mes, price, OrderPriceStatusChanged, of_order(&self.without_price)),
            (&world.mes, partner, OrderCreated, vec![]),
            (&world.mes, login(&site.mes, &site.operator), LoginFailed, vec![]),
        ];
        attempts.map(|(service, request, action, names)| Attempt { service, request, action, names }).into()
    }

    /// Requests that change no order, and need no room on the disk.
    fn questions<'a>(&self, world: &'a World) -> Vec<Attempt<'a>> {
        let questions = [(&world.shop, &self.ada), (&world.crm, &self.seller), (&world.mes, &self.operator)];
        let attempt = |service, request, action| Attempt { service, request, action, names: vec![] };
        let password = |client: &Client| {
            let change = json!({"old_password": secrets::new("old"), "new_password": secrets::new("new")});
            client.request(Method::PUT, "/accounts/me/password").json(&change)
        };
        let of_client = |(service, client): (&'a Process, &Client)| {
            [
                attempt(service, client.request(Method::GET, "/orders"), Action::HttpRequest),
                attempt(service, client.request(Method::DELETE, "/sessions/current"), Action::LoggedOut),
                attempt(service, password(client), Action::AccountPasswordChanged),
            ]
        };
        let registration = json!({"login": secrets::new("customer"), "password": secrets::new("password")});
        let registration = world.site.shop.request(Method::POST, "/customers").json(&registration);
        let mut attempts = vec![attempt(&world.shop, registration, Action::AccountRegistered)];
        attempts.extend(questions.into_iter().flat_map(of_client));
        attempts
    }
}

/// What relays, workers and watches can't do is one error each, however often they try.
async fn background_work_fails_once(world: &World) {
    for (service, action) in [
        (&world.crm, Action::MessagePublished),
        (&world.crm, Action::OrderStuck),
        (&world.mes, Action::MessagePublished),
        (&world.mes, Action::OrderPriceStatusChanged),
    ] {
        let of_action = [(field::EVENT_ACTION, action.name()), (field::ERROR_TYPE, "database_unavailable")];
        let found = service.found(1, &of_action).await;
        let found: Vec<_> = found.into_iter().filter(|record| !record.contains_key("http.request.id")).collect();
        assert_eq!(found.iter().filter(|record| level(record) == 50).count(), 1, "{action}: {found:?}");
    }
}

/// Messages that come now are one error and a warning at each try.
async fn messages_wait(world: &World, wire: &Wire, scene: &Scene) -> Vec<Message> {
    let waiting: Vec<_> = scene.sent.iter().map(Message::renumbered).collect();
    for message in &waiting {
        wire.publish(message).await;
        let service = world.service(recipient(message));
        let id = message.id();
        let with = |action: Action| [(field::MESSAGING_MESSAGE_ID, &*id), (field::EVENT_ACTION, action.name())];
        let tries = service.found(2, &with(Action::MessageRetried)).await;
        assert!(tries.iter().all(|record| level(record) == 40), "{tries:?}");
        let failed = service.found(1, &with(Action::MessageConsumed)).await;
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!((level(&failed[0]), text(&failed[0], field::ORDER_ID)), (50, &*scene.priced), "{failed:?}");
    }
    waiting
}

fn recipient(message: &Message) -> Service {
    common::outbox::MessageType::from_name(&message.routing_key).expect("one of ours").recipient()
}

async fn everything_goes_on(world: &World, waiting: &[Message]) {
    for system in [Service::ShopApi, Service::CrmApi, Service::MesApi] {
        world.healthy(system, "ok").await;
    }
    for message in waiting {
        let service = world.service(recipient(message));
        eventually("the message that waited to be taken", async || {
            let id = message.id();
            let taken = [(field::MESSAGING_MESSAGE_ID, &*id), (field::EVENT_OUTCOME, "success")];
            service.records().iter().any(|record| log::has(record, &taken)).then_some(()).ok_or("it waits")
        })
        .await;
    }
    let order = world.site.customer().await.submit_new().await;
    world.site.seller().await.wait_for(&order, PriceCalculated).await;
}
