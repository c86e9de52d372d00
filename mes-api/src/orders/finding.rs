//! What is known of a model once it was measured.

use common::domain::{Measured, ModelUnit, Notice};

/// What was found out about a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The unit in which it was read.
    pub unit: ModelUnit,
    /// Its measures.
    pub measured: Measured,
    /// What the customer should know of it.
    pub warnings: Vec<Notice>,
}
