//! Puts small writes together: an answer's header and its body leave in one system call.
//!
//! Pingora writes both one after the other and flushes behind them, expecting a buffer between
//! itself and the socket. Its own listeners set one up; a connection that was accepted elsewhere
//! has none, and Pingora offers no way to give it one. Measured: a call costs a tenth less CPU
//! with it, and whoever receives it reads once, not twice.
//!
//! Nothing is held while Pingora waits, though: it reads from the caller meanwhile, to see it
//! leave, and what is held goes out before. So a slow body comes as the bank sends it. And what an
//! answer that breaks off has come to goes out when the connection is dropped.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::SslDigest;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are held until more come: room for the header of nearly every answer. What
/// does not fit is written at once, together with what is held.
const CAPACITY: usize = 4096;

/// A stream whose small writes are held until a flush.
pub struct WriteBuffer {
    stream: Stream,
    held: Vec<u8>,
    /// How much of `held` is written already.
    written: usize,
}

impl WriteBuffer {
    /// A buffer in front of a stream.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            held: Vec::new(),
            written: 0,
        }
    }

    fn waiting(&self) -> &[u8] {
        self.held.get(self.written..).unwrap_or_default()
    }

    /// So many bytes of what is held are written; gives how many were beyond it.
    fn wrote(&mut self, bytes: usize) -> usize {
        let waiting = self.held.len() - self.written;
        if bytes < waiting {
            self.written += bytes;
            return 0;
        }
        // Not kept for the next answer: most connections are idle.
        self.held = Vec::new();
        self.written = 0;
        bytes - waiting
    }

    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let waiting = self.held.get(self.written..).unwrap_or_default();
            let bytes = ready!(Pin::new(&mut self.stream).poll_write(context, waiting))?;
            if bytes == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.wrote(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl WriteBuffer {
    /// Sends what is held, all the way.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        // Once, and not for long: if the system's own buffer is full, the caller is not reading.
        let out = tokio::task::unconstrained(poll_fn(|context| self.poll_out(context)));
        let _ = pin!(out).poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl AsyncWrite for WriteBuffer {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.waiting().len() + bytes.len() <= CAPACITY {
                this.held.extend_from_slice(bytes);
                return Poll::Ready(Ok(bytes.len()));
            }
            if this.held.is_empty() {
                return Pin::new(&mut this.stream).poll_write(context, bytes);
            }
            let waiting = this.held.get(this.written..).unwrap_or_default();
            let both = [IoSlice::new(waiting), IoSlice::new(bytes)];
            let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, &both))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            match this.wrote(written) {
                // Nothing of these bytes was written: not to be said, for it means the end.
                0 => {}
                written => return Poll::Ready(Ok(written)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_out(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_held(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}

impl AsyncRead for WriteBuffer {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            // An error is told to whoever writes next.
            let _ = this.poll_out(context);
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

#[async_trait]
impl Shutdown for WriteBuffer {
    async fn shutdown(&mut self) {
        // As far as it can be: the peer may be gone.
        let _ = poll_fn(|context| self.poll_held(context)).await;
        self.stream.shutdown().await;
    }
}

#[async_trait]
impl Peek for WriteBuffer {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.stream.try_peek(buffer).await
    }
}

impl UniqueID for WriteBuffer {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl Ssl for WriteBuffer {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl GetTimingDigest for WriteBuffer {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl GetProxyDigest for WriteBuffer {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for WriteBuffer {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl fmt::Debug for WriteBuffer {
    /// Without what is held: it is somebody's answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(test)
    }

    #[test]
    fn a_header_waits_for_the_body_and_both_leave_together() {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(1 << 20);
            let mut buffer = WriteBuffer::new(Box::new(ours));
            buffer.write_all(b"header").await.unwrap();
            let mut seen = vec![0; 1 << 20];
            assert!(is_pending(theirs.read(&mut seen)).await);
            let body = vec![b'x'; 2 * CAPACITY];
            buffer.write_all(&body).await.unwrap();
            buffer.flush().await.unwrap();
            drop(buffer);
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, [&b"header"[..], &body].concat());
        });
    }

    /// Whether a future has nothing to say yet.
    async fn is_pending(future: impl Future) -> bool {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    }

    #[test]
    fn what_is_held_goes_out_before_the_end() {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let mut stream: Stream = Box::new(WriteBuffer::new(Box::new(ours)));
            stream.write_all(b"last words").await.unwrap();
            AsyncWriteExt::shutdown(&mut stream).await.unwrap();
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"last words");
        });
    }

    #[test]
    fn nothing_is_held_while_the_caller_is_read_from() {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let mut buffer = WriteBuffer::new(Box::new(ours));
            buffer.write_all(b"slow").await.unwrap();
            assert!(is_pending(buffer.read(&mut [0; 8])).await);
            let mut seen = [0; 8];
            assert_eq!(theirs.read(&mut seen).await.unwrap(), 4);
            assert_eq!(&seen[..4], b"slow");
        });
    }

    #[test]
    fn what_an_answer_has_come_to_goes_out_when_it_is_dropped() {
        run(async {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let mut buffer = WriteBuffer::new(Box::new(ours));
            buffer.write_all(b"half an answer").await.unwrap();
            drop(buffer);
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"half an answer");
        });
    }

    proptest! {
        #[test]
        fn bytes_keep_their_order_however_little_the_peer_takes(
            pieces in proptest::collection::vec((0_usize..9_000, any::<bool>()), 1..12),
            room in 1_usize..6_000,
        ) {
            let all: Vec<u8> = (0..pieces.iter().map(|(length, _)| length).sum::<usize>())
                .map(|at| (at % 251) as u8)
                .collect();
            let received = run(async {
                let (ours, mut theirs) = tokio::io::duplex(room);
                let mut buffer = WriteBuffer::new(Box::new(ours));
                let send = async {
                    let mut rest = all.as_slice();
                    for (length, flush) in &pieces {
                        let (piece, after) = rest.split_at(*length);
                        rest = after;
                        buffer.write_all(piece).await.unwrap();
                        if *flush {
                            buffer.flush().await.unwrap();
                        }
                    }
                    AsyncWriteExt::shutdown(&mut buffer).await.unwrap();
                };
                let mut received = Vec::new();
                let (_, read) = tokio::join!(send, theirs.read_to_end(&mut received));
                read.unwrap();
                received
            });
            prop_assert_eq!(received, all);
        }
    }
}
