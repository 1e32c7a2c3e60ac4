//! Somebody's webhook: takes notices, checks their signatures and notes when they came.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::domain::notify::webhook::SigningKey;

/// Largest request that is read.
const MAX_REQUEST: usize = 256 * 1024;
/// Most header fields of one.
const MAX_FIELDS: usize = 32;

/// A notice that came.
#[derive(Clone, Debug)]
pub struct Notice {
    /// When.
    pub at: Instant,
    /// Whether it was signed with the channel's key.
    pub is_signed: bool,
    /// What it says.
    pub body: Value,
}

impl Notice {
    /// A text in it, by a JSON pointer.
    pub fn text(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer);
        found.and_then(Value::as_str).unwrap_or_default()
    }
}

/// The receiver; serves while [`Receiver::serve`] is polled.
pub struct Receiver {
    listener: TcpListener,
    key: SigningKey,
    taken: Rc<RefCell<Vec<Notice>>>,
}

impl Receiver {
    /// Listens on a loopback port that is free.
    ///
    /// # Errors
    /// There is none.
    pub fn open(key: SigningKey, address: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            key,
            taken: Rc::default(),
        })
    }

    /// What came so far.
    pub fn taken(&self) -> Vec<Notice> {
        self.taken.borrow().clone()
    }

    /// Serves until it is dropped.
    pub async fn serve(&self) {
        while let Ok((stream, _)) = self.listener.accept().await {
            // A request that is none is nobody's notice.
            let _ = self.take(stream).await;
        }
    }

    async fn take(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut bytes = Vec::new();
        let (head, length) = loop {
            if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
                let length = field(&bytes, "content-length");
                let length = length.and_then(|length| length.parse::<usize>().ok());
                break (end + 4, length.unwrap_or(0));
            }
        };
        while bytes.len() < head.saturating_add(length) {
            if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let at = Instant::now();
        let body = bytes.get(head..head + length).unwrap_or_default();
        let notice = Notice {
            at,
            is_signed: self.is_signed(&bytes, body),
            body: serde_json::from_slice(body).unwrap_or_default(),
        };
        self.taken.borrow_mut().push(notice);
        let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).await?;
        stream.shutdown().await
    }

    /// As Standard Webhooks says: over id, timestamp and body.
    fn is_signed(&self, head: &[u8], body: &[u8]) -> bool {
        let id = field(head, "webhook-id");
        let timestamp = field(head, "webhook-timestamp").and_then(|at| at.parse().ok());
        let signature = field(head, "webhook-signature");
        let (Some(id), Some(timestamp), Some(signature)) = (id, timestamp, signature) else {
            return false;
        };
        let expected = self.key.sign(&id, timestamp, body);
        signature.split(' ').any(|one| one == expected)
    }
}

/// A header field of a request.
fn field(bytes: &[u8], name: &str) -> Option<String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(bytes).ok()?;
    let mut fields = request.headers.iter();
    let found = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
    Some(std::str::from_utf8(found.value).ok()?.trim().to_owned())
}
