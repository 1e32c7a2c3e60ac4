//! The names in a client certificate.
//!
//! The TLS library has verified the chain before; here only names are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::FromDer;

use super::resolve::Denial;
use crate::domain::config::is_caller_name;

/// Largest certificate that is read, in bytes; TLS allows 16 MiB, real ones take 1 to 4 KiB.
const MAX_CERTIFICATE: usize = 64 << 10;
/// Longest name, in bytes, as in the configuration.
const MAX_NAME: usize = 255;
/// Most DNS names that are looked at.
const MAX_DNS_NAMES: usize = 64;

/// The names that a certificate carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// URI of the form `spiffe://trust-domain/path`.
    pub spiffe_id: Option<String>,
    /// DNS names, in small letters.
    pub dns_names: Vec<String>,
    /// Common name of the subject, if there is exactly one.
    pub common_name: Option<String>,
}

/// Why a certificate names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Not DER of a certificate, or too large.
    #[error("the certificate cannot be read")]
    Malformed,
    /// A SPIFFE id that is not well formed, or not the only URI (SPIFFE X509-SVID, section 2).
    #[error("the certificate's SPIFFE id is not well formed or not its only URI")]
    BadSpiffeId,
}

/// The caller that a certificate stands for. Found once per connection.
pub type CertifiedCaller = Result<Arc<str>, Denial>;

impl CertificateIdentity {
    /// Reads the names of a certificate in DER.
    ///
    /// # Errors
    /// A certificate that is malformed or whose SPIFFE id is.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateFault> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateFault::Malformed);
        }
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateFault::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateFault::Malformed);
        }
        let mut identity = Self::default();
        let mut uris: Vec<&str> = Vec::new();
        let mut seen = false;
        for extension in certificate.extensions() {
            if extension.oid != OID_X509_EXT_SUBJECT_ALT_NAME {
                continue;
            }
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension()
            else {
                return Err(CertificateFault::Malformed);
            };
            // Two of them would leave the choice to whoever reads (RFC 5280, section 4.2).
            if std::mem::replace(&mut seen, true) {
                return Err(CertificateFault::Malformed);
            }
            for name in &names.general_names {
                match name {
                    GeneralName::URI(uri) => uris.push(uri),
                    GeneralName::DNSName(name)
                        if is_readable(name) && identity.dns_names.len() < MAX_DNS_NAMES =>
                    {
                        identity.dns_names.push(name.to_ascii_lowercase());
                    }
                    _ => {}
                }
            }
        }
        if uris.iter().any(|uri| names_spiffe(uri)) {
            match uris.as_slice() {
                [uri] if is_spiffe_id(uri) => identity.spiffe_id = Some((*uri).to_owned()),
                _ => return Err(CertificateFault::BadSpiffeId),
            }
        }
        let mut common_names = certificate.subject().iter_common_name();
        if let (Some(name), None) = (common_names.next(), common_names.next())
            && let Ok(name) = name.as_str()
            && is_readable(name)
        {
            identity.common_name = Some(name.to_owned());
        }
        Ok(identity)
    }

    /// The caller: the first name that is listed, else the first name that can be one.
    pub fn caller(&self, certificates: &BTreeMap<String, Arc<str>>) -> Option<Arc<str>> {
        let names = || {
            self.spiffe_id
                .iter()
                .chain(&self.dns_names)
                .chain(&self.common_name)
        };
        names()
            .find_map(|name| certificates.get(name).cloned())
            .or_else(|| {
                let first = names().find(|name| is_caller_name(name))?;
                Some(first.as_str().into())
            })
    }

    /// From a certificate in DER to the caller that it stands for.
    ///
    /// # Errors
    /// The certificate is malformed or names nobody.
    pub fn certified_caller(
        der: &[u8],
        certificates: &BTreeMap<String, Arc<str>>,
    ) -> CertifiedCaller {
        Self::from_der(der)
            .map_err(|_| Denial::CertificateMalformed)?
            .caller(certificates)
            .ok_or(Denial::CertificateNameless)
    }
}

