//! Dates in words and postal addresses.

use super::super::words::{self, KNOWN, STREET};

/// The months in other languages, as far as they differ from the English ones.
const MONTHS_ABROAD: [&str; 48] = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
    "januar",
    "februar",
    "märz",
    "juni",
    "juli",
    "oktober",
    "dezember",
    "gennaio",
    "febbraio",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "settembre",
    "ottobre",
    "dicembre",
    "janeiro",
    "fevereiro",
    "março",
    "maio",
    "junho",
    "julho",
    "outubro",
    "dezembro",
];

fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    word.len() >= 3
        && MONTHS.iter().any(|m| {
            m.len() >= word.len()
                && m.as_bytes()[..word.len()].eq_ignore_ascii_case(word)
                && (word.len() == 3 || word.len() == m.len() || word.len() == 4)
        })
        || MONTHS_ABROAD
            .iter()
            .any(|month| word.eq_ignore_ascii_case(month.as_bytes()))
}

/// A date in words: `21 March 1987`, `March 21st, 1987`. At most five words, a month among them.
pub(super) fn date_phrase(text: &[u8], at: usize) -> Option<usize> {
    let (mut here, mut month, mut end) = (at, false, None);
    for _ in 0..6 {
        let stop = words::run(text, here, |b| b.is_ascii_alphanumeric() || b >= 0x80);
        let word = text.get(here..stop)?;
        if word.is_empty() {
            break;
        }
        let digits = words::run(word, 0, |b| b.is_ascii_digit());
        if digits > 0
            && digits <= 4
            && matches!(&word[digits..], b"" | b"st" | b"nd" | b"rd" | b"th")
        {
            end = Some(stop);
        } else if is_month(word) {
            month = true;
        } else if !matches!(word, b"of" | b"de" | b"del") {
            break;
        }
        here = words::run(text, stop, |b| {
            matches!(b, b' ' | b',' | b'.' | b'-' | b'/')
        });
        if here == stop || here > stop + 2 {
            break;
        }
    }
    end.filter(|_| month)
}

/// Small words inside the name of a street that begins with its kind: `Rue de la Paix`.
const JOINING: [&[u8]; 9] = [
    b"de", b"la", b"du", b"des", b"del", b"di", b"da", b"los", b"las",
];

/// A postal address: house number, words with capitals, a street word, then the parts that may
/// follow (flat, place, state, code).
pub(super) fn street_address(text: &[u8], at: usize) -> Option<usize> {
    let number = words::run(text, at, |b| b.is_ascii_digit());
    if !(1..=6).contains(&(number - at)) {
        return None;
    }
    let mut here = number + usize::from(text.get(number).is_some_and(u8::is_ascii_alphabetic));
    let mut street = None;
    for _ in 0..6 {
        if text.get(here) != Some(&b' ') {
            break;
        }
        let stop = words::run(text, here + 1, |b| {
            b.is_ascii_alphanumeric() || b == b'\'' || b >= 0x80
        });
        let word = &text[here + 1..stop];
        let joins = street.is_some() && JOINING.contains(&word);
        if !joins
            && !word
                .first()
                .is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b >= 0x80)
        {
            break;
        }
        here = stop;
        if let Some(street) = street.as_mut().filter(|_| !joins) {
            *street = stop;
        }
        if words::word(word).is(STREET) {
            street = Some(stop);
        }
    }
    let mut end = street?;
    // `Lane, Brackenford, ON ZZ9 4QX`: capitals and numbers, until a small letter.
    for _ in 0..10 {
        let next = words::run(text, end, |b| matches!(b, b' ' | b',' | b'.' | b'#'));
        if next == end || next > end + 3 {
            break;
        }
        let stop = words::run(text, next, |b| {
            b.is_ascii_alphanumeric() || b == b'-' || b == b'\'' || b >= 0x80
        });
        let word = &text[next..stop];
        let fits = word
            .first()
            .is_some_and(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let sentence = memchr::memchr(b'.', &text[end..next]).is_some()
            && word.len() > 1
            && word.first().is_some_and(u8::is_ascii_uppercase)
            && words::word(word).is(KNOWN);
        if !fits
            || word.len() > 20
            || sentence
            || super::super::shape::starts_with_date(&text[next..])
        {
            break;
        }
        end = stop;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_addresses_end_where_they_should() {
        let cut = |text: &str, end: Option<usize>| end.map(|e| text[..e].to_owned());
        let t = "21 March 1987 in";
        assert_eq!(
            cut(t, date_phrase(t.as_bytes(), 0)).as_deref(),
            Some("21 March 1987")
        );
        let t = "March 21st, 1987.";
        assert_eq!(
            cut(t, date_phrase(t.as_bytes(), 0)).as_deref(),
            Some("March 21st, 1987")
        );
        assert_eq!(date_phrase(b"12 items", 0), None);
        let t = "417 Nonesuch Lane, Brackenford, ON ZZ9 4QX was";
        assert_eq!(
            cut(t, street_address(t.as_bytes(), 0)).as_deref(),
            Some("417 Nonesuch Lane, Brackenford, ON ZZ9 4QX")
        );
        assert_eq!(street_address(b"417 records in the lane", 0), None);
    }
}
