//! TLS of the admin listener.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::domain::config::ListenerTls;
use crate::edge::TlsError;

/// Builds the acceptor: TLS 1.2 and 1.3, HTTP/1.1.
///
/// # Errors
/// [`TlsError`] names the file that cannot be used.
pub(super) fn acceptor(tls: &ListenerTls) -> Result<TlsAcceptor, TlsError> {
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
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).ok()?;
    let found: Vec<_> = found.collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}
