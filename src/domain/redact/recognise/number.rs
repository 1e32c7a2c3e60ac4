//! Numbers written in groups: cards, national numbers, telephones, dates, accounts.

use super::super::kind::Kind;
use super::super::shape;
use super::{card, national};

/// Most digits and bytes that one number in groups can have.
const DIGITS_MAX: usize = 40;
const BYTES_MAX: usize = 72;
const GROUPS_MAX: usize = 10;

/// The groups of digits from one place on.
struct Groups {
    digits: [u8; DIGITS_MAX],
    count: usize,
    /// For each group: digits up to its end, end in the text, separator before it.
    groups: [(u8, usize, u8); GROUPS_MAX],
    /// Digits of each group.
    lens: [u8; GROUPS_MAX],
    len: usize,
}

impl Groups {
    fn read(text: &[u8], start: usize) -> Self {
        let mut this = Self {
            digits: [0; DIGITS_MAX],
            count: 0,
            groups: [(0, 0, 0); GROUPS_MAX],
            lens: [0; GROUPS_MAX],
            len: 0,
        };
        let mut at = start;
        let mut before = 0;
        while this.len < GROUPS_MAX && at - start < BYTES_MAX {
            let from = this.count;
            while let Some(b @ b'0'..=b'9') = text.get(at) {
                if this.count == DIGITS_MAX {
                    return this;
                }
                this.digits[this.count] = *b;
                this.count += 1;
                at += 1;
            }
            if this.count == from {
                break;
            }
            this.lens[this.len] = u8::try_from(this.count - from).unwrap_or(u8::MAX);
            this.groups[this.len] = (u8::try_from(this.count).unwrap_or(u8::MAX), at, before);
            this.len += 1;
            let Some((next, separator)) = separator(text, at) else {
                break;
            };
            at = next;
            before = separator;
        }
        this
    }

    /// Whether the number starts with groups of these lengths, all after one of `separators`.
    fn has(&self, wanted: &[u8], separators: &[u8]) -> bool {
        self.len >= wanted.len()
            && self.lens[..wanted.len()] == *wanted
            && self.groups[1..wanted.len()]
                .iter()
                .all(|(_, _, s)| separators.contains(s))
    }

    fn end(&self, groups: usize) -> usize {
        self.groups[groups - 1].1
    }

    fn up_to(&self, groups: usize) -> &[u8] {
        &self.digits[..usize::from(self.groups[groups - 1].0)]
    }
}

/// One separator, or a blank beside a sign, before the next digit. No-break spaces count.
fn separator(text: &[u8], at: usize) -> Option<(usize, u8)> {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    match text.get(at)? {
        b @ (b' ' | b'-' | b'.' | b'/' | b'_' | b'+') if digit(at + 1) => Some((at + 1, *b)),
        b'\t' if digit(at + 1) => Some((at + 1, b' ')),
        b')' | b'-' | b' ' | b'(' => {
            let next = *text.get(at + 1)?;
            if matches!(next, b' ' | b'-' | b'(' | b')') && digit(at + 2) {
                Some((at + 2, if next == b' ' { b'-' } else { next }))
            } else if matches!(text[at], b')' | b'(') && digit(at + 1) {
                Some((at + 1, b'-'))
            } else {
                None
            }
        }
        0xc2 if text.get(at + 1) == Some(&0xa0) && digit(at + 2) => Some((at + 2, b' ')),
        0xe2 if text.get(at + 1) == Some(&0x80) && digit(at + 3) => Some((
            at + 3,
            if matches!(text.get(at + 2), Some(0x90..=0x95)) {
                b'-'
            } else {
                b' '
            },
        )),
        _ => None,
    }
}

