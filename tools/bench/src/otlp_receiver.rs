//! An OTLP receiver that counts the spans and forgets them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{net::TcpListener, task::AbortHandle};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

/// Receives spans until this is dropped.
pub(crate) struct Sink {
    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub(crate) address: String,
    count: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Sink {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let count = Arc::<AtomicU64>::default();
        let service = TraceServiceServer::new(Counter(Arc::clone(&count)));
        let server = tonic::transport::Server::builder().add_service(service);
        let task = tokio::spawn(async move {
            // Ends with the task.
            let _ = server.serve_with_incoming(TcpIncoming::from(listener)).await;
        });
        Ok(Self { address, count, task: task.abort_handle() })
    }

    /// The spans that have come so far.
    pub(crate) fn spans(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Counter(Arc<AtomicU64>);

#[tonic::async_trait]
impl TraceService for Counter {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|of_resource| &of_resource.scope_spans);
        self.0.fetch_add(scopes.map(|scope| scope.spans.len() as u64).sum(), Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
