//! Who is asking, and may they: accounts, passwords, sessions and keys.

pub mod accounts;
mod caller;
pub mod login;
mod password;
mod session;
mod throttle;
mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use caller::{By, Caller, Carrier, Customer, Operator, Partner, RoleMarker, Seller};
pub use password::{Hasher, WeakPassword};
pub use token::Token;

/// What an account may do.
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
    /// A company that orders in the MES; has a key.
    Partner,
    /// Confirms deliveries to the CRM; has a key.
    Carrier,
}

impl Role {
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
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
