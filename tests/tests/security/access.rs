//! Who may do what: every operation of every service's OpenAPI document, asked for by every kind of caller.

use std::collections::BTreeSet;

use common::{
    auth::{
        access::{self, Access},
        accounts,
    },
    domain::Role,
    service::Definition,
};
use crm_api::CrmApi;
use mes_api::MesApi;
use reqwest::{
    Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::json;
use shop_api::ShopApi;
use testkit::{
    Client, Response,
    openapi::{Operation, operations},
    service::{self, RunningService},
    solids,
};
use uuid::Uuid;

/// A caller.
struct Caller {
    who: String,
    client: Client,
    /// What they may do as; nothing for those whose token or key is no good.
    role: Option<Role>,
    /// Send the key as `X-API-Key` instead.
    in_own_header: bool,
}

impl Caller {
    fn new(who: &str, client: Client, role: Option<Role>) -> Self {
        Self { who: who.to_owned(), client, role, in_own_header: false }
    }

    async fn ask(&self, anonymous: &Client, operation: &Operation) -> Response {
        let request = if self.in_own_header {
            operation.request(anonymous, "A-100000").header("X-API-Key", self.client.token())
        } else {
            operation.request(&self.client, "A-100000")
        };
        Response::to(request).await
    }
}

async fn set(service: &RunningService, change: &'static str, account: Uuid) {
    let changed = sqlx::query(change).bind(account).execute(service.tables()).await.expect("a change");
    assert_eq!(changed.rows_affected(), 1, "{change}");
}

/// A session of an account with the service's first role that something is wrong with by now.
async fn spoiled(service: &RunningService, change: &'static str) -> Client {
    let client = service.logged_in(Role::Customer).await;
    set(service, change, client.account()).await;
    client
}

/// Those whose token or key is no good.
async fn strangers(service: &RunningService) -> Vec<Caller> {
    let anonymous = service.anonymous();
    let mut strangers = vec![Caller::new("nobody", anonymous.clone(), None)];
    let long = "x".repeat(5000);
    for guess in ["guessed", "alxkey_guessed", "", "with blank", &long] {
        strangers.push(Caller::new("a guess", anonymous.holding(guess, None), None));
    }
    let revoked = service.logged_in(Role::Customer).await;
    revoked.delete("/sessions/current").await.expect(204);
    strangers.push(Caller::new("revoked", revoked, None));
    for (who, change) in [
        ("expired", "UPDATE sessions SET expires_at = now() WHERE account_id = $1"),
        ("unused", "UPDATE sessions SET used_at = now() - interval '1 day' WHERE account_id = $1"),
        ("disabled", "UPDATE accounts SET disabled_at = now() WHERE id = $1"),
    ] {
        strangers.push(Caller::new(who, spoiled(service, change).await, None));
    }
    for role in [Role::Partner, Role::Carrier] {
        let disabled = service.with_key(role).await;
        set(service, "UPDATE accounts SET disabled_at = now() WHERE id = $1", disabled.account()).await;
        strangers.push(Caller::new("a disabled key", disabled, None));
        let name = format!("rotated-{role}");
        let key = async |rotate| accounts::create_key(&service.units(), &name, role, rotate).await.expect("a key").1;
        let old = anonymous.holding(key(false).await.expose(), None);
        key(true).await;
        for in_own_header in [false, true] {
            let caller = Caller::new("a rotated key", old.clone(), None);
            strangers.push(Caller { in_own_header, ..caller });
        }
    }
    strangers
}

/// One of each role.
async fn everybody(service: &RunningService) -> Vec<Caller> {
    let mut everybody = Vec::new();
    for role in Role::ALL {
        let client = service.client(role).await;
        if role.has_keys() {
            let caller = Caller::new(role.name(), client.clone(), Some(role));
            everybody.push(Caller { in_own_header: true, ..caller });
        }
        everybody.push(Caller::new(role.name(), client, Some(role)));
    }
    everybody
}

/// Asks for every operation as everybody; returns how many operations and callers there were.
async fn walk<S: Definition>(service: &RunningService) -> (usize, usize) {
    let mut operations = operations(service.anonymous()).await;
    let names = |operation: &Operation| (operation.method.clone(), operation.path.clone());
    let listed: BTreeSet<_> = operations.iter().map(names).collect();
    let rows: BTreeSet<_> =
        access::of(S::SERVICE).map(|(method, path, _)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(listed, rows, "the operations of {} are not the rows of the table", S::SERVICE);

    let access = |operation: &Operation| {
        access::to(S::SERVICE, &operation.method, &operation.path).expect("every operation has a row")
    };
    // Last what ends a caller's session.
    operations
        .sort_by_key(|operation| (access(operation) == Access::AnySession, operation.path == "/sessions/current"));
    let mut callers = strangers(service).await;
    callers.extend(everybody(service).await);
    for operation in &operations {
        let access = access(operation);
        assert_eq!(operation.protected, access != Access::Anybody, "{operation:?}");
        for caller in &callers {
            let response = caller.ask(service.anonymous(), operation).await;
            let what = format!("{} {} as {}: {}", operation.method, operation.path, caller.who, response.json);
            let is_allowed = match (access, caller.role) {
                (Access::Anybody, _) => true,
                (Access::AnySession, Some(role)) if !role.has_keys() => true,
                (Access::Only(only), Some(role)) if only == role => true,
                (Access::Only(_), Some(_)) => {
                    assert_eq!((response.status, &response.json["code"]), (403, &json!("forbidden")), "{what}");
                    response.expect_problem(403, "forbidden");
                    continue;
                }
                (_, _) => false,
            };
            if is_allowed {
                assert!(![401, 403].contains(&response.status) && response.status < 500, "{what}");
            } else {
                assert_eq!((response.status, response.header("www-authenticate")), (401, Some("Bearer")), "{what}");
                response.expect_problem(401, "unauthenticated");
            }
        }
    }
    (operations.len(), callers.len())
}

#[tokio::test]
async fn every_operation_of_every_service_is_for_whom_the_table_says_and_nobody_else() {
    let (shop, crm, mes) = (
        service::start::<ShopApi>(&[]).await,
        service::start::<CrmApi>(&[]).await,
        service::start::<MesApi>(&["--price-workers", "0"]).await,
    );
    for (operations, callers) in [walk::<ShopApi>(&shop).await, walk::<CrmApi>(&crm).await, walk::<MesApi>(&mes).await]
    {
        println!("{operations} operations as {callers} callers: {} requests", operations * callers);
        assert!(operations >= 10 && callers >= 20);
    }
}

/// The request with what the operation needs to succeed.
fn whole(operation: &Operation, client: &Client, order: &str) -> RequestBuilder {
    let request = operation.request(client, order);
    match (operation.method.as_str(), operation.path.as_str()) {
        ("put", "/orders/{id}/model") => {
            request.query(&[("filename", "ring.stl")]).body(solids::cube(10.0).to_binary_stl())
        }
        ("post", "/orders/{id}/status") => request.json(&json!({"status": "SUBMITTED"})),
        _ => request,
    }
}

/// Calls every operation of one role that is about an order, as its owner and, before that, as another account with the
/// same role; returns how many there were.
async fn walk_to_foreign_orders<S: Definition>(owner: &Client, other: &Client, role: Role, order: &str) -> usize {
    let operations = operations(owner).await.into_iter();
    let own: Vec<_> = operations
        .filter(|operation| operation.path.contains("{id}"))
        .filter(|operation| access::to(S::SERVICE, &operation.method, &operation.path) == Some(Access::Only(role)))
        .collect();
    // The model before the status: as it goes.
    for method in ["get", "put", "post"] {
        for operation in own.iter().filter(|operation| operation.method == method) {
            Response::to(whole(operation, other, order)).await.expect_problem(404, "order_not_found");
            Response::to(whole(operation, owner, order)).await.expect(200);
        }
    }
    own.len()
}

#[tokio::test]
async fn somebody_elses_order_is_as_if_there_were_none() {
    let shop = service::start::<ShopApi>(&[]).await;
    let (ada, bob) = (shop.customer().await, shop.customer().await);
    let order = ada.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let order = order["id"].as_str().expect("a number");
    assert_eq!(walk_to_foreign_orders::<ShopApi>(&ada, &bob, Role::Customer, order).await, 3);
    let seen = bob.get("/orders").await.expect(200);
    assert_eq!(seen["items"], json!([]));

    let mes = service::start::<MesApi>(&["--price-workers", "0"]).await;
    let (partner, other) = (mes.partner().await, mes.partner().await);
    let model = Part::bytes(solids::cube(10.0).to_binary_stl()).file_name("ring.stl");
    let form = Form::new().text("material", "silver_925").text("quantity", "1").part("model", model);
    let order = partner.post_form("/partner/orders", form).await.expect(202);
    let order = order["id"].as_str().expect("a number");
    assert_eq!(walk_to_foreign_orders::<MesApi>(&partner, &other, Role::Partner, order).await, 1);
}

#[tokio::test]
async fn another_scheme_is_no_token() {
    let shop = service::start::<ShopApi>(&[]).await;
    let ada = shop.customer().await;
    let ask = |authorization: String| {
        Response::to(shop.anonymous().request(Method::GET, "/orders").header("Authorization", authorization))
    };
    for authorization in [format!("Basic {}", ada.token()), ada.token().to_owned(), "Bearer".to_owned()] {
        ask(authorization).await.expect_problem(401, "unauthenticated");
    }
    ask(format!("bearer {}", ada.token())).await.expect(200);
}
