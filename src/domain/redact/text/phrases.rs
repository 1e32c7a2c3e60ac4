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
        let loud = labelled && is_loud(&text[at..end]);
        if !(first || unknown)
            || !(is_capitalised(&text[at..end]) || loud)
            || !(labelled || has_case(&text[at..end]))
        {
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
            if piece.len() < 2
                || !(is_capitalised(piece) && (labelled || has_case(piece))
                    || loud && is_loud(piece))
            {
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
        let hit = (labelled && (!loud || words_in >= 2)) || (words_in >= 2 && (first || odd >= 2));
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

    /// A name of two parts with a hyphen behind a word for a person: `Mrs. Weiss-Brandt`.
    pub(super) fn double_name(&mut self, at: usize) -> Option<usize> {
        let end = name_end(self.text, at);
        let name = &self.text[at..end];
        let known = self.person > at || self.label_at(at) == Some(Kind::Name);
        let hit = known
            && name.contains(&b'-')
            && name
                .split(|b| *b == b'-')
                .all(|part| is_capitalised(part) && !words::word(part).is(KNOWN | LABEL | NOUN));
        hit.then(|| self.mask(at, end, Kind::Name, Why::Label))
    }

    /// A one-time code in the sentences that carry them: `482913 is your code`, `use 482913 to`.
    pub(super) fn one_time(&mut self, at: usize) -> Option<usize> {
        let text = self.text;
        let window = &text[..text.len().min(at + 12)];
        let end = words::run(window, at, |b| b.is_ascii_digit() || b == b'-');
        if !matches!(text.get(end..end + 2), Some([b' ', b'i' | b't' | b'a'])) {
            return None;
        }
        let digits = text[at..end].iter().filter(|b| b.is_ascii_digit()).count();
        if !(4..=8).contains(&digits) {
            return None;
        }
        let rest = &text[end..text.len().min(end + 48)];
        let before = &text[at.saturating_sub(8)..at];
        let said = rest.starts_with(b" is your ")
            && [b"code".as_slice(), b"pin", b"PIN", b"OTP", b"password"]
                .iter()
                .any(|word| memchr::memmem::find(rest, word).is_some());
        let asked = [b"use ".as_slice(), b"Use ", b"enter ", b"Enter "]
            .iter()
            .any(|word| before.ends_with(word))
            && [
                b" to verify".as_slice(),
                b" to confirm",
                b" to log",
                b" to sign",
                b" as your",
            ]
            .iter()
            .any(|word| rest.starts_with(word));
        (said || asked).then(|| self.mask(at, end, Kind::Pin, Why::Label))
    }

    /// A run of letters of a script without capitals: what it says, whatever is written to it without
    /// a blank. Answers where it ends.
    pub(super) fn foreign(&mut self, at: usize) -> usize {
        let text = self.text;
        let end = words::run(text, at, |b| b >= 0x80 && b != 0xe2);
        let run = &text[at..end];
        let label = words::word(run).label().or_else(|| {
            let window = &run[..run.len().min(FOREIGN_MAX)];
            words::LABELS
                .iter()
                .filter(|(word, _)| word.as_bytes().first().is_some_and(|b| *b >= 0xe0))
                .find(|(word, _)| memchr::memmem::find(window, word.as_bytes()).is_some())
                .map(|(_, kind)| *kind)
        });
        if let Some(kind) = label {
            self.label = Some((kind, end + super::LABEL_REACH));
            return end;
        }
        match self.label_at(at) {
            Some(kind @ (Kind::Name | Kind::Address)) => self.mask(at, end, kind, Why::Label),
            _ if self.strict => self.mask(at, end, Kind::Text, Why::Shape),
            _ => end,
        }
    }

    /// The user in a line of an access log (Common Log Format: host, identity, user, time).
    pub(super) fn access_log_user(&self) -> (usize, usize) {
        let text = self.text;
        let user = || {
            let host = words::run(&text[..text.len().min(64)], 0, |b| b > b' ');
            let rest = text.get(host..)?.strip_prefix(b" - ")?;
            let from = text.len() - rest.len();
            let to = words::run(&text[..text.len().min(from + 64)], from, |b| b > b' ');
            let time = text.get(to..)?.strip_prefix(b" [")?;
            let is_time = matches!(time, [b'0'..=b'9', b'0'..=b'9', b'/', ..]);
            let name = &text[from..to];
            (is_time && name != b"-" && !self.sink.masks.is_mask(name)).then_some((from, to))
        };
        if text.first().is_some_and(|b| *b > b' ') {
            user().unwrap_or(super::NOWHERE)
        } else {
            super::NOWHERE
        }
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
                    b' ' | b','
                        | b'.'
                        | b')'
                        | b'\n'
                        | b'\r'
                        | b'\t'
                        | b'-'
                        | b'_'
                        | b'+'
                        | b'"'
                        | b'\''
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

/// Capitals only, as on cards.
fn is_loud(word: &[u8]) -> bool {
    word.len() >= 3 && word.iter().all(u8::is_ascii_uppercase)
}

/// Whether the first letter is a capital: scripts without capitals do not show names by themselves.
fn has_case(word: &[u8]) -> bool {
    let head = word.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    head.chars().next().is_some_and(char::is_uppercase)
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
            // A mark behind it closes a quotation.
            while end > at && matches!(text[end - 1], b'\'' | b'-') {
                end -= 1;
            }
            return end;
        }
        end += 3;
    }
}

/// Bytes of a run of another script in which a label is looked for.
const FOREIGN_MAX: usize = 96;

/// First letter large, the rest small; also `McAdam` and `O'Neil`.
fn is_capitalised(word: &[u8]) -> bool {
    word.len() >= 2
        && (word[0].is_ascii_uppercase() || word[0] >= 0x80)
        && word[1..]
            .iter()
            .any(|b| b.is_ascii_lowercase() || *b >= 0x80)
        && word[1..].iter().filter(|b| b.is_ascii_uppercase()).count() <= 1
}
