//! What the system in containers does while nothing is wrong.

use std::collections::BTreeSet;

use common::domain::OrderStatus::PriceCalculated;
use local::Login;
use reqwest::Method;
use testkit::{
    access::{SEARCH, others_read_nothing, support_only_reads},
    eventually,
    log::text,
    order_lifecycle,
    search::{Search, matching},
    site::OrderActions as _,
    support_page::PageClient,
};

use crate::compose::{Running, compose, containers, healthy};

#[tokio::test]
#[ignore = "needs a running system: deploy/containers/test"]
async fn orders_live_through_all_statuses_and_support_sees_their_whole_trails() {
    let running = Running::new().await;
    let support = running.search();
    let orders = [
        order_lifecycle::a_customers_order(&running.site, &support).await,
        order_lifecycle::a_sellers_order(&running.site, &support).await,
        order_lifecycle::a_partners_order(&running.site, &support).await,
    ];
    for order in orders {
        one_trace_until_the_price(&support, &order).await;
    }
}

/// One trace runs from what asks for the price to the price in the CRM, through both services and the broker.
async fn one_trace_until_the_price(support: &Search, order: &str) {
    let priced = matching(&[("order.id", order), ("name", "crm-api"), ("order.status", "PRICE_CALCULATED")]);
    let trace = text(&support.at_least(1, &priced).await[0], "trace.id").to_owned();
    let of_trace = matching(&[("order.id", order), ("trace.id", &trace)]);
    let records = support.at_least(1, &of_trace).await;
    let found: BTreeSet<_> =
        records.iter().map(|record| (text(record, "name"), text(record, "event.action"))).collect();
    for step in [
        ("mes-api", "order.price_status_changed"),
        ("mes-api", "message.published"),
        ("crm-api", "message.consumed"),
        ("crm-api", "order.status_changed"),
    ] {
        assert!(found.contains(&step), "{step:?} isn't among {found:?}");
    }
}

#[tokio::test]
#[ignore = "needs a running system: deploy/containers/test"]
async fn support_only_reads_and_others_read_nothing() {
    let running = Running::new().await;
    let order = running.site.customer().await.create().await;
    support_only_reads(&running.search(), &order).await;
    others_read_nothing(&running.elasticsearch, &running.employee, &running.support).await;
}

#[tokio::test]
#[ignore = "needs a running system: deploy/containers/test"]
async fn supports_page_says_where_an_order_is() {
    let running = Running::new().await;
    let ada = running.site.customer().await;
    let order = ada.submit_new().await;
    ada.wait_for(&order, PriceCalculated).await;
    let mut employee = PageClient::of(&running.support_page);
    assert_eq!(employee.log_in(&running.support).await.status, 303);
    eventually("Support's page to know the price", async || {
        let page = employee.get(&format!("/orders/{order}")).await;
        if page.text.contains("PRICE_CALCULATED") { Ok(()) } else { Err(page.text) }
    })
    .await;
    let typed = order.to_lowercase().replace('-', "");
    assert_eq!(employee.get(&format!("/search?q={typed}")).await.location, format!("/orders/{order}"));
}

#[tokio::test]
#[ignore = "needs a running system: deploy/containers/test"]
async fn an_employee_whose_account_is_taken_away_is_not_known_any_more() {
    let running = Running::new().await;
    let grace = Login { login: "grace".to_owned(), password: "graces-own-password".to_owned() };
    let tool = ["exec", "-T", "elasticsearch", "elasticsearch-users"];
    compose(&[&tool[..], &["useradd", &grace.login, "-p", &grace.password, "-r", "support"]].concat()).await;
    let search = Search::new(&running.elasticsearch, &grace);
    responds(&search, 200).await;
    compose(&[&tool[..], &["userdel", &grace.login]].concat()).await;
    responds(&search, 401).await;
}

/// Elasticsearch looks at its files every five seconds.
async fn responds(search: &Search, status: u16) {
    eventually(&format!("Elasticsearch to respond with {status}"), async || {
        let now = search.call(Method::GET, SEARCH, None).await.0;
        if now == status { Ok(()) } else { Err(now) }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running system: deploy/containers/test"]
async fn replicas_share_the_work() {
    let running = Running::new().await;
    let scale = async |count: u8| {
        let service = format!("mes-api={count}");
        let how = ["--detach", "--no-deps", "--no-build", "--no-recreate", "--scale", &service];
        compose(&[&["up"], &how[..], &["mes-api"]].concat()).await;
    };
    scale(3).await;
    let replicas = containers("mes-api").await;
    assert_eq!(replicas.len(), 3);
    for replica in &replicas {
        healthy(replica).await;
    }
    // A container's host name is the beginning of its id.
    let replicas: BTreeSet<&str> = replicas.iter().map(|id| &id[..12]).collect();
    let (ada, support) = (running.site.customer().await, running.search());
    let mut orders = Vec::new();
    eventually("three replicas to calculate prices", async || {
        for _ in 0..10 {
            orders.push(ada.submit_new().await);
        }
        let calculated = matching(&[("name", "mes-api"), ("order.price_status", "CALCULATED")]);
        let mut workers = BTreeSet::new();
        for order in &orders {
            ada.wait_for(order, PriceCalculated).await;
            let filters = [&calculated[..], &matching(&[("order.id", order)])].concat();
            let found = support.at_least(1, &filters).await;
            assert_eq!(found.len(), 1, "{order} has one price: {found:?}");
            workers.insert(text(&found[0], "hostname").to_owned());
        }
        if workers.iter().map(String::as_str).eq(replicas.iter().copied()) {
            Ok(())
        } else {
            Err(format!("{workers:?}"))
        }
    })
    .await;
    scale(1).await;
}
