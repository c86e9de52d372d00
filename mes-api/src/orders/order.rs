//! Orders as operators and partners see them.

use common::{
    domain::{Change, Localize, Model, Notice, OperatorId, Order, OrderFacts, OrderStatus},
    telemetry::Subject,
};
use mesh::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::price_status::PriceStatus;

/// An order as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MesOrder {
    /// What every service shows of it.
    #[serde(flatten)]
    pub order: Order,
    /// The operator who has taken it.
    pub operator_id: Option<OperatorId>,
    /// How far the calculation of its price is.
    pub price_status: PriceStatus,
    /// Why its price could not be calculated, in words for the customer.
    pub price_failure: Option<Notice>,
}

/// An order as the database has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredOrder {
    /// What responses show of it.
    pub order: MesOrder,
    /// Its 3D model.
    pub model: Model,
    /// The key of its 3D model in the model store.
    pub model_key: String,
}

impl StoredOrder {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> OrderStatus {
        self.order.order.status
    }

    /// The order and its owner, for records.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::order(&self.order.order.id, self.order.order.owner)
    }
}

/// An order with its history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderDetails {
    /// The order.
    #[serde(flatten)]
    pub order: MesOrder,
    /// Every change of its status, the oldest first.
    pub history: Vec<Change>,
}

/// An order as its partner sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartnerOrder {
    /// What every service shows of it.
    #[serde(flatten)]
    pub order: Order,
    /// How far the calculation of its price is.
    pub price_status: PriceStatus,
    /// Why its price could not be calculated.
    pub price_failure: Option<Notice>,
    /// Every change of its status, the oldest first.
    pub history: Vec<Change>,
}

impl From<OrderDetails> for PartnerOrder {
    fn from(details: OrderDetails) -> Self {
        let OrderDetails { order: MesOrder { order, price_status, price_failure, .. }, history } = details;
        Self { order, price_status, price_failure, history }
    }
}

impl Localize for MesOrder {
    fn localize(&mut self, language: Language) {
        self.order.localize(language);
        self.price_failure.localize(language);
    }
}

impl Localize for OrderDetails {
    fn localize(&mut self, language: Language) {
        self.order.localize(language);
    }
}

impl Localize for PartnerOrder {
    fn localize(&mut self, language: Language) {
        self.order.localize(language);
        self.price_failure.localize(language);
    }
}

impl StoredOrder {
    /// What a message says of the order, with its history.
    #[must_use]
    pub fn facts(&self, history: Vec<Change>) -> OrderFacts {
        OrderFacts {
            order: self.order.order.clone(),
            model_key: self.model_key.clone(),
            history,
            price_failure: self.order.price_failure.clone(),
        }
    }
}
