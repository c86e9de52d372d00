//! How each incident comes about: over REST, over AMQP, and by signals.

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use mesh::solids;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kinds::Ongoing;
use super::pause::Halted;
use super::replica::Replica;
use crate::clients::api::Caller;
use crate::host::secret;
use crate::system::system_file::{Login, SystemFile};

const MES: &str = "mes-api";

fn shop(system: &SystemFile) -> Result<&str> {
    system.shop_api.as_deref().context("the running system has no services")
}

fn wish() -> Value {
    json!({ "material": "silver_925", "quantity": 1 })
}

/// Places an order with this model; gives its number.
async fn place(customer: &Caller, filename: &str, model: Vec<u8>) -> Result<String> {
    let order = customer.create_order(&wish()).await?;
    customer.upload(&format!("/orders/{order}/model?filename={filename}"), model).await?;
    customer.advance(&order, "SUBMITTED").await?;
    Ok(order)
}

pub(super) async fn mes_stopped(system: &SystemFile) -> Result<Ongoing> {
    let (customer, _) = Caller::new_customer(shop(system)?).await?;
    let halted = Halted::service(system, MES)?;
    let stands_still = format!("The MES stands still: its process {} was sent SIGSTOP.", halted.pid());
    // Halted before anything can fail, so that it goes on whatever happens.
    let mut ongoing = Ongoing { halted: Some(halted), ..Ongoing::default() };
    let order = place(&customer, "ring.stl", solids::torus(10.0, 1.0, 48).to_binary_stl()).await?;
    ongoing.done = vec![stands_still, format!("Order {order} was submitted and waits for its price.")];
    ongoing.orders.push(order);
    ongoing.customer = Some(customer);
    Ok(ongoing)
}

pub(super) async fn stuck_order(system: &SystemFile) -> Result<Ongoing> {
    let mut ongoing = mes_stopped(system).await?;
    let mut replica = Replica::start(system, "SUBMITTED = \"0 minutes\"\n")?;
    let [order] = &ongoing.orders[..] else { unreachable!("one order waits") };
    replica.reports(order).await?;
    ongoing.done.push(format!(
        "A further CRM was started whose deadline for SUBMITTED is 0 minutes instead of 45; it has reported {order}."
    ));
    ongoing.replica = Some(replica);
    Ok(ongoing)
}

pub(super) async fn poisoned_message(system: &SystemFile) -> Result<Ongoing> {
    const KIND: &str = "order.submitted";
    /// A message that was cut off on its way.
    const BODY: &[u8] = br#"{"order":{"id":"A-100000","status":"SUBMI"#;
    const PERSISTENT: u8 = 2;
    let address = system.amqp.as_deref().context("the running system has no RabbitMQ")?;
    let connection = Connection::connect(address, ConnectionProperties::default()).await.context("RabbitMQ")?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let id = Uuid::now_v7().to_string();
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(id.as_str().into())
        .with_type(KIND.into());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = channel.basic_publish("orders".into(), KIND.into(), options, BODY, properties).await?.await?;
    ensure!(matches!(confirm, Confirmation::Ack(None)), "RabbitMQ did not take the message: {confirm:?}");
    connection.close(200, "done".into()).await?;
    let done = vec![
        format!("Message {id} of the type {KIND} was sent to the MES; its body is cut off in the middle."),
        "The MES rejects it, and RabbitMQ keeps it in mes-api.orders.dead-letter.".to_owned(),
    ];
    Ok(Ongoing { done, message: Some(id), ..Ongoing::default() })
}

pub(super) async fn bad_models(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let (customer, _) = Caller::new_customer(shop(system)?).await?;
    let mut open = solids::cube(4.0);
    open.triangles.pop();
    let models = [
        ("open.stl", open.to_binary_stl()),
        ("garbage.obj", b"v 1 2 3\nf 1 2 77\n".to_vec()),
        ("huge.stl", solids::cube(90_000.0).to_binary_stl()),
    ];
    let mut orders = Vec::with_capacity(count);
    for (filename, model) in models.iter().cycle().take(count) {
        orders.push(place(&customer, filename, model.clone()).await?);
    }
    for order in &orders {
        customer.wait_until(order, "fail to get a price", |seen| seen["price_failure"].is_string()).await?;
    }
    let done = vec![
        format!(
            "{count} orders were submitted, from {} to {}: models with a hole, models that can't be read, models \
             larger than a house.",
            orders.first().map_or("", String::as_str),
            orders.last().map_or("", String::as_str)
        ),
        "None of them has a price, and each customer was told why.".to_owned(),
    ];
    Ok(Ongoing { done, orders, ..Ongoing::default() })
}

pub(super) async fn login_attack(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let shop = shop(system)?;
    let ((_, victim), stranger) = (Caller::new_customer(shop).await?, Caller::nobody(shop));
    let guess = async |login: &str| -> Result<_> {
        stranger.attempt("/sessions", &json!(Login { login: login.to_owned(), password: secret::random()? })).await
    };
    // From the fifth failure on, the account makes its guesser wait: longer each time.
    let (mut refused, mut told_to_wait) = (0, 0);
    while refused < 7 {
        match guess(&victim.login).await? {
            (_, Some(wait)) => {
                told_to_wait += 1;
                tokio::time::sleep(wait).await;
            }
            _ => refused += 1,
        }
    }
    for _ in 0..count {
        guess(&format!("guessed-{}", &secret::random()?[..12])).await?;
    }
    let done = vec![
        format!("One customer's account got {refused} wrong passwords and made its guesser wait {told_to_wait} times."),
        format!("{count} other logins got one wrong password each."),
        "Nobody got in; the account can be used again after some seconds.".to_owned(),
    ];
    Ok(Ongoing { done, ..Ongoing::default() })
}

pub(super) async fn order_burst(system: &SystemFile, count: usize) -> Result<Ongoing> {
    /// Requests on their way at the same time.
    const CONCURRENCY: usize = 64;
    let (customer, _) = Caller::new_customer(shop(system)?).await?;
    for _ in 0..4 {
        customer.create_order(&wish()).await?;
    }
    let wish = wish();
    let mut answers =
        futures::stream::iter((0..count).map(|_| customer.attempt("/orders", &wish))).buffer_unordered(CONCURRENCY);
    let (mut created, mut refused) = (0, 0);
    let began = std::time::Instant::now();
    while let Some(answer) = answers.next().await {
        if answer?.0.is_success() { created += 1 } else { refused += 1 }
    }
    let took = began.elapsed().as_secs_f64();
    let done = vec![
        format!("One customer created 4 orders, then {created} more within {took:.1} s; {refused} were refused."),
        "They stay INITIATED, and the CRM will report them as abandoned after seven days.".to_owned(),
    ];
    Ok(Ongoing { done, ..Ongoing::default() })
}