fn is_readable(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a URI claims to be a SPIFFE id, well formed or not.
fn names_spiffe(uri: &str) -> bool {
    uri.get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("spiffe:"))
}

/// SPIFFE-ID, section 2: trust domain of small letters, digits, dots, hyphens and underscores;
/// path segments of letters, digits and the same, never empty and never dots alone.
fn is_spiffe_id(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("spiffe://") else {
        return false;
    };
    let mut parts = rest.split('/');
    let domain = parts.next().unwrap_or_default();
    let mark = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    let segment_is_good = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || mark(byte))
    };
    uri.len() <= MAX_NAME
        && !domain.is_empty()
        && domain
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || mark(byte))
        && parts.all(segment_is_good)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common_name: Option<&str>, names: &[SanType]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    #[test]
    fn a_certificate_names_its_caller_by_spiffe_id_then_dns_then_common_name() {
        let listed: BTreeMap<String, Arc<str>> = [
            ("spiffe://x.org/pay".to_owned(), "payments".into()),
            ("listed.example".to_owned(), "ledger".into()),
            ("Two Words".to_owned(), "words".into()),
        ]
        .into();
        let spiffe = uri("spiffe://x.org/pay");
        let other = uri("spiffe://x.org/other");
        for (common_name, names, expected) in [
            (
                Some("cn"),
                vec![spiffe.clone(), dns("a.example")],
                Ok("payments"),
            ),
            (
                Some("cn"),
                vec![other.clone(), dns("a.example")],
                Ok("spiffe://x.org/other"),
            ),
            (
                Some("cn"),
                vec![other.clone(), dns("Listed.Example")],
                Ok("ledger"),
            ),
            (
                Some("cn"),
                vec![dns("A.example"), dns("b.example")],
                Ok("a.example"),
            ),
            (Some("cn"), vec![], Ok("cn")),
            (Some("Two Words"), vec![], Ok("words")),
            (
                Some("Three Other Words"),
                vec![],
                Err(Denial::CertificateNameless),
            ),
            (None, vec![], Err(Denial::CertificateNameless)),
            (
                Some("cn"),
                vec![spiffe.clone(), other],
                Err(Denial::CertificateMalformed),
            ),
            (
                Some("cn"),
                vec![spiffe, uri("https://x")],
                Err(Denial::CertificateMalformed),
            ),
            (
                Some("cn"),
                vec![uri("spiffe://X.org/pay")],
                Err(Denial::CertificateMalformed),
            ),
            (Some("cn"), vec![uri("https://x")], Ok("cn")),
        ] {
            let der = certificate(common_name, &names);
            let caller = CertificateIdentity::certified_caller(&der, &listed);
            assert_eq!(
                caller.as_deref().map_err(|denial| *denial),
                expected,
                "{names:?}"
            );
        }
    }

    #[test]
    fn spiffe_ids_are_checked() {
        for (id, good) in [
            ("spiffe://example.org", true),
            ("spiffe://example.org/ns/pay/sa/api_1", true),
            ("spiffe://example.org/", false),
            ("spiffe://example.org//a", false),
            ("spiffe://example.org/../a", false),
            ("spiffe://Example.org/a", false),
            ("spiffe://user@example.org/a", false),
            ("spiffe://example.org:1/a", false),
            ("spiffe://example.org/a?b", false),
            ("spiffe:///a", false),
        ] {
            assert_eq!(is_spiffe_id(id), good, "{id}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_does_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut: prop::sample::Index) {
            static DER: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| certificate(Some("cn"), &[uri("spiffe://x/y"), dns("a.example")]));
            let mut der = DER.clone();
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            let _ = CertificateIdentity::from_der(&der);
            der.truncate(cut.index(der.len()));
            prop_assert!(CertificateIdentity::from_der(&der).is_err());
        }

        #[test]
        fn noise_does_not_panic(bytes: Vec<u8>) {
            prop_assert!(CertificateIdentity::from_der(&bytes).is_err());
        }
    }
}
