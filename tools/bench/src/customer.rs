//! A customer of the shop who orders again and again.

use anyhow::{Context as _, Result};
use testkit::Client;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{load, stage::Stage};

/// A customer who is logged in.
pub(crate) struct Customer {
    /// Their account.
    pub(crate) account: Uuid,
    /// Their session, as the database has it, in hex.
    pub(crate) token_sha256: String,
    token: String,
}

impl Customer {
    /// A new one.
    pub(crate) async fn register(stage: &Stage) -> Result<Self> {
        let shop = Client::new(stage.file().shop_api.as_deref().context("the services run")?);
        let client = shop.register("bench", "a ring to find them").await;
        let mut database = PgConnection::connect(stage.shop_database()?).await?;
        let session = "SELECT encode(token_sha256, 'hex') FROM sessions WHERE account_id = $1";
        let token_sha256 = sqlx::query_scalar(session).bind(client.account()).fetch_one(&mut database).await?;
        Ok(Self { account: client.account(), token_sha256, token: client.token().to_owned() })
    }

    /// The request for a new order.
    pub(crate) fn new_order(&self) -> Vec<u8> {
        new_order(&self.token)
    }
}

/// The request for a new order of whoever holds this token.
pub(crate) fn new_order(token: &str) -> Vec<u8> {
    let order = r#"{"material":"gold_585","quantity":1,"comment":"For her birthday, please."}"#;
    load::request("POST", "/orders", token, order)
}
