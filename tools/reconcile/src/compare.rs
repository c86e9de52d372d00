//! The comparison of one order: its two histories, and the records of its changes.

use std::collections::BTreeMap;

use catalogue::Service;
use time::{Duration, OffsetDateTime};

use crate::{
    finding::{Finding, Kind},
    history::{Database, Row},
    records::Record,
    scope::Scope,
};

/// The time that a change may take to reach the other database.
const IN_TRANSIT: Duration = Duration::minutes(1);
/// The statuses that the MES doesn't receive: its part begins when the order is submitted, and ends when it is shipped.
const SHOP_ONLY: [&str; 3] = ["INITIATED", "FILE_UPLOADED", "CLOSED"];

/// The rows and records of one order.
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) shop: Vec<Row>,
    pub(crate) mes: Vec<Row>,
    pub(crate) records: Vec<Record>,
}

impl Order {
    pub(crate) fn findings(&self, scope: &Scope) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut by_event: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in &self.records {
            // The oldest records have no event id, so there is nothing to compare them by.
            if let Some(event) = &record.event_id {
                by_event.entry(event).or_default().push(record);
            }
        }
        for (database, rows) in [(Database::Shop, &self.shop), (Database::Mes, &self.mes)] {
            for row in rows {
                let Some(event) = row.event_id.filter(|event| scope.first_event() <= Some(*event)) else { continue };
                let event = event.to_string();
                let records = by_event.remove(event.as_str()).unwrap_or_default();
                findings.extend(self.of_row(database, row, &event, &records));
            }
        }
        for (event, records) in by_event {
            findings.extend(records.iter().map(|record| self.without_row(record, event)));
        }
        findings.extend(self.between_databases(scope));
        findings
    }

    fn of_row(&self, database: Database, row: &Row, event: &str, records: &[&Record]) -> Option<Finding> {
        let (kind, detail) = match records {
            [] => (Kind::Missing, format!("no record of the change {event} at {}", row.at)),
            [record] if record.status != row.status || !record.is_from_one_of(database.services()) => {
                let Record { service, status, index, .. } = record;
                (Kind::Contradicting, format!("the record {event} in {index} says {status}, by {service}"))
            }
            [_] => return None,
            [..] => {
                let indices: Vec<_> = records.iter().map(|record| record.index.as_str()).collect();
                (Kind::Doubled, format!("{} records of the change {event}: {}", records.len(), indices.join(", ")))
            }
        };
        Some(self.finding(kind, database.name(), &row.status, detail))
    }

    fn without_row(&self, record: &Record, event: &str) -> Finding {
        let place = if record.is_from_one_of(&[Service::MesApi]) { Database::Mes } else { Database::Shop };
        let detail = format!("the record {event} in {} reports a change that doesn't exist", record.index);
        self.finding(Kind::Contradicting, place.name(), &record.status, detail)
    }

    /// Compares the two histories: a change has the same time and service in both.
    fn between_databases(&self, scope: &Scope) -> Vec<Finding> {
        let settled = |row: &&Row| {
            row.at < OffsetDateTime::now_utc() - IN_TRANSIT && scope.since.is_none_or(|since| row.at >= since)
        };
        let find = |rows: &'_ [Row], status: &str| rows.iter().find(|row| row.status == status).cloned();
        let mut findings = Vec::new();
        for row in self.shop.iter().filter(settled) {
            match find(&self.mes, &row.status) {
                Some(other) if (other.at, &other.service) != (row.at, &row.service) => {
                    let detail = format!("shop: {} by {}, mes: {} by {}", row.at, row.service, other.at, other.service);
                    findings.push(self.finding(Kind::Diverging, "shop, mes", &row.status, detail));
                }
                None if !SHOP_ONLY.contains(&row.status.as_str()) => {
                    findings.push(self.finding(
                        Kind::Behind,
                        "mes",
                        &row.status,
                        format!("in the shop since {}", row.at),
                    ));
                }
                _ => {}
            }
        }
        for row in self.mes.iter().filter(settled).filter(|row| find(&self.shop, &row.status).is_none()) {
            findings.push(self.finding(Kind::Behind, "shop", &row.status, format!("in the MES since {}", row.at)));
        }
        findings
    }

    fn finding(&self, kind: Kind, place: &'static str, status: &str, detail: String) -> Finding {
        Finding { order: self.id.clone(), kind, place, status: status.to_owned(), detail }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn row(status: &str, event: u128) -> Row {
        Row {
            order: "A-100000".to_owned(),
            status: status.to_owned(),
            at: OffsetDateTime::UNIX_EPOCH,
            service: Service::ShopApi.name().to_owned(),
            event_id: (event > 0).then(|| Uuid::from_u128(event)),
        }
    }

    fn record(status: &str, event: u128, index: &str) -> Record {
        Record {
            order: "A-100000".to_owned(),
            service: Service::ShopApi.name().to_owned(),
            status: status.to_owned(),
            event_id: Some(Uuid::from_u128(event).to_string()),
            index: index.to_owned(),
        }
    }

    fn kinds(shop: Vec<Row>, mes: Vec<Row>, records: Vec<Record>) -> Vec<Kind> {
        kinds_in(&Scope::default(), shop, mes, records)
    }

    fn kinds_in(scope: &Scope, shop: Vec<Row>, mes: Vec<Row>, records: Vec<Record>) -> Vec<Kind> {
        let order = Order { id: "A-100000".to_owned(), shop, mes, records };
        order.findings(scope).iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_change_without_exactly_one_matching_record_is_a_finding() {
        let rows = || vec![row("INITIATED", 1), row("FILE_UPLOADED", 2)];
        let first = || record("INITIATED", 1, "today");
        assert_eq!(kinds(rows(), vec![], vec![first(), record("FILE_UPLOADED", 2, "today")]), []);
        assert_eq!(kinds(rows(), vec![], vec![first()]), [Kind::Missing]);
        assert_eq!(kinds(rows(), vec![], vec![first(), record("SHIPPED", 2, "today")]), [Kind::Contradicting]);
        let twice = vec![first(), record("FILE_UPLOADED", 2, "today"), record("FILE_UPLOADED", 2, "tomorrow")];
        assert_eq!(kinds(rows(), vec![], twice), [Kind::Doubled]);
        let one_more = vec![first(), record("FILE_UPLOADED", 2, "today"), record("FILE_UPLOADED", 3, "today")];
        assert_eq!(kinds(rows(), vec![], one_more), [Kind::Contradicting]);
    }

    #[test]
    fn the_same_change_in_both_databases_needs_only_one_record() {
        let shop = || vec![row("SUBMITTED", 1)];
        let records = || vec![record("SUBMITTED", 1, "today")];
        assert_eq!(kinds(shop(), vec![row("SUBMITTED", 0)], records()), []);
        assert_eq!(kinds(shop(), vec![], records()), [Kind::Behind]);
        let other = Row { at: OffsetDateTime::UNIX_EPOCH + Duration::SECOND, ..row("SUBMITTED", 0) };
        assert_eq!(kinds(shop(), vec![other], records()), [Kind::Diverging]);
    }

    #[test]
    fn a_change_that_the_mes_never_received_is_a_finding_whether_or_not_the_submission_is_in_scope() {
        let scope = Scope { since: Some(OffsetDateTime::UNIX_EPOCH), ..Scope::default() };
        let approved = || vec![row("MANUFACTURING_APPROVED", 1)];
        let records = || vec![record("MANUFACTURING_APPROVED", 1, "today")];
        assert_eq!(kinds_in(&scope, approved(), vec![], records()), [Kind::Behind]);
        assert_eq!(kinds_in(&scope, approved(), vec![row("MANUFACTURING_APPROVED", 0)], records()), []);

        let in_transit = vec![Row { at: OffsetDateTime::now_utc(), ..row("MANUFACTURING_APPROVED", 1) }];
        assert_eq!(kinds_in(&scope, in_transit, vec![], records()), []);
        let earlier = Row { at: OffsetDateTime::UNIX_EPOCH - Duration::SECOND, ..row("MANUFACTURING_APPROVED", 1) };
        assert_eq!(kinds_in(&scope, vec![earlier], vec![], records()), []);
        assert_eq!(kinds_in(&scope, vec![row("CLOSED", 1)], vec![], vec![record("CLOSED", 1, "today")]), []);
    }
}
