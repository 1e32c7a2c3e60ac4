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

    /// Names another host in the calls to come.
    pub fn authority(&mut self, authority: &str) {
        authority.clone_into(&mut self.authority);
    }

    /// Begins a call, waits for `begun` and resets the stream.
    pub fn begin_and_leave(&self, method: &str, target: &str, begun: impl FnOnce()) {
        let request = self.request(method, target);
        let call = runtime().spawn(self.sender.clone().send_request(request));
        begun();
        call.abort();
    }

    /// Many calls at the same time; gives the ids of their records. Each must succeed.
    #[track_caller]
    pub fn call_at_once(&self, count: usize, method: &str, target: &str) -> Vec<String> {
        let calls: Vec<_> = (0..count)
            .map(|_| {
                let request = self.request(method, target);
                runtime().spawn(self.sender.clone().send_request(request))
            })
            .collect();
        calls
            .into_iter()
            .map(|call| {
                let answer = runtime()
                    .block_on(call)
                    .expect("a task")
                    .expect("an answer");
                assert!(answer.status().is_success(), "{}", answer.status());
                let id = answer.headers()["egret-call-id"].to_str();
                id.expect("a call id").to_owned()
            })
            .collect()
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

    /// One call; `None` if the gateway has asked to open another connection, so that it was not sent.
    #[track_caller]
    pub fn try_call(&mut self, method: &str, target: &str) -> Option<H2Answer> {
        let request = self.request(method, target);
        let exchange = async {
            if self.sender.ready().await.is_err() {
                return None;
            }
            let answer = match self.sender.try_send_request(request).await {
                Ok(answer) => answer,
                Err(mut error) => {
                    // RFC 9113, 6.8 and 8.7: what comes after the last stream that GOAWAY names was
                    // not looked at, and may be sent again.
                    let cause = format!("{:?}", error.error());
                    let went_away = cause.contains("GoAway") && cause.contains("NO_ERROR, Remote");
                    assert!(error.take_message().is_some() || went_away, "{cause}");
                    return None;
                }
            };
            let (head, body) = answer.into_parts();
            let body = body.collect().await.expect("a whole body");
            Some(H2Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: body.to_bytes().to_vec(),
            })
        };
        runtime()
            .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
            .expect("an answer in time")
    }

    fn request(&self, method: &str, target: &str) -> hyper::Request<Full<Bytes>> {
        hyper::Request::builder()
            .method(method)
            .uri(format!("{}://{}{target}", self.scheme, self.authority))
            .body(Full::default())
            .expect("a request")
    }
}
