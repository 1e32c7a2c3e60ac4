//! Asking a running gateway's admin listener for probes and figures, as `egret health`, `egret top` and
//! `egret doctor` do: with no credentials, or with a client certificate.

mod tls;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::tls::{Tls, Trust};
use super::{ConfigArgs, Failure};
use crate::app::Setup;
use crate::domain::catalog::BaseUrl;
use crate::domain::config::{Admin, ListenAddress};

/// How long the answer may take: it is made from figures in memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// Largest answer that is read: `/readyz` takes about 2 KiB, `/metrics` some hundred.
const MAX_ANSWER: u64 = 8 << 20;

/// Which gateway is asked, and how it is known.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Which gateway")]
pub struct AskArgs {
    /// Ask the admin listener at this URL; no configuration is read then.
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    url: Option<BaseUrl>,
    /// Authorities that must have signed its certificate, PEM. Without it the listener of a configuration
    /// must show the certificate that [admin] names, and one at a URL must be trusted by the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Client certificate to show it, PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the client certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

fn parse_url(text: &str) -> Result<BaseUrl, String> {
    let url = BaseUrl::parse_any(text)?;
    if url.path().trim_end_matches('/').is_empty() {
        Ok(url)
    } else {
        Err("write no path, as in https://gateway.internal:9443".to_owned())
    }
}

/// An admin listener that can be asked.
pub(in crate::cli) struct Listener {
    way: Way,
    tls: Option<Tls>,
    /// What it is called in the `Host` field.
    host: String,
    shown: String,
}

enum Way {
    Address(SocketAddr),
    Name(String, u16),
    Unix(PathBuf),
}

/// Why there is no answer.
pub(in crate::cli) struct NoAnswer {
    /// Nobody listens there.
    pub is_away: bool,
    what: String,
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::fmt::Display for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Listener {
    /// The one that is meant: at the URL, or of the configuration.
    ///
    /// # Errors
    /// The configuration cannot be read or has none, or a file cannot be used.
    pub(in crate::cli) fn find(args: &AskArgs, config: &ConfigArgs) -> Result<Self, Failure> {
        if let Some(url) = &args.url {
            return Self::at(url, args).map_err(Failure::new);
        }
        let setup = Setup::read(&config.config).map_err(Failure::new)?;
        let found = Self::of_config(&setup.config.admin, args).map_err(Failure::new)?;
        found.ok_or_else(|| {
            Failure::new(
                "the admin listener is off: set [admin] address in the configuration, or give --url",
            )
        })
    }

    fn at(url: &BaseUrl, args: &AskArgs) -> Result<Self, String> {
        let host = url.host().trim_start_matches('[').trim_end_matches(']');
        let tls = match (url.tls(), &args.ca) {
            (false, None) if args.cert.is_none() => None,
            (false, _) => {
                return Err("--ca, --cert and --key are for an https:// URL".to_owned());
            }
            (true, Some(file)) => Some(Tls::new(host, &Trust::Authorities(file), args.identity())?),
            (true, None) => Some(Tls::new(host, &Trust::System, args.identity())?),
        };
        Ok(Self {
            way: Way::Name(host.to_owned(), url.port()),
            tls,
            host: url.authority(),
            shown: url.authority(),
        })
    }

    /// The one of a configuration; `None` if it has none.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(in crate::cli) fn of_config(admin: &Admin, args: &AskArgs) -> Result<Option<Self>, String> {
        let Some(address) = &admin.address else {
            return Ok(None);
        };
        // What it is called in its certificate: as the configuration says, or its address.
        let name = match (admin.hosts.first(), address) {
            (Some(host), _) => host.clone(),
            (None, ListenAddress::Tcp(address)) if !address.ip().is_unspecified() => {
                address.ip().to_string()
            }
            _ => "localhost".to_owned(),
        };
        let tls = match (&admin.tls, &args.ca) {
            (None, None) if args.cert.is_none() => None,
            (None, _) => {
                return Err(
                    "--ca, --cert and --key are for a listener with [admin] tls; this one has none"
                        .to_owned(),
                );
            }
            (Some(_), Some(file)) => {
                Some(Tls::new(&name, &Trust::Authorities(file), args.identity())?)
            }
            (Some(own), None) => {
                let trust = Trust::Own(&own.certificate);
                Some(Tls::new(&name, &trust, args.identity())?)
            }
        };
        Ok(Some(Self {
            way: match address {
                ListenAddress::Tcp(address) => Way::Address(*address),
                ListenAddress::Unix(path) => Way::Unix(path.clone()),
            },
            tls,
            host: "localhost".to_owned(),
            shown: address.to_string(),
        }))
    }

    /// Gets a path; gives status and body.
    ///
    /// # Errors
    /// There is no connection, no answer in time, or none as a gateway gives it.
    pub(in crate::cli) fn ask(&self, path: &str) -> Result<(u16, Vec<u8>), NoAnswer> {
        let away = |error: io::Error| NoAnswer {
            is_away: true,
            what: error.to_string(),
        };
        let answered = match &self.way {
            Way::Unix(socket) => {
                let stream = UnixStream::connect(socket).map_err(away)?;
                let timed = stream
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                timed.and_then(|()| self.talk(stream, path))
            }
            Way::Address(address) => {
                let stream = connect(&[*address]).map_err(away)?;
                self.talk(stream, path)
            }
            Way::Name(host, port) => {
                let found = (host.as_str(), *port).to_socket_addrs().map_err(away)?;
                let stream = connect(&found.collect::<Vec<_>>()).map_err(away)?;
                self.talk(stream, path)
            }
        };
        answered.map_err(|error| NoAnswer {
            is_away: false,
            what: match &self.tls {
                Some(tls) => tls.explain(&error),
                None => error.to_string(),
            },
        })
    }

    fn talk(&self, stream: impl Read + Write, path: &str) -> io::Result<(u16, Vec<u8>)> {
        match &self.tls {
            Some(tls) => exchange(tls.wrap(stream)?, &self.host, path),
            None => exchange(stream, &self.host, path),
        }
    }
}

impl AskArgs {
    fn identity(&self) -> Option<tls::Identity<'_>> {
        let (certificate, key) = (self.cert.as_deref()?, self.key.as_deref()?);
        Some(tls::Identity { certificate, key })
    }
}

/// The first address that takes a connection.
fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// HTTP/1.0, so that the answer ends with the connection and is not chunked.
fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    let ended = stream.take(MAX_ANSWER).read_to_end(&mut answer);
    // An end without a word of TLS is good enough if the answer is whole by its own length.
    match (read_answer(&answer), ended) {
        (Some(read), Ok(_)) => Ok(read),
        (Some(read), Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(read),
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it does not speak HTTP as a gateway does",
        )),
    }
}

/// Status and body of an answer that has the length that it tells.
fn read_answer(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = answer.split_at(end + 4);
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let mut words = lines.next()?.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next()?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let length: usize = length?.trim().parse().ok()?;
    (body.len() == length).then(|| (status, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_other_things_are_not() {
        let answer = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read_answer(answer), Some((503, b"{}".to_vec())));
        for other in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n",
            b"SSH-2.0\r\n\r\n",
            b"HTTP/1.1 x\r\n\r\n",
            // Cut off.
            b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n{}",
        ] {
            assert_eq!(read_answer(other), None);
        }
    }

    #[test]
    fn urls_have_no_path() {
        assert!(parse_url("https://gateway.internal:9443").is_ok());
        assert!(parse_url("http://10.1.2.3:9000/").is_ok());
        assert!(parse_url("https://gateway.internal/metrics").is_err());
        assert!(parse_url("gateway.internal").is_err());
    }
}
