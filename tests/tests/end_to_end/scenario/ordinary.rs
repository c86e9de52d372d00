//! A day on which nothing breaks: orders, logins right and wrong, impatient clients, orders that stand still.

use std::{fs, path::PathBuf};

use catalogue::{Action, field};
use common::domain::{
    OrderStatus::{self, Closed, FileUploaded, PriceCalculated, Shipped, Submitted},
    Role,
};
use local::Login;
use serde_json::json;
use testkit::Client;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::OnceCell,
};
use uuid::Uuid;

use super::accounts;
use crate::support::{
    log::{self, level, text},
    process, secrets,
    site::{OrderActions as _, number, ring},
    system,
    world::World,
};

/// The logs of the services that lived through it.
pub(crate) async fn logs() -> &'static [PathBuf] {
    static LOGS: OnceCell<Vec<PathBuf>> = OnceCell::const_new();
    LOGS.get_or_init(live).await
}

async fn live() -> Vec<PathBuf> {
    let deadlines = system::system().await.data().join("deadlines.toml");
    fs::write(&deadlines, "FILE_UPLOADED = \"2 hours\"\nSUBMITTED = \"2 hours\"\nWHOLE_ORDER = \"3 weeks\"\n")
        .expect("a settings file");
    let settings = [("DEADLINES_FILE", deadlines.display().to_string()), ("STUCK_CHECK_SECONDS", "1".to_owned())];
    let mut world = World::start(&settings).await;
    let ((), (), more, (), ()) = tokio::join!(
        orders(&world),
        refused_logins(&world),
        accounts::live(&world),
        impatient_clients(&world),
        standing_orders(&world)
    );
    accounts::stuffed_logins(&world).await;
    world.stop().await;
    let mut logs = world.logs();
    logs.extend(more);
    logs.extend(services_that_do_not_start().await);
    logs
}

/// A customer's, a seller's and a partner's order.
async fn orders(world: &World) {
    let site = &world.site;
    let (ada, seller) = (site.customer().await, site.seller().await);
    let wish = json!({"customer_id": ada.account(), "material": "gold_750", "quantity": 1});
    let of_seller = number(&seller.post_json("/orders", wish).await.expect(201));
    seller.upload(&of_seller, "ring.stl", ring()).await;
    seller.advance(&of_seller, Submitted).await;
    let of_partner = site.partner().order_as_partner().await;
    let of_customer = ada.submit_new().await;
    for order in [&of_seller, &of_partner, &of_customer] {
        seller.wait_for(order, PriceCalculated).await;
    }
    site.make_and_ship(&of_customer).await;
    seller.wait_for(&of_customer, Shipped).await;
    seller.advance(&of_customer, Closed).await;
}

/// Wrong passwords and unknown logins at all three services.
async fn refused_logins(world: &World) {
    let site = &world.site;
    let customer = Login { login: secrets::new("customer"), password: secrets::new("password") };
    site.shop.register(&customer.login, &customer.password).await;
    // Not those who work at the same time: a login that works lets the count begin anew.
    let seller = world.employee(Role::Seller).await;
    let operator = world.employee(Role::Operator).await;
    for (service, client, known) in
        [(&world.shop, &site.shop, &customer), (&world.crm, &site.crm, &seller), (&world.mes, &site.mes, &operator)]
    {
        let failed = async |login: &str| {
            let credentials = json!({"login": login, "password": secrets::new("wrong")});
            let response = client.post_json("/sessions", credentials).await;
            let request = response.header("x-request-id").expect("every response names its request").to_owned();
            response.expect_problem(401, "wrong_credentials");
            let records = service.records();
            let of_request = |record: &&log::Record| {
                log::has(record, &[(field::HTTP_REQUEST_ID, &request)])
                    && text(record, field::EVENT_ACTION) != Action::HttpRequest.name()
            };
            let found: Vec<_> = records.iter().filter(of_request).cloned().collect();
            assert_eq!(found.len(), 1, "{found:?}");
            found.into_iter().next().expect("one record")
        };
        let unknown = failed(&secrets::new("nobody")).await;
        assert!(unknown.contains_key(field::USER_HASH) && !unknown.contains_key(field::USER_ID), "{unknown:?}");

        let one_account = count_from_one(client, known, &failed).await;
        let actions: Vec<_> = one_account.iter().map(|record| text(record, field::EVENT_ACTION)).collect();
        let (once, repeatedly) = (Action::LoginFailed.name(), Action::LoginFailedRepeatedly.name());
        assert_eq!(actions, [once, once, repeatedly, repeatedly]);
        let levels: Vec<_> = one_account.iter().map(level).collect();
        assert_eq!(levels, [30, 30, 40, 40]);
        let counts: Vec<_> = one_account.iter().map(|record| record.get(field::AUTH_FAILURES)).collect();
        assert_eq!(counts, [None, None, Some(&json!(3)), Some(&json!(4))]);
        assert!(one_account.iter().all(|record| text(record, field::SOURCE_IP) == "127.0.0.0"), "{one_account:?}");
        assert!(one_account.iter().all(|record| record.contains_key(field::USER_ID)), "{one_account:?}");
    }
}

