//! Checks a record against the catalogue, for tests that read what the services wrote.

use serde_json::{Map, Value};

use crate::{
    action::{Action, Level, Requirement},
    error_type::ErrorType,
    field::{self, Kind},
    service::Service,
};

/// The fields of every record.
const CORE: [&str; 7] =
    [field::BUNYAN_VERSION, field::NAME, field::MESSAGE, field::LEVEL, field::HOSTNAME, field::PID, field::TIME];

/// The record's violations of the catalogue, one sentence each; empty if there are none.
///
/// Accepts a line that a service wrote as well as the document that Elasticsearch returns for it.
#[must_use]
pub fn violations(record: &Map<String, Value>) -> Vec<String> {
    let record = Record(record);
    let mut violations = record.violations_of_fields();
    match record.text(field::EVENT_ACTION).and_then(Action::from_name) {
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
        if !is_error || self.reports_an_error(action) {
            let lacking = action.requirements().filter(|requirement| !self.meets(*requirement));
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
            if self.text(field::ERROR_TYPE).and_then(ErrorType::from_name).is_none() {
                violations.push(format!("an error of {action} has no known {}", field::ERROR_TYPE));
            }
            if !self.has(field::ERROR_MESSAGE) {
                violations.push(format!("an error of {action} has no {}", field::ERROR_MESSAGE));
            }
        } else if action.reports_success() && outcome != Some("success") {
            violations.push(format!("a success of {action} has the outcome {outcome:?}"));
        }
        violations
    }

    /// Whether the action itself reports an error, so that its record needs all of its fields. Any other error means
    /// that the action failed: its subject was not created or can't be read, so the record carries only the known
    /// fields.
    fn reports_an_error(&self, action: Action) -> bool {
        match action {
            Action::HttpRequest => true,
            // Of a message that can't be read, or not yet, the order isn't known.
            Action::MessageDeadLettered => {
                let unread = [ErrorType::MessageMalformed, ErrorType::MessageTooNew].map(ErrorType::name);
                self.text(field::ERROR_TYPE).is_none_or(|name| !unread.contains(&name))
            }
            Action::OrderPriceStatusChanged => self.text(field::ORDER_PRICE_STATUS) == Some("FAILED"),
            _ => false,
        }
    }

    fn meets(&self, requirement: Requirement) -> bool {
        let has_one_of = |names: &[&str]| names.iter().any(|name| self.has(name));
        match requirement {
            Requirement::Field(name) => self.has(name),
            Requirement::OneOf(names) => has_one_of(names),
            Requirement::OneOfFrom(names, services) => {
                has_one_of(names) || !self.service().is_some_and(|service| services.contains(&service))
            }
            Requirement::FieldWhenEnded(name) => {
                self.has(name) || !matches!(self.text(field::ORDER_PRICE_STATUS), Some("CALCULATED" | "FAILED"))
            }
            Requirement::Class(category, kind) => {
                self.text(field::EVENT_CATEGORY) == Some(category) && self.text(field::EVENT_TYPE) == Some(kind)
            }
        }
    }

    fn service(&self) -> Option<Service> {
        self.text(field::NAME).and_then(Service::from_name)
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
        // Elasticsearch keeps one value and several in the same field.
        Kind::Keyword => match value {
            Value::Array(values) => !values.is_empty() && values.iter().all(Value::is_string),
            value => value.is_string(),
        },
        Kind::Text => value.is_string(),
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

    /// A record of `action` with the fields of every record and `fields`.
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
    fn a_complete_record_has_no_violation() {
        let taken = json!({
            "event.id": "e", "order.id": "A-1", "operator.id": "b", "http.request.id": "c", "event.outcome": "success",
        });
        assert_eq!(violations(&record(Action::OrderOperatorAssigned, Level::Info, taken)), [""; 0]);
    }

    #[test]
    fn missing_fields_unknown_fields_and_wrong_types_are_violations() {
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
    fn a_change_has_an_id_and_succeeded() {
        let stuck = |more: Value| {
            let mut fields = json!({ "order.id": "A-1", "order.status": "SUBMITTED", "order.age_hours": 30.5 });
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let mut record = record(Action::OrderStuck, Level::Warn, fields);
            record.insert("name".to_owned(), json!("crm-api"));
            violations(&record)
        };
        assert_eq!(stuck(json!({ "event.id": "e", "event.outcome": "success" })), [""; 0]);
        for wrong in [json!({ "event.id": "e", "event.outcome": "failure" }), json!({ "event.outcome": "success" })] {
            let violations = stuck(wrong);
            assert_eq!(violations.len(), 1, "{violations:?}");
        }
    }

    #[test]
    fn a_record_about_access_has_the_category_and_type_of_its_action() {
        let logged_out = |class: [&str; 2]| {
            let fields = json!({
                "event.outcome": "success", "user.id": "u", "source.ip": "127.0.0.0", "http.request.id": "c",
                "event.category": class[0], "event.type": class[1],
            });
            violations(&record(Action::LoggedOut, Level::Info, fields))
        };
        assert_eq!(logged_out(["authentication", "end"]), [""; 0]);
        for wrong in [["authentication", "start"], ["iam", "end"]] {
            let violations = logged_out(wrong);
            assert_eq!(violations.len(), 1, "{violations:?}");
        }
    }

    #[test]
    fn a_failure_needs_its_type_and_message_but_not_the_fields_of_a_success() {
        let failed = json!({
            "event.outcome": "failure", "error.type": "database_unavailable", "error.message": "no: because",
        });
        assert_eq!(violations(&record(Action::OrderCreated, Level::Error, failed)), [""; 0]);
        let unexplained = violations(&record(Action::OrderCreated, Level::Error, json!({ "error.type": "odd" })));
        assert_eq!(unexplained.len(), 3, "{unexplained:?}");
    }

    #[test]
    fn a_failed_price_calculation_needs_all_of_its_fields() {
        let failed = json!({
            "event.outcome": "failure", "error.type": "model_not_closed", "error.message": "holes",
            "event.id": "e", "order.id": "A-1", "order.price_status": "FAILED", "order.price_status_from": "CALCULATING",
        });
        let violations = violations(&record(Action::OrderPriceStatusChanged, Level::Error, failed));
        assert_eq!(violations.len(), 2, "duration and triangles: {violations:?}");
    }

    #[test]
    fn a_dead_letter_names_its_order_if_it_could_be_read() {
        let violations_of = |error_type: ErrorType| {
            let dead = json!({
                "event.outcome": "failure", "error.type": error_type.name(), "error.message": "no: because",
                "messaging.message.id": "m", "messaging.message.type": "order.submitted",
            });
            violations(&record(Action::MessageDeadLettered, Level::Error, dead)).len()
        };
        let of_each = [ErrorType::MessageMalformed, ErrorType::MessageTooNew, ErrorType::MessageUnexpected];
        assert_eq!(of_each.map(violations_of), [0, 0, 1]);
    }

    #[test]
    fn an_action_of_another_service_is_a_violation() {
        let stuck = json!({
            "event.id": "e", "order.id": "A-1", "order.status": "SUBMITTED", "order.age_hours": 30.5,
            "event.outcome": "success",
        });
        let violations = violations(&record(Action::OrderStuck, Level::Warn, stuck));
        assert_eq!(violations.len(), 1, "{violations:?}");
    }
}
