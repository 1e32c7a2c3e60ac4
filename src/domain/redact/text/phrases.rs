//! What several words make together: names, recovery phrases, codes, machine readable zones.

use super::super::kind::Kind;
use super::super::sink::Why;
use super::super::words::{self, BIP39, FIRST_NAME, KNOWN, LABEL, NOUN, PERSON, Word};
use super::spans::{CLASS, LETTER, class};
use super::{PHRASE_LABELLED, PHRASE_MIN, Scan};

impl Scan<'_, '_, '_> {
    /// What a code is, by the word before it.
    pub(super) fn code_kind(&self, at: usize) -> Option<Kind> {
        let end = self.text[..at].trim_ascii_end().len();
        let start = self.text[..end]
            .iter()
            .rposition(|b| !b.is_ascii_alphanumeric())
            .map_or(0, |n| n + 1);
        let before = self.text[start..end].to_ascii_lowercase();
        Some(match before.as_slice() {
            b"security" => Kind::CardCode,
            b"verification" | b"auth" | b"authentication" | b"otp" | b"sms" | b"login"
            | b"access" | b"confirmation" | b"time" | b"mfa" | b"2fa" | b"pin" | b"recovery"
            | b"backup" | b"your" | b"passcode" | b"activation" | b"invite" | b"authorization" => {
                Kind::Pin
            }
            b"sort" | b"branch" => Kind::Routing,
            b"swift" | b"bic" => Kind::Bic,
            b"postal" | b"post" | b"zip" => Kind::Address,
            b"error" | b"status" | b"response" | b"exit" | b"reason" | b"result" | b"http"
            | b"return" | b"failure" | b"country" | b"area" | b"currency" | b"message" => {
                return None;
            }
            // `Use code 482913`.
            _ => {
                let digits = self.text.get(at + 4..)?.trim_ascii_start();
                let digits = digits
                    .strip_prefix(b"is ")
                    .or_else(|| digits.strip_prefix(b": "))
                    .unwrap_or(digits);
                return (words::run(digits, 0, |b| b.is_ascii_digit()) == 6).then_some(Kind::Pin);
            }
        })
    }

    /// A line of a machine readable zone (ICAO Doc 9303): capitals, digits and `<`, two in a row.
    pub(super) fn travel_document(&mut self, at: usize) -> Option<usize> {
        let window = &self.text[..self.text.len().min(at + 96)];
        let end = words::run(window, at, |b| {
            b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<'
        });
        (end - at >= 20 && memchr::memmem::find(&self.text[at..end], b"<<").is_some())
            .then(|| self.mask(at, end, Kind::Passport, Why::Recogniser))
    }

    /// One or more words that make a name.
    pub(super) fn name(&mut self, at: usize, end: usize, word: Word) -> Option<usize> {
        let text = self.text;
        let labelled = self.person > at || matches!(self.label_at(at), Some(Kind::Name));
        let first = word.is(FIRST_NAME);
        let unknown = !word.is(KNOWN | LABEL | NOUN | PERSON);
        if !(first || unknown) || !is_capitalised(&text[at..end]) {
            return None;
        }
        let (mut stop, mut words_in, mut odd) = (end, 1, usize::from(unknown));
        for _ in 0..3 {
            let mut next = words::run(text, stop, |b| b == b' ');
            if next != stop + 1 {
                break;
            }
            // An initial.
            if class(text, next) & LETTER != 0
                && matches!(text.get(next + 1), Some(b'.'))
                && text.get(next + 2) == Some(&b' ')
            {
                next += 3;
            }
            let to = name_end(text, next);
            let piece = text.get(next..to)?;
            if piece.len() < 2 || !is_capitalised(piece) {
                break;
            }
            let known = words::word(piece);
            if known.is(LABEL | NOUN | PERSON) || (known.is(KNOWN) && !first) {
                break;
            }
            odd += usize::from(!known.is(KNOWN));
            words_in += 1;
            stop = to;
        }
        let hit = labelled || (words_in >= 2 && (first || odd >= 2));
        if hit {
            let (from, to) = (at, stop);
            return Some(self.mask(
                from,
                to,
                Kind::Name,
                if labelled {
                    Why::Label
                } else {
                    Why::Recogniser
                },
            ));
        }
        None
    }

    /// Whether the word behind a recovery word can be one too: most are not, and one look at its
    /// hash tells.
    #[inline]
    pub(super) fn may_be_phrase(&self, end: usize) -> bool {
        if self.text.get(end) != Some(&b' ') {
            return true;
        }
        let stop = words::run(self.text, end + 1, |b| CLASS[usize::from(b)] & LETTER != 0);
        match stop - end - 1 {
            0 => true,
            1..=8 => words::lexicon().is_phrase(words::hash_in(self.text, end + 1, stop)),
            _ => false,
        }
    }

    /// Words of a recovery phrase from `at` on: enough of them in a row are masked, whatever stands
    /// between (blanks, commas, numbers of a list). Each run is looked at once.
    pub(super) fn phrase(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        let (mut here, mut end, mut count) = (at, at, 0);
        loop {
            let stop = words::run(text, here, |b| b.is_ascii_alphabetic());
            if stop == here || stop - here > 8 || !words::word(&text[here..stop]).is(BIP39) {
                break;
            }
            count += 1;
            end = stop;
            let next = words::run(text, stop, |b| {
                matches!(
                    b,
                    b' ' | b',' | b'.' | b')' | b'\n' | b'\r' | b'\t' | b'-' | b'_' | b'+'
                ) || b.is_ascii_digit()
            });
            if next == stop || next > stop + 8 {
                break;
            }
            here = next;
        }
        self.phrase_seen = end;
        let enough = if matches!(self.label, Some((Kind::Mnemonic, until)) if until >= at) {
            PHRASE_LABELLED
        } else {
            PHRASE_MIN
        };
        if count < enough {
            return None;
        }
        // A word that was cut at the end belongs to it.
        let tail = words::run(text, end, |b| b == b' ');
        let stop = words::run(text, tail, |b| b.is_ascii_lowercase());
        let end = if stop == text.len() && stop > tail {
            stop
        } else {
            end
        };
        Some(self.mask(at, end, Kind::Mnemonic, Why::Recogniser))
    }
}

/// End of a part of a name: letters, hyphens, apostrophes of both kinds.
fn name_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    loop {
        end = words::run(text, end, |b| {
            CLASS[usize::from(b)] & LETTER != 0 || b == b'\'' || b == b'-'
        });
        if !text
            .get(end..)
            .is_some_and(|rest| rest.starts_with("\u{2019}".as_bytes()))
        {
            return end;
        }
        end += 3;
    }
}

/// First letter large, the rest small; also `McAdam` and `O'Neil`.
fn is_capitalised(word: &[u8]) -> bool {
    word.len() >= 2
        && (word[0].is_ascii_uppercase() || word[0] >= 0x80)
        && word[1..]
            .iter()
            .any(|b| b.is_ascii_lowercase() || *b >= 0x80)
        && word[1..].iter().filter(|b| b.is_ascii_uppercase()).count() <= 1
}
