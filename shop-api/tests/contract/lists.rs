//! Lists of orders, page by page.

use serde_json::{Value, json};
use testkit::Client;

use crate::{create_order, create_order_with_model, id_of, ring, set_status, shop};

/// The numbers on a page, and where the next one is.
async fn page(customer: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let page = customer.get(&format!("/orders?{query}")).await.expect(200);
    let next = match &page["next"] {
        Value::Null => None,
        Value::String(next) => Some(next.clone()),
        other => panic!("next is {other}"),
    };
    (page["items"].as_array().expect("a list").iter().map(id_of).collect(), next)
}

/// All pages, with something done between each two.
async fn all_pages(customer: &Client, query: &str, between: impl AsyncFn()) -> Vec<Vec<String>> {
    let (first, mut next) = page(customer, query).await;
    let mut pages = vec![first];
    while let Some(after) = next {
        between().await;
        let (items, after_that) = page(customer, &format!("{query}&after={after}")).await;
        pages.push(items);
        next = after_that;
    }
    pages
}

async fn create_orders(customer: &Client, count: usize) -> Vec<String> {
    let mut newest_first = Vec::new();
    for _ in 0..count {
        newest_first.insert(0, create_order(customer).await);
    }
    newest_first
}

#[tokio::test]
async fn orders_come_newest_first_and_whole() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let orders = create_orders(&ada, 3).await;
    assert_eq!(page(&ada, "").await, (orders, None));
    let newest = ada.post_json("/orders", ring()).await.expect(201);
    assert_eq!(ada.get("/orders?limit=1").await.expect(200)["items"], json!([newest]));
}

#[tokio::test]
async fn who_has_no_orders_gets_an_empty_page() {
    let shop = shop().await;
    let ada = shop.customer().await;
    create_order(&shop.customer().await).await;
    assert_eq!(page(&ada, "").await, (Vec::new(), None));
}

#[tokio::test]
async fn pages_have_every_order_once_while_new_ones_come_in() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let orders = create_orders(&ada, 7).await;
    let pages = all_pages(&ada, "limit=3", async || drop(create_orders(&ada, 2).await)).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(pages.concat(), orders);
}

#[tokio::test]
async fn a_page_that_is_just_full_is_the_last_one() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let orders = create_orders(&ada, 4).await;
    assert_eq!(page(&ada, "limit=4").await, (orders.clone(), None));
    assert_eq!(all_pages(&ada, "limit=2", async || ()).await, [&orders[..2], &orders[2..]]);
}

#[tokio::test]
async fn orders_of_the_same_instant_are_not_lost_between_pages() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let mut orders = create_orders(&ada, 5).await;
    sqlx::query("UPDATE orders SET created_at = '2026-03-01T12:00:00.123456Z'")
        .execute(shop.tables())
        .await
        .expect("a change");
    let mut listed = all_pages(&ada, "limit=2", async || ()).await.concat();
    orders.sort();
    listed.sort();
    assert_eq!(listed, orders);
}

#[tokio::test]
async fn a_list_can_be_of_one_status() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let initiated = create_order(&ada).await;
    let uploaded = [create_order_with_model(&ada).await, create_order_with_model(&ada).await];
    let submitted = create_order_with_model(&ada).await;
    set_status(&ada, &submitted, "SUBMITTED").await.expect(200);

    assert_eq!(page(&ada, "status=INITIATED").await.0, [initiated]);
    assert_eq!(page(&ada, "status=SUBMITTED").await.0, [submitted]);
    let [older, newer] = uploaded;
    assert_eq!(all_pages(&ada, "status=FILE_UPLOADED&limit=1", async || ()).await, [[newer], [older]]);
    assert_eq!(page(&ada, "status=CLOSED").await.0, [""; 0]);
}

#[tokio::test]
async fn a_page_has_fifty_orders_unless_told_otherwise() {
    let shop = shop().await;
    let ada = shop.customer().await;
    sqlx::query(
        "INSERT INTO orders (id, status, status_since, customer_id, material, quantity, created_at, updated_at)
         SELECT 'A-' || 200000 + n, 'INITIATED', now(), $1, 'gold_585', 1, now(), now() FROM generate_series(1, 210) AS n",
    )
    .bind(ada.account())
    .execute(shop.tables())
    .await
    .expect("orders");
    assert_eq!(page(&ada, "").await.0.len(), 50);
    assert_eq!(page(&ada, "limit=200").await.0.len(), 200);
}

#[tokio::test]
async fn what_can_not_be_a_page_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    create_orders(&ada, 2).await;
    for query in ["limit=0", "limit=201", "limit=-1", "after=forged", "after=", "after=MTIz", "after=%00"] {
        ada.get(&format!("/orders?{query}")).await.expect_problem(422, "invalid_request");
    }
    for query in ["limit=ten", "limit=99999999999999999999", "status=LOST", "status=submitted", "limit=1&limit=2"] {
        ada.get(&format!("/orders?{query}")).await.expect_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn somebody_elses_page_mark_shows_nothing_of_theirs() {
    let shop = shop().await;
    let (ada, eve) = (shop.customer().await, shop.customer().await);
    let hers = create_order(&eve).await;
    create_orders(&ada, 3).await;
    let (_, next) = page(&ada, "limit=1").await;
    assert_eq!(page(&eve, &format!("after={}", next.expect("more"))).await, (vec![hers], None));
}
