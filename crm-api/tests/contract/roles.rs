//! Who may do what: every operation of the document, for everybody who may not.

use common::auth::Role;
use e2e::openapi::operations;

use crate::crm;

/// What may be done without a token.
const OPEN: [(&str, &str); 3] = [("post", "/sessions"), ("get", "/health/live"), ("get", "/health/ready")];
/// What everybody may do who has a session.
const FOR_ALL_ROLES: (&str, &str) = ("delete", "/sessions/current");
/// What the carrier does; sellers do all the rest.
const THE_CARRIERS: (&str, &str) = ("post", "/deliveries");

#[tokio::test]
async fn the_document_says_what_needs_a_token() {
    let crm = crm().await;
    for operation in operations(crm.anybody()).await {
        assert_eq!(operation.protected, !OPEN.contains(&operation.name()), "{operation:?}");
    }
}

#[tokio::test]
async fn without_a_good_token_nothing_is_possible() {
    let crm = crm().await;
    let (anybody, ended) = (crm.anybody(), crm.seller().await);
    ended.delete("/sessions/current").await.expect(204);
    let strangers = ["guessed", "alxkey_guessed", ""].map(|token| anybody.holding(token, None));
    let mut asked = 0;
    for operation in operations(anybody).await.iter().filter(|operation| operation.protected) {
        for stranger in strangers.iter().chain([anybody, &ended]) {
            let answer = operation.ask(stranger).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{operation:?}");
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
    for operation in operations(crm.anybody()).await {
        if !operation.protected || operation.name() == FOR_ALL_ROLES {
            continue;
        }
        let allowed = if operation.name() == THE_CARRIERS { Role::Carrier } else { Role::Seller };
        for (role, client) in &everybody {
            let answer = operation.ask(client).await;
            if *role == allowed {
                assert!(![401, 403].contains(&answer.status), "{role} {operation:?}");
            } else {
                answer.expect_problem(403, "forbidden");
            }
        }
    }
}
