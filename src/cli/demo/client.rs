//! A small HTTP/1.1 client: one connection that is kept, bodies of any framing, nothing else.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longest wait for an answer: the gateway gives up on a bank after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(35);

/// Largest answer; those of the simulators are far smaller.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Most header fields of an answer.
const MAX_FIELDS: usize = 64;

/// A request to send.
#[derive(Clone, Debug)]
pub struct Call {
    method: &'static str,
    target: String,
    fields: Vec<(&'static str, String)>,
    body: String,
}

impl Call {
    /// A request without header fields of its own and without a body.
    pub fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            fields: Vec::new(),
            body: String::new(),
        }
    }

    /// A GET.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a JSON body.
    pub fn post(target: impl Into<String>, body: &serde_json::Value) -> Self {
        Self::new("POST", target)
            .with("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with("Authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: String) -> Self {
        self.body = body;
        self
    }

    fn encode(&self, host: SocketAddr) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\n",
            self.method, self.target
        );
        for (name, value) in &self.fields {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.push_str(&self.body);
        head.into_bytes()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The gateway's id of the call.
    pub call_id: Option<String>,
    /// The body as it came: it may be compressed.
    pub body: Vec<u8>,
    is_last: bool,
}

impl Answer {
    /// Stands for an answer that did not come.
    pub const fn none() -> Self {
        Self {
            status: 0,
            call_id: None,
            body: Vec::new(),
            is_last: true,
        }
    }

    /// The body as JSON; `null` if it is something else.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A client of one server.
pub struct Client {
    server: SocketAddr,
    /// The address that it calls from, if that matters.
    from: Option<IpAddr>,
    stream: Option<TcpStream>,
}

impl Client {
    /// A client that connects when it is first used.
    pub const fn new(server: SocketAddr) -> Self {
        Self {
            server,
            from: None,
            stream: None,
        }
    }

    /// A client that calls from this address of the machine.
    pub const fn from(server: SocketAddr, from: IpAddr) -> Self {
        Self {
            server,
            from: Some(from),
            stream: None,
        }
    }

    /// Makes a call.
    ///
    /// # Errors
    /// There was no valid answer.
    pub async fn send(&mut self, call: &Call) -> io::Result<Answer> {
        self.send_raw(&call.encode(self.server)).await
    }

    /// Sends bytes as they are, which need not be HTTP.
    ///
    /// # Errors
    /// There was no valid answer.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        let kept = self.stream.take();
        let was_kept = kept.is_some();
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let mut answer = exchange(&mut stream, bytes).await;
        if was_kept && answer.as_ref().is_err_and(is_closed) {
            // The server had closed the idle connection; it has not seen the call.
            stream = self.connect().await?;
            answer = exchange(&mut stream, bytes).await;
        }
        let answer = answer?;
        if !answer.is_last {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = match self.from {
            None => TcpStream::connect(self.server).await?,
            Some(from) => {
                let socket = match self.server {
                    SocketAddr::V4(_) => TcpSocket::new_v4()?,
                    SocketAddr::V6(_) => TcpSocket::new_v6()?,
                };
                socket.bind(SocketAddr::new(from, 0))?;
                socket.connect(self.server).await?
            }
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::UnexpectedEof | E::BrokenPipe | E::ConnectionReset | E::ConnectionAborted
    )
}

async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<Answer> {
    let work = async {
        stream.write_all(bytes).await?;
        let mut reader = Reader {
            stream,
            buffer: Vec::new(),
        };
        reader.answer().await
    };
    match timeout(PATIENCE, work).await {
        Ok(answer) => answer,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

struct Reader<'s> {
    stream: &'s mut TcpStream,
    buffer: Vec<u8>,
}

impl Reader<'_> {
    /// Reads more; an end is an error where something is missing.
    async fn more(&mut self) -> io::Result<()> {
        if self.buffer.len() > MAX_ANSWER {
            return Err(malformed("the answer is too large"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The first `length` bytes of what is yet to be read.
    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// Up to and with the first occurrence of `end`.
    async fn take_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, end) {
                return self.take(at + end.len()).await;
            }
            self.more().await?;
        }
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let mut answer = loop {
            let head = self.take_until(b"\r\n\r\n").await?;
            let head = parse_head(&head)?;
            if head.status >= 200 {
                break head;
            }
        };
        let body = match answer.framing {
            Framing::Length(length) => self.take(length).await?,
            Framing::Chunks => self.chunks().await?,
            Framing::UntilClose => {
                answer.is_last = true;
                loop {
                    match self.more().await {
                        Ok(()) => {}
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                        Err(error) => return Err(error),
                    }
                }
                std::mem::take(&mut self.buffer)
            }
        };
        Ok(Answer {
            status: answer.status,
            call_id: answer.call_id,
            is_last: answer.is_last,
            body,
        })
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n").await?;
            let Ok(httparse::Status::Complete((_, size))) = httparse::parse_chunk_size(&line)
            else {
                return Err(malformed("the answer has a malformed chunk"));
            };
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size.saturating_add(body.len()) > MAX_ANSWER {
                return Err(malformed("the answer is too large"));
            }
            if size == 0 {
                // No trailers are expected; the empty line ends the body.
                self.take_until(b"\r\n").await?;
                return Ok(body);
            }
            body.extend_from_slice(&self.take(size).await?);
            self.take(2).await?;
        }
    }
}

enum Framing {
    Length(usize),
    Chunks,
    UntilClose,
}

struct Head {
    status: u16,
    call_id: Option<String>,
    framing: Framing,
    is_last: bool,
}

fn parse_head(bytes: &[u8]) -> io::Result<Head> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    parsed
        .parse(bytes)
        .map_err(|_| malformed("the answer is not HTTP"))?;
    let status = parsed.code.ok_or_else(|| malformed("no status"))?;
    let field = |name: &str| {
        parsed
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
            .and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let length = field("content-length").and_then(|length| length.parse().ok());
    let framing = match (status, length) {
        (204 | 304, _) => Framing::Length(0),
        _ if field("transfer-encoding").is_some() => Framing::Chunks,
        (_, Some(length)) if length <= MAX_ANSWER => Framing::Length(length),
        (_, Some(_)) => return Err(malformed("the answer is too large")),
        (_, None) => Framing::UntilClose,
    };
    Ok(Head {
        status,
        call_id: field("egret-call-id").map(str::to_owned),
        framing,
        is_last: field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answer_to(pieces: &'static [&'static str]) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let serve = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:"));
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
            }
        };
        let mut client = Client::new(server);
        let call = Call::get("/x");
        let (answer, ()) = tokio::join!(client.send(&call), serve);
        answer
    }

    #[tokio::test]
    async fn bodies_are_read_in_every_framing() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\nContent-", "Length: 5\r\n\r\nhe", "llo"][..],
            &[
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            ],
            &["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello"],
        ] {
            let answer = answer_to(pieces).await.unwrap();
            assert_eq!((answer.status, &*answer.body), (200, &b"hello"[..]));
        }
        let empty = answer_to(&["HTTP/1.1 204 No Content\r\nEgret-Call-Id: abc\r\n\r\n"])
            .await
            .unwrap();
        assert_eq!(empty.call_id.as_deref(), Some("abc"));
        assert!(empty.body.is_empty());
    }

    #[tokio::test]
    async fn what_is_not_an_answer_is_an_error() {
        for pieces in [
            &["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"][..],
            &["nonsense\r\n\r\n"],
            &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
            &[],
        ] {
            assert!(answer_to(pieces).await.is_err());
        }
    }
}
