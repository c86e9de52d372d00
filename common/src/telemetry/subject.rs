//! What a record says about the order and the people around it.

use crate::domain::{CustomerId, OperatorId, OrderId, Owner, PartnerId};

/// The order that a record is about, and whose it is, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The order.
    pub order: Option<OrderId>,
    /// The customer whose order it is.
    pub customer: Option<CustomerId>,
    /// The partner whose order it is.
    pub partner: Option<PartnerId>,
    /// The operator who has it.
    pub operator: Option<OperatorId>,
}

impl Subject {
    /// An order and its owner.
    #[must_use]
    pub fn order(id: &OrderId, owner: Owner) -> Self {
        Self { order: Some(id.clone()), ..Self::owner(owner) }
    }

    /// An order whose owner isn't known.
    #[must_use]
    pub fn just_order(id: &OrderId) -> Self {
        Self { order: Some(id.clone()), ..Self::default() }
    }

    /// An owner whose order doesn't exist yet.
    #[must_use]
    pub fn owner(owner: Owner) -> Self {
        Self { customer: owner.customer(), partner: owner.partner(), ..Self::default() }
    }

    /// The same, with the operator.
    #[must_use]
    pub fn with_operator(self, operator: OperatorId) -> Self {
        Self { operator: Some(operator), ..self }
    }
}
