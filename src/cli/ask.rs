//! Asking a running gateway's admin listener, as one who needs no credentials: probes and figures.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::domain::config::ListenAddress;

/// How long the answer may take: it is made from figures in memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest answer that is read: `/readyz` takes about 2 KiB, `/metrics` some hundred.
const MAX_ANSWER: u64 = 8 << 20;

/// Gets a path; gives status and body.
///
/// # Errors
/// There is no connection, no answer in time, or none as a gateway gives it.
pub(in crate::cli) fn ask(address: &ListenAddress, path: &str) -> io::Result<(u16, Vec<u8>)> {
    match address {
        ListenAddress::Tcp(address) => ask_tcp(address, path),
        ListenAddress::Unix(socket) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, path)
        }
    }
}

fn ask_tcp(address: &SocketAddr, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let stream = TcpStream::connect_timeout(address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(stream, path)
}

/// HTTP/1.0, so that the answer ends with the connection and is not chunked.
fn exchange(mut stream: impl Read + Write, path: &str) -> io::Result<(u16, Vec<u8>)> {
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    read_answer(&answer).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it does not speak HTTP as a gateway does",
        )
    })
}

fn read_answer(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let head = std::str::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    Some((words.next()?.parse().ok()?, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_other_things_are_not() {
        let answer = b"HTTP/1.0 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(read_answer(answer), Some((503, b"{}".to_vec())));
        for other in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n",
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1 x\r\n\r\n",
        ] {
            assert_eq!(read_answer(other), None);
        }
    }
}
