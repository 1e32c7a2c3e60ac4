//! The body of an answer, which can stop half way on purpose.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// Time for the first half to leave before the connection is cut.
const CUT_AFTER: Duration = Duration::from_millis(20);

/// The error that makes hyper close a connection whose body was cut.
#[derive(Debug)]
pub struct CutShort;

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator cut this body short, as its faults ask")
    }
}

impl std::error::Error for CutShort {}

impl From<Infallible> for CutShort {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body that is whole, or that announces its length and stops half way.
pub enum Answer {
    /// Sent whole.
    Whole(Full<Bytes>),
    /// Sent half, then an error.
    Cut {
        /// What is still to send.
        half: Option<Bytes>,
        /// The length that was announced.
        announced: u64,
        /// Runs once the half is out.
        pause: Pin<Box<tokio::time::Sleep>>,
    },
}

impl Answer {
    /// A whole body.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self::Whole(Full::new(Bytes::from(bytes)))
    }

    /// Half a body.
    pub fn cut(bytes: Vec<u8>) -> Self {
        let announced = bytes.len().max(1) as u64;
        let mut half = Bytes::from(bytes);
        half.truncate(half.len() / 2);
        Self::Cut {
            half: Some(half),
            announced,
            pause: Box::pin(tokio::time::sleep(CUT_AFTER)),
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(context)
                .map(|frame| frame.map(|result| result.map_err(CutShort::from))),
            Self::Cut { half, pause, .. } => match half.take() {
                Some(bytes) if !bytes.is_empty() => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => pause.as_mut().poll(context).map(|()| Some(Err(CutShort))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Cut { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Cut { announced, .. } => SizeHint::with_exact(*announced),
        }
    }
}

/// The body in gzip form (RFC 1952).
pub fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
