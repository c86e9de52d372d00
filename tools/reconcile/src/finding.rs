//! The findings of a comparison.

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A change has no record.
    Missing,
    /// A change has more than one record.
    Doubled,
    /// A record contradicts its change, or its change doesn't exist.
    Contradicting,
    /// The two databases have different times or services for the same change.
    Diverging,
    /// A change is in one database but not yet in the other, although it had time to arrive.
    Behind,
}

impl Kind {
    /// The name for display.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Contradicting => "contradicting",
            Self::Diverging => "diverging",
            Self::Behind => "behind",
        }
    }
}

/// A discrepancy in one change of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The order's id.
    pub order: String,
    /// The kind.
    pub kind: Kind,
    /// The database or databases of the discrepancy.
    pub place: &'static str,
    /// The change's status.
    pub status: String,
    /// A description for display.
    pub detail: String,
}
