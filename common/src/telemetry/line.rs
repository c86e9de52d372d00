//! A record as a line of JSON: what `tracing-bunyan-formatter` writes for an event with the same fields, as a value that
//! goes into the journal and to the output.

use std::{borrow::Cow, sync::OnceLock};

use catalogue::field;
use serde::{Serialize, Serializer as _, ser::SerializeMap};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tracing::{Level, Span};
use tracing_bunyan_formatter::JsonStorage;
use tracing_subscriber::registry::{LookupSpan as _, Registry};

use crate::domain::EventId;

/// Fields of spans that only OpenTelemetry needs.
pub(super) const ONLY_FOR_SPANS: [&str; 6] = ["target", "line", "file", "otel.name", "otel.kind", "otel.status_code"];

/// A field's value.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    Names(Vec<&'static str>),
    Unsigned(u64),
    Float(f64),
}

/// The line of a change's record.
#[derive(Debug)]
pub(crate) struct Line {
    id: EventId,
    text: Option<String>,
}

impl Line {
    pub(super) const fn new(id: EventId, text: Option<String>) -> Self {
        Self { id, text }
    }

    /// The change's id: `event.id` of its record.
    pub(crate) const fn id(&self) -> EventId {
        self.id
    }

    /// The line with its end; none if the log's filter leaves the record out.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

/// What every line of this process says.
#[derive(Debug)]
struct Process {
    service: String,
    hostname: String,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

/// Sets the service whose lines these are. The first call counts.
pub(super) fn set_service(name: &str) {
    let hostname = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let _ = PROCESS.set(Process { service: name.to_owned(), hostname });
}

/// Whether the log's filter lets records of this level through.
pub(super) fn enabled(level: Level) -> bool {
    match level {
        Level::ERROR => tracing::enabled!(Level::ERROR),
        Level::WARN => tracing::enabled!(Level::WARN),
        _ => tracing::enabled!(Level::INFO),
    }
}

/// Formats a line, with the fields of the current span and of those around it.
pub(super) fn format<'a>(
    level: Level,
    sentence: &str,
    fields: impl Iterator<Item = &'a (&'static str, Value)>,
) -> Option<String> {
    let process = PROCESS.get();
    let mut line = Vec::with_capacity(768);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut map = serializer.serialize_map(None).ok()?;
    let formatted = Span::current().with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let sentence = format!("[{} - EVENT] {sentence}", span.name().to_uppercase());
        core(&mut map, process, level, &sentence).ok()?;
        if let Some(values) = span.extensions().get::<JsonStorage<'_>>() {
            for (name, value) in values.values().iter().filter(|(name, _)| !ONLY_FOR_SPANS.contains(name)) {
                map.serialize_entry(name, value).ok()?;
            }
        }
        Some(())
    });
    if formatted.flatten().is_none() {
        core(&mut map, process, level, sentence).ok()?;
    }
    for (name, value) in fields {
        map.serialize_entry(name, value).ok()?;
    }
    map.end().ok()?;
    line.push(b'\n');
    String::from_utf8(line).ok()
}

/// The fields of every bunyan record.
fn core<M: SerializeMap>(map: &mut M, process: Option<&Process>, level: Level, sentence: &str) -> Result<(), M::Error> {
    let number = match level {
        Level::ERROR => catalogue::action::Level::Error,
        Level::WARN => catalogue::action::Level::Warn,
        _ => catalogue::action::Level::Info,
    };
    map.serialize_entry(field::BUNYAN_VERSION, &0)?;
    map.serialize_entry(field::NAME, process.map_or("", |process| &process.service))?;
    map.serialize_entry(field::MESSAGE, sentence)?;
    map.serialize_entry(field::LEVEL, &number.number())?;
    map.serialize_entry(field::HOSTNAME, process.map_or("", |process| &process.hostname))?;
    map.serialize_entry(field::PID, &std::process::id())?;
    // RFC 3339 has the years from 0 to 9999: no clock's time fails to be formatted.
    map.serialize_entry(field::TIME, &OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default())
}
