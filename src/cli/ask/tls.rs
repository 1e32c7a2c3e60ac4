//! TLS to an admin listener.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error, RootCertStore, SignatureScheme, StreamOwned,
};

/// Whose certificate is good.
pub(super) enum Trust<'a> {
    /// One that authorities in a file have signed, for the name that is asked for.
    Authorities(&'a Path),
    /// One that the system trusts, for the name that is asked for.
    System,
    /// The first in a file, and no other: that of the listener in the configuration. Whoever can read the
    /// configuration knows it, so it needs neither a name nor an authority.
    Own(&'a Path),
}

/// A client certificate with its key, PEM.
#[derive(Clone, Copy)]
pub(super) struct Identity<'a> {
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

/// How a listener is spoken to.
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    is_own: bool,
    has_identity: bool,
}

impl Tls {
    /// # Errors
    /// A file cannot be used, or the name is none.
    pub(super) fn new(
        name: &str,
        trust: &Trust<'_>,
        identity: Option<Identity<'_>>,
    ) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match trust {
            Trust::Own(path) => {
                let own = certificates(path)?.into_iter().next();
                let own = own.ok_or_else(|| none_in(path))?;
                let verifier = OnlyOwn { own, provider };
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
            }
            Trust::Authorities(path) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    let unusable = |error| format!("{}: {error}", path.display());
                    roots.add(authority).map_err(unusable)?;
                }
                builder.with_root_certificates(roots)
            }
            Trust::System => {
                let mut roots = RootCertStore::empty();
                for authority in rustls_native_certs::load_native_certs().unwrap_or_default() {
                    let _ = roots.add(authority);
                }
                builder.with_root_certificates(roots)
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates(certificate)?;
                let read = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{}: {error}", key.display()))?;
                builder
                    .with_client_auth_cert(chain, read)
                    .map_err(|error| format!("{}: {error}", certificate.display()))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            name: ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?,
            is_own: matches!(trust, Trust::Own(_)),
            has_identity: identity.is_some(),
        })
    }

    /// Puts a connection inside TLS; the handshake is part of the first word.
    ///
    /// # Errors
    /// The connection cannot be prepared.
    pub(super) fn wrap<S: Read + Write>(
        &self,
        stream: S,
    ) -> io::Result<StreamOwned<ClientConnection, S>> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, stream))
    }

    /// What went wrong, and what to do about it.
    pub(super) fn explain(&self, error: &io::Error) -> String {
        let cause = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        // Its alert comes after our part of the handshake, and is lost if the connection ends first.
        let is_cut = [
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted,
        ]
        .contains(&error.kind());
        match cause {
            Some(Error::AlertReceived(
                AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
            )) if !self.has_identity => {
                "it wants a client certificate: give --cert and --key".to_owned()
            }
            Some(Error::AlertReceived(alert)) if self.has_identity => format!(
                "it refused the handshake ({alert:?}): is --cert signed by an authority of [admin] tls.client_ca?"
            ),
            None if is_cut && self.has_identity => {
                "it ended the connection: is --cert signed by an authority of [admin] tls.client_ca?"
                    .to_owned()
            }
            None if is_cut => {
                "it ended the connection; if it wants a client certificate, give --cert and --key"
                    .to_owned()
            }
            Some(Error::InvalidCertificate(_)) if self.is_own => {
                "it shows another certificate than [admin] tls.certificate: was that replaced after \
                 the gateway began? --ca FILE trusts an authority instead"
                    .to_owned()
            }
            Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                "no authority that is trusted has signed its certificate: give --ca FILE".to_owned()
            }
            Some(Error::InvalidCertificate(why)) => {
                format!("its certificate is not good for {}: {why:?}", self.name.to_str())
            }
            _ => error.to_string(),
        }
    }
}

fn none_in(path: &Path) -> String {
    format!("{} holds no certificate", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |error| format!("{}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(unusable)?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(unusable)?;
    if found.is_empty() {
        return Err(none_in(path));
    }
    Ok(found)
}

/// Takes one certificate and no other. That the peer has its key is proved by the handshake's signature,
/// which is checked as always.
#[derive(Debug)]
struct OnlyOwn {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OnlyOwn {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if end_entity.as_ref() == self.own.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
