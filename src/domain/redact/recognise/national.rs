//! National numbers with letters or check digits.

use super::super::kind::Kind;
use super::card::luhn;

fn digit(b: u8) -> u32 {
    u32::from(b.wrapping_sub(b'0'))
}

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(b, w)| digit(*b) * w).sum()
}

fn all_same(digits: &[u8]) -> bool {
    digits.iter().all(|b| *b == digits[0])
}

fn is_day_month(day: &[u8], month: &[u8]) -> bool {
    let (d, m) = (
        digit(day[0]) * 10 + digit(day[1]),
        digit(month[0]) * 10 + digit(month[1]),
    );
    (1..=31).contains(&d) && (1..=12).contains(&m)
}

/// Which area, group and serial an SSN can have (SSA, POMS RM 10201), the numbers 987-65-4320 to
/// 4329 of advertisements among them: 9xx areas are ITINs or samples, never nobody's.
pub(crate) fn is_ssn(d: &[u8]) -> Option<Kind> {
    if d.len() != 9 {
        return None;
    }
    let area = digit(d[0]) * 100 + digit(d[1]) * 10 + digit(d[2]);
    let group = digit(d[3]) * 10 + digit(d[4]);
    if area == 0 || area == 666 || group == 0 || &d[5..] == b"0000" {
        return None;
    }
    if area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99) {
        return Some(Kind::Itin);
    }
    Some(Kind::Ssn)
}

/// Prefixes that the IRS has given out.
pub(crate) fn is_ein(d: &[u8]) -> bool {
    d.len() == 9
        && !matches!(
            digit(d[0]) * 10 + digit(d[1]),
            0 | 7 | 8 | 9 | 17 | 18 | 19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97
        )
        && !all_same(d)
}

