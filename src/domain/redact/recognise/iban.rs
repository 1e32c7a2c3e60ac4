//! IBAN (ISO 13616): country, length, mod 97.

use super::super::kind::Kind;

/// Countries of the SWIFT registry with the length of their IBAN.
const COUNTRIES: &[(&[u8; 2], u8)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// A BIC (ISO 9362): six capitals, two or five capitals or digits.
pub(crate) fn is_bic(token: &[u8]) -> bool {
    matches!(token.len(), 8 | 11)
        && token[..6].iter().all(u8::is_ascii_uppercase)
        && token[6..]
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// An IBAN at `at`: its end. Groups may be separated by single blanks, hyphens or points.
pub(crate) fn find(text: &[u8], at: usize) -> Option<(usize, Kind)> {
    let head = text.get(at..at + 4)?;
    if !(head[0].is_ascii_alphabetic()
        && head[1].is_ascii_alphabetic()
        && head[2].is_ascii_digit()
        && head[3].is_ascii_digit())
    {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let length = usize::from(COUNTRIES.iter().find(|(code, _)| **code == country)?.1);
    let mut chars = [0_u8; 34];
    let mut count = 0;
    let mut end = at;
    let mut gap = 0;
    while count < length {
        let b = *text.get(end)?;
        if b.is_ascii_alphanumeric() {
            chars[count] = b.to_ascii_uppercase();
            count += 1;
            gap = 0;
        } else if matches!(b, b' ' | b'-' | b'.') && gap == 0 && count >= 2 {
            gap += 1;
        } else {
            return None;
        }
        end += 1;
    }
    if text.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    (mod97(&chars[..length]) == 1).then_some((end, Kind::Iban))
}

/// The number with the first four characters at the end and letters as 10 to 35, modulo 97.
fn mod97(iban: &[u8]) -> u32 {
    let (head, tail) = iban.split_at(4);
    tail.iter().chain(head).fold(0, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_examples_are_found() {
        for iban in [
            "DE89370400440532013000",
            "GB29NWBK60161331926819",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "ES91 2100 0418 4502 0005 1332",
            "nl91abna0417164300",
        ] {
            assert_eq!(
                find(iban.as_bytes(), 0),
                Some((iban.len(), Kind::Iban)),
                "{iban}"
            );
        }
    }

    #[test]
    fn wrong_check_digits_lengths_and_countries_are_not() {
        for text in [
            "DE88370400440532013000",
            "ZZ89370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
        ] {
            assert_eq!(find(text.as_bytes(), 0), None, "{text}");
        }
    }
}
