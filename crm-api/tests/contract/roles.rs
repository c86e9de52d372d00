//! Who may do what: every operation of the document, for everybody who may not.

use common::auth::Role;
use e2e::{Answer, Client};
use reqwest::Method;
use serde_json::Value;

use crate::crm;

/// What may be done without a token.
const OPEN: [(&str, &str); 3] = [("post", "/sessions"), ("get", "/health/live"), ("get", "/health/ready")];
/// What everybody may do who has a session.
const FOR_ALL_ROLES: (&str, &str) = ("delete", "/sessions/current");
/// What the carrier does; sellers do all the rest.
const THE_CARRIERS: (&str, &str) = ("post", "/deliveries");

/// Method and path of every operation that the document lists, and whether it names a way to authenticate.
async fn operations(anybody: &Client) -> Vec<(String, String, bool)> {
    let document = anybody.get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| (method.clone(), path.clone(), is_protected(operation)))
    });
    operations.collect()
}

fn is_protected(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|ways| !ways.is_empty())
}

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let method = method.to_uppercase().parse::<Method>().expect("a method");
    Answer::to(client.request(method, &path.replace("{id}", "A-100000"))).await
}

#[tokio::test]
async fn the_document_says_what_needs_a_token() {
    let crm = crm().await;
    for (method, path, protected) in operations(crm.anybody()).await {
        assert_eq!(protected, !OPEN.contains(&(&method, &path)), "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_possible() {
    let crm = crm().await;
    let (anybody, ended) = (crm.anybody(), crm.seller().await);
    ended.delete("/sessions/current").await.expect(204);
    let strangers = ["guessed", "alxkey_guessed", ""].map(|token| anybody.holding(token, None));
    let mut asked = 0;
    for (method, path, _) in operations(anybody).await.iter().filter(|(.., protected)| *protected) {
        for stranger in strangers.iter().chain([anybody, &ended]) {
            let answer = ask(stranger, method, path).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            answer.expect_problem(401, "unauthenticated");
        }
        asked += 1;
    }
    assert_eq!(asked, 8);
}

#[tokio::test]
async fn sellers_handle_orders_the_carrier_confirms_deliveries_and_nobody_else_does_anything() {
    let crm = crm().await;
    let mut everybody = vec![(Role::Partner, crm.partner().await), (Role::Carrier, crm.carrier().await)];
    for role in [Role::Customer, Role::Seller, Role::Operator] {
        everybody.push((role, crm.logged_in(role).await));
    }
    for (method, path, protected) in operations(crm.anybody()).await {
        let operation = (method.as_str(), path.as_str());
        if !protected || operation == FOR_ALL_ROLES {
            continue;
        }
        let allowed = if operation == THE_CARRIERS { Role::Carrier } else { Role::Seller };
        for (role, client) in &everybody {
            let answer = ask(client, &method, &path).await;
            if *role == allowed {
                assert!(![401, 403].contains(&answer.status), "{role} {method} {path}");
            } else {
                answer.expect_problem(403, "forbidden");
            }
        }
    }
}
