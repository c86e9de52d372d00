//! What a jewel can be made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A precious metal and its fineness in parts per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum Material {
    /// Sterling silver.
    #[serde(rename = "silver_925")]
    #[sqlx(rename = "silver_925")]
    Silver925,
    /// 14 carat gold.
    #[serde(rename = "gold_585")]
    #[sqlx(rename = "gold_585")]
    Gold585,
    /// 18 carat gold.
    #[serde(rename = "gold_750")]
    #[sqlx(rename = "gold_750")]
    Gold750,
    /// Platinum for jewellery.
    #[serde(rename = "platinum_950")]
    #[sqlx(rename = "platinum_950")]
    Platinum950,
}
