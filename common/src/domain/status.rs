//! The ten statuses of an order, their order and their owners: the only place that decides whether a change is allowed.

use catalogue::Service;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands. Strictly linear: every order takes these steps, one by one, and none back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// The order exists.
    Initiated,
    /// It has a 3D model.
    FileUploaded,
    /// The customer has placed it; the MES is asked for a price.
    Submitted,
    /// The price is known.
    PriceCalculated,
    /// A seller has confirmed that it may go to production.
    ManufacturingApproved,
    /// An operator has taken it.
    ManufacturingStarted,
    /// The jewel is made.
    ManufacturingCompleted,
    /// It is being packed.
    Packaging,
    /// The carrier has it.
    Shipped,
    /// The customer has it.
    Closed,
}

/// What makes an order go one status on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The order is created.
    Creation,
    /// The model is uploaded.
    Upload,
    /// A caller asks for the status by name.
    Request,
    /// The price calculation ends well.
    Calculation,
    /// An operator takes the order.
    Assignment,
}

/// Why a change is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The order is there already.
    #[error("the order is already in status {0}")]
    Repeated(OrderStatus),
    /// The order is further on.
    #[error("the order is in status {from} and can't go back to {to}")]
    Undone {
        /// Where it is.
        from: OrderStatus,
        /// Where it should have gone.
        to: OrderStatus,
    },
    /// A step would be left out.
    #[error("the order is in status {from}; the next one is {next}, not {to}")]
    Skipped {
        /// Where it is.
        from: OrderStatus,
        /// Where it goes next.
        next: OrderStatus,
        /// Where it should have gone.
        to: OrderStatus,
    },
    /// It is the next status, but it is set elsewhere or otherwise.
    #[error("status {0} can't be set in this way here")]
    NotYours(OrderStatus),
}

impl OrderStatus {
    /// All of them, in their order.
    pub const ALL: [Self; 10] = [
        Self::Initiated,
        Self::FileUploaded,
        Self::Submitted,
        Self::PriceCalculated,
        Self::ManufacturingApproved,
        Self::ManufacturingStarted,
        Self::ManufacturingCompleted,
        Self::Packaging,
        Self::Shipped,
        Self::Closed,
    ];

    /// The name, everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::FileUploaded => "FILE_UPLOADED",
            Self::Submitted => "SUBMITTED",
            Self::PriceCalculated => "PRICE_CALCULATED",
            Self::ManufacturingApproved => "MANUFACTURING_APPROVED",
            Self::ManufacturingStarted => "MANUFACTURING_STARTED",
            Self::ManufacturingCompleted => "MANUFACTURING_COMPLETED",
            Self::Packaging => "PACKAGING",
            Self::Shipped => "SHIPPED",
            Self::Closed => "CLOSED",
        }
    }

    /// The status after this one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The status before this one.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        (self as usize).checked_sub(1).map(|index| Self::ALL[index])
    }

    /// What sets this status, and in which systems. The MES goes through the first three for orders of partners.
    #[must_use]
    pub const fn set_by(self) -> (Trigger, &'static [Service]) {
        use Service::{CrmApi, MesApi, ShopApi};
        match self {
            Self::Initiated => (Trigger::Creation, &[ShopApi, CrmApi, MesApi]),
            Self::FileUploaded => (Trigger::Upload, &[ShopApi, CrmApi, MesApi]),
            Self::Submitted => (Trigger::Request, &[ShopApi, CrmApi, MesApi]),
            Self::PriceCalculated => (Trigger::Calculation, &[MesApi]),
            Self::ManufacturingApproved | Self::Closed => (Trigger::Request, &[CrmApi]),
            Self::ManufacturingStarted => (Trigger::Assignment, &[MesApi]),
            Self::ManufacturingCompleted | Self::Packaging | Self::Shipped => (Trigger::Request, &[MesApi]),
        }
    }

    /// Whether an order may go from this status to `to` when `service` does so because of `trigger`.
    ///
    /// # Errors
    ///
    /// The rule that the change would break; the response is `409 Conflict`.
    pub fn change(self, to: Self, trigger: Trigger, service: Service) -> Result<(), Refusal> {
        let (its_trigger, its_systems) = to.set_by();
        match to.cmp(&self) {
            std::cmp::Ordering::Equal => Err(Refusal::Repeated(to)),
            std::cmp::Ordering::Less => Err(Refusal::Undone { from: self, to }),
            std::cmp::Ordering::Greater => match self.next() {
                Some(next) if next != to => Err(Refusal::Skipped { from: self, next, to }),
                _ if its_trigger != trigger || !its_systems.contains(&service) => Err(Refusal::NotYours(to)),
                _ => Ok(()),
            },
        }
    }
}

impl std::fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRIGGERS: [Trigger; 5] =
        [Trigger::Creation, Trigger::Upload, Trigger::Request, Trigger::Calculation, Trigger::Assignment];
    const SYSTEMS: [Service; 3] = [Service::ShopApi, Service::CrmApi, Service::MesApi];

    fn any_status() -> impl Strategy<Value = OrderStatus> {
        proptest::sample::select(&OrderStatus::ALL[..])
    }

    proptest! {
        #[test]
        fn only_the_next_status_is_ever_allowed(
            from in any_status(),
            to in any_status(),
            trigger in proptest::sample::select(&TRIGGERS[..]),
            service in proptest::sample::select(&SYSTEMS[..]),
        ) {
            if from.change(to, trigger, service).is_ok() {
                prop_assert_eq!(from.next(), Some(to));
                prop_assert_eq!(to.previous(), Some(from));
            }
        }

        #[test]
        fn whatever_is_asked_an_order_only_moves_forward_and_never_past_closed(
            asks in proptest::collection::vec(
                (any_status(), proptest::sample::select(&TRIGGERS[..]), proptest::sample::select(&SYSTEMS[..])), 0..200)
        ) {
            let mut status = OrderStatus::Initiated;
            let mut taken = vec![status];
            for (to, trigger, service) in asks {
                if status.change(to, trigger, service).is_ok() {
                    status = to;
                    taken.push(to);
                }
            }
            prop_assert_eq!(&taken[..], &OrderStatus::ALL[..taken.len()]);
        }

        #[test]
        fn a_refusal_names_the_rule_that_was_broken(from in any_status(), to in any_status()) {
            let refusal = SYSTEMS.iter().flat_map(|service| TRIGGERS.map(|trigger| from.change(to, trigger, *service)))
                .find_map(Result::err).expect("no change is allowed to everybody");
            prop_assert_eq!(matches!(refusal, Refusal::Repeated(_)), from == to);
            prop_assert_eq!(matches!(refusal, Refusal::Undone { .. }), to < from);
            prop_assert_eq!(matches!(refusal, Refusal::Skipped { .. }), to > from && from.next() != Some(to));
        }
    }

    #[test]
    fn every_status_after_the_first_has_one_way_in() {
        for to in &OrderStatus::ALL[1..] {
            let from = to.previous().expect("it is not the first");
            let (trigger, systems) = to.set_by();
            for service in SYSTEMS {
                assert_eq!(from.change(*to, trigger, service).is_ok(), systems.contains(&service), "{to} in {service}");
            }
        }
    }

    #[test]
    fn names_are_the_same_in_json_and_in_the_database() {
        for status in OrderStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }

    #[test]
    fn everybody_who_reads_the_log_knows_the_same_statuses() {
        assert_eq!(OrderStatus::ALL.map(OrderStatus::name), catalogue::ORDER_STATUSES);
    }
}
