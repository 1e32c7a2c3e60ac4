//! TLS of the listeners: certificates, versions, and who the caller's certificate says it is.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use pingora_core::listeners::TlsAccept;
use pingora_core::listeners::tls::{Acceptor, TlsSettings};
use pingora_core::protocols::tls::TlsRef;
use pingora_rustls::{
    RootCertStore, WebPkiClientVerifier, load_ca_file_into_store, load_certs_and_key_files,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::ResolvesServerCert;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::domain::config::{ListenAddress, ListenerTls};
use crate::domain::identity::CertificateIdentity;

/// Why a listener's TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error("{what} {path}: cannot be used; it must be a readable PEM file")]
    File {
        /// What the file was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// They do not belong together.
    #[error(
        "certificate {certificate}: does not belong to the key {key}, or one of them cannot be read"
    )]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The authorities for client certificates cannot be used.
    #[error("client_ca {path}: holds no usable certificate authority")]
    ClientCa {
        /// The file.
        path: PathBuf,
    },
}

/// The TLS of one listener while the gateway runs: certificates can be replaced under it.
#[derive(Clone)]
pub struct ListenerTlsHandle {
    /// The listener's address as it was configured.
    pub address: ListenAddress,
    acceptor: Arc<ArcSwap<Acceptor>>,
}

/// TLS that is ready to take the place of what a listener has.
pub struct PreparedTls {
    handle: ListenerTlsHandle,
    acceptor: Arc<Acceptor>,
}

impl ListenerTlsHandle {
    pub(super) fn new(
        address: &ListenAddress,
        tls: &ListenerTls,
        certificates: &BTreeMap<String, Arc<str>>,
    ) -> Result<Self, TlsError> {
        Ok(Self {
            address: address.clone(),
            acceptor: Arc::new(ArcSwap::from_pointee(acceptor(tls, certificates)?)),
        })
    }

    /// What the next handshake is made with.
    pub(super) fn acceptor(&self) -> Arc<Acceptor> {
        self.acceptor.load_full()
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// [`TlsError`] names the file that cannot be used; the listener goes on as it is.
    pub fn prepare(
        &self,
        tls: &ListenerTls,
        certificates: &BTreeMap<String, Arc<str>>,
    ) -> Result<PreparedTls, TlsError> {
        Ok(PreparedTls {
            handle: self.clone(),
            acceptor: Arc::new(acceptor(tls, certificates)?),
        })
    }
}

impl PreparedTls {
    /// From here on handshakes are made with it; connections that are there stay.
    pub fn take_over(self) {
        self.handle.acceptor.store(self.acceptor);
    }
}

/// Builds the acceptor of a TLS listener: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
/// [`TlsError`] names the file that cannot be used.
fn acceptor(
    tls: &ListenerTls,
    certificates: &BTreeMap<String, Arc<str>>,
) -> Result<Acceptor, TlsError> {
    pingora_rustls::install_default_crypto_provider();
    let unusable = |what, path: &Path| TlsError::File {
        what,
        path: path.to_owned(),
    };
    let mut settings = TlsSettings::with_callbacks(Box::new(NameCaller {
        certificates: certificates.clone(),
    }))
    .map_err(|_| unusable("certificate", &tls.certificate))?;
    settings.set_cert_resolver(certified(tls)?);
    settings.enable_h2();
    if let Some(path) = &tls.client_ca {
        let mut roots = RootCertStore::empty();
        let loaded = load_ca_file_into_store(path, &mut roots).is_ok();
        let builder = WebPkiClientVerifier::builder(Arc::new(roots));
        let builder = if tls.client_certificate_required {
            builder
        } else {
            builder.allow_unauthenticated()
        };
        match builder.build() {
            Ok(verifier) if loaded => settings.set_client_cert_verifier(verifier),
            _ => return Err(TlsError::ClientCa { path: path.clone() }),
        }
    }
    Ok(settings.build())
}

/// The certificate with its key. Pingora would read the files itself, and panic if they do not belong
/// together, as while they are being replaced.
fn certified(tls: &ListenerTls) -> Result<Arc<dyn ResolvesServerCert>, TlsError> {
    let unusable = |what, path: &Path| TlsError::File {
        what,
        path: path.to_owned(),
    };
    let (certificate, key) = (tls.certificate.to_string_lossy(), tls.key.to_string_lossy());
    let loaded = load_certs_and_key_files(&certificate, &key);
    let (chain, key) = loaded
        .map_err(|_| unusable("certificate", &tls.certificate))?
        .ok_or_else(|| unusable("key", &tls.key))?;
    let certified =
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|_| {
            TlsError::Pair {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
            }
        })?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

/// Finds out whom the caller's certificate stands for, once per connection.
struct NameCaller {
    certificates: BTreeMap<String, Arc<str>>,
}

#[async_trait]
impl TlsAccept for NameCaller {
    async fn handshake_complete_callback(
        &self,
        tls: &TlsRef,
    ) -> Option<Arc<dyn Any + Send + Sync>> {
        let der = tls.peer_certificate_der()?;
        Some(Arc::new(CertificateIdentity::certified_caller(
            der,
            &self.certificates,
        )))
    }
}
