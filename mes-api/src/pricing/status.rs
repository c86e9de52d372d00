//! How far the calculation of an order's price is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `QUEUED` → `CALCULATING` → `CALCULATED` or `FAILED`; a failed one can be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PriceStatus {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Calculating,
    /// The price is known.
    Calculated,
    /// There is no price, and a reason.
    Failed,
}

impl PriceStatus {
    /// What the first status comes from, in records.
    pub const NONE: &'static str = "NONE";

    /// The name, everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Calculating => "CALCULATING",
            Self::Calculated => "CALCULATED",
            Self::Failed => "FAILED",
        }
    }
}