/// Four wrong passwords in a row, after a right one that lets the count begin anew.
async fn count_from_one(
    client: &Client,
    known: &Login,
    failed: &impl AsyncFn(&str) -> log::Record,
) -> Vec<log::Record> {
    let session = client.log_in(&known.login, &known.password).await;
    secrets::keep(session.token());
    let mut records = Vec::new();
    for _ in 0..4 {
        records.push(failed(&known.login).await);
    }
    // The account is as good as new again.
    secrets::keep(client.log_in(&known.login, &known.password).await.token());
    records
}

/// Clients that hang up before they are answered, while their password is being checked.
async fn impatient_clients(world: &World) {
    for service in [&world.shop, &world.crm, &world.mes] {
        let request = format!("hung-up-{}", Uuid::now_v7());
        let body = json!({"login": secrets::new("nobody"), "password": secrets::new("wrong")}).to_string();
        let head = format!(
            "POST /sessions HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {request}\r\nExpect: 100-continue\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut connection = TcpStream::connect(service.host()).await.expect("the service listens");
        connection.write_all(head.as_bytes()).await.expect("the service reads");
        // The service has begun with the request when it asks for the body.
        let mut go_on = [0; 12];
        connection.read_exact(&mut go_on).await.expect("the service wants the body");
        assert_eq!(&go_on, b"HTTP/1.1 100");
        connection.write_all(body.as_bytes()).await.expect("the service reads");
        drop(connection);

        let of_request = [(field::HTTP_REQUEST_ID, &*request), (field::EVENT_ACTION, "http.request")];
        let found = service.found(1, &of_request).await;
        assert_eq!(found[0][field::HTTP_RESPONSE_STATUS_CODE], 499, "{found:?}");
        assert_eq!(level(&found[0]), 30);
    }
}

/// An order that stands still is reported once in each status, and once when it takes too long as a whole.
async fn standing_orders(world: &World) {
    let ada = world.site.customer().await;
    let set_back = async |order: &str, columns: &str, ago: &str| {
        let columns = columns.split(' ').map(|column| format!("{column} = now() - interval '{ago}'"));
        let change = format!("UPDATE orders SET {} WHERE id = $1", columns.collect::<Vec<_>>().join(", "));
        let set = sqlx::query(sqlx::AssertSqlSafe(change)).bind(order).execute(&world.shop_tables);
        assert_eq!(set.await.expect("the database responds").rows_affected(), 1);
    };
    let reported = async |order: &str, action: Action, status: OrderStatus, level: u64| {
        let found = world.crm.found(1, &[(field::ORDER_ID, order), (field::EVENT_ACTION, action.name())]).await;
        assert_eq!((log::level(&found[0]), text(&found[0], field::ORDER_STATUS)), (level, status.name()));
        found[0][field::ORDER_AGE_HOURS].as_f64().expect("a number")
    };
    // Its model can't be priced, so it stays.
    let order = ada.create().await;
    ada.upload(&order, "garbage.obj", b"v 1 2 3\nf 1 2 77\n".to_vec()).await;
    set_back(&order, "status_since", "150 minutes").await;
    let hours = reported(&order, Action::OrderAbandoned, FileUploaded, 30).await;
    assert!((2.49..2.6).contains(&hours), "{hours}");
    ada.advance(&order, Submitted).await;
    set_back(&order, "status_since submitted_at", "600 hours").await;
    let hours = reported(&order, Action::OrderStuck, Submitted, 40).await;
    assert!((599.9..600.1).contains(&hours), "{hours}");
    reported(&order, Action::OrderOverdue, Submitted, 40).await;
    let seller = world.site.seller().await;
    for list in ["stuck", "overdue"] {
        let listed = seller.get(&format!("/orders?{list}=true")).await.expect(200);
        let items = listed["items"].as_array().expect("a list");
        assert!(items.iter().any(|item| item["id"] == *order), "{listed}");
    }

    // The next order that gets stuck shows that the CRM has looked again meanwhile.
    let next = ada.create_with_model().await;
    set_back(&next, "status_since", "3 hours").await;
    reported(&next, Action::OrderAbandoned, FileUploaded, 30).await;
    for action in [Action::OrderAbandoned, Action::OrderStuck, Action::OrderOverdue] {
        let of_order = [(field::ORDER_ID, &*order), (field::EVENT_ACTION, action.name())];
        let count = world.crm.records().iter().filter(|record| log::has(record, &of_order)).count();
        assert_eq!(count, 1, "{action}");
    }
}

/// Each service with a port that is taken.
async fn services_that_do_not_start() -> Vec<PathBuf> {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("it listens").to_string();
    let mut logs = Vec::new();
    for service in ["shop-api", "crm-api", "mes-api"] {
        let settings = [("LISTEN_ADDR", address.clone())];
        let (log, said) = process::fails_to_start(system::file().await, service, &settings).await;
        assert!(said.contains("LISTEN_ADDR"), "{said}");
        let records = log::records(&log);
        let stopped = [(field::SERVICE_STATE, "stopped"), (field::EVENT_OUTCOME, "failure")];
        assert!(records.iter().any(|record| log::has(record, &stopped) && level(record) == 50), "{records:?}");
        logs.push(log);
    }
    logs
}
