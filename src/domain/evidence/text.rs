//! The small spellings that all C2SP formats share: strict decimals, base64 and lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::NodeHash;

/// A decimal without sign, spaces or leading zeros, as C2SP writes sizes and indexes.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits {
        text.parse().ok()
    } else {
        None
    }
}

/// Standard base64 with padding (RFC 4648, section 4); non-canonical spellings are refused.
pub(super) fn parse_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The counterpart of [`parse_base64`].
pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A tree hash in base64.
pub(super) fn parse_hash(text: &str) -> Option<NodeHash> {
    // 44 characters are 32 bytes: longer text is not worth decoding.
    if text.len() != 44 {
        return None;
    }
    let bytes: [u8; 32] = parse_base64(text)?.try_into().ok()?;
    Some(NodeHash::from_bytes(bytes))
}

/// Takes the first line, without its newline; none if no newline is left.
pub(super) fn take_line<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let (line, tail) = rest.split_once('\n')?;
    *rest = tail;
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(parse_decimal("0"), Some(0));
        assert_eq!(parse_decimal("20852163"), Some(20_852_163));
        assert_eq!(parse_decimal("18446744073709551615"), Some(u64::MAX));
        for wrong in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1a",
            "18446744073709551616",
            "١",
        ] {
            assert_eq!(parse_decimal(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(parse_base64("AAE="), Some(vec![0, 1]));
        for wrong in ["AAE", "AAF=", "AA E=", "AAE=\n", "AA_="] {
            assert_eq!(parse_base64(wrong), None, "{wrong:?}");
        }
    }
}
