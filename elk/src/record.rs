//! What a record promises, checked: for tests that read what the services really wrote.

use serde_json::{Map, Value};

use crate::{
    action::{Action, Level, Requirement, Service},
    error_type::ErrorType,
    field::{self, Kind},
};

/// The fields of every record, whoever writes it.
const CORE: [&str; 7] = [
    field::BUNYAN_VERSION,
    field::NAME,
    field::MESSAGE,
    field::LEVEL,
    field::HOSTNAME,
    field::PID,
    field::TIME,
];

/// What is wrong with a record of an action, one sentence each; nothing if it keeps every promise of the catalogue.
///
/// Takes a line that a service wrote as well as the document that Elasticsearch returns for it.
#[must_use]
pub fn faults(record: &Map<String, Value>) -> Vec<String> {
    let record = Record(record);
    let mut faults = record.faults_of_fields();
    match Action::ALL
        .into_iter()
        .find(|action| record.text(field::EVENT_ACTION) == Some(action.name()))
    {
        Some(action) => faults.extend(record.faults_of_action(action)),
        None => faults.push(format!("{} is not in the catalogue", field::EVENT_ACTION)),
    }
    faults
}

struct Record<'a>(&'a Map<String, Value>);

impl Record<'_> {
    fn faults_of_fields(&self) -> Vec<String> {
        let missing = CORE
            .into_iter()
            .filter(|name| !self.has(name))
            .map(|name| format!("{name} is missing"));
        let misfits =
            self.0.iter().filter_map(
                |(name, value)| match field::ALL.iter().find(|field| field.name == name) {
                    None => Some(format!("{name} is not in the dictionary")),
                    Some(field) if !fits(field.kind, value) => {
                        Some(format!("{name} is not a {:?}: {value}", field.kind))
                    }
                    Some(_) => None,
                },
            );
        missing.chain(misfits).collect()
    }

    fn faults_of_action(&self, action: Action) -> Vec<String> {
        let mut faults = Vec::new();
        if !self
            .service()
            .is_some_and(|service| action.written_by().contains(&service))
        {
            faults.push(format!("{action} is not written by {:?}", self.text(field::NAME)));
        }
        let level = self.0.get(field::LEVEL).and_then(Value::as_u64);
        let is_error = level == Some(Level::Error.number());
        if !is_error && action.levels().iter().all(|allowed| Some(allowed.number()) != level) {
            faults.push(format!("{action} has level {level:?}"));
        }
        faults.extend(self.faults_of_outcome(action, is_error));
        if !is_error || self.is_error_by_nature(action) {
            let lacking = action
                .requirements()
                .iter()
                .filter(|requirement| !self.meets(requirement));
            faults.extend(lacking.map(|requirement| format!("{action} lacks {requirement:?}")));
        }
        faults
    }

    fn faults_of_outcome(&self, action: Action, is_error: bool) -> Vec<String> {
        let outcome = self.text(field::EVENT_OUTCOME);
        let mut faults = Vec::new();
        if is_error {
            if outcome != Some("failure") {
                faults.push(format!("an error of {action} has the outcome {outcome:?}"));
            }
            if !self
                .text(field::ERROR_TYPE)
                .is_some_and(|word| ErrorType::ALL.iter().any(|class| class.name() == word))
            {
                faults.push(format!("an error of {action} has no class of the closed set"));
            }
            if !self.has(field::ERROR_MESSAGE) {
                faults.push(format!("an error of {action} has no {}", field::ERROR_MESSAGE));
            }
        } else if action.reports_success() && outcome != Some("success") {
            faults.push(format!("a success of {action} has the outcome {outcome:?}"));
        }
        faults
    }

    /// Whether the catalogue's own row is an error. Any other error is an action that could not be done: what did not
    /// come to be has no number yet, so such a record needs only what it knows.
    fn is_error_by_nature(&self, action: Action) -> bool {
        match action {
            Action::MessageDeadLettered | Action::HttpRequest => true,
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
        Service::ALL
            .into_iter()
            .find(|service| self.text(field::NAME) == Some(service.name()))
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
        Kind::DateNanos => value
            .as_str()
            .is_some_and(|time| time.contains('T') && time.ends_with('Z')),
        Kind::Ip => value
            .as_str()
            .is_some_and(|address| address.parse::<std::net::IpAddr>().is_ok()),
    }
}
