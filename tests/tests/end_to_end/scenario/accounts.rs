//! What becomes of accounts, their sessions and their keys, and requests that are none of the caller's business, at all three
//! services.

use std::path::PathBuf;

use catalogue::{Action, Service, field};
use common::domain::Role;
use local::Login;
use serde_json::{Value, json};
use testkit::{Client, eventually};

use crate::support::{
    log::{self, text},
    process::Process,
    secrets,
    world::World,
};

/// All of it; returns the logs of further services.
pub(super) async fn live(world: &World) -> Vec<PathBuf> {
    refused_requests(world).await;
    keys(world).await;
    passwords_and_sessions(world).await;
    commands(world).await;
    expired_sessions(world).await
}

/// Many logins that fail from one address, at each service on its own. While others fail to log in, it is not known whose
/// failure is the one that makes the warning.
pub(super) async fn stuffed_logins(world: &World) {
    let site = &world.site;
    for (service, client, tables) in [
        (&world.shop, &site.shop, &world.shop_tables),
        (&world.crm, &site.crm, &world.shop_tables),
        (&world.mes, &site.mes, &world.mes_tables),
    ] {
        sqlx::query("DELETE FROM login_failure_sources").execute(tables).await.expect("the database responds");
        let warnings = || {
            let of_address = [(field::EVENT_ACTION, Action::SourceFailedRepeatedly.name())];
            service.records().iter().filter(|record| log::has(record, &of_address)).count()
        };
        for failures in 1..=50 {
            assert_eq!(warnings(), 0, "{failures}");
            let credentials = json!({"login": secrets::new("nobody"), "password": secrets::new("wrong")});
            client.post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");
        }
        assert_eq!(warnings(), 1);
    }
}

async fn logged_in(service: &Client, login: &Login) -> Client {
    let client = service.log_in(&login.login, &login.password).await;
    secrets::keep(client.token());
    client
}

/// Waits for a record of this action in the name of this service, which another one with the same database may have written.
async fn recorded(services: &[&Process], name: Service, action: Action) {
    eventually(&format!("{action} of {name}"), async || {
        let wanted = [(field::NAME, name.name()), (field::EVENT_ACTION, action.name())];
        let mut records = services.iter().flat_map(|service| service.records());
        if records.any(|record| log::has(&record, &wanted)) { Ok(()) } else { Err("there is none") }
    })
    .await;
}

/// Made-up logins that have to wait, accounts of another role, orders of others.
async fn refused_requests(world: &World) {
    let site = &world.site;
    let (seller, operator) = (world.employee(Role::Seller).await, world.employee(Role::Operator).await);
    // Shop and CRM have the same accounts.
    let (customer, other) = (site.customer().await, site.customer().await);
    let at_shop = logged_in(&site.shop, &seller).await;
    let (at_crm, at_mes) = (logged_in(&site.crm, &seller).await, logged_in(&site.mes, &operator).await);
    for (service, stranger, member) in [
        (&site.shop, at_shop, other),
        (&site.crm, site.crm.holding(customer.token(), None), at_crm),
        (&site.mes, site.partner(), at_mes),
    ] {
        stranger.get("/orders").await.expect_problem(403, "forbidden");
        member.delete("/sessions/current").await.expect(204);
        let made_up = secrets::new("nobody");
        let attempt = async || {
            let credentials = json!({"login": made_up, "password": secrets::new("wrong")});
            service.post_json("/sessions", credentials).await
        };
        for _ in 0..5 {
            attempt().await.expect_problem(401, "wrong_credentials");
        }
        attempt().await.expect_problem(429, "too_many_attempts");
    }
    for _ in 0..3 {
        customer.get("/orders/A-999999999").await.expect_problem(404, "order_not_found");
        site.partner().get("/partner/orders/P-999999999").await.expect_problem(404, "order_not_found");
    }
}

/// A key's first use, and keys that are none.
async fn keys(world: &World) {
    for (service, client, maker, role, path) in [
        (&world.shop, &world.site.shop, Service::CrmApi, "carrier", "/orders"),
        (&world.crm, &world.site.crm, Service::CrmApi, "carrier", "/orders"),
        (&world.mes, &world.site.mes, Service::MesApi, "partner", "/partner/orders/P-999999999"),
    ] {
        let name = secrets::new(role);
        let key = async || {
            let made = world.run(maker, &["key", "add", "--role", role, "--name", &name, "--rotate"]).await;
            let made: Value = serde_json::from_slice(&made.stdout).expect("it says JSON");
            client.holding(&secrets::keep(made["key"].as_str().expect("a key")), None)
        };
        let (rotated, owner) = (key().await, key().await);
        rotated.get(path).await.expect_problem(401, "unauthenticated");
        let (first, second) = (owner.get(path).await, owner.get(path).await);
        assert_eq!(first.status, second.status);
        assert!([403, 404].contains(&first.status), "{}", first.json);
        let of_request = |response: &testkit::Response| {
            let request = response.header("x-request-id").expect("every response names its request").to_owned();
            let records = service.records();
            let used = [(field::HTTP_REQUEST_ID, &*request), (field::EVENT_ACTION, Action::KeyFirstUsed.name())];
            records.iter().filter(|record| log::has(record, &used)).count()
        };
        assert_eq!((of_request(&first), of_request(&second)), (1, 0));
        let withdrawn = world.run(maker, &["key", "withdraw", "--name", &name]).await;
        assert_eq!(serde_json::from_slice::<Value>(&withdrawn.stdout).expect("it says JSON")["withdrawn"], 1);
        owner.get(path).await.expect_problem(401, "unauthenticated");
    }
}

