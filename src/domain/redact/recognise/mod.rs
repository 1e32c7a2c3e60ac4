//! Typed recognisers: each validates a value and does not only match its form.
//!
//! All are bounded: none looks at more than a few hundred bytes from where it starts, so a scan
//! that tries them at every token stays linear.

pub(crate) mod card;
pub(crate) mod chain;
pub(crate) mod contact;
pub(crate) mod encoded;
pub(crate) mod iban;
mod keccak;
pub(crate) mod national;
pub(crate) mod number;
pub(crate) mod vendor;

use super::kind::Kind;
use super::shape;

/// Longest value that [`whole`] looks at; the name of a longer one is that of its carrier.
const WHOLE_MAX: usize = 4_096;

/// The kind of a value that stands alone, for the name of its mask.
pub(crate) fn whole(value: &[u8]) -> Option<Kind> {
    let value = value.trim_ascii();
    if value.len() < 4 || value.len() > WHOLE_MAX {
        return None;
    }
    let first = value.first().copied().unwrap_or(0);
    if vendor::is_jwt(value) {
        return Some(Kind::Jwt);
    }
    if vendor::starts_pem(value) {
        return Some(vendor::pem_kind(value));
    }
    if memchr::memchr(b'@', value).is_some_and(|at| contact::email_around(value, at, 0).is_some()) {
        return Some(Kind::Email);
    }
    if (first.is_ascii_digit() || first == b'+' || first == b'(')
        && let Some((end, kind)) = number::find(value, 0, None)
        && end == value.len()
    {
        return Some(kind);
    }
    if let Some((end, kind)) = iban::find(value, 0)
        && end == value.len()
    {
        return Some(kind);
    }
    token(value)
}

/// The kind of one token of letters, digits and a few signs.
pub(crate) fn token(token: &[u8]) -> Option<Kind> {
    if token.len() < 8 {
        return None;
    }
    vendor::key(token)
        .or_else(|| national::lettered(token))
        .or_else(|| chain::address(token))
        .or_else(|| (shape::is_uuid(token) || is_opaque(token)).then_some(Kind::Opaque))
}

/// Shortest mixed token that counts as random.
const OPAQUE_MIN: usize = 16;

/// Whether a token looks random: long, and neither words nor numbers nor one prefix with a
/// number. Letters of both cases without words count from 20 characters.
pub(crate) fn is_opaque(token: &[u8]) -> bool {
    if token.len() < OPAQUE_MIN {
        return false;
    }
    let (mut digits, mut upper, mut lower, mut switches) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut last = 0_u8;
    for b in token {
        let class = match b {
            b'0'..=b'9' => {
                digits += 1;
                1
            }
            b'A'..=b'Z' => {
                upper += 1;
                2
            }
            b'a'..=b'z' => {
                lower += 1;
                3
            }
            _ => 0,
        };
        if class != last && class != 0 && last != 0 {
            switches += 1;
        }
        last = class;
    }
    let letters = upper + lower;
    if letters == 0 {
        return digits >= 20;
    }
    if digits == 0 {
        return (upper > 0 && lower > 0 && switches >= 6) || letters >= 24;
    }
    // One prefix and one number is a reference: `INV20261122000123`.
    !(switches <= 1 && letters <= 6 && digits <= 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named() {
        for (value, kind) in [
            ("4111 1111 1111 1111", Kind::Card),
            ("378282246310005", Kind::Card),
            ("DE89 3704 0044 0532 0130 00", Kind::Iban),
            ("GB29NWBK60161331926819", Kind::Iban),
            ("078-05-1120", Kind::Ssn),
            ("john.doe+x@mail.example.com", Kind::Email),
            ("+1 415 555 2671", Kind::Phone),
            ("(415) 555-2671", Kind::Phone),
            ("AKIAIOSFODNN7EXAMPLE", Kind::CloudKey),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Kind::Bitcoin),
            ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Kind::Bitcoin),
            ("0x52908400098527886E0F7030069857D2E4169EE7", Kind::Ethereum),
            ("123.456.789-09", Kind::NationalId),
            ("12345678Z", Kind::NationalId),
            ("AB123456C", Kind::NationalId),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyIiOiIifQ.Zm9yLWRvY3VtZW50YXRpb24tb25seQ",
                Kind::Jwt,
            ),
        ] {
            assert_eq!(whole(value.as_bytes()), Some(kind), "{value}");
        }
    }

    #[test]
    fn look_alikes_are_not_named() {
        for value in [
            "1234567812345678",
            "000-12-3456",
            "666-12-3456",
            "2026-11-22",
            "completed",
            "10.15.7",
            "INV2026112200012",
            "OBP-20001",
        ] {
            assert_eq!(whole(value.as_bytes()), None, "{value}");
        }
    }
}
