//! JSON Web Tokens that look right and prove nothing: the signature is random bytes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::entropy::Entropy;

/// Tokens longer than this are not decoded: the longest real one is near 3 KB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Joins header, claims and `signature_bytes` random bytes in the compact form (RFC 7515).
pub fn forge(header: &str, claims: &str, signature_bytes: usize, entropy: &mut Entropy) -> String {
    format!(
        "{}.{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
        entropy.base64url(signature_bytes)
    )
}

/// The header and the claims of a compact JWT, unverified; `None` if it is not one.
pub fn decode(token: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((object(header)?, object(claims)?))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forged_can_be_decoded() {
        let token = forge(
            r#"{"alg":"RS512"}"#,
            r#"{"sub":"x"}"#,
            512,
            &mut Entropy::new(1),
        );
        let (header, claims) = decode(&token).unwrap();
        assert_eq!(header["alg"], "RS512");
        assert_eq!(claims["sub"], "x");
        for bad in ["", "a.b", "a.b.c", "a.b.c.d", "e30.e30"] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }
}
