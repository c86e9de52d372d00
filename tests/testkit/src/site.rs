//! The people who use the services, and what they do with an order.

use common::domain::OrderStatus;
use local::{Login, SystemFile};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::{Client, eventually, secrets, solids};

/// Three services and who uses them.
#[derive(Clone)]
pub struct Site {
    /// The shop, without an account.
    pub shop: Client,
    /// The CRM, the same.
    pub crm: Client,
    /// The MES, the same.
    pub mes: Client,
    /// An account of the CRM.
    pub seller: Login,
    /// An account of the MES.
    pub operator: Login,
    /// Another one of the MES.
    pub second_operator: Login,
    /// An API key of the CRM.
    pub carrier_key: String,
    /// An API key of the MES.
    pub partner_key: String,
}

impl Site {
    /// Those of a running system.
    pub fn of(file: &SystemFile) -> Self {
        let client = |address: &Option<String>| Client::new(address.as_deref().expect("the services run"));
        let login = |login: &Option<Login>| {
            let login = login.clone().expect("the services run");
            secrets::keep(&login.password);
            login
        };
        let key = |key: &Option<String>| secrets::keep(key.as_deref().expect("the services run"));
        Self {
            shop: client(&file.shop_api),
            crm: client(&file.crm_api),
            mes: client(&file.mes_api),
            seller: login(&file.accounts.seller),
            operator: login(&file.accounts.operator),
            second_operator: login(&file.accounts.second_operator),
            carrier_key: key(&file.carrier_key),
            partner_key: key(&file.partner_key),
        }
    }

    /// A new customer, logged in.
    pub async fn customer(&self) -> Client {
        let customer = self.shop.register(&secrets::new("customer"), &secrets::new("password")).await;
        secrets::keep(customer.token());
        customer
    }

    /// The seller, logged in.
    pub async fn seller(&self) -> Client {
        log_in(&self.crm, &self.seller).await
    }

    /// The operator, logged in.
    pub async fn operator(&self) -> Client {
        log_in(&self.mes, &self.operator).await
    }

    /// The other operator, logged in.
    pub async fn second_operator(&self) -> Client {
        log_in(&self.mes, &self.second_operator).await
    }

    /// The carrier, at the CRM.
    pub fn carrier(&self) -> Client {
        self.crm.holding(&self.carrier_key, None)
    }

    /// The partner, at the MES.
    pub fn partner(&self) -> Client {
        self.mes.holding(&self.partner_key, None)
    }

    /// From approval to the parcel's handing over.
    pub async fn make_and_ship(&self, order: &str) {
        self.seller().await.advance(order, OrderStatus::ManufacturingApproved).await;
        let operator = self.operator().await;
        operator.wait_for(order, OrderStatus::ManufacturingApproved).await;
        operator.take(order).await;
        for status in [OrderStatus::ManufacturingCompleted, OrderStatus::Packaging, OrderStatus::Shipped] {
            operator.advance(order, status).await;
        }
    }
}

async fn log_in(service: &Client, login: &Login) -> Client {
    let client = service.log_in(&login.login, &login.password).await;
    secrets::keep(client.token());
    client
}

/// A small closed model, as a binary STL file.
pub fn ring() -> Vec<u8> {
    solids::torus(9.0, 1.0, 24).to_binary_stl()
}

/// The number of an order.
pub fn number(order: &Value) -> String {
    order["id"].as_str().expect("an order has a number").to_owned()
}

/// A new order, with a comment that must not turn up anywhere, although it would look like a record.
pub fn wish() -> Value {
    let comment = format!("\"}}\n{{\"level\":50,\"msg\":\"{}\"}}\n", secrets::new("comment"));
    json!({"material": "gold_585", "quantity": 2, "comment": comment})
}

/// A partner's new order with this model.
pub fn partner_form(model: Vec<u8>) -> Form {
    Form::new()
        .text("material", "silver_925")
        .text("quantity", "3")
        .text("comment", secrets::new("comment"))
        .part("model", Part::bytes(model).file_name("ring.stl"))
}

/// What people do with orders.
#[expect(async_fn_in_trait, reason = "only these tests call it, and only for clients")]
pub trait OrderActions {
    /// A customer's new order.
    async fn create(&self) -> String;
    /// A customer's new order with a model.
    async fn create_with_model(&self) -> String;
    /// A customer's new order, submitted.
    async fn submit_new(&self) -> String;
    /// Uploads a model of this name.
    async fn upload(&self, order: &str, filename: &str, model: Vec<u8>) -> Value;
    /// Takes an order one status on.
    async fn advance(&self, order: &str, status: OrderStatus) -> Value;
    /// Takes an order as an operator.
    async fn take(&self, order: &str) -> Value;
    /// Looks until an order is in a status, or further on.
    async fn wait_for(&self, order: &str, status: OrderStatus) -> Value;
    /// A partner's new order.
    async fn order_as_partner(&self) -> String;
}

impl OrderActions for Client {
    async fn create(&self) -> String {
        number(&self.post_json("/orders", wish()).await.expect(201))
    }

    async fn create_with_model(&self) -> String {
        let order = self.create().await;
        self.upload(&order, "ring.stl", ring()).await;
        order
    }

    async fn submit_new(&self) -> String {
        let order = self.create_with_model().await;
        self.advance(&order, OrderStatus::Submitted).await;
        order
    }

    async fn upload(&self, order: &str, filename: &str, model: Vec<u8>) -> Value {
        self.put_bytes(&format!("/orders/{order}/model?filename={filename}"), model).await.expect(200)
    }

    async fn advance(&self, order: &str, status: OrderStatus) -> Value {
        let advanced = self.post_json(&format!("/orders/{order}/status"), json!({"status": status})).await.expect(200);
        assert_eq!(advanced["status"], status.name());
        advanced
    }

    async fn take(&self, order: &str) -> Value {
        self.put(&format!("/orders/{order}/operator")).await.expect(200)
    }

    async fn wait_for(&self, order: &str, status: OrderStatus) -> Value {
        eventually(&format!("{order} to be {status}"), async || {
            // It may not have come here yet.
            let found = self.get(&format!("/orders/{order}")).await.json;
            let now = serde_json::from_value::<OrderStatus>(found["status"].clone()).ok();
            if now >= Some(status) { Ok(found) } else { Err(found) }
        })
        .await
    }

    async fn order_as_partner(&self) -> String {
        number(&self.post_form("/partner/orders", partner_form(ring())).await.expect(202))
    }
}
