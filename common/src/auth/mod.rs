//! Who is asking, and may they: accounts, passwords, sessions and keys.

pub mod access;
pub mod accounts;
mod caller;
mod gate;
pub mod login;
mod password;
mod session;
mod throttle;
mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use caller::{By, Caller, Carrier, Customer, Operator, Partner, RoleMarker, Seller};
pub use gate::{Admitted, Gate};
pub use password::{Hasher, WeakPassword};
pub use session::Sessions;
pub(crate) use session::sessions;
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
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Seller, Self::Operator, Self::Partner, Self::Carrier];

    /// Whether accounts with this role prove who they are by a key, as machines do, and not by logging in.
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
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
