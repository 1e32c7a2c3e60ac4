//! Remembers the bytes of the current request head, because hyper lowercases header names and
//! old OBP servers look them up with exact case.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Heads beyond this fall back to lowercase names.
const MAX_HEAD_BYTES: usize = 256 * 1024;
/// As many headers as are looked at; the rest of such a request falls back too.
const MAX_HEADERS: usize = 256;

/// What was read since the last request ended.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    /// The headers of the HTTP/1.1 head at the start of what was heard, if it is whole and is
    /// the request that hyper parsed; the caller then has names in the case received.
    pub fn headers(&self, method: &str, target: &str) -> Option<Vec<(String, String)>> {
        let bytes = self.0.lock();
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut slots);
        if !head.parse(&bytes).ok()?.is_complete()
            || head.method != Some(method)
            || head.path != Some(target)
        {
            return None;
        }
        Some(
            head.headers
                .iter()
                .map(|header| {
                    (
                        header.name.to_owned(),
                        String::from_utf8_lossy(header.value).into_owned(),
                    )
                })
                .collect(),
        )
    }

    /// Forgets; called when a request was read whole.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

/// A socket that is overheard.
pub struct Tap {
    stream: TcpStream,
    heard: Heard,
}

impl Tap {
    /// Wraps a socket.
    pub const fn new(stream: TcpStream, heard: Heard) -> Self {
        Self { stream, heard }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(fresh) = buffer.filled().get(before..)
            && !fresh.is_empty()
        {
            let mut heard = self.heard.0.lock();
            if heard.len().saturating_add(fresh.len()) <= MAX_HEAD_BYTES {
                heard.extend_from_slice(fresh);
            }
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
