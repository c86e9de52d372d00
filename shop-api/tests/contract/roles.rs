//! Who may do what: every operation of the document, for everybody who may not.

use common::auth::Role;
use e2e::{Answer, Client};
use reqwest::Method;
use serde_json::Value;

use crate::shop;

/// What may be done without a token.
const OPEN: [(&str, &str); 4] =
    [("post", "/customers"), ("post", "/sessions"), ("get", "/health/live"), ("get", "/health/ready")];
/// What everybody may do who has a session.
const FOR_ALL_ROLES: (&str, &str) = ("delete", "/sessions/current");

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
    let shop = shop().await;
    for (method, path, protected) in operations(shop.anybody()).await {
        assert_eq!(protected, !OPEN.contains(&(&method, &path)), "{method} {path}");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_possible() {
    let shop = shop().await;
    let (anybody, ended) = (shop.anybody(), shop.customer().await);
    ended.delete("/sessions/current").await.expect(204);
    let guesses = ["guessed", "alxkey_guessed", "", "with blank", &"x".repeat(5000)];
    let strangers = guesses.map(|token| anybody.holding(token, None));
    let mut asked = 0;
    for (method, path, _) in operations(anybody).await.iter().filter(|(.., protected)| *protected) {
        for stranger in strangers.iter().chain([anybody, &ended]) {
            let answer = ask(stranger, method, path).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            answer.expect_problem(401, "unauthenticated");
        }
        asked += 1;
    }
    assert_eq!(asked, 6);
}

#[tokio::test]
async fn another_scheme_is_no_token() {
    let shop = shop().await;
    let ada = shop.customer().await;
    for authorization in [format!("Basic {}", ada.token()), ada.token().to_owned(), "Bearer".to_owned()] {
        let request = shop.anybody().request(Method::GET, "/orders").header("Authorization", authorization);
        Answer::to(request).await.expect_problem(401, "unauthenticated");
    }
    let request =
        shop.anybody().request(Method::GET, "/orders").header("Authorization", format!("bearer {}", ada.token()));
    Answer::to(request).await.expect(200);
}

#[tokio::test]
async fn only_customers_order_here() {
    let shop = shop().await;
    let mut others = vec![shop.partner().await, shop.carrier().await];
    for role in [Role::Seller, Role::Operator] {
        others.push(shop.logged_in(role).await);
    }
    for (method, path, protected) in operations(shop.anybody()).await {
        if !protected || (method.as_str(), path.as_str()) == FOR_ALL_ROLES {
            continue;
        }
        for other in &others {
            ask(other, &method, &path).await.expect_problem(403, "forbidden");
        }
    }
}
