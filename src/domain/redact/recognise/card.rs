//! Payment card numbers (ISO/IEC 7812-1): issuer prefix and length of a brand, and Luhn.

/// Sum of Luhn's algorithm divisible by ten.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let mut sum = 0_u32;
    for (at, b) in digits.iter().rev().enumerate() {
        let d = u32::from(b.wrapping_sub(b'0'));
        sum += if at % 2 == 1 {
            if d > 4 { d * 2 - 9 } else { d * 2 }
        } else {
            d
        };
    }
    sum.is_multiple_of(10)
}

/// Whether the prefix and the length belong to a brand.
fn has_brand(digits: &[u8]) -> bool {
    let prefix = |n: usize| {
        digits
            .iter()
            .take(n)
            .fold(0_u32, |v, b| v * 10 + u32::from(b.wrapping_sub(b'0')))
    };
    let (p1, p2, p3, p4) = (prefix(1), prefix(2), prefix(3), prefix(4));
    match digits.len() {
        // Visa's old length; thirteen digits also make a time in milliseconds, which starts with 1 or 2.
        13 => p1 == 4 || is_maestro(p1, p2),
        15 => matches!(p2, 34 | 37) || matches!(p4, 1800 | 2131) || is_maestro(p1, p2),
        16 => {
            p1 == 4
                || (51..=55).contains(&p2)
                || (2221..=2720).contains(&p4)
                || (2200..=2204).contains(&p4)
                || matches!(p4, 6011 | 9792 | 5060 | 5061)
                || p2 == 65
                || (644..=649).contains(&p3)
                || (3528..=3589).contains(&p4)
                || matches!(p2, 36 | 38 | 39 | 30 | 62 | 81 | 82 | 60)
                || p3 == 508
                || is_maestro(p1, p2)
        }
        14 => {
            matches!(p2, 36 | 38 | 39)
                || (300..=305).contains(&p3)
                || p4 == 3095
                || is_maestro(p1, p2)
        }
        17..=19 => {
            p1 == 4 && digits.len() != 17
                || matches!(p2, 62 | 65 | 36)
                || p4 == 6011
                || (3528..=3589).contains(&p4)
                || (644..=649).contains(&p3)
                || is_maestro(p1, p2)
        }
        12 => is_maestro(p1, p2) && p1 == 5,
        _ => false,
    }
}

fn is_maestro(p1: u32, p2: u32) -> bool {
    matches!(p2, 50 | 56 | 57 | 58) || (p1 == 6 && p2 != 61)
}

/// Whether `digits` (ASCII digits only) is a valid card number.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    (12..=19).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && has_brand(digits)
        && luhn(digits)
        && digits.iter().any(|b| *b != digits[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_numbers_of_the_brands_are_cards() {
        for number in [
            "4242424242424242",
            "4111111111111111",
            "4012888888881881",
            "4222222222222",
            "5555555555554444",
            "5105105105105100",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "6011111111111117",
            "6011000990139424",
            "3056930009020004",
            "30569309025904",
            "36227206271667",
            "3530111333300000",
            "3566002020360505",
            "6200000000000005",
            "6759649826438453",
        ] {
            assert!(is_card(number.as_bytes()), "{number}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for number in [
            "4111111111111112",
            "1234567812345670",
            "1700000000000",
            "20261122023107",
            "0000000000000000",
            "411111111111111",
        ] {
            assert!(!is_card(number.as_bytes()), "{number}");
        }
    }
}
