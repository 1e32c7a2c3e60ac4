//! Base64, percent-encoding and query parameters, as lenient as servers are.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// base64url, with or without padding (RFC 7515, section 2).
pub(super) fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

/// The user part of HTTP Basic credentials (RFC 7617); the password is wiped on the way.
pub(super) fn basic_user(credentials: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = BASE64.decode(credentials).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    decoded.iter_mut().skip(colon).for_each(|byte| *byte = 0);
    decoded.truncate(colon);
    Some(decoded)
}

/// Percent-encoding undone; allocates only if there is any.
pub(super) fn percent(text: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(text).into()
}

/// A query parameter's value, and whether the parameter occurs again.
pub(super) fn query_parameter<'a>(query: &'a str, name: &str) -> Option<(Cow<'a, [u8]>, bool)> {
    let mut values = query
        .as_bytes()
        .split(|byte| *byte == b'&')
        .filter_map(|pair| {
            let equals = memchr::memchr(b'=', pair);
            let (found, value) = match equals {
                Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
                None => (pair, &[][..]),
            };
            (percent(found) == name.as_bytes()).then_some(value)
        });
    let value = percent(values.next()?);
    Some((value, values.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_optional() {
        for text in ["eyIiOiIifQ", "eyIiOiIifQ=="] {
            assert_eq!(base64url(text.as_bytes()).unwrap(), b"{\"\":\"\"}");
        }
        assert_eq!(base64url(b"eyIi+iIifQ"), None);
    }

    #[test]
    fn only_the_user_of_basic_is_given() {
        assert_eq!(basic_user(b"dXNlcjpwYXNzOndvcmQ=").unwrap(), b"user");
        assert_eq!(basic_user(b"dXNlcg=="), None);
        assert_eq!(basic_user(b"not base64"), None);
    }

    #[test]
    fn parameters_are_found_by_their_decoded_name() {
        let query = "a=1&secret%4bey=x%20y&secretKeys=no";
        assert_eq!(
            query_parameter(query, "secretKey"),
            Some((b"x y"[..].into(), false))
        );
        assert_eq!(
            query_parameter("secret=1&secret=2", "secret"),
            Some((b"1"[..].into(), true))
        );
        assert_eq!(
            query_parameter("secret", "secret"),
            Some((b""[..].into(), false))
        );
        assert_eq!(query_parameter("", "secret"), None);
    }
}
