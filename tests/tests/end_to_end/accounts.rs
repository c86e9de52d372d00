//! Accounts and keys as administrators make and end them: by a service's subcommands, while it runs.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use testkit::Client;

use crate::support::{secrets, system};

/// Runs one of the CRM's subcommands with the settings of the CRM that runs; returns what it said.
async fn crm(arguments: &[&str], input: &str) -> Value {
    let file = system::file().await;
    let mut command = Command::new(&file.binaries["crm-api"]);
    command.args(arguments).env_clear().envs(&file.environments["crm-api"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.expect("it ends").expect("its output");
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("it says JSON")
}

#[tokio::test]
async fn disabling_an_account_ends_its_sessions_at_once() {
    let site = system::site().await;
    let (login, password) = (secrets::new("employee"), secrets::new("password"));
    crm(&["account", "add", "--role", "seller", "--login", &login], &password).await;
    let seller = site.crm.log_in(&login, &password).await;
    secrets::keep(seller.token());
    seller.get("/orders").await.expect(200);
    crm(&["account", "disable", "--login", &login], "").await;
    seller.get("/orders").await.expect_problem(401, "unauthenticated");
    let credentials = json!({"login": login, "password": password});
    site.crm.post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");
}

#[tokio::test]
async fn a_rotated_key_is_dead_at_once_and_the_new_one_works() {
    let site = system::site().await;
    let name = secrets::new("carrier");
    let key = async |more: &[&str]| -> Client {
        let made = crm(&[&["key", "add", "--role", "carrier", "--name", &name], more].concat(), "").await;
        site.crm.holding(&secrets::keep(made["key"].as_str().expect("a key")), None)
    };
    let deliver = |carrier: &Client| {
        let carrier = carrier.clone();
        async move { carrier.post_json("/deliveries", json!({"order_id": "A-999999999"})).await }
    };
    let (first, second) = (key(&[]).await, key(&[]).await);
    for carrier in [&first, &second] {
        deliver(carrier).await.expect_problem(404, "order_not_found");
    }
    let third = key(&["--rotate"]).await;
    for carrier in [&first, &second] {
        deliver(carrier).await.expect_problem(401, "unauthenticated");
    }
    deliver(&third).await.expect_problem(404, "order_not_found");
}