/// A new password ends the other sessions.
async fn passwords_and_sessions(world: &World) {
    let site = &world.site;
    let customer = Login { login: secrets::new("customer"), password: secrets::new("password") };
    site.shop.register(&customer.login, &customer.password).await;
    for (client, login) in [
        (&site.shop, customer),
        (&site.crm, world.employee(Role::Seller).await),
        (&site.mes, world.employee(Role::Operator).await),
    ] {
        let (here, there) = (logged_in(client, &login).await, logged_in(client, &login).await);
        let change = json!({"old_password": login.password, "new_password": secrets::new("password")});
        let request = here.request(reqwest::Method::PUT, "/accounts/me/password").json(&change);
        testkit::Response::to(request).await.expect(204);
        there.get("/orders").await.expect_problem(401, "unauthenticated");
        here.get("/orders").await.expect(200);
    }
}

/// Accounts as administrators change them: the records are in the log of a service with the same database.
async fn commands(world: &World) {
    let of_shop = [&world.shop, &world.crm];
    let of_mes = [&world.mes];
    let (customer, password) = (secrets::new("customer"), secrets::new("password"));
    world.site.shop.register(&customer, &password).await;
    let carrier = secrets::new("carrier");
    for arguments in [
        ["account", "disable", "--login", &customer],
        ["account", "enable", "--login", &customer],
        ["key", "withdraw", "--name", &carrier],
    ] {
        if arguments[1] == "withdraw" {
            world.run(Service::CrmApi, &["key", "add", "--role", "carrier", "--name", &carrier]).await;
        }
        assert!(world.run(Service::ShopApi, &arguments).await.status.success(), "{arguments:?}");
    }
    for action in [Action::AccountDisabled, Action::AccountEnabled, Action::AccountKeyWithdrawn] {
        recorded(&of_shop, Service::ShopApi, action).await;
    }
    for (service, services, role) in
        [(Service::CrmApi, &of_shop[..], "seller"), (Service::MesApi, &of_mes[..], "operator")]
    {
        let (login, password) = (secrets::new("employee"), secrets::new("password"));
        let account = async |arguments: &[&str]| {
            let arguments = [&["account"], arguments, &["--login", &login]].concat();
            let output = world.run_with(service, &arguments, &password).await;
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        account(&["add", "--role", role]).await;
        account(&["disable"]).await;
        account(&["enable"]).await;
        if service == Service::CrmApi {
            account(&["role", "--role", "customer"]).await;
            recorded(services, service, Action::AccountRoleChanged).await;
        }
        for action in [
            Action::AccountRegistered,
            Action::AccountDisabled,
            Action::AccountEnabled,
            Action::AccountKeyCreated,
            Action::AccountKeyWithdrawn,
        ] {
            recorded(services, service, action).await;
        }
    }
}

/// Sessions that a service finds over when it starts, each recorded once.
async fn expired_sessions(world: &World) -> Vec<PathBuf> {
    let site = &world.site;
    let mut logs = Vec::new();
    for (service, client, tables, role) in [
        (Service::ShopApi, &site.shop, &world.shop_tables, Role::Seller),
        (Service::CrmApi, &site.crm, &world.shop_tables, Role::Seller),
        (Service::MesApi, &site.mes, &world.mes_tables, Role::Operator),
    ] {
        let login = world.employee(role).await;
        let [idle, old] = [logged_in(client, &login).await, logged_in(client, &login).await];
        let account = old.account();
        for (change, session) in [
            ("UPDATE sessions SET used_at = now() - interval '100 days' WHERE token_sha256 = sha256($1)", &idle),
            ("UPDATE sessions SET expires_at = now() WHERE token_sha256 = sha256($1)", &old),
        ] {
            let changed = sqlx::query(change).bind(session.token().as_bytes()).execute(tables).await;
            assert_eq!(changed.expect("the database responds").rows_affected(), 1);
        }
        let mut replica = world.another(service, &[]).await;
        let records = eventually("both sessions to be recorded", async || {
            let expired = |record: &log::Record| {
                text(record, field::EVENT_ACTION) == Action::SessionExpired.name()
                    && text(record, field::USER_ID) == account.to_string()
            };
            let records: Vec<_> = replica.records().into_iter().filter(expired).collect();
            if records.len() >= 2 { Ok(records) } else { Err(format!("{records:?}")) }
        })
        .await;
        assert_eq!(records.len(), 2, "{records:?}");
        assert!(replica.stop().await.success());
        logs.push(replica.log().to_owned());
    }
    logs
}
