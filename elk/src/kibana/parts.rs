//! The parts that panels are made of: widths, queries, groups and metrics.

use catalogue::{Action, Service, field};

use crate::kibana::panel::{Bucket, Formula, Metric};

/// The width of a dashboard, and parts of it.
pub(super) const WHOLE: u32 = 48;
pub(super) const HALF: u32 = 24;
pub(super) const THIRD: u32 = 16;

/// The records of internal failures.
pub(super) const FAILURES: &str = "level:>=50";

/// The records of changes of an order's status, one per change. Shop and CRM record all of them except the first three
/// of a partner's order, which only the MES records.
pub(super) fn every_change_once() -> String {
    format!(
        "({}) AND event.outcome:\"success\" AND (name:(\"shop-api\" OR \"crm-api\") \
         OR (name:\"mes-api\" AND order.status:(\"INITIATED\" OR \"FILE_UPLOADED\" OR \"SUBMITTED\")))",
        any_of([Action::OrderCreated, Action::OrderStatusChanged]),
    )
}

pub(super) fn action(action: Action) -> String {
    format!("event.action:\"{action}\"")
}

pub(super) fn any_of<const N: usize>(actions: [Action; N]) -> String {
    actions.map(action).join(" OR ")
}

pub(super) fn count(label: &str) -> Metric {
    Metric::of(label, Formula::Count)
}

pub(super) fn unique(label: &str, field: &'static str) -> Metric {
    Metric::of(label, Formula::Unique(field))
}

pub(super) fn max(label: &str, field: &'static str) -> Metric {
    Metric::of(label, Formula::Max(field))
}

pub(super) fn percentile(label: &str, field: &'static str, percent: u8) -> Metric {
    Metric::of(label, Formula::Percentile(field, percent))
}

pub(super) fn orders_hit() -> Metric {
    unique("Orders", field::ORDER_ID)
}

pub(super) fn last(label: &str) -> Metric {
    max(label, field::TIMESTAMP)
}

/// A group for each service, with room for all of them.
pub(super) const fn by_service() -> Bucket {
    terms(field::NAME, "Service", Service::ALL.len() as u32)
}

pub(super) const fn terms(field: &'static str, label: &'static str, size: u32) -> Bucket {
    Bucket::Terms { field, label, size }
}
