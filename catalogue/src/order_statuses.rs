//! The statuses of an order by name.

/// The statuses of an order, in their order: the values of [`ORDER_STATUS`](crate::field::ORDER_STATUS).
pub const ORDER_STATUSES: [&str; 10] = [
    "INITIATED",
    "FILE_UPLOADED",
    "SUBMITTED",
    "PRICE_CALCULATED",
    "MANUFACTURING_APPROVED",
    "MANUFACTURING_STARTED",
    "MANUFACTURING_COMPLETED",
    "PACKAGING",
    "SHIPPED",
    "CLOSED",
];
