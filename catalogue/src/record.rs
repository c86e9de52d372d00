//! What a record promises, checked: for tests that read what the services really wrote.

use serde_json::{Map, Value};

use crate::{
    action::{Action, Level, Requirement},
    error_type::ErrorType,
    field::{self, Kind},
    service::Service,
};

/// The fields of every record, whoever writes it.
const CORE: [&str; 7] =
    [field::BUNYAN_VERSION, field::NAME, field::MESSAGE, field::LEVEL, field::HOSTNAME, field::PID, field::TIME];

/// What is wrong with a record of an action, one sentence each; nothing if it keeps every promise of the catalogue.
///
/// Takes a line that a service wrote as well as the document that Elasticsearch returns for it.
#[must_use]
pub fn violations(record: &Map<String, Value>) -> Vec<String> {
    let record = Record(record);
    let mut violations = record.violations_of_fields();
    match Action::ALL.into_iter().find(|action| record.text(field::EVENT_ACTION) == Some(action.name())) {
        Some(action) => violations.extend(record.violations_of_action(action)),
        None => violations.push(format!("{} is not in the catalogue", field::EVENT_ACTION)),
    }
    violations
}

struct Record<'a>(&'a Map<String, Value>);

impl Record<'_> {
    fn violations_of_fields(&self) -> Vec<String> {
        let missing = CORE.into_iter().filter(|name| !self.has(name)).map(|name| format!("{name} is missing"));
        let misfits =
            self.0.iter().filter_map(|(name, value)| match field::ALL.iter().find(|field| field.name == name) {
                None => Some(format!("{name} is not in the dictionary")),
                Some(field) if !fits(field.kind, value) => Some(format!("{name} is not a {:?}: {value}", field.kind)),
                Some(_) => None,
            });
        missing.chain(misfits).collect()
    }

    fn violations_of_action(&self, action: Action) -> Vec<String> {
        let mut violations = Vec::new();
        if !self.service().is_some_and(|service| action.written_by().contains(&service)) {
            violations.push(format!("{action} is not written by {:?}", self.text(field::NAME)));
        }
        let level = self.0.get(field::LEVEL).and_then(Value::as_u64);
        let is_error = level == Some(Level::Error.number());
        if !is_error && action.levels().iter().all(|allowed| Some(allowed.number()) != level) {
            violations.push(format!("{action} has level {level:?}"));
        }
        violations.extend(self.violations_of_outcome(action, is_error));
        if !is_error || self.is_error_by_nature(action) {
            let lacking = action.requirements().iter().filter(|requirement| !self.meets(requirement));
            violations.extend(lacking.map(|requirement| format!("{action} lacks {requirement:?}")));
        }
        violations
    }

    fn violations_of_outcome(&self, action: Action, is_error: bool) -> Vec<String> {
        let outcome = self.text(field::EVENT_OUTCOME);
        let mut violations = Vec::new();
        if is_error {
            if outcome != Some("failure") {
                violations.push(format!("an error of {action} has the outcome {outcome:?}"));
            }
            if !self.text(field::ERROR_TYPE).is_some_and(|word| ErrorType::ALL.iter().any(|class| class.name() == word))
            {
                violations.push(format!("an error of {action} has no class of the closed set"));
            }
            if !self.has(field::ERROR_MESSAGE) {
                violations.push(format!("an error of {action} has no {}", field::ERROR_MESSAGE));
            }
        } else if action.reports_success() && outcome != Some("success") {
            violations.push(format!("a success of {action} has the outcome {outcome:?}"));
        }
        violations
    }

    /// Whether the catalogue's own row is an error. Any other error is an action that could not be done: what did not
    /// come to be, or can't be read, has no number to tell, so such a record needs only what it knows.
    fn is_error_by_nature(&self, action: Action) -> bool {
        match action {
            Action::HttpRequest => true,
            Action::MessageDeadLettered => self.text(field::ERROR_TYPE) != Some(ErrorType::MessageMalformed.name()),
            Action::OrderPriceStatusChanged => self.text(field::ORDER_PRICE_STATUS) == Some("FAILED"),
            _ => false,
        }
    }

    fn meets(&self, requirement: &Requirement) -> bool {
        let has_one_of = |names: &[&str]| names.iter().any(|name| self.has(name));
        match *requirement {
            Requirement::Field(name) => self.has(name),
            Requirement::OneOf(names) => has_one_of(names),
            Requirement::OneOfFrom(names, services) => {
                has_one_of(names) || !self.service().is_some_and(|service| services.contains(&service))
            }
            Requirement::FieldWhenEnded(name) => {
                self.has(name) || !matches!(self.text(field::ORDER_PRICE_STATUS), Some("CALCULATED" | "FAILED"))
            }
        }
    }

    fn service(&self) -> Option<Service> {
        Service::ALL.into_iter().find(|service| self.text(field::NAME) == Some(service.name()))
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Keyword | Kind::Text => value.is_string(),
        Kind::Long => value.is_i64() || value.is_u64(),
        Kind::Double => value.is_number(),
        Kind::DateNanos => value.as_str().is_some_and(|time| time.contains('T') && time.ends_with('Z')),
        Kind::Ip => value.as_str().is_some_and(|address| address.parse::<std::net::IpAddr>().is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A record of `action` with the fields of every record and the given ones.
    fn record(action: Action, level: Level, fields: Value) -> Map<String, Value> {
        let mut record = json!({
            "v": 0, "name": "mes-api", "msg": "", "level": level.number(), "hostname": "a", "pid": 1,
            "time": "2026-01-02T03:04:05.000000006Z", "trace.id": "0", "event.action": action.name(),
        });
        let whole = record.as_object_mut().unwrap();
        whole.extend(fields.as_object().unwrap().clone());
        whole.clone()
    }

    #[test]
    fn a_record_as_promised_has_no_violation() {
        let taken = json!({
            "event.id": "e", "order.id": "A-1", "operator.id": "b", "http.request.id": "c", "event.outcome": "success",
        });
        assert_eq!(violations(&record(Action::OrderOperatorAssigned, Level::Info, taken)), [""; 0]);
    }

    #[test]
    fn a_missing_field_an_unknown_one_and_a_wrong_type_are_violations() {
        let taken = json!({
            "event.id": "e", "order.id": 1, "http.request.id": "c", "event.outcome": "success", "order.colour": "red",
        });
        let violations = violations(&record(Action::OrderOperatorAssigned, Level::Info, taken));
        for part in ["operator.id", "order.colour is not in the dictionary", "order.id is not a Keyword"] {
            assert!(violations.iter().any(|violation| violation.contains(part)), "{part} in {violations:?}");
        }
        assert_eq!(violations.len(), 3, "{violations:?}");
    }

    #[test]
    fn a_failure_needs_its_class_and_chain_but_not_what_did_not_come_to_be() {
        let failed = json!({
            "event.outcome": "failure", "error.type": "database_unavailable", "error.message": "no: because",
        });
        assert_eq!(violations(&record(Action::OrderCreated, Level::Error, failed)), [""; 0]);
        let unexplained = violations(&record(Action::OrderCreated, Level::Error, json!({ "error.type": "odd" })));
        assert_eq!(unexplained.len(), 3, "{unexplained:?}");
    }

    #[test]
    fn a_failed_price_needs_the_whole_row_though_it_is_an_error() {
        let failed = json!({
            "event.outcome": "failure", "error.type": "model_not_closed", "error.message": "holes",
            "event.id": "e", "order.id": "A-1", "order.price_status": "FAILED", "order.price_status_from": "CALCULATING",
        });
        let violations = violations(&record(Action::OrderPriceStatusChanged, Level::Error, failed));
        assert_eq!(violations.len(), 2, "duration and triangles: {violations:?}");
    }

    #[test]
    fn an_action_of_another_service_is_a_violation() {
        let stuck = json!({ "event.id": "e", "order.id": "A-1", "order.status": "SUBMITTED", "order.age_hours": 30.5 });
        let violations = violations(&record(Action::OrderStuck, Level::Warn, stuck));
        assert_eq!(violations.len(), 1, "{violations:?}");
    }
}
