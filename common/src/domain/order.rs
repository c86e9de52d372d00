//! An order as responses show it, and as messages carry it.

use mesh::Language;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    history::Change,
    ids::{CustomerId, OrderId, PartnerId},
    material::Material,
    model::Model,
    notice::{self, Localize, Notice},
    status::OrderStatus,
};

/// Whose order it is: a customer's, or a partner company's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Owner {
    /// The customer's account.
    #[serde(rename = "customer_id")]
    Customer(CustomerId),
    /// The partner's account.
    #[serde(rename = "partner_id")]
    Partner(PartnerId),
}

impl Owner {
    /// The owner out of two columns of which one is set; none if neither is.
    #[must_use]
    pub fn from_columns(customer: Option<CustomerId>, partner: Option<PartnerId>) -> Option<Self> {
        customer.map(Self::Customer).or(partner.map(Self::Partner))
    }

    /// The customer's account, if it is a customer's order.
    #[must_use]
    pub const fn customer(self) -> Option<CustomerId> {
        match self {
            Self::Customer(id) => Some(id),
            Self::Partner(_) => None,
        }
    }

    /// The partner's account, if it is a partner's order.
    #[must_use]
    pub const fn partner(self) -> Option<PartnerId> {
        match self {
            Self::Partner(id) => Some(id),
            Self::Customer(_) => None,
        }
    }
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// The amount in the currency's minor unit (cents).
    #[schema(example = 48950)]
    pub amount_minor: i64,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// What is asked for when an order is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// What the jewel is made of.
    pub material: Material,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1000)]
    pub quantity: i32,
    /// Anything the seller should know.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub comment: Option<String>,
}

/// Why the fields of a new order are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrder {
    /// The quantity is out of range.
    #[error("quantity must be between 1 and {}", NewOrder::MAX_QUANTITY)]
    Quantity,
    /// The comment is too long, or has a character that no text has.
    #[error("comment must have at most {} characters, and no NUL", NewOrder::MAX_COMMENT)]
    Comment,
}

impl NewOrder {
    /// The most pieces in one order.
    pub const MAX_QUANTITY: i32 = 1_000;
    /// The longest comment, in characters.
    pub const MAX_COMMENT: usize = 2_000;

    /// Checks the fields against their limits.
    ///
    /// # Errors
    ///
    /// Names the field and its limits.
    pub fn check(&self) -> Result<(), InvalidOrder> {
        if !(1..=Self::MAX_QUANTITY).contains(&self.quantity) {
            return Err(InvalidOrder::Quantity);
        }
        // PostgreSQL's text has no NUL.
        let comment = self.comment.as_deref().unwrap_or_default();
        if comment.chars().count() > Self::MAX_COMMENT || comment.contains('\0') {
            return Err(InvalidOrder::Comment);
        }
        Ok(())
    }
}

/// The status that a caller asks for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStatus {
    /// The next status. Each service has its own that are set in this way.
    pub status: OrderStatus,
}

/// An order, in every response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Owner,
    /// What the jewel is made of.
    pub material: Material,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1000)]
    pub quantity: i32,
    /// What the customer wrote.
    pub comment: Option<String>,
    /// Its 3D model, once uploaded.
    pub model: Option<Model>,
    /// Its price, once calculated.
    pub price: Option<Price>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl Localize for Order {
    fn localize(&mut self, language: Language) {
        self.model.iter_mut().flat_map(|model| &mut model.warnings).for_each(|notice| notice.localize(language));
    }
}

/// What a message says of an order: all that its sender knows, so that no message depends on an earlier one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The order as of the change that the message reports.
    pub order: Order,
    /// The key of the model in the model store.
    pub model_key: String,
    /// Every change so far, the oldest first.
    pub history: Vec<Change>,
    /// Why the price could not be calculated, in words for the customer.
    #[serde(flatten, with = "notice::price_failure")]
    pub price_failure: Option<Notice>,
}
