//! What can be wrong.

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A change has no record.
    Missing,
    /// A change has more than one record.
    Doubled,
    /// A record says something else than the change that it is about, or is about none.
    Contradicting,
    /// The two databases tell different histories of the same order.
    Diverging,
    /// One database has had a change for a while that the other has to have as well.
    Behind,
}

impl Kind {
    /// The word for people.
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

/// One thing that is wrong with one change of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The order's number.
    pub order: String,
    /// What is wrong.
    pub kind: Kind,
    /// Where: a database or a service.
    pub place: &'static str,
    /// The change's status.
    pub status: String,
    /// More, in words.
    pub detail: String,
}