/// ABA routing number: range of the first two digits and 3-7-1 checksum.
pub(crate) fn is_aba(d: &[u8]) -> bool {
    d.len() == 9
        && matches!(digit(d[0]) * 10 + digit(d[1]), 1..=12 | 21..=32 | 61..=72 | 80)
        && weighted(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// Brazil's CPF: two check digits modulo 11.
pub(crate) fn is_cpf(d: &[u8]) -> bool {
    let check = |n: usize| {
        let sum: u32 = (0..n)
            .map(|i| digit(d[i]) * u32::try_from(n + 1 - i).unwrap_or(0))
            .sum();
        let rest = sum * 10 % 11 % 10;
        rest == digit(d[n])
    };
    d.len() == 11 && !all_same(d) && check(9) && check(10)
}

pub(crate) fn is_cnpj(d: &[u8]) -> bool {
    const W: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let check = |n: usize| {
        let rest = weighted(&d[..n], &W[13 - n..]) % 11;
        (if rest < 2 { 0 } else { 11 - rest }) == digit(d[n])
    };
    d.len() == 14 && !all_same(d) && check(12) && check(13)
}

/// India's Aadhaar: Verhoeff's algorithm.
pub(crate) fn is_aadhaar(d: &[u8]) -> bool {
    const D: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const P: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    d.len() == 12
        && d[0] >= b'2'
        && d.iter().rev().enumerate().fold(0_u8, |c, (at, b)| {
            D[usize::from(c)][usize::from(P[at % 8][usize::from(b.wrapping_sub(b'0') % 10)])]
        }) == 0
}

/// Poland's PESEL: weights and a date.
fn is_pesel(d: &[u8]) -> bool {
    let month = (digit(d[2]) * 10 + digit(d[3])) % 20;
    let day = digit(d[4]) * 10 + digit(d[5]);
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (10 - weighted(&d[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == digit(d[10])
}

/// Turkey's number.
fn is_tckn(d: &[u8]) -> bool {
    let odd: u32 = [0, 2, 4, 6, 8].iter().map(|i| digit(d[*i])).sum();
    let even: u32 = [1, 3, 5, 7].iter().map(|i| digit(d[*i])).sum();
    d[0] != b'0'
        && (odd * 7 + 100 - even) % 10 == digit(d[9])
        && (odd + even + digit(d[9])) % 10 == digit(d[10])
}

/// Germany's Steuer-ID (ISO 7064, mod 11,10), no leading zero, exactly one digit repeated.
fn is_steuer_id(d: &[u8]) -> bool {
    let mut product = 10;
    for b in &d[..10] {
        let sum = (digit(*b) + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    let mut seen = [0; 10];
    d[..10]
        .iter()
        .for_each(|b| seen[usize::from(b.wrapping_sub(b'0') % 10)] += 1);
    d[0] != b'0'
        && (11 - product) % 10 == digit(d[10])
        && seen.iter().filter(|n| **n > 1).count() == 1
}

/// Canada's SIN: Luhn, first digit not 8. Those that begin with 0 are given out in examples only.
pub(crate) fn is_sin(d: &[u8]) -> bool {
    d.len() == 9 && d[0] != b'8' && !all_same(d) && luhn(d)
}

/// A NINO in its printed form, `AB 12 34 56 C`: its end.
pub(crate) fn spaced_nino(text: &[u8], at: usize) -> Option<usize> {
    let part = text.get(at..at + 13)?;
    let mut token = [0_u8; 9];
    let mut used = 0;
    for (n, b) in part.iter().enumerate() {
        if matches!(n, 2 | 5 | 8 | 11) {
            if !matches!(b, b' ' | b'-') {
                return None;
            }
        } else {
            token[used] = *b;
            used += 1;
        }
    }
    let edge = !text.get(at + 13).is_some_and(u8::is_ascii_alphanumeric);
    (edge && lettered(&token).is_some()).then_some(at + 13)
}

/// Numbers whose check digits are strong enough to stand without a label.
pub(crate) fn bare(d: &[u8]) -> bool {
    match d.len() {
        11 => is_cpf(d) || is_pesel(d) || is_tckn(d) || is_steuer_id(d),
        12 => is_aadhaar(d) && !all_same(d),
        13 => {
            luhn(d)
                && is_day_month(&d[4..6], &d[2..4])
                && matches!(d[10], b'0' | b'1')
                && matches!(d[11], b'8' | b'9')
                && d[0] != b'1'
        }
        14 => is_cnpj(d),
        15 => matches!(d[0], b'1' | b'2') && is_nir(d),
        18 => is_cn(d),
        _ => false,
    }
}

/// France's NIR: 97 minus the number modulo 97.
fn is_nir(d: &[u8]) -> bool {
    let body = d[..13]
        .iter()
        .fold(0_u64, |v, b| v * 10 + u64::from(digit(*b)));
    let month = digit(d[3]) * 10 + digit(d[4]);
    (1..=12).contains(&month) && 97 - body % 97 == u64::from(digit(d[13]) * 10 + digit(d[14]))
}

/// China's resident number (GB 11643): date and ISO 7064 mod 11,2.
fn is_cn(d: &[u8]) -> bool {
    let sum = weighted(
        &d[..17],
        &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2],
    );
    let check = b"10X98765432"[(sum % 11) as usize];
    matches!(&d[6..8], b"19" | b"20")
        && is_day_month(&d[12..14], &d[10..12])
        && check == d[17].to_ascii_uppercase()
}

/// Swedish, Finnish and Danish style: a date, a sign, four characters.
pub(crate) fn is_nordic(text: &[u8]) -> bool {
    text.len() == 11
        && text[..6].iter().all(u8::is_ascii_digit)
        && matches!(text[6], b'-' | b'+' | b'A')
        && text[7..10].iter().all(u8::is_ascii_digit)
        && if text[10].is_ascii_digit() {
            let digits = [&text[..6], &text[7..]].concat();
            is_day_month(&text[4..6], &text[2..4]) && luhn(&digits)
        } else {
            // HETU: remainder by 31.
            let number = text[..6]
                .iter()
                .chain(&text[7..10])
                .fold(0_u64, |v, b| v * 10 + u64::from(digit(*b)));
            let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize];
            is_day_month(&text[..2], &text[2..4]) && check == text[10].to_ascii_uppercase()
        }
}

/// Numbers that contain letters.
pub(crate) fn lettered(token: &[u8]) -> Option<Kind> {
    if !(8..=19).contains(&token.len()) || !token.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let mut upper = [0_u8; 20];
    let upper = &mut upper[..token.len()];
    upper.copy_from_slice(token);
    upper.make_ascii_uppercase();
    let u: &[u8] = upper;
    let digits = |range: std::ops::Range<usize>| {
        u.get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let letters = |range: std::ops::Range<usize>| {
        u.get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_uppercase))
    };
    let number = |part: &[u8]| part.iter().fold(0_u32, |v, b| v * 10 + digit(*b));
    const DNI: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let found = match u.len() {
        9 if letters(0..2) && digits(2..8) && matches!(u[8], b'A'..=b'D') => {
            // NINO (HMRC): letters that are not used.
            !matches!(u[0], b'D' | b'F' | b'I' | b'Q' | b'U' | b'V')
                && !matches!(u[1], b'D' | b'F' | b'I' | b'O' | b'Q' | b'U' | b'V')
                && !matches!(
                    &u[..2],
                    b"BG" | b"GB" | b"NK" | b"KN" | b"TN" | b"NT" | b"ZZ"
                )
        }
        9 if digits(0..8) && letters(8..9) => DNI[(number(&u[..8]) % 23) as usize] == u[8],
        9 if matches!(u[0], b'X' | b'Y' | b'Z') && digits(1..8) && letters(8..9) => {
            DNI[((u32::from(u[0] - b'X') * 10_000_000 + number(&u[1..8])) % 23) as usize] == u[8]
        }
        9 if matches!(u[0], b'S' | b'T' | b'F' | b'G') && digits(1..8) && letters(8..9) => {
            let sum = weighted(&u[1..8], &[2, 7, 6, 5, 4, 3, 2])
                + if matches!(u[0], b'T' | b'G') { 4 } else { 0 };
            let table = if matches!(u[0], b'S' | b'T') {
                b"JZIHGFEDCBA"
            } else {
                b"XWUTRQPNMLK"
            };
            table[(sum % 11) as usize] == u[8]
        }
        // India's PAN: the fourth letter is the kind of holder.
        10 if letters(0..5) && digits(5..9) && letters(9..10) => matches!(
            u[3],
            b'P' | b'C' | b'H' | b'F' | b'A' | b'T' | b'B' | b'L' | b'J' | b'G'
        ),
        11 => is_nordic(u),
        // Mexico's RFC: letters of the name, a day, three characters.
        12 | 13
            if letters(0..u.len() - 9)
                && digits(u.len() - 9..u.len() - 3)
                && u[u.len() - 3..].iter().all(u8::is_ascii_alphanumeric) =>
        {
            let day = u.len() - 5;
            is_day_month(&u[day..day + 2], &u[day - 2..day])
        }
        16 if letters(0..6)
            && digits(6..8)
            && letters(8..9)
            && digits(9..11)
            && letters(11..12)
            && digits(12..15)
            && letters(15..16) =>
        {
            const ODD: [u32; 26] = [
                1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
                25, 24, 23,
            ];
            let sum: u32 = u[..15]
                .iter()
                .enumerate()
                .map(|(at, b)| {
                    let v = if b.is_ascii_digit() {
                        digit(*b)
                    } else {
                        u32::from(b - b'A')
                    };
                    if at % 2 == 0 { ODD[v as usize] } else { v }
                })
                .sum();
            sum % 26 == u32::from(u[15] - b'A')
        }
        // Mexico's CURP.
        18 if letters(0..4)
            && digits(4..10)
            && matches!(u[10], b'H' | b'M' | b'X')
            && letters(11..16) =>
        {
            is_day_month(&u[8..10], &u[6..8])
        }
        18 if digits(0..17) && u[17] == b'X' => is_cn(u),
        _ => false,
    };
    found.then_some(Kind::NationalId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_are_valid() {
        for number in [
            "AB123456C",
            "12345678Z",
            "X1234567L",
            "S1234567D",
            "ABCPE1234F",
            "RSSMRA85T10A562S",
            "HEGG560427MVZRRL04",
            "131052-308T",
            "811218-9876",
        ] {
            assert_eq!(
                lettered(number.as_bytes()),
                Some(Kind::NationalId),
                "{number}"
            );
        }
        for number in [
            "11144477735",
            "44051401359",
            "10000000146",
            "86095742719",
            "11444777000161",
            "234123412346",
        ] {
            assert!(bare(number.as_bytes()), "{number}");
        }
        assert!(is_sin(b"130692544") && is_aba(b"021000021") && is_ein(b"123456789"));
        assert_eq!(is_ssn(b"078051120"), Some(Kind::Ssn));
        assert_eq!(is_ssn(b"912701234"), Some(Kind::Itin));
        assert_eq!(is_ssn(b"666121234"), None);
    }

    #[test]
    fn one_digit_more_or_less_is_not() {
        for number in [
            "12345678A",
            "X1234567A",
            "ABCZE1234F",
            "RSSMRA85T10A562T",
            "INV123456",
            "ORD12345A",
        ] {
            assert_eq!(lettered(number.as_bytes()), None, "{number}");
        }
        for number in [
            "11144477736",
            "44051401358",
            "1795305338000",
            "20261122023107",
        ] {
            assert!(!bare(number.as_bytes()), "{number}");
        }
    }
}
