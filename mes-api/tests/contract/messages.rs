//! Messages of the CRM take effect once, in whatever sequence they come.

use common::{
    domain::{ModelFormat, OrderFacts, OrderStatus, Price},
    failure::ErrorType,
};
use serde_json::{Value, json};
use testkit::orders::{cube, statuses};
use testkit::{eventually, service::RunningService};

use crate::support::{NO_PRICES, PRICES, apply, begin, count, one_on, priced, receive, sent, start, submitted};

#[tokio::test]
async fn a_submitted_order_is_taken_on_with_its_history_and_gets_a_price() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    receive(&mes, &facts).await;

    let order = priced(&operator, &facts.order.id).await;
    assert_eq!(order["status"], "PRICE_CALCULATED");
    assert_eq!(order["price"], json!({"amount_minor": 13_680, "currency": "EUR"}));
    assert_eq!(order["created_at"], serde_json::to_value(&facts.order).unwrap()["created_at"]);
    assert_eq!(order["customer_id"], json!(facts.order.owner.customer()));
    assert_eq!(order["operator_id"], Value::Null);
    assert_eq!(order["price_failure"], Value::Null);
    // Copied facts keep their time, actor and service.
    let history = order["history"].as_array().unwrap();
    assert_eq!(history[..3], serde_json::to_value(&facts.history).unwrap().as_array().unwrap()[..]);
    assert_eq!(history[3]["status"], "PRICE_CALCULATED");
    assert_eq!(history[3]["actor"], "service:mes-api");
    assert_eq!(history[3]["service"], "mes-api");

    let sent = sent(&mes, facts.order.id.as_str()).await;
    let [(message_type, priced)] = &sent[..] else {
        panic!("one message, not {sent:?}");
    };
    assert_eq!(message_type, "order.priced");
    assert_eq!(priced.order.price.as_ref().map(|price| price.amount_minor), Some(13_680));
    assert_eq!(priced.history.len(), 4);
    assert_eq!(priced.model_key, facts.model_key);
}

/// Each list of these messages, some of them twice, in each order.
fn permutations(messages: &[OrderFacts]) -> Vec<Vec<OrderFacts>> {
    if messages.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for index in 0..messages.len() {
        let mut rest = messages.to_vec();
        let first = rest.remove(index);
        all.extend(permutations(&rest).into_iter().map(|mut tail| {
            tail.insert(0, first.clone());
            tail
        }));
    }
    all
}

/// What is known of the order in the end, but for the time of the last look at it.
async fn outcome(mes: &RunningService, facts: &OrderFacts) -> Value {
    let mut connection = mes.tables().acquire().await.unwrap();
    let stored = mes_api::orders::store::find(&mut connection, &facts.order.id).await.unwrap().unwrap();
    let history = mes_api::orders::store::history(&mut connection, &stored.order.order).await.unwrap();
    let mut order = serde_json::to_value(stored.order).unwrap();
    order.as_object_mut().unwrap().remove("updated_at");
    json!({"order": order, "model_key": stored.model_key, "history": history})
}

