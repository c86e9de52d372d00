//! The answers: each kind of id leads to its order, each page says what it is for, and whatever is in a record stays text.

use testkit::{eventually, support_page::percent};

use crate::{
    logs::{
        self, ASKED_FOR, BUSY, CUSTOMER, HOSTILE, PARTNER, PARTNERS, POLLED, REQUEST, SLOW, STUCK, TRACE, TWIN,
        UNPRICED, UNREAD,
    },
    system::{employee, stranger},
};

#[tokio::test]
async fn every_kind_of_id_leads_to_its_order() {
    let employee = employee().await;
    for typed in [SLOW, "a-200001", " A 200001 ", "200001", "A–200001"] {
        let page = employee.get(&format!("/search?q={}", percent(typed))).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/orders/A-200001"), "{typed}: {page:?}");
    }
    for (id, order) in [(CUSTOMER, SLOW), (PARTNER, PARTNERS), (TRACE, SLOW), (REQUEST, SLOW)] {
        for id in [id.to_owned(), format!(" {id} ")] {
            let text = employee.read(&format!("/search?q={}", percent(&id))).await;
            assert!(text.contains(&link(order)), "{id}: {text}");
        }
    }
    let upper = employee.read(&format!("/search?q={}", TRACE.to_uppercase())).await;
    assert!(upper.contains(SLOW));
    assert_eq!(employee.get("/orders/a-200001").await.location, "/orders/A-200001");
}

#[tokio::test]
async fn digits_that_two_orders_have_lead_to_a_choice() {
    let employee = employee().await;
    let text = employee.read(&format!("/search?q={}", UNPRICED.trim_start_matches("A-"))).await;
    for part in ["Two orders have these digits".to_owned(), link(UNPRICED), link(TWIN)] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    assert_eq!(employee.get(&format!("/search?q={TWIN}")).await.location, format!("/orders/{TWIN}"));
    // There is no order of this number, but it was asked for.
    let asked_for = employee.get(&format!("/search?q={}", ASKED_FOR.trim_start_matches("A-"))).await;
    assert_eq!(asked_for.location, format!("/orders/{ASKED_FOR}"));
}

fn link(order: &str) -> String {
    format!("href=\"/orders/{order}\"")
}

#[tokio::test]
async fn requests_for_an_order_hide_nothing_of_it() {
    let employee = employee().await;
    let path = format!("/orders/{POLLED}");
    let sentence = "The price of your order has been known since";
    let text = employee.read(&path).await;
    assert!(text.contains(sentence) && !text.contains("<strong>Incomplete:"), "{text}");
    assert!(!text.contains("<code>http.request</code>"), "{text}");
    let requests = employee.read(&format!("{path}?action=http.request")).await;
    for part in [sentence, "<code>http.request</code>", "the last ones are shown", "from=180"] {
        assert!(requests.contains(part), "{part} in {requests}");
    }
}

