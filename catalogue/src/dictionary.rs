//! The dictionary as a page, `docs/dictionary.md`, generated from the data that the services use.

use std::{borrow::Borrow, fmt::Write as _};

use crate::{
    action::{Action, Level, Requirement},
    error_type::ErrorType,
    field::{self, Kind, Origin},
    metric::{self, Label, Values},
    service::Service,
};

const INTRODUCTION: &str = "\
# Dictionary of the log records and metrics

The actions, error types and fields of a record, and the metrics, and their meanings. This page is written from the code
(`catalogue/src`), and a test compares them; `UPDATE_DICTIONARY=1 cargo test -p catalogue` writes it anew. The rules
behind it are in [logging.md](logging.md) and [metrics.md](metrics.md).
";

/// The whole page.
#[must_use]
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    actions(&mut page);
    error_types(&mut page);
    fields(&mut page);
    metrics(&mut page);
    page
}

fn actions(page: &mut String) {
    page.push_str(
        "\n## Actions (`event.action`)\n\n\
         When an action fails because of an internal failure, its record has level error, `event.outcome` failure,\n\
         `error.type`, `error.message` and those of the action's fields that are known by then.\n\n\
         | action | meaning | written by | level | fields |\n| --- | --- | --- | --- | --- |\n",
    );
    for action in Action::ALL {
        let services = join(action.written_by().iter().map(|service| service.name()), ", ");
        let levels = join(action.levels().iter().map(|level: &Level| level.name()), ", ");
        let fields = join(action.requirements().map(describe), ", ");
        row(page, &[&format!("`{action}`"), action.meaning(), &services, &levels, &fields]);
    }
}

fn describe(requirement: Requirement) -> String {
    let or = |names: &[&str]| join(names.iter().map(|name| format!("`{name}`")), " or ");
    match requirement {
        Requirement::Field(name) => or(&[name]),
        Requirement::OneOf(names) => or(names),
        Requirement::OneOfFrom(names, services) => {
            format!("{} ({})", or(names), join(services.iter().map(|service: &Service| service.name()), ", "))
        }
        Requirement::FieldWhenEnded(name) => format!("{} (when ended)", or(&[name])),
        Requirement::Class(..) => format!("`{}`, `{}`", field::EVENT_CATEGORY, field::EVENT_TYPE),
    }
}

fn error_types(page: &mut String) {
    page.push_str("\n## Error types (`error.type`)\n\n| error type | meaning |\n| --- | --- |\n");
    for error_type in ErrorType::ALL {
        row(page, &[&format!("`{error_type}`"), error_type.meaning()]);
    }
}

fn fields(page: &mut String) {
    page.push_str("\n## Fields\n\n| field | type | name from | meaning |\n| --- | --- | --- | --- |\n");
    for field in field::ALL {
        row(page, &[&format!("`{}`", field.name), kind(field.kind), origin(field.origin), field.meaning]);
    }
}

fn metrics(page: &mut String) {
    page.push_str(
        "\n## Metrics\n\n\
         The names as OpenTelemetry has them; the second line is the name as Prometheus shows it. A label's values are\n\
         bounded: no id, login or address is one. Kept in `process`: a counter begins at 0 with each start, and each replica\n\
         reports its own part. Kept in `database` or `broker`: true over restarts and replicas, and reported by one replica\n\
         of each service.\n\n\
         | metric | kind | unit | labels | services | kept in | meaning |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for metric in metric::ALL {
        let kind = match metric.kind {
            metric::Kind::Counter => "counter",
            metric::Kind::Gauge => "gauge",
            metric::Kind::Histogram(_) => "histogram",
        };
        let origin = match metric.origin {
            metric::Origin::Process => "process",
            metric::Origin::Database => "database",
            metric::Origin::Broker => "broker",
        };
        let names = format!("`{}`<br>`{}`", metric.name, metric.prometheus_name());
        let labels = join(metric.labels.iter().map(label), "; ");
        let services = join(metric.services.iter().map(|service| service.name()), ", ");
        row(page, &[&names, kind, &format!("`{}`", metric.unit), &labels, &services, origin, metric.meaning]);
    }
}

fn label(label: &Label) -> String {
    let values = match label.values {
        Values::Listed(values) => join(values.iter().map(|value| format!("`{value}`")), ", "),
        Values::Routes => "a route's template, `UNMATCHED`".to_owned(),
        Values::StatusCodes => "a status".to_owned(),
    };
    format!("`{}`: {values}", label.name)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Keyword => "keyword",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::DateNanos => "date_nanos",
        Kind::Ip => "ip",
        Kind::Text => "text",
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Ecs => "ECS",
        Origin::OpenTelemetry => "OpenTelemetry",
        Origin::Bunyan => "bunyan",
        Origin::Alexandrite => "Alexandrite",
    }
}

fn row(page: &mut String, cells: &[&str]) {
    writeln!(page, "| {} |", cells.join(" | ")).expect("writing to a string can't fail");
}

fn join<T: Borrow<str>>(parts: impl Iterator<Item = T>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}
