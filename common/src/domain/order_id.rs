//! An order's number: short enough to be read out over the phone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// `A-100042` for orders born in shop or CRM, `P-100007` for partner orders born in the MES. The same everywhere: in
/// URLs, messages and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(try_from = "String")]
#[schema(pattern = "^[AP]-[1-9][0-9]{5,15}$", example = "A-100042")]
#[sqlx(transparent)]
pub struct OrderId(String);

/// The smallest number of so many digits.
const SIXTEEN_DIGITS: u64 = 1_000_000_000_000_000;

/// The text is no order number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order number is A or P, a hyphen and six to sixteen digits, such as A-100042")]
pub struct InvalidOrderId;

impl OrderId {
    /// A number that no order has, to be replaced by the one that the database gives. Nobody can guess it.
    #[must_use]
    pub fn placeholder() -> Self {
        let (_, random) = Uuid::now_v7().as_u64_pair();
        Self(format!("A-{}", SIXTEEN_DIGITS + (random << 2 >> 2) % (9 * SIXTEEN_DIGITS)))
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_placeholder_is_a_number_and_never_the_same() {
        let one = OrderId::placeholder();
        assert_eq!(one.as_str().parse::<OrderId>().as_ref(), Ok(&one));
        assert_ne!(one, OrderId::placeholder());
    }

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
