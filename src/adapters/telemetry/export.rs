//! Sends requests to the collector, over gRPC or HTTP, and says what came of it.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::headers::Headers;
use crate::adapters::http_client::{Client, HttpPost};
use crate::domain::catalog::BaseUrl;
use crate::domain::config::OtlpProtocol;

/// Most bytes of a collector's answer: it says how many were rejected, and why in a sentence.
const MAX_ANSWER: usize = 64 << 10;

/// What came of a request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The same may succeed later.
    pub is_passing: bool,
    /// What happened, without anything that the collector said.
    pub why: String,
}

impl Failed {
    fn passing(why: impl Into<String>) -> Self {
        Self {
            is_passing: true,
            why: why.into(),
        }
    }

    fn lasting(why: impl Into<String>) -> Self {
        Self {
            is_passing: false,
            why: why.into(),
        }
    }
}

/// A collector.
pub struct Exporter {
    way: Way,
    headers: Headers,
    timeout: Duration,
}

enum Way {
    Grpc(Channel),
    Http { client: Client, url: BaseUrl },
}

/// How many of what was sent the collector has refused to take.
pub type Rejected = u64;

/// A request with the place that it goes to.
pub trait Signal: Message + Clone {
    /// Path below the base URL, by the specification of OTLP over HTTP.
    const PATH: &'static str;
    /// What the collector answers.
    type Answer: Message + Default;

    /// Sends it over gRPC.
    fn send(
        self,
        channel: Channel,
        metadata: MetadataMap,
    ) -> impl Future<Output = Result<Self::Answer, tonic::Status>> + Send;

    /// How many were rejected.
    fn rejected(answer: &Self::Answer) -> Rejected;
}

macro_rules! signal {
    ($request:ty, $answer:ty, $client:ident, $path:literal, $rejected:ident) => {
        impl Signal for $request {
            const PATH: &'static str = $path;
            type Answer = $answer;

            async fn send(
                self,
                channel: Channel,
                metadata: MetadataMap,
            ) -> Result<$answer, tonic::Status> {
                let mut request = tonic::Request::new(self);
                *request.metadata_mut() = metadata;
                let answer = $client::new(channel).export(request).await?;
                Ok(answer.into_inner())
            }

            fn rejected(answer: &$answer) -> Rejected {
                let partial = answer.partial_success.as_ref();
                let rejected = partial.map_or(0, |partial| partial.$rejected);
                Rejected::try_from(rejected).unwrap_or(0)
            }
        }
    };
}

signal!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    TraceServiceClient,
    "/v1/traces",
    rejected_spans
);
signal!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    MetricsServiceClient,
    "/v1/metrics",
    rejected_data_points
);
signal!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    LogsServiceClient,
    "/v1/logs",
    rejected_log_records
);

impl Exporter {
    /// Prepares to speak to a collector; connects when there is something to say. `ca` is PEM text. To be
    /// called inside a runtime.
    ///
    /// # Errors
    /// What is wrong with the authorities.
    pub fn new(
        url: &BaseUrl,
        protocol: OtlpProtocol,
        headers: Headers,
        ca: Option<Vec<u8>>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let way = match protocol {
            OtlpProtocol::Grpc => Way::Grpc(channel(url, ca, timeout)?),
            OtlpProtocol::Http => Way::Http {
                client: match ca {
                    Some(pem) => Client::with_authorities(Some(certificates(&pem)?)),
                    None => Client::new(url.tls()),
                },
                url: url.clone(),
            },
        };
        Ok(Self {
            way,
            headers,
            timeout,
        })
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn export<S: Signal>(&self, request: S) -> Result<Rejected, Failed> {
        let sent = async {
            match &self.way {
                Way::Grpc(channel) => self.over_grpc(channel.clone(), request).await,
                Way::Http { client, url } => self.over_http(client, url, request).await,
            }
        };
        tokio::time::timeout(self.timeout, sent)
            .await
            .unwrap_or_else(|_| Err(Failed::passing("no answer in time")))
    }

    async fn over_grpc<S: Signal>(&self, channel: Channel, request: S) -> Result<Rejected, Failed> {
        let mut metadata = MetadataMap::new();
        for (name, value) in &self.headers {
            let name = MetadataKey::from_bytes(name.as_str().as_bytes());
            let value: Result<MetadataValue<_>, _> = value.expose().parse();
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                metadata.insert(name, value);
            }
        }
        match request.send(channel, metadata).await {
            Ok(answer) => Ok(S::rejected(&answer)),
            Err(status) => {
                use tonic::Code;
                // Which are passing is said by the specification of OTLP.
                let is_passing = matches!(
                    status.code(),
                    Code::Cancelled
                        | Code::DeadlineExceeded
                        | Code::Aborted
                        | Code::OutOfRange
                        | Code::Unavailable
                        | Code::DataLoss
                        | Code::ResourceExhausted
                );
                Err(Failed {
                    is_passing,
                    why: format!("gRPC status {:?}", status.code()),
                })
            }
        }
    }

    async fn over_http<S: Signal>(
        &self,
        client: &Client,
        url: &BaseUrl,
        request: S,
    ) -> Result<Rejected, Failed> {
        let mut headers = vec![("content-type", "application/x-protobuf".to_owned())];
        for (name, value) in &self.headers {
            headers.push((name.as_str(), value.expose().clone()));
        }
        let post = HttpPost {
            url,
            path: S::PATH,
            headers: &headers,
            body: request.encode_to_vec(),
            max_answer: MAX_ANSWER,
        };
        let answer = client.post(post).await.map_err(Failed::passing)?;
        match answer.status {
            200..=299 => {
                let answer = S::Answer::decode(answer.body).unwrap_or_default();
                Ok(S::rejected(&answer))
            }
            status @ (429 | 502..=504) => Err(Failed::passing(format!("HTTP status {status}"))),
            status => Err(Failed::lasting(format!("HTTP status {status}"))),
        }
    }
}

fn channel(url: &BaseUrl, ca: Option<Vec<u8>>, timeout: Duration) -> Result<Channel, String> {
    let wrong = |error: tonic::transport::Error| error.to_string();
    let mut endpoint = Endpoint::from_shared(url.to_string())
        .map_err(wrong)?
        .connect_timeout(timeout)
        .timeout(timeout);
    if url.tls() {
        let tls = match ca {
            Some(pem) => {
                certificates(&pem)?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
            }
            None => ClientTlsConfig::new().with_native_roots(),
        };
        endpoint = endpoint.tls_config(tls).map_err(wrong)?;
    }
    Ok(endpoint.connect_lazy())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = || "ca holds no readable certificate".to_owned();
    let found = x509_parser::pem::Pem::iter_from_buffer(pem);
    let found: Result<Vec<_>, _> = found
        .map(|pem| pem.map(|pem| CertificateDer::from(pem.contents)))
        .collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(unreadable)
}
