//! A collector of OpenTelemetry that keeps what it is told: a real gRPC server.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::{eventually, runtime};

#[derive(Default)]
struct Told {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
    /// Value of the field `x-team` of each request.
    teams: Vec<Option<String>>,
}

/// A running collector.
#[derive(Clone)]
pub struct Collector {
    told: Arc<Mutex<Told>>,
    address: String,
}

#[derive(Clone)]
struct Service(Arc<Mutex<Told>>);

impl Service {
    fn keep<T>(&self, request: Request<T>, keep: impl FnOnce(&mut Told, T)) {
        let team = request.metadata().get("x-team");
        let team = team.map(|team| team.to_str().expect("text").to_owned());
        let mut told = self.0.lock().expect("told");
        told.teams.push(team);
        keep(&mut told, request.into_inner());
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep(request, |told, request| told.traces.push(request));
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep(request, |told, request| told.metrics.push(request));
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.keep(request, |told, request| told.logs.push(request));
        Ok(Response::new(Default::default()))
    }
}

impl Collector {
    /// Listens on a free port of loopback.
    pub fn start() -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let service = Service(Arc::clone(&told));
        let listener = runtime()
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        runtime().spawn(
            Server::builder()
                .add_service(TraceServiceServer::new(service.clone()))
                .add_service(MetricsServiceServer::new(service.clone()))
                .add_service(LogsServiceServer::new(service))
                .serve_with_incoming(TcpIncoming::from(listener)),
        );
        Self { told, address }
    }

    /// Address and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A section of the configuration that names it, with further keys.
    pub fn section(&self, keys: &str) -> String {
        format!(
            "[telemetry]\nendpoint = \"http://{}\"\ninterval = \"1s\"\n{keys}",
            self.address
        )
    }

    /// Every span, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let told = self.told.lock().expect("told");
        let resources = told
            .traces
            .iter()
            .flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Waits until so many spans have come.
    pub fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        eventually("the spans are told", || {
            let spans = self.spans();
            assert!(spans.len() <= count, "too many: {spans:#?}");
            (spans.len() == count).then_some(spans)
        })
    }

    /// The attributes of the resource that traces come from.
    pub fn resource(&self) -> Vec<KeyValue> {
        let told = self.told.lock().expect("told");
        let first = &told.traces[0].resource_spans[0];
        first.resource.clone().expect("a resource").attributes
    }

    /// A figure as it was told last.
    pub fn metric(&self, name: &str) -> Option<Metric> {
        let told = self.told.lock().expect("told");
        let last = told.metrics.last()?;
        let resources = last.resource_metrics.iter();
        let scopes = resources.flat_map(|resource| &resource.scope_metrics);
        let mut metrics = scopes.flat_map(|scope| &scope.metrics);
        metrics.find(|metric| metric.name == name).cloned()
    }

    /// Every log line.
    pub fn lines(&self) -> Vec<LogRecord> {
        let told = self.told.lock().expect("told");
        let resources = told.logs.iter().flat_map(|request| &request.resource_logs);
        let scopes = resources.flat_map(|resource| &resource.scope_logs);
        scopes.flat_map(|scope| scope.log_records.clone()).collect()
    }

    /// The field `x-team` of each request.
    pub fn teams(&self) -> Vec<Option<String>> {
        self.told.lock().expect("told").teams.clone()
    }

    /// All that was told, as it came over the wire and as text.
    pub fn everything(&self) -> Vec<u8> {
        let told = self.told.lock().expect("told");
        let mut all = Vec::new();
        for request in &told.traces {
            all.extend(request.encode_to_vec());
        }
        for request in &told.metrics {
            all.extend(request.encode_to_vec());
        }
        for request in &told.logs {
            all.extend(request.encode_to_vec());
        }
        all
    }
}

/// The value of an attribute as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|one| one.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
