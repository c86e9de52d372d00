//! What is compared.

use time::OffsetDateTime;
use uuid::Uuid;

/// Which changes are compared.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only these orders.
    pub orders: Option<Vec<String>>,
    /// Only changes that were made, or heard of, from this moment on.
    pub since: Option<OffsetDateTime>,
}

impl Scope {
    /// The smallest number that a change may have which was made since then.
    pub(crate) fn first_event(&self) -> Option<Uuid> {
        let milliseconds = self.since?.unix_timestamp_nanos() / 1_000_000;
        u128::try_from(milliseconds).ok().map(|milliseconds| Uuid::from_u128(milliseconds << 80))
    }
}
