//! What the names of headers say of the credentials in them.

use super::Scheme;

/// Names in which OBP sends or expects credentials. `GatewayLogin` answers with a fresh token on every call, and
/// `Correlation-Id` is the session id on servers up to early 2026.
const OBP: &[&str] = &[
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "DirectLogin",
    "GatewayLogin",
    "DAuth",
    "Consent-JWT",
    "Consent-Id",
    "Consent-ID",
    "Consumer-Key",
    "PSD2-CERT",
    "TPP-Signature-Certificate",
    "Signature",
    "x-jws-signature",
    "Correlation-Id",
];

/// What a header's name says of its value, if it is of those that say so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A key or token that identifies its holder.
    Key,
    /// A signature, or a secret that goes with a key.
    Proof,
}

/// The spelling that the provider's servers expect of a credential header whose case was lost on
/// the way, as over HTTP/2. OBP servers up to early 2026 compare these names exactly. `Consent-Id`
/// (OBP) and `Consent-ID` (Berlin Group) differ only by case: the path tells which is meant.
pub fn canonical_case(scheme: Scheme, path: &str, name: &str) -> Option<&'static str> {
    if scheme != Scheme::Obp {
        return None;
    }
    if name.eq_ignore_ascii_case("Consent-Id") {
        let is_berlin_group = path.starts_with("/berlin-group/");
        return Some(if is_berlin_group {
            "Consent-ID"
        } else {
            "Consent-Id"
        });
    }
    OBP.iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .copied()
}

/// Tells keys and signatures of any API by the ending of the header's name. The last letter
/// picks the endings to try, since this is asked of every header.
pub(super) fn part_of_name(name: &[u8]) -> Option<Part> {
    let (endings, part): (&[&str], Part) = match name.last()?.to_ascii_lowercase() {
        b'y' => (
            &[
                "api-key",
                "apikey",
                "access-key",
                "auth-key",
                "consumer-key",
                "processing-key",
                "secret-key",
                "subscription-key",
            ],
            Part::Key,
        ),
        b'n' if ends_with(name, "-sign") => return Some(Part::Proof),
        b'n' => (
            &[
                "access-token",
                "api-token",
                "app-token",
                "auth-token",
                "session-token",
            ],
            Part::Key,
        ),
        b'd' => (&["-password", "-payload", "-signed"], Part::Proof),
        b'e' => (&["-passphrase", "signature"], Part::Proof),
        b'g' => (&["-sig"], Part::Proof),
        b't' => (&["-secret"], Part::Proof),
        _ => return None,
    };
    endings
        .iter()
        .any(|ending| ends_with(name, ending))
        .then_some(part)
}

fn ends_with(name: &[u8], ending: &str) -> bool {
    name.len()
        .checked_sub(ending.len())
        .and_then(|start| name.get(start..))
        .is_some_and(|tail| tail.eq_ignore_ascii_case(ending.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_headers_of_other_apis_are_known_by_their_ending() {
        for name in [
            "CB-ACCESS-KEY",
            "CB-ACCESS-SIGN",
            "CB-ACCESS-PASSPHRASE",
            "API-Sign",
            "X-MBX-APIKEY",
            "X-GEMINI-PAYLOAD",
            "X-SCX-SIGNED",
            "X-App-Access-Sig",
            "X-App-Token",
            "bfx-signature",
            "Ocp-Apim-Subscription-Key",
            "X-Auth-Signature",
            "Moonpay-Signature",
            "x-auth-token",
        ] {
            assert!(part_of_name(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn ordinary_headers_are_not_credentials() {
        for name in [
            "Accept",
            "Accept-Version",
            "Content-Type",
            "Idempotency-Key",
            "X-Request-ID",
            "X-Api-Version",
            "traceparent",
            "Host",
            "",
            "é",
            "Design",
            "User-Agent",
        ] {
            assert!(part_of_name(name.as_bytes()).is_none(), "{name}");
            for scheme in Scheme::ALL {
                assert_eq!(canonical_case(*scheme, "/", name), None, "{scheme} {name}");
            }
        }
    }
}
