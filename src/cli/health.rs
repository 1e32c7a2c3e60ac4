//! `egret health`: asks a running gateway how it is, for scripts and for container probes, which
//! cannot reach a loopback address from outside.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ConfigArgs, Failure, Outcome};
use crate::app::Setup;
use crate::domain::config::ListenAddress;

/// How long the answer may take: it is made from figures in memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest answer that is read: `/readyz` takes about 2 KiB.
const MAX_ANSWER: u64 = 1 << 20;

/// Options of `egret health`.
#[derive(Debug, Args)]
#[command(
    after_help = "It ends with 0 if the answer is yes, else with 1.\n\nExamples:\n  egret health\n  \
egret health --probe live"
)]
pub struct HealthArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// What to ask.
    #[arg(long, value_enum, default_value_t = Probe::Ready)]
    probe: Probe,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Probe {
    /// Whether calls should go there.
    Ready,
    /// Whether the process is worth keeping.
    Live,
    /// Whether the start is over.
    Startup,
}

/// Asks and prints the answer.
pub fn run(args: &HealthArgs, out: &mut impl Write) -> Outcome {
    let setup = Setup::read(&args.config.config).map_err(Failure::new)?;
    let Some(address) = setup.config.admin.address else {
        return Err(Failure::new(
            "the admin listener is off: set [admin] address in the configuration",
        ));
    };
    let path = match args.probe {
        Probe::Ready => "/readyz",
        Probe::Live => "/livez",
        Probe::Startup => "/startupz",
    };
    let (status, body) = ask(&address, path)
        .map_err(|error| Failure::new(format!("no answer from {address}: {error}")))?;
    out.write_all(&body)?;
    out.flush()?;
    match status {
        200 => Ok(()),
        status => Err(Failure::new(format!("{path} says {status}"))),
    }
}

/// Asks the running gateway; gives status and body.
///
/// # Errors
/// No answer.
pub fn ask(address: &ListenAddress, path: &str) -> io::Result<(u16, Vec<u8>)> {
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
