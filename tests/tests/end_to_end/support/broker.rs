//! RabbitMQ as its administrator uses it: virtual hosts for tests, and messages that no service would send.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};

use futures::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, QueueBindOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use super::system;

/// As many as one run of the tests can need.
const HOSTS: usize = 32;

/// A virtual host of the shared broker, with the users, rights and policies of the main one, for one test.
pub(crate) struct VirtualHost {
    /// The address for the administrator.
    pub(crate) url: String,
    name: String,
}

impl VirtualHost {
    pub(crate) async fn new() -> Self {
        static FREE: OnceCell<Mutex<Vec<String>>> = OnceCell::const_new();
        let free = FREE.get_or_init(async || {
            let import = tokio::task::spawn_blocking(import_hosts).await;
            Mutex::new(import.expect("RabbitMQ takes the definitions"))
        });
        let name = free.await.lock().await.pop().expect("there are enough virtual hosts");
        let main = system::file().await.amqp.clone().expect("RabbitMQ runs");
        let mut host = Self { url: String::new(), name };
        host.url = host.instead_in(&main);
        host
    }

    /// An address of the broker, with this host in the place of the main one.
    pub(crate) fn instead_in(&self, url: &str) -> String {
        let (server, _) = url.rsplit_once('/').expect("an AMQP URL ends in a virtual host");
        format!("{server}/{}", self.name)
    }

    /// A channel with every right.
    pub(crate) async fn channel(&self) -> Wire {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        Wire { channel, _connection: connection }
    }
}

/// Imports what the main virtual host has for further ones, by the command line that RabbitMQ comes with.
fn import_hosts() -> Vec<String> {
    let system = local::System::shared(&local::Kind::ALL);
    let definitions = include_str!("../../../../deploy/rabbitmq/definitions.json");
    let main: Value = serde_json::from_str(definitions).expect("the definitions are JSON");
    let names: Vec<String> = (1..=HOSTS).map(|number| format!("test-{number}")).collect();
    let in_each_host = |list: &str| -> Vec<Value> {
        let entries = main[list].as_array().expect("a list");
        let in_host = |name: &String| {
            let mut entries = entries.clone();
            entries.iter_mut().for_each(|entry| entry["vhost"] = name.as_str().into());
            entries
        };
        names.iter().flat_map(in_host).collect()
    };
    let hosts: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let definitions = json!({
        "vhosts": hosts, "permissions": in_each_host("permissions"), "policies": in_each_host("policies"),
    });
    let path = system.data().join("test-hosts.json");
    fs::write(&path, definitions.to_string()).expect("a file in the data folder");

    // It finds its node by the same environment as the broker itself.
    let pid = system.pid("rabbitmq").expect("RabbitMQ runs");
    let environment = fs::read(format!("/proc/{pid}/environ")).expect("its environment can be read");
    let environment = String::from_utf8(environment).expect("its environment is text");
    let environment: BTreeMap<&str, &str> = environment.split('\0').filter_map(|line| line.split_once('=')).collect();
    let mut command = Command::new(rabbitmqctl());
    command.env_clear().envs(&environment).args(["-n", environment["RABBITMQ_NODENAME"], "import_definitions"]);
    let output = command.arg(&path).output().expect("rabbitmqctl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    names
}

fn rabbitmqctl() -> PathBuf {
    let servers = fs::read_dir("/usr/lib/rabbitmq/lib").expect("RabbitMQ is installed").flatten();
    let scripts = servers.map(|server| server.path().join("sbin/rabbitmqctl")).filter(|script| script.is_file());
    scripts.max().expect("RabbitMQ comes with rabbitmqctl")
}

/// A message as it is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) routing_key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A message with this body that claims to be of this type.
    pub(crate) fn new(routing_key: &str, body: &[u8]) -> Self {
        let properties = BasicProperties::default().with_type(routing_key.into());
        Self { routing_key: routing_key.to_owned(), properties, body: body.to_vec() }.renumbered()
    }

    fn of(delivery: Delivery) -> Self {
        let Delivery { routing_key, properties, data, .. } = delivery;
        Self { routing_key: routing_key.to_string(), properties, body: data }
    }

    /// The same message under another number.
    pub(crate) fn renumbered(&self) -> Self {
        let properties = self.properties.clone().with_message_id(Uuid::now_v7().to_string().into());
        Self { properties, ..self.clone() }
    }

    /// Its number.
    pub(crate) fn id(&self) -> String {
        self.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Its body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A channel, and the connection that lives as long as it.
pub(crate) struct Wire {
    channel: Channel,
    _connection: Connection,
}

impl Wire {
    /// Collects copies of all messages that are published from now on.
    pub(crate) async fn listen(&self) -> Copies {
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await.expect("a queue");
        let (queue, options) = (queue.name().clone(), QueueBindOptions::default());
        let bound = self.channel.queue_bind(queue.clone(), "orders".into(), "#".into(), options, FieldTable::default());
        bound.await.expect("the exchange is there");
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = self.channel.basic_consume(queue, "".into(), options, FieldTable::default()).await;
        Copies(consumer.expect("a subscription"))
    }

    pub(crate) async fn publish(&self, message: &Message) {
        let published = self.channel.basic_publish(
            "orders".into(),
            message.routing_key.as_str().into(),
            BasicPublishOptions::default(),
            &message.body,
            message.properties.clone(),
        );
        published.await.expect("the broker takes it").await.expect("the broker confirms it");
    }

    /// Deletes a queue, as if it had never been declared.
    pub(crate) async fn delete(&self, queue: &str) {
        let deleted = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        deleted.await.expect("the broker deletes it");
    }

    /// Takes the next message out of a queue.
    pub(crate) async fn take(&self, queue: &str) -> Option<Message> {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.expect("a queue");
        let delivery = got?.delivery;
        delivery.ack(BasicAckOptions::default()).await.expect("the broker removes it");
        Some(Message::of(delivery))
    }
}

/// Copies of messages.
pub(crate) struct Copies(Consumer);

impl Copies {
    /// The next `count` messages about an order.
    pub(crate) async fn about(&mut self, order: &str, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(60), self.0.next()).await;
            let delivery = next.unwrap_or_else(|_| panic!("only {} of {count} messages came", messages.len()));
            let message = Message::of(delivery.expect("the subscription goes on").expect("a message"));
            if message.json()["order"]["id"] == order {
                messages.push(message);
            }
        }
        messages
    }
}
