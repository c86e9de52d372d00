//! The kinds of messages between CRM and MES.

use catalogue::Service;
use serde::{Deserialize, Serialize};

/// What a message says; also its AMQP type and routing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MessageType {
    /// A customer's order is placed and needs a price (to the MES).
    #[serde(rename = "order.submitted")]
    OrderSubmitted,
    /// A seller has approved an order (to the MES).
    #[serde(rename = "order.approved")]
    OrderApproved,
    /// A partner has placed an order (to the CRM).
    #[serde(rename = "order.partner_submitted")]
    OrderPartnerSubmitted,
    /// A price is calculated (to the CRM).
    #[serde(rename = "order.priced")]
    OrderPriced,
    /// A price could not be calculated (to the CRM).
    #[serde(rename = "order.price_failed")]
    OrderPriceFailed,
    /// Production went one status on (to the CRM).
    #[serde(rename = "order.progressed")]
    OrderProgressed,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OrderSubmitted,
        Self::OrderApproved,
        Self::OrderPartnerSubmitted,
        Self::OrderPriced,
        Self::OrderPriceFailed,
        Self::OrderProgressed,
    ];

    /// The name, in AMQP and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderSubmitted => "order.submitted",
            Self::OrderApproved => "order.approved",
            Self::OrderPartnerSubmitted => "order.partner_submitted",
            Self::OrderPriced => "order.priced",
            Self::OrderPriceFailed => "order.price_failed",
            Self::OrderProgressed => "order.progressed",
        }
    }

    /// The service that receives it.
    #[must_use]
    pub const fn recipient(self) -> Service {
        match self {
            Self::OrderSubmitted | Self::OrderApproved => Service::MesApi,
            Self::OrderPartnerSubmitted | Self::OrderPriced | Self::OrderPriceFailed | Self::OrderProgressed => {
                Service::CrmApi
            }
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|message_type| message_type.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_tell_all_types_apart() {
        for message_type in MessageType::ALL {
            let name = message_type.name();
            assert!(catalogue::metric::MESSAGE_TYPES.contains(&name), "{name}");
        }
    }
}
