//! Elasticsearch away, slow, or without a part of the indices: the page says what is the matter and what still holds.

use std::time::Duration;

use catalogue::field;
use reqwest::Method;
use serde_json::json;
use testkit::{TcpProxy, host_in, process::Process, search::Search, support_page::PageClient};
use time::OffsetDateTime;

use crate::{
    logs::SLOW,
    system::{employee, file, support},
};

/// A page of this test's own, and the line by which it reaches Elasticsearch, which can be cut.
async fn own_page() -> (Process, TcpProxy) {
    let file = file().await;
    let elasticsearch = file.elasticsearch.as_deref().expect("Elasticsearch runs");
    let line = TcpProxy::to(host_in(elasticsearch)).await;
    let settings = [("ELASTICSEARCH_URL", line.instead_in(elasticsearch)), ("ELASTICSEARCH_SECONDS", "3".to_owned())];
    (Process::start(file, "support-web", &settings).await, line)
}

#[tokio::test]
async fn without_elasticsearch_the_page_says_so_and_goes_on_when_it_is_back() {
    let (page, line) = own_page().await;
    let mut employee = PageClient::of(page.client().base());
    assert_eq!(employee.log_in(&support().await).await.status, 303);
    assert_eq!(employee.get("/orders/A-200001").await.status, 200);

    line.cut();
    let away = employee.get("/orders/A-200001").await;
    assert_eq!(away.status, 503, "{away:?}");
    assert!(away.text.contains("can&#39;t be reached") || away.text.contains("can't be reached"), "{}", away.text);
    assert!(away.text.contains("What still holds"), "{}", away.text);
    assert!(employee.get("/health/ready").await.text.contains("\"elasticsearch\":\"down\""));
    let refused = PageClient::of(page.client().base()).log_in(&support().await).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.text.contains("name=\"password\""));

    line.mend();
    let back = testkit::eventually("the page to be back", async || {
        let page = employee.get("/orders/A-200001").await;
        if page.status == 200 { Ok(page) } else { Err(page.status) }
    });
    assert!(back.await.text.contains("MANUFACTURING_STARTED"));

    line.slow_down(Duration::from_secs(10));
    let slow = employee.get("/errors").await;
    assert_eq!(slow.status, 503);
    assert!(slow.text.contains("too slow"), "{}", slow.text);

    let failures: Vec<_> = page.records().into_iter().filter(|record| record["level"] == 50).collect();
    assert!(failures.len() >= 3, "{failures:?}");
    for failure in failures {
        assert_eq!(failure[field::ERROR_TYPE], "search_unavailable", "{failure:?}");
        assert!(failure.get(field::TRACE_ID).is_some());
    }
}

#[tokio::test]
async fn what_lacks_an_index_is_marked_as_incomplete() {
    let employee = employee().await;
    let file = file().await;
    let administrator = file.accounts.administrator.as_ref().expect("there is one");
    let administrator = Search::new(file.elasticsearch.as_deref().expect("Elasticsearch runs"), administrator);
    let order = format!("/orders/{SLOW}");
    let pages = [order.as_str(), "/", "/errors", "/stuck", "/logins", "/search?q=nothing", "/orders/A-999999"];
    // No node has this name, so the index has nowhere to be.
    let nowhere = json!({ "settings": { "index.routing.allocation.require._name": "nothing" } });
    // Of today, which every question is about.
    let index = format!("alexandrite-nowhere-{}", OffsetDateTime::now_utc().date().to_string().replace('-', "."));
    let path = format!("{index}?wait_for_active_shards=0");
    assert_eq!(administrator.call(Method::PUT, &path, Some(&nowhere)).await.0, 200);
    for path in pages {
        let page = employee.get(path).await;
        assert!([200, 404].contains(&page.status), "{path}: {page:?}");
        assert!(page.text.contains("Incomplete."), "{path}: {}", page.text);
    }
    assert!(employee.read(&order).await.contains("Your order has been in production since"), "what is there is shown");
    assert_eq!(administrator.call(Method::DELETE, &index, None).await.0, 200);
    for path in pages {
        assert!(!employee.get(path).await.text.contains("Incomplete."), "{path}");
    }
}
