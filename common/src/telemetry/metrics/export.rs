//! How metrics get out: pushed by OTLP, and as Prometheus's text for scrapers.

use anyhow::Context as _;
use catalogue::metric;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    Resource,
    metrics::{Instrument, SdkMeterProvider, Stream},
};
use prometheus::{Registry, TextEncoder};

use super::{counted, instruments, process};
use crate::{authorities::Authorities, telemetry::otlp};

/// The media type of Prometheus's text.
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// Metrics that are switched on.
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
}

/// What is scraped.
#[derive(Clone, Debug)]
pub struct Scrape(Registry);

impl Metrics {
    /// Switches a service's metrics on, if they go anywhere: by OTLP as the spans do, or to who scrapes them.
    ///
    /// # Errors
    ///
    /// If an `OTEL_*` variable has a value that can't be used; the message names it.
    pub(crate) fn start(
        service: &str,
        resource: &Resource,
        authorities: &Authorities,
        scraped: bool,
    ) -> anyhow::Result<Option<Self>> {
        let endpoint = otlp::endpoint("METRICS")?;
        if otlp::is_off() || !(scraped || endpoint.is_some()) {
            return Ok(None);
        }
        // Only as many series as the catalogue says; what is beyond them is counted together.
        let bounded = |instrument: &Instrument| {
            let metric = metric::ALL.iter().find(|metric| metric.name == instrument.name())?;
            Stream::builder().with_cardinality_limit(metric.most_series()).build().ok()
        };
        let registry = Registry::new();
        let mut builder = SdkMeterProvider::builder().with_resource(resource.clone()).with_view(bounded);
        if scraped {
            let reader = opentelemetry_prometheus::exporter().with_registry(registry.clone());
            builder = builder.with_reader(reader.scope_info_enabled(false).build().context("METRICS_ADDR")?);
        }
        if let Some(endpoint) = endpoint {
            let exporter = otlp::trusting(MetricExporter::builder().with_tonic(), &endpoint, authorities).build();
            let exporter = exporter.context("OTEL_EXPORTER_OTLP_ENDPOINT: metrics can't be exported")?;
            builder = builder.with_periodic_exporter(exporter);
        }
        let provider = builder.build();
        instruments::make(provider.meter("alexandrite"), service);
        process::register();
        counted::register();
        Ok(Some(Self { provider, registry }))
    }

    /// What is scraped.
    #[must_use]
    pub fn scrape(&self) -> Scrape {
        Scrape(self.registry.clone())
    }

    /// Exports what there is. Blocks; call it off the async threads.
    pub fn shut_down(self) {
        // Nothing is left to do about metrics that can't be delivered at the end.
        let _ = self.provider.shutdown();
    }
}

impl Scrape {
    /// All series of now, as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_default()
    }
}
