//! The first to touch a connection: checks each HTTP/1 request head before Pingora parses it.
//!
//! Pingora is lenient where a gateway for banks must not be (it accepts bare LF, and repairs a
//! request with both `Content-Length` and `Transfer-Encoding`) and it answers what it does refuse
//! before any hook runs, so nothing would be recorded. Here the head is read under our own limits
//! and deadline, refused with a record and a problem body, or handed to Pingora as it came.
//! HTTP/2 has no such ambiguities; it goes to Pingora directly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora_core::listeners::tls::Acceptor;
use pingora_core::protocols::http::ServerSession;
use pingora_core::protocols::l4::stream::Stream as L4Stream;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use pingora_timeout::timeout;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::proxy::Gateway;
use super::write_buffer::WriteBuffer;
use crate::domain::http::{HeadScanner, Progress, Refusal};

/// First bytes of HTTP/2 with prior knowledge (RFC 9113, section 3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room for a head before the buffer grows; most heads with a bank token fit.
const HEAD_CAPACITY: usize = 4096;

/// How much of a refused request is read and thrown away, and for how long, so that the answer
/// is not lost to a reset of the connection (RFC 9112, section 9.6).
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// What the front needs of the worker it runs in.
pub struct Front {
    /// Pingora's proxy around our stages.
    pub proxy: Arc<HttpProxy<Gateway>>,
    /// The same gateway, to record what never gets that far.
    pub gateway: Gateway,
    /// Turns true when the process is to stop.
    pub shutdown: ShutdownWatch,
}

/// What became of reading a head.
enum Head {
    /// A whole acceptable head, perhaps with the start of the body.
    Complete(BytesMut),
    /// HTTP/2 with prior knowledge.
    H2(BytesMut),
    /// Not acceptable.
    Refused(Refusal),
    /// The peer closed or was silent between requests: nothing to say.
    Silence,
}

impl Front {
    /// Serves one accepted connection until it ends.
    pub async fn serve(
        &self,
        mut stream: L4Stream,
        acceptor: Option<&Acceptor>,
        peer: Option<SocketAddr>,
    ) {
        let Some(acceptor) = acceptor else {
            match self.read_head(&mut stream, true).await {
                Head::H2(read) => {
                    stream.rewind(&read);
                    self.proxy
                        .process_new(Box::new(stream), &self.shutdown)
                        .await;
                }
                first => self.serve_h1(Box::new(stream), Some(first), peer).await,
            }
            return;
        };
        let handshake = timeout(
            self.gateway.limits().tls_handshake,
            acceptor.tls_handshake(stream),
        );
        let Ok(Ok(stream)) = handshake.await else {
            // No HTTP request exists yet, so there is no call to record.
            tracing::debug!(peer = ?peer, "TLS handshake with a caller failed");
            return;
        };
        let stream: Stream = Box::new(stream);
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            self.proxy.process_new(stream, &self.shutdown).await;
        } else {
            self.serve_h1(stream, None, peer).await;
        }
    }

    /// Serves HTTP/1 requests one after another. `first` is the outcome of a read that has
    /// already happened.
    async fn serve_h1(&self, stream: Stream, mut first: Option<Head>, peer: Option<SocketAddr>) {
        let mut stream: Stream = Box::new(WriteBuffer::new(stream));
        let mut settings: Option<HttpPersistentSettings> = None;
        loop {
            let head = match first.take() {
                Some(head) => head,
                None => self.read_head(&mut stream, settings.is_none()).await,
            };
            let read = match head {
                Head::Complete(read) => read,
                Head::Refused(refusal) => {
                    let answer = self.gateway.refuse_head(refusal, peer).await;
                    send_and_linger(&mut stream, answer).await;
                    return;
                }
                Head::H2(_) | Head::Silence => return,
            };
            let mut session = ServerSession::new_http1(stream);
            session.set_keepalive(Some(self.gateway.limits().idle.as_secs()));
            if let Some(settings) = settings.take() {
                settings.apply_to_session(&mut session);
            }
            session.set_pipelined_prefix(read);
            let Some(reused) = self.proxy.process_new_http(session, &self.shutdown).await else {
                return;
            };
            (stream, settings) = reused.consume();
        }
    }

    /// Reads until the head is complete. `fresh` says that nothing has come on this connection
    /// yet, so that HTTP/2 is still possible.
    async fn read_head<S: AsyncRead + Unpin>(&self, stream: &mut S, fresh: bool) -> Head {
        let limits = self.gateway.limits();
        let mut buffer = BytesMut::with_capacity(HEAD_CAPACITY);
        // The wait for a request may be long; once it has begun it must come quickly.
        match timeout(limits.idle, stream.read_buf(&mut buffer)).await {
            Ok(Ok(read)) if read > 0 => {}
            _ => return Head::Silence,
        }
        let mut scanner = HeadScanner::new(limits.head);
        let rest = async {
            loop {
                if fresh && H2_PREFACE.starts_with(&buffer[..buffer.len().min(H2_PREFACE.len())]) {
                    if buffer.len() >= H2_PREFACE.len() {
                        return Head::H2(std::mem::take(&mut buffer));
                    }
                } else {
                    match scanner.scan(&buffer) {
                        Progress::Complete { .. } => {
                            return Head::Complete(std::mem::take(&mut buffer));
                        }
                        Progress::Refused(refusal) => return Head::Refused(refusal),
                        Progress::NeedMore => {}
                    }
                }
                match stream.read_buf(&mut buffer).await {
                    Ok(read) if read > 0 => {}
                    _ => return Head::Refused(Refusal::HeadIncomplete),
                }
            }
        };
        timeout(limits.head_time, rest)
            .await
            .unwrap_or(Head::Refused(Refusal::HeadTimeout))
    }
}

/// Sends the answer to a refused request, then reads on for a moment so that it arrives.
async fn send_and_linger(stream: &mut Stream, answer: Bytes) {
    let send = async {
        stream.write_all(&answer).await?;
        // Says at once that nothing more will come; what the caller still sends is read on.
        stream.shutdown().await?;
        let mut sink = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut sink).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER_TIME, send).await;
}