/// A personal number at `at`: its end and kind. `label` is what an earlier word announced; it
/// turns bare digits into a hit.
pub(crate) fn find(text: &[u8], at: usize, label: Option<Kind>) -> Option<(usize, Kind)> {
    let first = *text.get(at)?;
    if first.is_ascii_digit()
        && label != Some(Kind::DateOfBirth)
        && shape::timestamp_len(&text[at..text.len().min(at + 64)]).is_some()
    {
        return None;
    }
    let start = match first {
        b'+' | b'(' => text[at..]
            .iter()
            .take(3)
            .position(u8::is_ascii_digit)
            .map(|n| at + n)?,
        _ => at,
    };
    let groups = Groups::read(text, start);
    if groups.len == 0 {
        return None;
    }
    // The longest card that starts here.
    for n in (1..=groups.len).rev().filter(|_| groups.count >= 12) {
        let digits = groups.up_to(n);
        if (12..=19).contains(&digits.len())
            && card::is_card(digits)
            && is_card_grouping(&groups, n)
        {
            return Some((groups.end(n), Kind::Card));
        }
    }
    // A card inside a long run of digits.
    let run = groups.up_to(1);
    if run.len() > 19 {
        for size in [16, 15] {
            if run.windows(size).any(card::is_card) {
                return Some((groups.end(1), Kind::Card));
            }
        }
    }
    if first == b'+' {
        return phone(&groups);
    }
    // `4 1 1 1 ...`: spelled digit by digit.
    if groups.len == GROUPS_MAX && groups.lens.iter().all(|len| *len == 1) {
        return spelled(text, start);
    }
    let edge = |n: usize| {
        !text
            .get(groups.end(n))
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    // The label comes first: it names what the digits are, unless they have the form of an SSN.
    let formed = groups.has(&[3, 2, 4], b"-") && edge(3);
    if let Some(kind) = label.filter(|_| !formed)
        && let Some(end) = labelled(&groups, kind)
    {
        return Some((end, named(&groups, kind)));
    }
    if groups.has(&[3, 2, 4], b"-. ") && edge(3) && groups.groups[1].2 == groups.groups[2].2 {
        let kind = national::is_ssn(groups.up_to(3))?;
        return Some((groups.end(3), kind));
    }
    if groups.has(&[2, 7], b"-") && edge(2) && groups.len == 2 && national::is_ein(groups.up_to(2))
    {
        return Some((groups.end(2), Kind::Ein));
    }
    let national = if groups.has(&[3, 3, 3, 2], b".- ") && edge(4) {
        (national::is_cpf(groups.up_to(4))).then_some(4)
    } else if groups.has(&[2, 3, 3, 4, 2], b".-/ ") && edge(5) {
        national::is_cnpj(groups.up_to(5)).then_some(5)
    } else if groups.has(&[3, 3, 3], b"- ") && edge(3) && groups.len == 3 {
        national::is_sin(groups.up_to(3)).then_some(3)
    } else if groups.has(&[4, 4, 4], b"- ") && edge(3) && groups.len == 3 {
        national::is_aadhaar(groups.up_to(3)).then_some(3)
    } else if groups.has(&[2, 8, 1], b"-") && edge(3) {
        Some(3)
    } else if groups.has(&[1, 2, 2, 2, 3, 3, 2], b" ") || groups.has(&[1, 4, 5, 2, 1], b"-") {
        Some(groups.len)
    } else if edge(2)
        && ((groups.has(&[6, 7], b"-") && matches!(groups.digits[6], b'1'..=b'4'))
            || (groups.has(&[6, 4], b"-+") && national::is_nordic(&text[start..groups.end(2)])))
    {
        Some(2)
    } else if edge(1) && national::bare(groups.up_to(1)) {
        Some(1)
    } else {
        None
    };
    if let Some(n) = national {
        return Some((groups.end(n), Kind::NationalId));
    }
    // 12.345.678-5: Chile's RUT.
    if groups.has(&[2, 3, 3], b".") && text.get(groups.end(3)) == Some(&b'-') {
        let end = groups.end(3) + 2;
        if text
            .get(end - 1)
            .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'k' | b'K'))
        {
            return Some((end, Kind::NationalId));
        }
    }
    // `0044 7700 900123`: the prefix of calls abroad.
    if first == b'0'
        && groups.len >= 2
        && groups.digits[1] == b'0'
        && groups.digits[2] != b'0'
        && (3..=5).contains(&groups.lens[0])
        && label.is_none_or(|label| label == Kind::Phone)
        && let Some(n) = (2..=groups.len)
            .rev()
            .find(|n| (10..=16).contains(&groups.up_to(*n).len()))
        && edge(n)
    {
        return Some((groups.end(n), Kind::Phone));
    }
    // North American form: area and exchange do not start with 0 or 1.
    let nanp = |skip: usize| {
        !matches!(groups.digits[skip], b'0' | b'1')
            && !matches!(groups.digits[skip + 3], b'0' | b'1')
    };
    if groups.has(&[3, 3, 4], b"-. ")
        && edge(3)
        && nanp(0)
        && (first == b'(' || groups.groups[1].2 == groups.groups[2].2)
    {
        return Some((groups.end(3), Kind::Phone));
    }
    if groups.has(&[1, 3, 3, 4], b"-. ") && edge(4) && groups.digits[0] == b'1' && nanp(1) {
        return Some((groups.end(4), Kind::Phone));
    }
    None
}

/// A number whose digits stand apart, as long as one blank or hyphen is between them.
fn spelled(text: &[u8], start: usize) -> Option<(usize, Kind)> {
    let mut digits = [0_u8; 19];
    let (mut count, mut at) = (0, start);
    while let (Some(slot), Some(b @ b'0'..=b'9')) = (digits.get_mut(count), text.get(at)) {
        *slot = *b;
        count += 1;
        at += 1;
        match (text.get(at), text.get(at + 1)) {
            (Some(b' ' | b'-'), Some(b'0'..=b'9')) => at += 1,
            _ => break,
        }
    }
    (12..=count)
        .rev()
        .find(|n| card::is_card(&digits[..*n]))
        .map(|n| (start + 2 * n - 1, Kind::Card))
}

