//! An HTTP/2 client: over plain TCP with prior knowledge, or over TLS.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::{PATIENCE, runtime};

/// One HTTP/2 connection.
pub struct H2 {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    scheme: &'static str,
}

/// An answer.
#[derive(Debug)]
pub struct H2Answer {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl H2Answer {
    /// A header field as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The id of the call's record.
    #[track_caller]
    pub fn call_id(&self) -> &str {
        self.header("egret-call-id").expect("a call id")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl H2 {
    /// With prior knowledge.
    pub fn plain(address: &str) -> Self {
        runtime().block_on(async {
            let socket = TcpStream::connect(address).await.expect("a connection");
            Self::over(socket, address, "http").await
        })
    }

    /// Over TLS; panics unless the gateway chooses HTTP/2.
    pub fn tls(address: &str, name: &str, config: Arc<ClientConfig>) -> Self {
        runtime().block_on(async {
            let socket = TcpStream::connect(address).await.expect("a connection");
            let server = name.to_owned().try_into().expect("a server name");
            let stream = TlsConnector::from(config)
                .connect(server, socket)
                .await
                .expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            Self::over(stream, name, "https").await
        })
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        authority: &str,
        scheme: &'static str,
    ) -> Self {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        Self {
            sender,
            authority: authority.to_owned(),
            scheme,
        }
    }

    /// One call.
    #[track_caller]
    pub fn call(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> H2Answer {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(format!("{}://{}{target}", self.scheme, self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body)))
            .expect("a request");
        let exchange = async {
            let answer = self.sender.send_request(request).await.expect("an answer");
            let (head, body) = answer.into_parts();
            H2Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body
                    .collect()
                    .await
                    .expect("a whole body")
                    .to_bytes()
                    .to_vec(),
            }
        };
        runtime()
            .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
            .expect("an answer in time")
    }
}
