//! Who may do what: every operation of the document, for everybody who may not.

use common::auth::Role;
use e2e::{Answer, openapi::operations};
use reqwest::Method;

use crate::shop;

/// What may be done without a token.
const OPEN: [(&str, &str); 4] =
    [("post", "/customers"), ("post", "/sessions"), ("get", "/health/live"), ("get", "/health/ready")];
/// What everybody may do who has a session.
const FOR_ALL_ROLES: (&str, &str) = ("delete", "/sessions/current");

#[tokio::test]
async fn the_document_says_what_needs_a_token() {
    let shop = shop().await;
    for operation in operations(shop.anybody()).await {
        assert_eq!(operation.protected, !OPEN.contains(&operation.name()), "{operation:?}");
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
    for operation in operations(anybody).await.iter().filter(|operation| operation.protected) {
        for stranger in strangers.iter().chain([anybody, &ended]) {
            let answer = operation.ask(stranger).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{operation:?}");
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
    for operation in operations(shop.anybody()).await {
        if !operation.protected || operation.name() == FOR_ALL_ROLES {
            continue;
        }
        for other in &others {
            operation.ask(other).await.expect_problem(403, "forbidden");
        }
    }
}
