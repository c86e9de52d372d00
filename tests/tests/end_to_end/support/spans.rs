//! An OTLP receiver: the spans and the names of the metrics that services export, as any collector would get them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value},
    trace::v1::{Span, span::SpanKind},
};
use tokio::{net::TcpListener, task::AbortHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// A span, and the service that it is from.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Exported {
    pub(crate) fn kind(&self) -> SpanKind {
        self.span.kind()
    }

    /// A text attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        text(&self.span.attributes, name)
    }

    pub(crate) fn is_child_of(&self, parent: &Self) -> bool {
        self.span.trace_id == parent.span.trace_id && self.span.parent_span_id == parent.span.span_id
    }

    pub(crate) fn is_linked_to(&self, other: &Self) -> bool {
        self.span.links.iter().any(|link| link.trace_id == other.span.trace_id && link.span_id == other.span.span_id)
    }
}

fn text<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?;
    match value.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text),
        _ => None,
    }
}

type Received = Arc<Mutex<Vec<Exported>>>;
/// Each service with the name of a metric of its.
type Metrics = Arc<Mutex<BTreeSet<(String, String)>>>;

/// Receives spans and metrics until this is dropped.
pub(crate) struct Receiver {
    pub(crate) address: String,
    received: Received,
    metrics: Metrics,
    task: AbortHandle,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("it listens"));
        let (received, metrics) = (Received::default(), Metrics::default());
        let collector = Collector(Arc::clone(&received), Arc::clone(&metrics));
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector));
        let task = tokio::spawn(async move {
            server.serve_with_incoming(TcpIncoming::from(listener)).await.expect("the receiver runs");
        });
        Self { address, received, metrics, task: task.abort_handle() }
    }

    /// The names of the metrics that this service has exported.
    pub(crate) fn metrics(&self, service: &str) -> BTreeSet<String> {
        let received = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        received.iter().filter(|(of, _)| of == service).map(|(_, name)| name.clone()).collect()
    }

    /// The first span from this service with this name that the rest fits as well.
    pub(crate) fn find(&self, service: &str, name: &str, fits: impl Fn(&Exported) -> bool) -> Result<Exported, String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let found = received.iter().find(|span| span.service == service && span.span.name == name && fits(span));
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = received.iter().map(|span| (&span.service, &span.span.name)).collect();
            format!("there is no such {name} among {names:?}")
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Collector(Received, Metrics);

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut received = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        for resource_metrics in request.into_inner().resource_metrics {
            let resource = resource_metrics.resource.unwrap_or_default();
            let service = text(&resource.attributes, "service.name").unwrap_or_default().to_owned();
            let metrics = resource_metrics.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            received.extend(metrics.map(|metric| (service.clone(), metric.name)));
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for resource_spans in request.into_inner().resource_spans {
            let resource = resource_spans.resource.unwrap_or_default();
            let service = text(&resource.attributes, "service.name").unwrap_or_default().to_owned();
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            received.extend(spans.map(|span| Exported { service: service.clone(), span }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