/// Cards are grouped in fours, 4-6-5, or not at all; a date before a number is not one.
fn is_card_grouping(groups: &Groups, n: usize) -> bool {
    if n == 1 {
        return true;
    }
    // A whole number, and another one behind it.
    if groups.lens[0] >= 12 {
        return false;
    }
    let lens = &groups.lens[..n];
    let separators = &groups.groups[1..n];
    separators
        .iter()
        .all(|(_, _, s)| matches!(s, b' ' | b'-' | b'.' | b'_' | b'/') && *s == separators[0].2)
        && (lens[..n - 1].iter().all(|len| *len == 4)
            || (lens[0] == 4 && lens.get(1) == Some(&6))
            || lens.iter().all(|len| *len >= 2))
}

fn phone(groups: &Groups) -> Option<(usize, Kind)> {
    let mut best = None;
    for n in 1..=groups.len {
        let digits = groups.up_to(n).len();
        // A group of one digit after a blank, or a year, belongs to what follows.
        if digits <= 15 && (n == 1 || groups.groups[n - 1].2 != b'/') {
            if (7..=15).contains(&digits) {
                best = Some(n);
            }
        } else {
            break;
        }
    }
    let n = best?;
    (groups.digits[0] != b'0').then_some((groups.end(n), Kind::Phone))
}

/// How far a labelled number goes. The label allows what its kind can look like.
fn labelled(groups: &Groups, kind: Kind) -> Option<usize> {
    let (min, max, blanks) = match kind {
        Kind::Ssn | Kind::Itin | Kind::Ein => (7, 9, true),
        Kind::Routing => (6, 9, true),
        Kind::Account | Kind::Bic => (6, 20, true),
        Kind::Card => (8, 19, true),
        Kind::CardCode => (3, 8, false),
        Kind::Pin => (4, 10, true),
        Kind::Phone => (6, 15, true),
        Kind::DateOfBirth => (5, 8, true),
        Kind::NationalId | Kind::Passport | Kind::Licence => (5, 18, true),
        Kind::Iban => (8, 30, true),
        _ => return None,
    };
    let mut best = None;
    let lens = groups.lens;
    for n in 1..=groups.len {
        let digits = groups.up_to(n).len();
        let separator = groups.groups[n - 1].2;
        if n > 1 && separator == b' ' && !blanks {
            break;
        }
        // `2341 2341 2346`: groups of one length are one number.
        let even = n <= 4 && lens[n - 1] == lens[0] && lens[0] >= 3;
        if n > 1
            && separator == b' '
            && best.is_some()
            && !even
            && kind != Kind::Card
            && kind != Kind::Iban
            && kind != Kind::Phone
        {
            // Another number after a complete one.
            break;
        }
        if digits > max {
            if n == 1 {
                return Some(groups.end(1));
            }
            break;
        }
        if digits >= min {
            best = Some(groups.end(n));
        }
    }
    best
}

/// The label's kind, sharpened by a checksum.
fn named(groups: &Groups, kind: Kind) -> Kind {
    match kind {
        Kind::Account if national::is_aba(groups.up_to(1)) => Kind::Routing,
        Kind::Ssn if groups.len >= 3 => national::is_ssn(groups.up_to(3)).unwrap_or(kind),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str, label: Option<Kind>) -> Option<(usize, Kind)> {
        find(text.as_bytes(), 0, label)
    }

    #[test]
    fn groups_make_numbers() {
        assert_eq!(kind("4111-1111-1111-1111 ok", None), Some((19, Kind::Card)));
        assert_eq!(kind("3782 822463 10005", None), Some((17, Kind::Card)));
        assert_eq!(kind("078-05-1120", None), Some((11, Kind::Ssn)));
        assert_eq!(kind("912-70-1234", None), Some((11, Kind::Itin)));
        assert_eq!(kind("12-3456789", None), Some((10, Kind::Ein)));
        assert_eq!(kind("+44 20 7946 0958", None), Some((16, Kind::Phone)));
        assert_eq!(kind("415-555-2671", None), Some((12, Kind::Phone)));
        assert_eq!(kind("130-692-544", None), Some((11, Kind::NationalId)));
    }

    #[test]
    fn a_label_turns_bare_digits_into_a_hit() {
        assert_eq!(kind("12345678", None), None);
        assert_eq!(
            kind("12345678", Some(Kind::Account)),
            Some((8, Kind::Account))
        );
        assert_eq!(
            kind("021000021", Some(Kind::Routing)),
            Some((9, Kind::Routing))
        );
        assert_eq!(
            kind("4155552671", Some(Kind::Phone)),
            Some((10, Kind::Phone))
        );
        assert_eq!(
            kind("1987-03-21", Some(Kind::DateOfBirth)),
            Some((10, Kind::DateOfBirth))
        );
        assert_eq!(
            kind("03/21/1987", Some(Kind::DateOfBirth)),
            Some((10, Kind::DateOfBirth))
        );
        assert_eq!(
            kind("20-30-40", Some(Kind::Routing)),
            Some((8, Kind::Routing))
        );
    }

    #[test]
    fn times_and_plain_numbers_stand() {
        for text in [
            "2026-11-22T02:31:07Z",
            "2026-11-22 02:31:07",
            "2026-11-22",
            "1795305338",
            "1795305338000",
            "10.15.7",
            "1234567812345678",
            "000-12-3456",
            "200",
            "1000000",
        ] {
            assert_eq!(kind(text, None), None, "{text}");
        }
    }
}
