//! How far the calculation of an order's price is.

use catalogue::Action;
use common::telemetry::{OfChange, Record, Subject};
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
    /// There is no price, but a reason.
    Failed,
}

impl PriceStatus {
    /// The status before the first one, in records.
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

/// The record of a price calculation that goes on.
pub(crate) fn changed(subject: Subject, from: &'static str, to: PriceStatus) -> Record<OfChange> {
    Record::of_change(Action::OrderPriceStatusChanged, subject).price_status(from, to.name())
}
