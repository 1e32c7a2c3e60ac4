//! Requests to others than banks (witnesses, receivers of alerts, identity providers): one request on a connection of its
//! own, which may be inside TLS. Nothing is followed and nothing is tried again here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::domain::catalog::BaseUrl;

/// Longest time for one request, from the look-up of the name to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

/// A request.
pub struct HttpPost<'a> {
    /// Where to.
    pub url: &'a BaseUrl,
    /// What follows the path of the URL.
    pub path: &'a str,
    /// Headers besides `host`.
    pub headers: &'a [(&'a str, String)],
    /// The body.
    pub body: Vec<u8>,
    /// Most bytes of an answer; more is a fault.
    pub max_answer: usize,
}

/// A request without a body.
pub struct HttpGet<'a> {
    /// Where to.
    pub url: &'a BaseUrl,
    /// What follows the path of the URL.
    pub path: &'a str,
    /// Headers besides `host`.
    pub headers: &'a [(&'static str, String)],
    /// Most bytes of an answer; more is a fault.
    pub max_answer: usize,
}

/// What is needed for TLS, made once.
pub struct Client {
    tls: Option<TlsConnector>,
}

impl Client {
    /// With the system's authorities, if any of the servers wants TLS.
    pub fn new(wants_tls: bool) -> Self {
        // None at all shows at the first handshake.
        let system = || rustls_native_certs::load_native_certs().unwrap_or_default();
        Self::with_authorities(if wants_tls { Some(system()) } else { None })
    }

    /// With these authorities and no others; `None` if no server wants TLS.
    pub fn with_authorities(authorities: Option<Vec<CertificateDer<'static>>>) -> Self {
        let tls = authorities.map(|authorities| {
            let mut roots = RootCertStore::empty();
            for certificate in authorities {
                let _ = roots.add(certificate);
            }
            let config =
                ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .map(|builder| builder.with_root_certificates(roots).with_no_client_auth());
            config
                .ok()
                .map(|config| TlsConnector::from(Arc::new(config)))
        });
        Self { tls: tls.flatten() }
    }

    /// Posts.
    ///
    /// # Errors
    /// What went wrong, without anything that the server said.
    pub async fn post(&self, post: HttpPost<'_>) -> Result<Answer, String> {
        self.send(Method::POST, post).await
    }

    /// Gets.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn get(&self, get: HttpGet<'_>) -> Result<Answer, String> {
        let request = HttpPost {
            url: get.url,
            path: get.path,
            headers: get.headers,
            body: Vec::new(),
            max_answer: get.max_answer,
        };
        self.send(Method::GET, request).await
    }

    async fn send(&self, method: Method, request: HttpPost<'_>) -> Result<Answer, String> {
        match tokio::time::timeout(TIMEOUT, self.try_send(method, request)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    /// A connection inside TLS.
    ///
    /// # Errors
    /// What the handshake says.
    pub async fn wrap(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let tls = self.tls.as_ref().ok_or("TLS is not available")?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        tls.connect(name, stream)
            .await
            .map_err(|error| format!("TLS: {error}"))
    }

    async fn try_send(&self, method: Method, post: HttpPost<'_>) -> Result<Answer, String> {
        let url = post.url;
        let host = url.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, url.port()))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let path = format!("{}{}", url.path(), post.path);
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, url.authority());
        for (name, value) in post.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(post.body)))
            .map_err(|error| error.to_string())?;
        if !url.tls() {
            return exchange(stream, request, post.max_answer).await;
        }
        let stream = self.wrap(host, stream).await?;
        exchange(stream, request, post.max_answer).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    max_answer: usize,
) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), max_answer)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(Answer {
            status,
            body: body.to_bytes(),
        })
    };
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection must be driven; its end before the answer's shows in the answer.
        _ = connection => answer.await,
    }
}
