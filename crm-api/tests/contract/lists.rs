//! Lists of all orders, by status and by customer.

use serde_json::{Value, json};
use testkit::Client;

use crate::{create_order, create_order_with_model, crm, id_of};

/// The numbers of all orders that a list has, page by page.
pub(crate) async fn pages(seller: &Client, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = seller.get(&format!("/orders?{query}{after}")).await.expect(200);
        pages.push(page["items"].as_array().expect("a list").iter().map(id_of).collect());
        match &page["next"] {
            Value::String(next) => after = format!("&after={next}"),
            none => {
                assert_eq!(none, &Value::Null);
                return pages;
            }
        }
    }
}

#[tokio::test]
async fn all_customers_orders_come_newest_first_and_each_once() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let customers = [crm.customer_account().await, crm.customer_account().await];
    let mut newest_first = Vec::new();
    for turn in 0..5 {
        newest_first.insert(0, create_order(&seller, customers[turn % 2]).await);
    }
    assert_eq!(pages(&seller, "").await, [newest_first.clone()]);
    let in_twos = pages(&seller, "limit=2").await;
    assert_eq!(in_twos.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(in_twos.concat(), newest_first);
}

#[tokio::test]
async fn a_list_can_be_of_one_customer_and_of_one_status() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let (ada, bob) = (crm.customer_account().await, crm.customer_account().await);
    let [ada_new, bob_new] = [create_order(&seller, ada).await, create_order(&seller, bob).await];
    let [ada_file, bob_file] =
        [create_order_with_model(&seller, ada).await, create_order_with_model(&seller, bob).await];

    assert_eq!(pages(&seller, &format!("customer_id={ada}")).await.concat(), [ada_file.clone(), ada_new]);
    assert_eq!(pages(&seller, "status=FILE_UPLOADED&limit=1").await, [[bob_file], [ada_file.clone()]]);
    assert_eq!(pages(&seller, &format!("customer_id={ada}&status=FILE_UPLOADED")).await.concat(), [ada_file]);
    assert_eq!(pages(&seller, &format!("customer_id={bob}&status=INITIATED")).await.concat(), [bob_new]);
    assert_eq!(pages(&seller, &format!("customer_id={}", seller.account())).await.concat(), [""; 0]);
}

#[tokio::test]
async fn what_can_not_be_a_page_is_refused() {
    let crm = crm().await;
    let seller = crm.seller().await;
    for query in ["limit=0", "limit=201", "after=forged", "stuck=true&after=forged"] {
        seller.get(&format!("/orders?{query}")).await.expect_problem(422, "invalid_request");
    }
    for query in ["limit=ten", "status=LOST", "customer_id=ada", "stuck=perhaps"] {
        seller.get(&format!("/orders?{query}")).await.expect_problem(400, "invalid_query");
    }
    assert_eq!(seller.get("/orders?limit=200").await.expect(200), json!({"items": [], "next": null}));
}
