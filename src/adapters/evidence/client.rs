//! Posts to witnesses: one request on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::domain::catalog::BaseUrl;
use crate::domain::evidence::witness::MAX_ANSWER_BYTES;

/// Longest time for one request, from the look-up of the name to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// What is needed for TLS, made once.
pub(super) struct Client {
    tls: Option<TlsConnector>,
}

impl Client {
    /// With the system's authorities, if any of the servers wants TLS.
    pub(super) fn new(wants_tls: bool) -> Self {
        let tls = wants_tls.then(|| {
            let mut roots = RootCertStore::empty();
            // None at all shows at the first handshake.
            for certificate in rustls_native_certs::load_native_certs().unwrap_or_default() {
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

    /// Posts a text below a base URL.
    ///
    /// # Errors
    /// What went wrong, without anything that the server said.
    pub(super) async fn post(
        &self,
        url: &BaseUrl,
        path: &str,
        body: String,
    ) -> Result<Answer, String> {
        match tokio::time::timeout(TIMEOUT, self.try_post(url, path, body)).await {
            Ok(done) => done,
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        }
    }

    async fn try_post(&self, url: &BaseUrl, path: &str, body: String) -> Result<Answer, String> {
        let host = url.host().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, url.port()))
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let request = Request::post(format!("{}{path}", url.path()))
            .header(header::HOST, url.authority())
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        if !url.tls() {
            return exchange(stream, request).await;
        }
        let tls = self.tls.as_ref().ok_or("TLS is not available")?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = tls
            .connect(name, stream)
            .await
            .map_err(|error| format!("TLS: {error}"))?;
        exchange(stream, request).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
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
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
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
