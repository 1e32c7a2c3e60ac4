//! TLS of the admin listener.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::domain::config::ListenerTls;
use crate::edge::TlsError;

/// The TLS of the admin listener while the gateway runs: certificates can be replaced under it.
#[derive(Clone)]
pub struct AdminTls(Arc<ArcSwap<ServerConfig>>);

/// TLS that is ready to take the place of what the admin listener has.
pub struct PreparedAdminTls {
    of: AdminTls,
    config: Arc<ServerConfig>,
}

impl AdminTls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file that cannot be used.
    pub(super) fn new(tls: &ListenerTls) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::new(server_config(tls)?))))
    }

    /// What the next handshake is made with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.load_full().into()
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// [`TlsError`] names the file that cannot be used; the listener goes on as it is.
    pub fn prepare(&self, tls: &ListenerTls) -> Result<PreparedAdminTls, TlsError> {
        Ok(PreparedAdminTls {
            of: self.clone(),
            config: server_config(tls)?,
        })
    }
}

impl PreparedAdminTls {
    /// From here on handshakes are made with it; connections that are there stay.
    pub fn take_over(self) {
        self.of.0.store(self.config);
    }
}

/// TLS 1.2 and 1.3, HTTP/1.1.
fn server_config(tls: &ListenerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let unusable = |what, path: &Path| TlsError::File {
        what,
        path: path.to_owned(),
    };
    let chain = certificates(&tls.certificate)
        .ok_or_else(|| unusable("admin certificate", &tls.certificate))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|_| unusable("admin key", &tls.key))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| unusable("admin certificate", &tls.certificate))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let wrong = || TlsError::ClientCa { path: path.clone() };
            let mut roots = RootCertStore::empty();
            for authority in certificates(path).ok_or_else(wrong)? {
                roots.add(authority).map_err(|_| wrong())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match tls.client_certificate_required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|_| wrong())?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|_| unusable("admin certificate", &tls.certificate))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).ok()?;
    let found: Vec<_> = found.collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}
