//! A bank that does what a test says, byte by byte.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::PATIENCE;

/// One request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    /// Counts connections from 1.
    pub connection: usize,
    /// Request line and header.
    pub head: String,
    /// The body, without chunking.
    pub body: Vec<u8>,
}

impl Received {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The value of a field whose name has exactly this case.
    pub fn exactly(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found == name).then(|| value.trim())
        })
    }

    /// The value of a field, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection that the gateway made to the bank.
pub struct Line<'a> {
    /// Counts connections from 1.
    pub connection: usize,
    /// The socket.
    pub socket: &'a mut TcpStream,
    received: &'a Mutex<Vec<Received>>,
}

impl Line<'_> {
    /// Reads one request with its body; `None` when the gateway closed the connection.
    pub fn request(&mut self) -> Option<Received> {
        let mut request = self.head()?;
        let length = request
            .header("Content-Length")
            .and_then(|length| length.parse().ok());
        if let Some(length) = length {
            request.body = vec![0; length];
            self.socket.read_exact(&mut request.body).ok()?;
        } else if request.header("Transfer-Encoding").is_some() {
            request.body = self.chunks().ok()?;
        }
        self.note(request.clone());
        Some(request)
    }

    /// Reads a request's header only; it counts as received with [`Line::note`].
    pub fn head(&mut self) -> Option<Received> {
        let head = self.up_to(b"\r\n\r\n").ok()?;
        Some(Received {
            connection: self.connection,
            head: String::from_utf8_lossy(&head).into_owned(),
            body: Vec::new(),
        })
    }

    /// Adds a request to what [`Bank::received`] gives.
    pub fn note(&self, request: Received) {
        self.received.lock().expect("requests").push(request);
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The gateway may be gone; what it made of that is for the test to see elsewhere.
        let _ = self.socket.write_all(bytes.as_ref());
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.up_to(b"\r\n")?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            self.socket.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn up_to(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(end) {
            self.socket.read_exact(&mut byte)?;
            read.push(byte[0]);
        }
        Ok(read)
    }
}

/// The bank. Its threads end with the test's process.
pub struct Bank {
    address: String,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
}

impl Bank {
    /// Runs `serve` once for each connection; the connection is closed when it returns.
    pub fn start(serve: impl Fn(&mut Line<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (requests, count) = (Arc::clone(&received), Arc::clone(&connections));
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let (serve, requests) = (Arc::clone(&serve), Arc::clone(&requests));
                let connection = {
                    let mut count = count.lock().expect("connections");
                    *count += 1;
                    *count
                };
                std::thread::spawn(move || {
                    serve(&mut Line {
                        connection,
                        socket: &mut socket,
                        received: &requests,
                    });
                });
            }
        });
        Self {
            address,
            received,
            connections,
        }
    }

    /// Answers every request with these bytes and keeps connections open.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |line| keep(line, &answer))
    }

    /// Base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Address and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("requests").clone()
    }

    /// The last request.
    #[track_caller]
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request at the bank")
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("connections")
    }
}

/// Answers every request on a connection with the same bytes.
pub fn keep(line: &mut Line<'_>, answer: &[u8]) {
    while line.request().is_some() {
        line.send(answer);
    }
}

/// A whole answer with a JSON body.
pub fn reply(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
