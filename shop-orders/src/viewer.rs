//! Who looks at orders, and which orders they see.

use common::{
    auth::Caller,
    domain::{CustomerId, OrderId, Owner},
    problem::Rejection,
    telemetry::Subject,
};

use crate::store::StoredOrder;

/// A caller, with the scope of orders that they see.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// The caller.
    pub caller: Caller,
    /// The customer whose orders are in scope; all orders if there is none.
    pub scope: Option<CustomerId>,
}

impl Viewer {
    /// A customer, who sees no other customer's orders.
    #[must_use]
    pub fn customer(caller: Caller) -> Self {
        Self { caller, scope: Some(caller.account.into()) }
    }

    /// A seller or the carrier, who see all orders.
    #[must_use]
    pub const fn unrestricted(caller: Caller) -> Self {
        Self { caller, scope: None }
    }

    /// The order, if it is in scope. One that isn't is rejected like one that doesn't exist.
    ///
    /// # Errors
    ///
    /// `404`.
    pub fn sees(&self, found: Option<StoredOrder>) -> Result<StoredOrder, Rejection> {
        let in_scope = |found: &StoredOrder| match self.scope {
            Some(customer) => found.order.owner == Owner::Customer(customer),
            None => true,
        };
        found.filter(in_scope).ok_or_else(Rejection::no_such_order)
    }

    /// What is known of an order before it is looked up.
    #[must_use]
    pub fn subject(&self, id: &OrderId) -> Subject {
        Subject { order: Some(id.clone()), customer: self.scope, ..Subject::default() }
    }
}
