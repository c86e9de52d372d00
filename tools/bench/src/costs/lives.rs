//! Whole lives of customers' orders, many at once and step by step, without looks at them in between.

use std::time::Duration;

use anyhow::Result;
use common::domain::OrderStatus;
use futures::{StreamExt as _, stream};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use testkit::{
    Client, eventually_within,
    site::{OrderActions as _, Site},
};

use crate::{progress::say, testbed::Testbed};

/// Requests at the same time.
const AT_ONCE: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(600);

/// The people, each logged in once, and the databases, to see how far the orders are.
pub(super) struct Lives {
    customer: Client,
    seller: Client,
    operator: Client,
    carrier: Client,
    shop: PgConnection,
    mes: PgConnection,
    lived: usize,
}

impl Lives {
    pub(super) async fn prepare(testbed: &Testbed) -> Result<Self> {
        let site = Site::of(testbed.file());
        let databases = testbed.databases()?;
        Ok(Self {
            customer: site.customer().await,
            seller: site.seller().await,
            operator: site.operator().await,
            carrier: site.carrier(),
            shop: PgConnection::connect(&databases.shop).await?,
            mes: PgConnection::connect(&databases.mes).await?,
            lived: 0,
        })
    }

    /// Takes so many new orders from their creation to their delivery; returns their numbers.
    pub(super) async fn live(&mut self, orders: usize) -> Result<Vec<String>> {
        self.lived += orders;
        let new = stream::iter(0..orders).map(|_| self.customer.submit_new()).buffer_unordered(AT_ONCE);
        let new: Vec<String> = new.collect().await;
        say("  submitted");
        self.all(OrderStatus::PriceCalculated).await?;
        say("  priced");
        each(&new, async |order| {
            self.seller.advance(order, OrderStatus::ManufacturingApproved).await;
        })
        .await;
        self.all_in_mes(OrderStatus::ManufacturingApproved).await?;
        say("  approved");
        each(&new, async |order| {
            self.operator.take(order).await;
            for status in [OrderStatus::ManufacturingCompleted, OrderStatus::Packaging, OrderStatus::Shipped] {
                self.operator.advance(order, status).await;
            }
        })
        .await;
        self.all(OrderStatus::Shipped).await?;
        say("  shipped");
        each(&new, async |order| {
            self.carrier.post_json("/deliveries", json!({"order_id": order})).await.expect(200);
        })
        .await;
        Ok(new)
    }

    async fn all(&mut self, status: OrderStatus) -> Result<()> {
        reached(&mut self.shop, status, self.lived).await
    }

    async fn all_in_mes(&mut self, status: OrderStatus) -> Result<()> {
        reached(&mut self.mes, status, self.lived).await
    }
}

/// Waits until so many orders have had a status.
async fn reached(database: &mut PgConnection, status: OrderStatus, orders: usize) -> Result<()> {
    eventually_within(TIMEOUT, "all orders to come further", async || {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM order_history WHERE status = $1")
            .bind(status.name())
            .fetch_one(&mut *database)
            .await
            .map_err(|error| error.to_string())?;
        if usize::try_from(count) == Ok(orders) { Ok(()) } else { Err(format!("{count} of {orders} are {status}")) }
    })
    .await;
    Ok(())
}

async fn each(orders: &[String], act: impl AsyncFn(&str)) {
    stream::iter(orders).for_each_concurrent(AT_ONCE, |order| act(order)).await;
}