#[tokio::test]
async fn messages_in_any_order_and_more_than_once_come_to_the_same_end() {
    let mes = start(&NO_PRICES).await;
    let first = submitted(&mes, &cube(), ModelFormat::Stl);
    let mut priced = one_on(&first);
    priced.order.price = Some(Price { amount_minor: 13_680, currency: "EUR".to_owned() });
    let approved = one_on(&priced);
    let messages = [first.clone(), approved.clone(), first.clone(), approved.clone()];

    let mut ends = Vec::new();
    for messages in permutations(&messages) {
        for facts in &messages {
            receive(&mes, facts).await;
        }
        ends.push(outcome(&mes, &first).await);
        sqlx::raw_sql("DELETE FROM price_jobs; DELETE FROM order_history; DELETE FROM orders")
            .execute(mes.tables())
            .await
            .unwrap();
    }
    assert_eq!(ends.len(), 24);
    assert_eq!(ends[0]["order"]["status"], "MANUFACTURING_APPROVED");
    assert_eq!(ends[0]["history"], serde_json::to_value(&approved.history).unwrap());
    assert_eq!(ends[0]["order"]["price_status"], "CALCULATED");
    ends.dedup();
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[tokio::test]
async fn an_approval_that_comes_twice_or_late_changes_the_status_once() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    receive(&mes, &facts).await;
    priced(&operator, &facts.order.id).await;
    // The CRM has heard of the price and goes on from there.
    let (_, heard) = sent(&mes, facts.order.id.as_str()).await.remove(0);
    let approved = one_on(&heard);
    for message in [&approved, &facts, &approved] {
        receive(&mes, message).await;
    }
    let order = operator.get(&format!("/orders/{}", facts.order.id)).await.expect(200);
    assert_eq!(order["status"], "MANUFACTURING_APPROVED");
    assert_eq!(order["history"], serde_json::to_value(&approved.history).unwrap());
    assert_eq!(count(&mes, "SELECT count(*) FROM price_jobs").await, 0);
}

#[tokio::test]
async fn two_first_messages_of_an_order_at_once_both_succeed() {
    let mes = start(&NO_PRICES).await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    let mut one = begin(&mes).await;
    assert_eq!(apply(&mut one, &facts).await.unwrap(), 1, "it is queued");

    let other = {
        let (pool, facts) = (mes.tables().clone(), facts.clone());
        tokio::spawn(async move {
            let mut other = testkit::facts::begin(&pool).await.unwrap();
            let changes = apply(&mut other, &facts).await.unwrap();
            other.commit().await.unwrap();
            changes
        })
    };
    let mut look =
        sqlx::postgres::PgPoolOptions::new().connect(mes.database_url()).await.unwrap().acquire().await.unwrap();
    eventually("the other one to wait", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *look)
        .await
        .unwrap();
        if waiting == 1 { Ok(()) } else { Err(waiting) }
    })
    .await;
    one.commit().await.unwrap();
    assert_eq!(other.await.unwrap(), 0, "it brought nothing new");
    assert_eq!(count(&mes, "SELECT count(*) FROM order_history").await, 3);
    assert_eq!(count(&mes, "SELECT count(*) FROM price_jobs").await, 1);
}

#[tokio::test]
async fn a_message_that_no_sender_of_ours_writes_is_refused_and_leaves_nothing() {
    let mes = start(&NO_PRICES).await;
    let good = submitted(&mes, &cube(), ModelFormat::Stl);
    let change = |change: fn(&mut OrderFacts)| {
        let mut facts = good.clone();
        change(&mut facts);
        facts
    };
    let bad = [
        change(|facts| facts.order.model = None),
        change(|facts| facts.order.status = OrderStatus::FileUploaded),
        change(|facts| {
            facts.history.remove(1);
        }),
        change(|facts| {
            facts.history.pop();
        }),
        // A price before it was calculated, and none after.
        change(|facts| {
            facts.order.price = Some(Price { amount_minor: 1, currency: "EUR".to_owned() });
        }),
        one_on(&good),
    ];
    for facts in &bad {
        let mut unit = begin(&mes).await;
        let failure = apply(&mut unit, facts).await.expect_err("it doesn't fit");
        assert_eq!(failure.error_type, ErrorType::MessageUnexpected, "{facts:?}");
    }
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, 0);

    receive(&mes, &good).await;
    let mut gap = one_on(&one_on(&good));
    gap.history.remove(3);
    let mut unit = begin(&mes).await;
    let failure = apply(&mut unit, &gap).await.expect_err("a status is left out");
    assert_eq!(failure.error_type, ErrorType::MessageUnexpected);
    drop(unit);
    let order = mes.operator().await.get(&format!("/orders/{}", good.order.id)).await.expect(200);
    assert_eq!(statuses(&order), ["INITIATED", "FILE_UPLOADED", "SUBMITTED"]);
}
