//! Ids, each a type of its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An order's number: `A-100042` for orders created in shop or CRM, `P-100007` for partner orders created in the MES. The
/// same everywhere: in URLs, messages and logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(try_from = "String")]
#[schema(pattern = "^[AP]-[1-9][0-9]{5,15}$", example = "A-100042")]
#[sqlx(transparent)]
pub struct OrderId(String);

/// The text is no order number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order number is A or P, a hyphen and six to sixteen digits, such as A-100042")]
pub struct InvalidOrderId;

impl OrderId {
    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrderId {
    type Error = InvalidOrderId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("A-").or_else(|| text.strip_prefix("P-")).ok_or(InvalidOrderId)?;
        let well_formed = (6..=16).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        well_formed.then_some(Self(text)).ok_or(InvalidOrderId)
    }
}

impl std::str::FromStr for OrderId {
    type Err = InvalidOrderId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl std::fmt::Display for OrderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes an id a type of its own, so that the compiler distinguishes an account's from an event's.
macro_rules! uuid_ids {
    ($($(#[$meaning:meta])* $name:ident;)*) => {$(
        $(#[$meaning])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: a UUID of version 7 (RFC 9562), which sorts by time.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each one is another id")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID, for a statement.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

uuid_ids! {
    /// An account of whatever role.
    AccountId;
    /// A customer's account.
    CustomerId;
    /// A partner company's account.
    PartnerId;
    /// An operator's account.
    OperatorId;
    /// A session, for its owner.
    SessionId;
    /// A message between CRM and MES.
    MessageId;
    /// A change that a record reports: the record's `event.id`.
    EventId;
}

/// An account as one of the role that it has; the access table says which role may call what.
macro_rules! accounts_of_a_role {
    ($($name:ident),*) => {$(
        impl From<AccountId> for $name {
            fn from(account: AccountId) -> Self {
                Self(account.0)
            }
        }
    )*};
}

accounts_of_a_role!(CustomerId, PartnerId, OperatorId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive_the_way_to_text_and_back(text in "[AP]-[1-9][0-9]{5,15}") {
            prop_assert_eq!(text.parse::<OrderId>().unwrap().to_string(), text);
        }

        #[test]
        fn nothing_but_a_number_is_taken(text in ".*") {
            let is_number = text.len() >= 8 && text.len() <= 18
                && (text.starts_with("A-") || text.starts_with("P-"))
                && text[2..].bytes().all(|byte| byte.is_ascii_digit()) && !text[2..].starts_with('0');
            prop_assert_eq!(text.parse::<OrderId>().is_ok(), is_number);
        }
    }
}