#[tokio::test]
async fn what_is_no_id_finds_nothing_and_costs_no_pattern() {
    let employee = employee().await;
    let long = "x".repeat(5_000);
    for typed in ["", "*", "A-*", "order.id:*", "A-999999", "<script>alert(1)</script>", "\u{0}", &long] {
        let page = employee.get(&format!("/search?q={}", percent(typed))).await;
        assert_eq!(page.status, 404, "{typed}: {page:?}");
        assert!(!page.text.contains("<script>alert"), "{}", page.text);
    }
    for path in ["/orders/A-999999", "/orders/nonsense", "/nothing", "/orders/%00"] {
        assert_eq!(employee.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_orders_page_begins_with_what_to_read_out() {
    let text = employee().await.read(&format!("/orders/{SLOW}")).await;
    for part in [
        "MANUFACTURING_STARTED",
        "Your order has been in production since",
        "longer than usual",
        "Packaging comes after",
        "Nothing is known to be wrong",
        logs::OPERATOR,
        "order.operator_assigned",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for status in catalogue::ORDER_STATUSES {
        assert!(text.contains(status), "{status}");
    }
    assert!(text.find("Your order").unwrap() < text.find("order.created").unwrap(), "the answer comes first");
}

#[tokio::test]
async fn an_order_that_stands_says_why_and_what_to_do() {
    let employee = employee().await;
    let unpriced = employee.read(&format!("/orders/{UNPRICED}")).await;
    for part in [
        "could not be calculated",
        "model_not_closed",
        "the surface has 3 holes",
        "has no volume",
        "needs a corrected model",
        "FAILED",
    ] {
        assert!(unpriced.contains(part), "{part} in {unpriced}");
    }
    let stuck = employee.read(&format!("/orders/{STUCK}")).await;
    for part in ["It stands too long", "order.stuck", "dead letter", "Next step:", "runbook.md"] {
        assert!(stuck.contains(part), "{part} in {stuck}");
    }
    let list = employee.read("/stuck").await;
    for part in [STUCK, "SUBMITTED", "A message about it is a dead letter", "message_unexpected", "Tell the developers"]
    {
        assert!(list.contains(part), "{part} in {list}");
    }
    assert!(!list.contains(SLOW));
}

#[tokio::test]
async fn a_price_that_failed_without_the_models_fault_has_to_be_asked_for_again() {
    let employee = employee().await;
    let class = "/errors/model_store_unavailable?last=24h".to_owned();
    for path in [format!("/orders/{UNREAD}"), "/stuck".to_owned(), class] {
        let text = employee.read(&path).await;
        assert!(text.contains("an operator has to ask for the price again"), "{path}: {text}");
    }
}

#[tokio::test]
async fn an_error_leads_to_its_orders() {
    let employee = employee().await;
    let errors = employee.read("/errors?last=7d").await;
    assert!(errors.contains("/errors/model_not_closed?last=7d"), "{errors}");
    let class = employee.read("/errors/model_not_closed?last=7d").await;
    assert!(class.contains(&format!("/orders/{UNPRICED}")), "{class}");
    let none = employee.read("/errors?from=2001-01-01&until=2001-01-02").await;
    assert!(none.contains("no errors in this time"), "{none}");
    for wrong in ["/errors?last=now-9y&from=x", "/errors?from=2401-01-01"] {
        let text = employee.read(wrong).await;
        assert!(text.contains("model_not_closed"), "the last day is shown: {text}");
    }
}

#[tokio::test]
async fn the_start_page_counts_orders_and_shows_errors_alerts_and_stuck_ones() {
    let text = employee().await.read("/").await;
    for part in ["name=\"q\"", "MANUFACTURING_STARTED", "model_not_closed", "order-stuck", "newest record"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let row = text.split("<tr").find(|row| row.contains("CLOSED")).expect("a row of closed orders");
    assert!(row.contains("<td class=\"number\">6</td>"), "six orders are closed: {row}");
    let logins = employee().await.read("/logins").await;
    assert!(logins.contains(logs::OPERATOR) && logins.contains("192.0.2.0"), "{logins}");
}

#[tokio::test]
async fn an_alert_leads_to_its_section_of_the_runbook() {
    let text = employee().await.read("/alerts").await;
    for part in ["service-silent-mes-api", "runbook.md#service-silent", "runbook.md#order-stuck"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("runbook.md#service-silent-"), "there is no such section: {text}");
}

#[tokio::test]
async fn a_trail_is_filtered_paged_and_shows_a_record_as_it_is() {
    let employee = employee().await;
    let path = format!("/orders/{BUSY}");
    let first = employee.read(&path).await;
    // Its first two records are no warnings.
    assert_eq!(first.matches("<tr class=\"warning\"").count(), 58, "{first}");
    assert!(first.contains("from=240"), "{first}");
    let last = employee.read(&format!("{path}?from=240")).await;
    assert_eq!(last.matches("<tr class=\"warning\"").count(), 12, "{last}");
    assert!(first.len() <= 100 * 1024 && last.len() <= 100 * 1024, "{} {}", first.len(), last.len());
    let errors = employee.read(&format!("{path}?level=50")).await;
    assert_eq!(errors.matches("<tr class=\"warning\"").count(), 0, "{errors}");
    let raw = employee.read(&format!("{path}?record=3")).await;
    assert!(raw.contains("&quot;messaging.message.id&quot;: &quot;m-2&quot;"), "{raw}");
}

#[tokio::test]
async fn the_spans_of_an_orders_traces_are_a_waterfall_through_rabbitmq() {
    let employee = employee().await;
    let text = employee.read(&format!("/orders/{SLOW}")).await;
    let rows: Vec<&str> = text.split("<tr").filter(|row| row.contains("class=\"bar\"")).collect();
    let expected = [
        ["POST /orders/{id}/status", "shop-api", "level-0", "0 µs", "12 ms", "x=\"0\" width=\"29\""],
        ["publish orders:order.submitted", "crm-api", "level-1", "20 ms", "3.0 ms", "x=\"46\" width=\"7\""],
        ["process orders:order.submitted:mes-api.orders", "mes-api", "level-2", "24 ms", "6.0 ms", "x=\"56\""],
        ["price.calculate", "mes-api", "level-3", "31 ms", "400 ms", "failed"],
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    for (row, parts) in rows.iter().zip(expected) {
        for part in parts {
            assert!(row.contains(part), "{part} in {row}");
        }
    }
    let hostile = employee.read(&format!("/orders/{HOSTILE}")).await;
    assert_eq!(hostile.matches("class=\"bar\"").count(), 60);
    assert!(hostile.contains("There are more spans"), "{hostile}");
    let without = employee.read(&format!("/orders/{STUCK}")).await;
    assert!(!without.contains("what took how long"), "{without}");
}

#[tokio::test]
async fn of_a_number_without_an_order_the_page_says_who_asked() {
    let employee = employee().await;
    assert_eq!(employee.get(&format!("/search?q={ASKED_FOR}")).await.location, format!("/orders/{ASKED_FOR}"));
    let page = employee.get(&format!("/orders/{ASKED_FOR}")).await;
    assert_eq!(page.status, 404, "{page:?}");
    let link = format!("/orders/{ASKED_FOR}?service=&amp;level=&amp;action=http%2Erequest&amp;from=0#trail");
    for part in ["The logs know no such order", "Requests for this number are recorded: 1", &link] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains(CUSTOMER), "{}", page.text);
    let russian = employee.get_with(&format!("/orders/{ASKED_FOR}"), &[("accept-language", "ru")]).await;
    assert!(russian.text.contains("Есть записи о запросах с этим номером: 1"), "{}", russian.text);
    let requests = employee.get(&link.replace("&amp;", "&")).await;
    assert!(requests.text.contains(&format!("GET /orders/{{id}} 404 · {CUSTOMER}")), "{}", requests.text);
    assert!(!employee.get("/orders/A-999999").await.text.contains("Requests for this number"));
}

#[tokio::test]
async fn the_page_of_logins_shows_whose_fail_and_networks_that_try_many() {
    let text = employee().await.read("/logins").await;
    for part in [logs::OPERATOR, "192.0.2.0", "logins-one-account", "logins-all-accounts"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let row = text.split("<tr").find(|row| row.contains("198.51.100.0")).expect("a row of the network");
    assert_eq!(row.matches("<td class=\"number\">12</td>").count(), 2, "12 failures of 12 logins: {row}");
    assert!(!text.contains("hash-1"), "a login that failed once is nobody's repeated failure");
}

#[tokio::test]
async fn whatever_is_in_a_record_stays_text() {
    let employee = employee().await;
    for path in [format!("/orders/{HOSTILE}"), format!("/orders/{HOSTILE}?record=1"), "/errors?last=24h".to_owned()] {
        let text = employee.read(&path).await;
        for part in ["<script>document", "<img src=x", "href=\"javascript", "<a href='javascript", "<svg onload"] {
            assert!(!text.contains(part), "{path}: {part}");
        }
    }
}

#[tokio::test]
async fn the_page_speaks_two_languages() {
    let employee = employee().await;
    let path = format!("/orders/{SLOW}");
    let russian = employee.get_with(&path, &[("accept-language", "ru-RU,ru;q=0.9")]).await.text;
    for part in ["lang=\"ru\"", "Ваш заказ в производстве с", "дольше обычного", "MANUFACTURING_STARTED"]
    {
        assert!(russian.contains(part), "{part} in {russian}");
    }
    let chosen = employee.get(&format!("{path}?lang=ru")).await;
    assert!(chosen.set_cookie.starts_with("language=ru"), "{chosen:?}");
    assert!(chosen.text.contains("Ваш заказ"));
}

#[tokio::test]
async fn the_page_is_ready_with_elasticsearch() {
    let stranger = stranger().await;
    eventually("the page to be ready", async || {
        let health = stranger.get("/health/ready").await.text;
        if health.contains("\"elasticsearch\":\"up\"") { Ok(()) } else { Err(health) }
    })
    .await;
}
