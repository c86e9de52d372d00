//! `demo`: takes an order through all its statuses over REST and shows its trail from Elasticsearch.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use catalogue::{ORDER_STATUSES, field};
use questions::{Logs, Period, Record};
use reqwest::Method;
use serde_json::json;

use crate::clients::api::{ApiClient, PATIENCE};
use crate::commands::{log_flags, trail};
use crate::host::process::POLL;
use crate::system::{accounts::Login, system_file::SystemFile};
use crate::terminal::print;

/// Runs the demonstration on the running system.
pub(crate) async fn demo(data: &Path) -> Result<()> {
    let file = SystemFile::read(data)?;
    let began = Instant::now();
    let people = People::log_in(&file).await?;
    let order = people.place_order().await?;
    people.produce(&order).await?;
    let carrier = file.carrier_key.as_deref().context("the running system has no carrier")?;
    people.deliver(&order, carrier).await?;
    let lasted = began.elapsed();
    let records = whole_trail(&log_flags::of_system(&file)?, &order).await?;
    print::out(format_args!("\n{}\n", trail::table(&records)));
    print::out(format_args!(
        "Order {order} went through {} statuses in {:.1} s; its whole trail could be read {:.1} s later.\n\
         The traces' ids are shortened to 8 of 32 digits.",
        ORDER_STATUSES.len(),
        lasted.as_secs_f64(),
        (began.elapsed() - lasted).as_secs_f64()
    ));
    if let (Some(page), Some(Login { login, password })) = (&file.support_web, &file.accounts.support) {
        print::out(format_args!(
            "\nThe same for a person: {page}/orders/{order}   (log in as {login} with the password {password})"
        ));
    }
    Ok(())
}

/// The people who work on an order.
struct People {
    customer: ApiClient,
    seller: ApiClient,
    operator: ApiClient,
}

impl People {
    async fn log_in(file: &SystemFile) -> Result<Self> {
        const NONE: &str = "the running system has no services";
        let accounts = &file.accounts;
        let log_in = async |address: &Option<String>, account: &Option<Login>| {
            ApiClient::log_in(address.as_deref().context(NONE)?, account.as_ref().context(NONE)?).await
        };
        let shop = file.shop_api.as_deref().context(NONE)?;
        let (customer, _) = ApiClient::new_customer(shop).await?;
        print::out("A new customer registers in the shop.");
        Ok(Self {
            customer,
            seller: log_in(&file.crm_api, &accounts.seller).await?,
            operator: log_in(&file.mes_api, &accounts.operator).await?,
        })
    }

    /// The customer's part; returns the order's number.
    async fn place_order(&self) -> Result<String> {
        let content = json!({ "material": "gold_585", "quantity": 2, "comment": "engraved inside, please" });
        let order = self.customer.create_order(&content).await?;
        // A plain ring of 18 mm inner diameter.
        let ring = mesh::solids::torus(10.0, 1.0, 96).to_binary_stl();
        print::out(format_args!("Order {order}: two rings of 585 gold, by a 3D model of {} kB.", ring.len() / 1000));
        self.customer.upload(&order, "ring.stl", ring).await?;
        self.customer.advance(&order, "SUBMITTED").await?;
        print::out("The customer submits it and waits for the price …");
        let priced = self.customer.wait_for(&order, "PRICE_CALCULATED").await?;
        let (amount, currency) = (&priced["price"]["amount_minor"], &priced["price"]["currency"]);
        let amount = amount.as_u64().context("a calculated price without an amount")?;
        print::out(format_args!(
            "… which is {}.{:02} {}.",
            amount / 100,
            amount % 100,
            currency.as_str().unwrap_or_default()
        ));
        Ok(order)
    }

    /// The seller's and the operator's part.
    async fn produce(&self, order: &str) -> Result<()> {
        self.seller.wait_for(order, "PRICE_CALCULATED").await?;
        self.seller.advance(order, "MANUFACTURING_APPROVED").await?;
        print::out("The seller lets it go to production.");
        self.operator.wait_for(order, "MANUFACTURING_APPROVED").await?;
        self.operator.call(Method::PUT, &format!("/orders/{order}/operator"), None).await?;
        for status in ["MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"] {
            self.operator.advance(order, status).await?;
        }
        print::out("An operator takes it, makes it, packs it and ships it.");
        Ok(())
    }

    async fn deliver(&self, order: &str, carrier_key: &str) -> Result<()> {
        self.seller.wait_for(order, "SHIPPED").await?;
        let carrier = self.seller.with_token(carrier_key);
        carrier.call(Method::POST, "/deliveries", Some(json!({ "order_id": order }))).await?;
        self.customer.wait_for(order, "CLOSED").await?;
        print::out("The carrier confirms the delivery, which closes it.");
        Ok(())
    }
}

/// The order's records. Waits until every status is among them.
async fn whole_trail(logs: &Logs, order: &str) -> Result<Vec<Record>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let records = match logs.trail(order, &Period::whole(), trail::MOST).await {
            Ok(found) => found.value.records,
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            // A new index may not be searchable yet.
            Err(_) => Vec::new(),
        };
        let seen: BTreeSet<&str> = records.iter().map(|record| record.text(field::ORDER_STATUS)).collect();
        let missing: Vec<&str> = ORDER_STATUSES.into_iter().filter(|status| !seen.contains(status)).collect();
        if missing.is_empty() {
            return Ok(records);
        }
        if Instant::now() > deadline {
            bail!("Elasticsearch has no record of {} after {} s", missing.join(", "), PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL * 8).await;
    }
}
