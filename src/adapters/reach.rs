//! Whether a server can be reached: its name, a connection, and TLS with a certificate that is
//! trusted. Nothing is asked of it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::types::Micros;

/// Longest time for each step.
const STEP: Duration = Duration::from_secs(5);

/// What a server is asked to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof<'a> {
    /// Nothing: a connection is enough.
    None,
    /// A certificate that the system's authorities vouch for, or those in a file.
    Certificate {
        /// Further authorities, PEM.
        authorities: Option<&'a Path>,
    },
    /// A certificate that the authorities in a file vouch for; the system's do not count.
    SignedBy {
        /// The authorities, PEM.
        authorities: &'a Path,
    },
}

/// A server that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Where.
    pub address: SocketAddr,
    /// When the first certificate of its chain ends; `None` without TLS.
    pub certificate_ends: Option<Micros>,
}

/// How far it went.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// Nobody knows the name.
    #[error("its name cannot be resolved: {0}")]
    Name(String),
    /// No connection.
    #[error("no connection to {address}: {cause}")]
    Connection {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// No trust.
    #[error("TLS with {address}: {cause}")]
    Tls {
        /// With whom.
        address: SocketAddr,
        /// What is wrong.
        cause: String,
    },
}

/// Tries to reach a server.
///
/// # Errors
/// [`Unreachable`].
pub async fn reach(host: &str, port: u16, proof: Proof<'_>) -> Result<Reached, Unreachable> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = timeout(STEP, tokio::net::lookup_host((host, port))).await;
    let found = found
        .map_err(|_| Unreachable::Name("no answer in time".to_owned()))?
        .map_err(|error| Unreachable::Name(error.to_string()))?;
    let mut failed = Unreachable::Name("it has no address".to_owned());
    for address in found {
        let connected = timeout(STEP, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                let (trusts_system, authorities) = match proof {
                    Proof::None => {
                        return Ok(Reached {
                            address,
                            certificate_ends: None,
                        });
                    }
                    Proof::Certificate { authorities } => (true, authorities),
                    Proof::SignedBy { authorities } => (false, Some(authorities)),
                };
                let hands = shake_hands(host, stream, trusts_system, authorities);
                let shaken = timeout(STEP, hands).await;
                let shaken = shaken.unwrap_or_else(|_| Err("no answer in time".to_owned()));
                return shaken
                    .map(|certificate_ends| Reached {
                        address,
                        certificate_ends,
                    })
                    .map_err(|cause| Unreachable::Tls { address, cause });
            }
            Err(cause) => failed = Unreachable::Connection { address, cause },
        }
    }
    Err(failed)
}

async fn shake_hands(
    host: &str,
    stream: TcpStream,
    trusts_system: bool,
    authorities: Option<&Path>,
) -> Result<Option<Micros>, String> {
    let mut roots = RootCertStore::empty();
    if trusts_system {
        for certificate in rustls_native_certs::load_native_certs().unwrap_or_default() {
            let _ = roots.add(certificate);
        }
    }
    if let Some(path) = authorities {
        let read = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
        for certificate in read.flatten() {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())?;
    let (_, session) = stream.get_ref();
    let ends = session.peer_certificates().into_iter().flatten();
    let ends = ends.filter_map(|certificate| {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let end = certificate.validity().not_after.timestamp();
        Some(Micros(end.saturating_mul(1_000_000)))
    });
    Ok(ends.min())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    }

    #[test]
    fn it_says_how_far_it_went() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let reached = run(reach("127.0.0.1", address.port(), Proof::None)).unwrap();
        assert_eq!(reached.address, address);
        assert_eq!(reached.certificate_ends, None);
        drop(listener);
        let refused = run(reach("127.0.0.1", address.port(), Proof::None));
        assert!(
            matches!(refused, Err(Unreachable::Connection { .. })),
            "{refused:?}"
        );
        let unknown = run(reach("there-is-none.invalid", 443, Proof::None));
        assert!(matches!(unknown, Err(Unreachable::Name(_))), "{unknown:?}");
    }

    #[test]
    fn who_speaks_no_tls_is_told_apart_from_who_is_away() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let proof = Proof::Certificate { authorities: None };
        let refused = run(reach("127.0.0.1", port, proof));
        assert!(
            matches!(refused, Err(Unreachable::Tls { .. })),
            "{refused:?}"
        );
        answer.join().unwrap();
    }
}
