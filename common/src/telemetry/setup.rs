//! Switches records, spans and metrics on, and off again at the end.

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use tracing::{Event, Subscriber};
use tracing_bunyan_formatter::{BunyanFormattingLayer, JsonStorageLayer};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};
use uuid::Uuid;

use super::{
    line,
    metrics::{Metrics, Scrape},
    otlp,
    output::{self, Output},
};
use crate::authorities::Authorities;

/// What is logged unless `RUST_LOG` says otherwise. The messaging library reports every lost connection itself; we do
/// so where we handle it, and one failure is one record.
pub const DEFAULT_FILTER: &str =
    "info,lapin=off,async_rs=off,amq_protocol=off,sqlx=error,object_store=off,h2=off,hyper=off,tonic=off";

/// Spans that wait for export at most; a burst beyond it is dropped and said so by the exporter. The queue's memory is taken
/// from the start on, about 400 bytes for each.
const SPAN_QUEUE: usize = 8_192;

/// Switches records, spans and metrics on, and off again with [`Telemetry::shut_down`].
pub struct Telemetry {
    provider: SdkTracerProvider,
    metrics: Option<Metrics>,
}

impl Telemetry {
    /// Sets the process's logging, tracing and metrics up. Records go to standard output, each by one write and with no queue
    /// in memory: what was logged is out, even if the process is killed in the next instant.
    ///
    /// Spans are exported by OTLP over gRPC if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`
    /// is set, unless `OTEL_TRACES_EXPORTER` says otherwise; the other `OTEL_*` variables act as OpenTelemetry defines them.
    /// With `https://`, the receiver has its certificate from one of these authorities or from one of the system's.
    ///
    /// Metrics go the same way (`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, unless `OTEL_METRICS_EXPORTER` says otherwise), and if
    /// they are `scraped`, there is [`Telemetry::scrape`].
    ///
    /// # Errors
    ///
    /// If `RUST_LOG` or an `OTEL_*` variable has a value that can't be used; the message names it.
    pub fn start(service: &'static str, authorities: &Authorities, scraped: bool) -> anyhow::Result<Self> {
        use anyhow::Context as _;

        let filter = match std::env::var("RUST_LOG") {
            Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives).context("RUST_LOG")?,
            _ => EnvFilter::new(DEFAULT_FILTER),
        };
        output::end_broken_line();
        let resource = resource(service);
        let provider = tracer_provider(resource.clone(), authorities)?;
        let metrics = Metrics::start(service, &resource, authorities, scraped)?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        // An exporter that traced its own requests would export those too, and so on.
        let ours = Targets::new().with_targets([
            ("common", tracing::Level::TRACE),
            ("shop_orders", tracing::Level::TRACE),
            ("shop_api", tracing::Level::TRACE),
            ("crm_api", tracing::Level::TRACE),
            ("mes_api", tracing::Level::TRACE),
            ("support_web", tracing::Level::TRACE),
        ]);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("alexandrite"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours);

        tracing_subscriber::registry()
            .with(filter)
            .with(spans)
            .with(JsonStorageLayer)
            .with(events(service))
            .try_init()
            .context("logging is set up already")?;
        Ok(Self { provider, metrics })
    }

    /// What is scraped of the metrics, if they are on.
    #[must_use]
    pub fn scrape(&self) -> Option<Scrape> {
        self.metrics.as_ref().map(Metrics::scrape)
    }

    /// Exports what still waits. Blocks; call it off the async threads.
    pub fn shut_down(self) {
        if let Some(metrics) = self.metrics {
            metrics.shut_down();
        }
        // Nothing is left to do about spans that can't be delivered at the end.
        let _ = self.provider.shutdown();
    }
}

/// Lets a process that isn't running as a service make records in this service's name. Nothing is written to standard output.
pub fn without_output(service: &str) {
    line::set_service(service);
    // Logging that is set up already is as good.
    let _ = tracing_subscriber::registry().with(EnvFilter::new(DEFAULT_FILTER)).with(JsonStorageLayer).try_init();
}

/// The layer that writes events of other libraries in the form of our records, as this service.
///
/// # Panics
///
/// Never: the fields that it leaves out are none of bunyan's own.
#[must_use]
pub fn events(service: &str) -> EventsOnly<BunyanFormattingLayer<Output>> {
    line::set_service(service);
    let formatter = BunyanFormattingLayer::new(service.to_owned(), Output);
    EventsOnly(formatter.skip_fields(line::ONLY_FOR_SPANS.into_iter()).expect("fields that may be left out"))
}

/// Keeps spans from a formatter, which would make a line when each begins and ends.
#[derive(Debug)]
pub struct EventsOnly<L>(L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for EventsOnly<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.0.on_event(event, context);
    }
}

/// What every span and metric says of this process.
fn resource(service: &'static str) -> Resource {
    // Each replica has its own metrics, and a counter that begins anew is another one's.
    let builder = Resource::builder().with_attribute(KeyValue::new("service.instance.id", Uuid::now_v7().to_string()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => builder.build(),
        _ => builder.with_service_name(service).build(),
    }
}

fn tracer_provider(resource: Resource, authorities: &Authorities) -> anyhow::Result<SdkTracerProvider> {
    use anyhow::Context as _;

    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = otlp::endpoint("TRACES")?.filter(|_| !otlp::is_off()) else { return Ok(builder.build()) };
    let exporter = otlp::trusting(SpanExporter::builder().with_tonic(), &endpoint, authorities).build();
    let exporter = exporter.context("OTEL_EXPORTER_OTLP_ENDPOINT: spans can't be exported")?;
    let batches = BatchConfigBuilder::default().with_max_queue_size(SPAN_QUEUE).build();
    Ok(builder.with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build()).build())
}
