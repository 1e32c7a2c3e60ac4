//! What is told to a collector of OpenTelemetry, and where it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::catalog::BaseUrl;

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, in protobuf.
    Http,
}

/// `[telemetry]`
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where the collector is; `None` if nothing is told.
    pub endpoint: Option<BaseUrl>,
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// File with header fields that are sent along, such as credentials for the collector.
    pub headers_file: Option<PathBuf>,
    /// Authorities to trust for the collector instead of the system's, PEM.
    pub ca: Option<PathBuf>,
    /// Whether calls are told as traces.
    pub traces: bool,
    /// Whether figures are told.
    pub metrics: bool,
    /// Whether log lines are told.
    pub logs: bool,
    /// Part of the traces that begin here, 0 to 1, that is told.
    pub sample_ratio: f64,
    /// How often figures are told.
    pub interval: Duration,
    /// How long the collector may take for one request.
    pub timeout: Duration,
    /// `service.name` of all that is told.
    pub service_name: String,
    /// Further attributes of the resource: name and value.
    pub attributes: Vec<(String, String)>,
}
