//! The quick way over what most of a log consists of: ordinary words, names of modules and files,
//! ids behind their noun.
//!
//! Everything passed over here would be left alone by the careful reader as well; what could be
//! anything else (a word that announces something, a sign of a key, many digits, capitals inside,
//! a long run) is left to it.

use super::super::names::Class;
use super::super::recognise::{encoded, vendor};
use super::super::shape;
use super::super::surface::memo;
use super::super::words::{self, LABEL, Lexicon, NOUN, PERSON};
use super::{NOUN_REACH, PHRASE_MIN, Scan};

/// Bytes that are looked at for one word: at most twelve letters, a sign, and what follows.
const WINDOW: usize = 18;
/// Longest token that is passed over.
const TOKEN_MAX: usize = 64;
/// Longest run of letters and digits in it: the shortest address of a chain has fourteen.
const RUN_MAX: usize = 12;
/// Most digits in it: no number of a person is shorter than six.
const DIGITS_MAX: usize = 5;

impl Scan<'_, '_, '_> {
    /// Passes over ordinary words of a sentence, eight bytes at a time; answers where it stopped.
    #[inline]
    pub(super) fn plain_words(&mut self, lexicon: &Lexicon, start: usize) -> usize {
        let text = self.text;
        let mut at = start;
        // Where a run of words began that may become a recovery phrase.
        let mut phrase = None;
        while at < text.len() {
            let mut tail = [b'\n'; WINDOW];
            let piece = match text.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
                Some(piece) => piece,
                None => {
                    tail[..text.len() - at].copy_from_slice(&text[at..]);
                    &tail
                }
            };
            let (Some(first), Some(second)) = (piece.first_chunk(), piece[8..].first_chunk())
            else {
                break;
            };
            let letters = u64::from_le_bytes(*first);
            let mut len = words::small_letters(letters);
            let mut hash = words::mix(0, letters, len);
            if len == 8 {
                let letters = u64::from_le_bytes(*second);
                let more = words::small_letters(letters);
                if more > 4 {
                    break;
                }
                if more > 0 {
                    hash = words::mix(hash, letters, more);
                    len += more;
                }
            }
            let stop = len + usize::from(matches!(piece[len], b',' | b'.' | b';'));
            let ends = piece[stop] == b'\n';
            if len == 0
                || (piece[stop] != b' ' && !ends)
                || matches!(piece[stop + 1], b'=' | b':' | b'-' | 0xe2)
            {
                break;
            }
            if lexicon.is_special(hash) {
                let word = lexicon.get_hashed(&piece[..len], hash);
                if !word.is(NOUN) || word.is(LABEL | PERSON) || len < 3 || stop > len {
                    break;
                }
                self.noun = at + len + NOUN_REACH;
            } else if len > 4 {
                // A verb parts a noun from what is no longer its id.
                self.noun = 0;
            }
            phrase = lexicon.is_phrase(hash).then(|| phrase.unwrap_or((at, 0)));
            if let Some((from, count)) = &mut phrase {
                *count += 1;
                if *count == PHRASE_MIN {
                    return *from;
                }
            }
            at += stop + 1;
            if ends {
                return phrase.map_or(at.min(text.len()), |(from, _)| from);
            }
        }
        phrase.map_or(at, |(from, _)| from)
    }

    /// Goes on behind a token at `at` that cannot be anything but the name of a module, a file or a
    /// number in it, with a sentence going on behind it, or that is a key.
    pub(super) fn quiet_token(&mut self, lexicon: &Lexicon, at: usize) -> Option<usize> {
        let window = &self.text[at..self.text.len().min(at + TOKEN_MAX + 2)];
        let (mut digits, mut letters, mut capitals) = (0, 0, 0);
        let (mut run, mut joined, mut signs) = (0, false, 0);
        // Parts between slashes and colons: their number, whether one of them may be an id.
        let (mut parts, mut part, mut mixed) = (0, (0, 0), false);
        let ends_part = |(start, odd): (usize, usize), end: usize, now: usize| {
            let len = end - start;
            len > 24 || (len > 4 && now > odd)
        };
        let mut end = 0;
        while let Some(b) = window.get(end) {
            match b {
                b'a'..=b'z' | b'A'..=b'Z' => {
                    let stop = words::run(window, end + 1, |b| b.is_ascii_lowercase());
                    capitals += usize::from(b.is_ascii_uppercase());
                    if lexicon.is_special(words::hash_in(window, end, stop)) {
                        return None;
                    }
                    letters += stop - end;
                    run += stop - end;
                    end = stop;
                }
                b'0'..=b'9' => {
                    let stop = words::run(window, end, |b| b.is_ascii_digit());
                    // Letters and many digits together are a number of a person.
                    if stop - end > 3 && run > 0 {
                        return None;
                    }
                    digits += stop - end;
                    run += stop - end;
                    end = stop;
                }
                b'_' | b'-' | b'.' | b'/' | b':' => {
                    joined |= matches!(b, b'_' | b'-' | b'.');
                    signs += 1;
                    run = 0;
                    // `://`, and `a::b`, which may be a key.
                    if matches!(b, b'/' | b':') && matches!(window.get(end + 1), Some(b'/' | b':'))
                    {
                        return None;
                    }
                    if matches!(b, b'/' | b':') {
                        mixed |= ends_part(part, end, digits + capitals);
                        part = (end + 1, digits + capitals);
                        parts += 1;
                    }
                    end += 1;
                }
                _ => break,
            }
            if run > RUN_MAX || digits > DIGITS_MAX || capitals > 2 || signs > 8 {
                return None;
            }
        }
        if window.get(end) == Some(&b'=') && signs <= 2 {
            return self.key(at, at + end);
        }
        // A sentence goes on, with no sign of a key and no number.
        let next = match window.get(end..)? {
            [b',' | b';', b' ', next, ..] => *next,
            [b' ' | b']' | b')' | b'"', rest @ ..] => {
                let skip = words::run(rest, 0, |b| matches!(b, b' ' | b']' | b'"'));
                match rest.get(skip..)? {
                    [b'-', b' ', ..] => b'a',
                    [next, ..] => *next,
                    [] => return None,
                }
            }
            [b'\n', ..] => b'a',
            _ => return None,
        };
        if end < 4 || !(next.is_ascii_alphabetic() || matches!(next, b'\n' | b'(' | b'[')) {
            return None;
        }
        let token = &window[..end];
        let (head, last) = (&token[..4], token[end - 1]);
        let iban = head[2].is_ascii_digit() && head[3].is_ascii_digit();
        mixed |= parts == 0 || ends_part(part, end, digits + capitals);
        let long = end >= 16 && mixed && (digits > 0 || letters >= 24);
        if iban
            || long
            || matches!(last, b':' | b'/')
            || (capitals > 0 && digits > 0)
            || vendor::key(token).is_some()
            || ((digits > 0 || capitals > 0) && encoded::hides_text(token))
            || (joined && matches!(memo::read_name(token).0, Class::Sensitive(_)))
        {
            return None;
        }
        Some(at + end)
    }

    /// The end of an id at `at` behind a noun that names it.
    #[inline]
    pub(super) fn quiet_id(&self, at: usize) -> Option<usize> {
        let text = self.text;
        let ends = |len: usize| {
            text.get(at + len)
                .is_none_or(|b| matches!(b, b' ' | b'\n' | b',' | b')' | b']' | b'"'))
        };
        let id = |len: usize| text.get(at..at + len);
        let has_letter = |id: &[u8]| id.iter().any(u8::is_ascii_alphabetic);
        if ends(32) && id(32).is_some_and(|id| shape::is_hex32(id) && has_letter(id)) {
            return Some(at + 32);
        }
        (ends(36) && id(36).is_some_and(|id| shape::is_uuid(id) && has_letter(id)))
            .then_some(at + 36)
    }
}
