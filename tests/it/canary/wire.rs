//! Bytes on sockets, as they are: what an HTTP library would refuse to send is the point here.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Between two pieces of a request, so that they arrive as separate reads.
const PIECE_PAUSE: Duration = Duration::from_millis(3);

/// Nothing here takes longer; what does is a fault of the gateway.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// A request, or what passes for one.
pub struct Shot {
    /// What it tries.
    pub name: String,
    /// Bytes, sent one after another.
    pub pieces: Vec<Vec<u8>>,
    /// Whether the sending side is closed after the last piece.
    pub half_close: bool,
}

impl Shot {
    /// In one piece.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            pieces: vec![bytes.into()],
            half_close: false,
        }
    }

    /// Split into pieces of this many bytes.
    pub fn split(mut self, size: usize) -> Self {
        let all = self.pieces.concat();
        self.pieces = all.chunks(size).map(<[u8]>::to_vec).collect();
        self
    }

    /// With the end of the connection after it.
    pub fn then_close(mut self) -> Self {
        self.half_close = true;
        self
    }
}

/// What came back on a connection.
pub struct Heard {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Whether the other side closed the connection within [`PATIENCE`].
    pub closed: bool,
}

/// Sends a shot on a connection of its own and reads until the other side closes.
pub fn fire(address: SocketAddr, shot: &Shot) -> io::Result<Heard> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    for (index, piece) in shot.pieces.iter().enumerate() {
        if index > 0 {
            thread::sleep(PIECE_PAUSE);
        }
        // The other side may have refused before the end.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    if shot.half_close {
        let _ = stream.shutdown(Shutdown::Write);
    }
    Ok(listen(&mut stream, |_| false))
}

/// Reads until `enough` says so, the other side closes, or patience ends.
pub fn listen(stream: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> Heard {
    let deadline = Instant::now() + PATIENCE;
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    let mut closed = false;
    while Instant::now() < deadline && !enough(&bytes) {
        match stream.read(&mut buffer) {
            Ok(0) => {
                closed = true;
                break;
            }
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) => {}
            // A reset closes as well.
            Err(_) => {
                closed = true;
                break;
            }
        }
    }
    Heard { bytes, closed }
}

/// HTTP/2 frames by hand (RFC 9113, section 4), with header blocks that neither index nor
/// compress (RFC 7541, section 6.2.2), so that the text stands in them as it is.
pub mod h2 {
    use super::*;

    /// What a client with prior knowledge sends first.
    pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// RST_STREAM.
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS.
    pub const SETTINGS: u8 = 4;
    /// GOAWAY.
    pub const GOAWAY: u8 = 7;
    /// Last frame of a stream.
    pub const END_STREAM: u8 = 1;
    /// The header block is complete.
    pub const END_HEADERS: u8 = 4;

    /// One frame.
    pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// A header block.
    pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            block.push(0);
            for text in [name, value] {
                integer(&mut block, text.len());
                block.extend_from_slice(text.as_bytes());
            }
        }
        block
    }

    /// A length with a prefix of seven bits (RFC 7541, section 5.1).
    fn integer(out: &mut Vec<u8>, mut value: usize) {
        if value < 127 {
            out.push(value as u8);
            return;
        }
        out.push(127);
        value -= 127;
        while value >= 128 {
            out.push((value % 128) as u8 | 128);
            value /= 128;
        }
        out.push(value as u8);
    }

    /// Everything of a connection with one request on stream 1.
    pub fn request(fields: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        let end = if body.is_none() { END_STREAM } else { 0 };
        bytes.extend(frame(HEADERS, END_HEADERS | end, 1, &block(fields)));
        if let Some(body) = body {
            bytes.extend(frame(DATA, END_STREAM, 1, body));
        }
        bytes
    }

    /// A frame that was received.
    pub struct Frame {
        /// Kind.
        pub kind: u8,
        /// Flags.
        pub flags: u8,
        /// Stream.
        pub stream: u32,
        /// Content.
        pub payload: Vec<u8>,
    }

    /// The whole frames in these bytes.
    pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let [a, b, c, kind, flags, s0, s1, s2, s3, rest @ ..] = bytes {
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let Some(payload) = rest.get(..len) else {
                break;
            };
            frames.push(Frame {
                kind: *kind,
                flags: *flags,
                stream: u32::from_be_bytes([*s0 & 0x7f, *s1, *s2, *s3]),
                payload: payload.to_vec(),
            });
            bytes = &rest[len..];
        }
        frames
    }

    /// Sends these bytes and reads until stream 1 or the connection is over.
    pub fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<(Vec<Frame>, bool)> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let _ = stream.write_all(bytes);
        let _ = stream.write_all(&frame(SETTINGS, 1, 0, &[]));
        let heard = listen(&mut stream, |bytes| {
            frames(bytes).iter().any(|frame| match frame.kind {
                GOAWAY => true,
                RST_STREAM => frame.stream == 1,
                DATA | HEADERS => frame.stream == 1 && frame.flags & END_STREAM != 0,
                _ => false,
            })
        });
        Ok((frames(&heard.bytes), heard.closed))
    }
}
