//! An HTTP/1.1 client that sends the bytes it is told to and keeps the answer as it came.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::PATIENCE;

/// A stream of bytes both ways.
pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// A connection to the gateway.
pub struct Client {
    stream: Box<dyn Connection>,
    /// For shutting the sending side.
    socket: Option<TcpStream>,
    read: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Status line and header as they came.
    pub head: String,
    /// Header fields with the case of their names.
    pub headers: Vec<(String, String)>,
    /// The body, without chunking.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub complete: bool,
}

impl Answer {
    /// The first field of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The id of the call's record.
    #[track_caller]
    pub fn call_id(&self) -> &str {
        self.header("Egret-Call-Id")
            .unwrap_or_else(|| panic!("no call id in {}", self.head))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The code of a problem of the gateway's own; checks the media type, the status and the id.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("Content-Type"),
            Some("application/problem+json"),
            "{}",
            self.head
        );
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["request_id"], self.call_id());
        let kind = body["type"].as_str().expect("a type");
        kind.strip_prefix("urn:egret:problem:")
            .expect("our type")
            .to_owned()
    }
}

impl Client {
    /// Connects by TCP.
    pub fn tcp(address: &str) -> Self {
        let socket = connect(address);
        Self {
            stream: Box::new(socket.try_clone().expect("a socket")),
            socket: Some(socket),
            read: Vec::new(),
        }
    }

    /// Connects to a Unix socket.
    pub fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self {
            stream: Box::new(stream),
            socket: None,
            read: Vec::new(),
        }
    }

    /// Connects by TLS; `name` is the server's.
    pub fn tls(address: &str, name: &str, config: Arc<ClientConfig>) -> Self {
        let name = name.to_owned().try_into().expect("a server name");
        let session = ClientConnection::new(config, name).expect("a TLS session");
        Self {
            stream: Box::new(StreamOwned::new(session, connect(address))),
            socket: None,
            read: Vec::new(),
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends one request; adds `Host` unless given, and `Content-Length` unless there is no body
    /// or `Transfer-Encoding` is given.
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let has = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !has("Host") {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if (!body.is_empty() || method == "POST")
            && !has("Transfer-Encoding")
            && !has("Content-Length")
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.send(bytes)
    }

    /// Sends one request and reads its answer.
    #[track_caller]
    pub fn call(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        // An early refusal may break the sending off; what counts is the answer.
        let sent = self.request(method, target, headers, body);
        match self.answer(method) {
            Ok(answer) => answer,
            Err(error) => panic!("no answer to {method} {target}: {error}; sending: {sent:?}"),
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        let socket = self.socket.as_ref().expect("a TCP socket");
        socket
            .shutdown(std::net::Shutdown::Write)
            .expect("a shutdown");
    }

    /// Reads one answer to a request with `method`. Interim answers are skipped. An error means
    /// that no whole header came; a body that broke off is an answer that is not complete.
    pub fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let mut answer = self.head()?;
        while answer.status < 200 {
            answer = self.head()?;
        }
        if method == "HEAD" || matches!(answer.status, 204 | 304) {
            answer.complete = true;
            return Ok(answer);
        }
        let chunked = answer.header("Transfer-Encoding") == Some("chunked");
        let length: Option<usize> = answer
            .header("Content-Length")
            .map(|n| n.parse().expect("a length"));
        answer.complete = match (chunked, length) {
            (true, _) => self.chunks(&mut answer.body).is_ok(),
            (false, Some(length)) => {
                let whole = self.fill(length).is_ok();
                let end = length.min(self.read.len());
                answer.body = self.read.drain(..end).collect();
                whole
            }
            (false, None) => {
                while self.more().is_ok() {}
                answer.body = std::mem::take(&mut self.read);
                true
            }
        };
        Ok(answer)
    }

    /// Reads up to the end of a header.
    pub fn head(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more()?;
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).expect("a header in ASCII");
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        Ok(Answer {
            status: status.expect("a status"),
            head,
            headers,
            body: Vec::new(),
            complete: false,
        })
    }

    /// Waits for `count` more bytes of a body, however framed, and takes them.
    pub fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        self.fill(count)?;
        Ok(self.read.drain(..count).collect())
    }

    /// Whether the gateway closed the connection.
    pub fn is_closed(&mut self) -> bool {
        self.more().is_err()
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let end = loop {
                if let Some(at) = self.read.windows(2).position(|two| two == b"\r\n") {
                    break at;
                }
                self.more()?;
            };
            let line: Vec<u8> = self.read.drain(..end + 2).collect();
            let line = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16);
            let size = size.expect("the size of a chunk");
            self.fill(size + 2)?;
            body.extend(self.read.drain(..size));
            self.read.drain(..2);
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn fill(&mut self, count: usize) -> io::Result<()> {
        while self.read.len() < count {
            self.more()?;
        }
        Ok(())
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.read.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

fn connect(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    socket.set_nodelay(true).expect("no delay");
    socket
}
