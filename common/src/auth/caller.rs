//! Who sends a request, once the token or key is verified.

use crate::domain::{AccountId, Actor, Role};

/// The account behind a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Its id.
    pub account: AccountId,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// The caller as the one who makes a change.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::Account(self.role, self.account)
    }
}
