//! What an account may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of an account: what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Orders jewels in the shop.
    Customer,
    /// Handles orders in the CRM.
    Seller,
    /// Produces in the MES.
    Operator,
    /// A company that orders in the MES; has an API key.
    Partner,
    /// Confirms deliveries to the CRM; has an API key.
    Carrier,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Seller, Self::Operator, Self::Partner, Self::Carrier];

    /// Whether accounts with this role authenticate by an API key, as machines do, and not by logging in.
    #[must_use]
    pub const fn has_keys(self) -> bool {
        matches!(self, Self::Partner | Self::Carrier)
    }

    /// The name, as in the database and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Seller => "seller",
            Self::Operator => "operator",
            Self::Partner => "partner",
            Self::Carrier => "carrier",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
