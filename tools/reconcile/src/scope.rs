//! The scope of a comparison.

use time::OffsetDateTime;
use uuid::Uuid;

/// The changes that are compared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only the changes of these orders.
    pub orders: Option<Vec<String>>,
    /// Only changes that were made or received from this time on.
    pub since: Option<OffsetDateTime>,
}

impl Scope {
    /// The smallest event id (UUID version 7) of a change that was made since then.
    pub(crate) fn first_event(&self) -> Option<Uuid> {
        let milliseconds = self.since?.unix_timestamp_nanos() / 1_000_000;
        u128::try_from(milliseconds).ok().map(|milliseconds| Uuid::from_u128(milliseconds << 80))
    }
}
