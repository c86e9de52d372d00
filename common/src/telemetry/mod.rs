//! What a service says about itself: log records on standard output, spans and metrics to an OTLP receiver, metrics to who
//! scrapes them.

mod context;
mod line;
pub mod metrics;
mod otlp;
pub(crate) mod output;
mod record;
mod sentence;
mod setup;
mod subject;

pub use context::{TraceContext, adopt, identify, trace_id};
pub(crate) use line::Line;
pub use output::{Output, Sink, redirect};
pub use record::{Notice, OfChange, PendingRecord, Record};
pub use setup::{DEFAULT_FILTER, EventsOnly, Telemetry, events, without_output};
pub use subject::Subject;
