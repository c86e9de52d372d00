//! Starts each incident: over REST, over AMQP, and by signals. Floods are in `floods`.

use anyhow::{Context as _, Result, ensure};
use catalogue::Service;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use mesh::solids;
use serde_json::json;
use uuid::Uuid;

use super::floods::{self, order_content};
use super::kinds::Incident;
use super::ongoing::Ongoing;
use super::pause::Paused;
use super::replica::Replica;
use crate::clients::api::ApiClient;
use crate::host::secret;
use crate::system::{accounts::Login, system_file::SystemFile};

impl Incident {
    /// Makes it happen on this system. [`Ongoing::end`] undoes it; so does dropping the result, without waiting for the
    /// effect. `count` replaces [`Incident::usual_count`].
    ///
    /// # Errors
    ///
    /// The system has no services, or they respond with an error.
    pub async fn begin(self, system: &SystemFile, count: Option<usize>) -> Result<Ongoing> {
        let count = count.unwrap_or(self.usual_count());
        match self {
            Self::MesStopped => mes_stopped(system).await,
            Self::PoisonedMessage => poisoned_message(system).await,
            Self::BadModels => bad_models(system, count).await,
            Self::LoginAttack => login_attack(system, count).await,
            Self::OrderBurst => floods::orders(system, count).await,
            Self::StuckOrder => stuck_order(system).await,
            Self::Scan => floods::scan(system, count).await,
            Self::LoginFlood => floods::logins(system, count).await,
            Self::RequestFlood => floods::requests(system, count).await,
            Self::UploadFlood => floods::uploads(system, count).await,
            Self::SlowConnections => floods::slow_connections(system, count).await,
            Self::VerboseLog => verbose_log(system),
            Self::ShipperStopped => shipper_stopped(system),
            Self::BrokerStopped => broker_stopped(system).await,
        }
    }
}

/// Submits an order with this model and returns its number.
async fn place(customer: &ApiClient, filename: &str, model: Vec<u8>) -> Result<String> {
    let order = customer.create_order(&order_content()).await?;
    customer.upload(&order, filename, model).await?;
    customer.advance(&order, "SUBMITTED").await?;
    Ok(order)
}

async fn mes_stopped(system: &SystemFile) -> Result<Ongoing> {
    order_waits(system, Service::MesApi.name(), "The MES").await
}

async fn broker_stopped(system: &SystemFile) -> Result<Ongoing> {
    order_waits(system, "rabbitmq", "RabbitMQ").await
}

/// Pauses a part that an order needs for its price, and submits one.
async fn order_waits(system: &SystemFile, part: &str, name: &str) -> Result<Ongoing> {
    let (customer, _) = ApiClient::new_customer(system.running_shop()?).await?;
    let paused = Paused::part(system, part)?;
    let stopped = format!("{name} stands still: its process {} was sent SIGSTOP.", paused.pid());
    // Dropping this after an error resumes the part.
    let mut ongoing = Ongoing { paused: Some(paused), ..Ongoing::default() };
    let order = place(&customer, "ring.stl", solids::torus(10.0, 1.0, 48).to_binary_stl()).await?;
    ongoing.done = vec![stopped, format!("Order {order} was submitted and waits for its price.")];
    ongoing.orders.push(order);
    ongoing.customer = Some(customer);
    Ok(ongoing)
}

async fn stuck_order(system: &SystemFile) -> Result<Ongoing> {
    let mut ongoing = mes_stopped(system).await?;
    let mut replica = Replica::impatient(system, "SUBMITTED = \"0 minutes\"\n")?;
    let [order] = &ongoing.orders[..] else { unreachable!("one order waits") };
    replica.wait_for_report(order).await?;
    ongoing.done.push(format!(
        "A further CRM was started whose deadline for SUBMITTED is 0 minutes instead of 45; it has reported {order}."
    ));
    ongoing.replica = Some(replica);
    Ok(ongoing)
}

fn shipper_stopped(system: &SystemFile) -> Result<Ongoing> {
    let paused = Paused::part(system, "shipper")?;
    let done = vec![
        format!("The shipper stands still: its process {} was sent SIGSTOP.", paused.pid()),
        "The services go on writing their records into files.".to_owned(),
    ];
    Ok(Ongoing { done, paused: Some(paused), ..Ongoing::default() })
}

fn verbose_log(system: &SystemFile) -> Result<Ongoing> {
    let replica = Replica::verbose(system)?;
    let done = vec!["A further CRM was started with RUST_LOG=trace.".to_owned()];
    Ok(Ongoing { done, replica: Some(replica), ..Ongoing::default() })
}

async fn poisoned_message(system: &SystemFile) -> Result<Ongoing> {
    const KIND: &str = "order.submitted";
    /// A truncated message.
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

async fn bad_models(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let (customer, _) = ApiClient::new_customer(system.running_shop()?).await?;
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
        customer.wait_until(order, "fail to get a price", |seen| seen["price_failure"].is_object()).await?;
    }
    let done = vec![
        format!(
            "{count} orders were submitted, from {} to {}: models with a hole, models that can't be read, models \
             larger than a house.",
            orders.first().map_or("", String::as_str),
            orders.last().map_or("", String::as_str)
        ),
        "None of them has a price, and each order says why.".to_owned(),
    ];
    Ok(Ongoing { done, orders, ..Ongoing::default() })
}

async fn login_attack(system: &SystemFile, count: usize) -> Result<Ongoing> {
    let shop = system.running_shop()?;
    let ((_, victim), attacker) = (ApiClient::new_customer(shop).await?, ApiClient::anonymous(shop));
    let guess = async |login: &str| -> Result<_> {
        attacker.attempt("/sessions", &json!(Login { login: login.to_owned(), password: secret::random()? })).await
    };
    // From the fifth failure on, the account demands a pause before the next attempt: longer each time.
    let (mut refused, mut pauses) = (0, 0);
    while refused < 7 {
        match guess(&victim.login).await? {
            (_, Some(wait)) => {
                pauses += 1;
                tokio::time::sleep(wait).await;
            }
            _ => refused += 1,
        }
    }
    for _ in 0..count {
        guess(&format!("guessed-{}", &secret::random()?[..12])).await?;
    }
    let done = vec![
        format!("One customer's account got {refused} wrong passwords and demanded a pause {pauses} times."),
        format!("{count} other logins got one wrong password each."),
        "No login succeeded; the account can be used again after some seconds.".to_owned(),
    ];
    Ok(Ongoing { done, ..Ongoing::default() })
}
