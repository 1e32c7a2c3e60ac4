//! Free text: log lines, messages, anything without a structure of its own.
//!
//! One pass from left to right. Words are looked up; a word may announce a value (a label), name
//! a resource whose id may follow (a noun), or be a key with its value. Every other token is
//! handed to the recognisers. In *strict* mode, for text inside structured data, whatever is not
//! a known word or a plain number is masked.

mod block;
mod element;
mod hidden;
mod island;
mod keys;
mod labels;
mod options;
mod phrases;
mod places;
mod plain;
mod quiet;
mod spans;
mod sql;
mod tokens;
mod unfold;

pub(crate) use labels::is_secret;

use spans::{CLASS, DELIMITER, DIGIT, LETTER, SPACE, class};

use super::Core;
use super::kind::Kind;
use super::recognise::{national, vendor};
use super::sink::{Sink, Why};
use super::words::{self, BIP39, FIRST_NAME, KNOWN, LABEL, NOUN, PERSON, Word};

/// How far a label reaches, in bytes.
const LABEL_REACH: usize = 56;
/// How far a noun reaches.
const NOUN_REACH: usize = 28;
/// Words of a recovery phrase in a row that are no sentence, and after a label.
const PHRASE_MIN: usize = 9;
const PHRASE_LABELLED: usize = 3;

/// A span that no text has.
const NOWHERE: (usize, usize) = (usize::MAX, usize::MAX);

/// What is remembered from one piece of text to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextState {
    label: Option<(Kind, usize)>,
    pair: Option<(Kind, usize)>,
    /// Inside a PEM block.
    pem: bool,
    /// The line before ended in a long encoded token, so this one may go on with it.
    blob: bool,
    /// Inside a block scalar of a sensitive key.
    block: Option<block::Block>,
}

/// One pass over one piece of text.
pub(crate) struct Scan<'t, 's, 'r> {
    core: &'r Core,
    text: &'t [u8],
    sink: &'s mut Sink<'r>,
    strict: bool,
    depth: u8,
    label: Option<(Kind, usize)>,
    /// What the value of a key said that its sibling holds: `- name: DB_PASSWORD`, then `value: ...`.
    pair: Option<(Kind, usize)>,
    noun: usize,
    person: usize,
    /// Everything before is written.
    done: usize,
    /// End of the run of recovery words that was looked at last.
    phrase_seen: usize,
    /// The token that was measured last.
    token: (usize, usize),
    blob: bool,
    block: Option<block::Block>,
    /// Where the start tag of a sensitive element ends.
    element: Option<(usize, Kind)>,
}

/// Redacts `text`, which is one line or less, or a whole value.
pub(crate) fn redact<'r>(
    core: &'r Core,
    text: &[u8],
    sink: &mut Sink<'r>,
    strict: bool,
    depth: u8,
    state: &mut TextState,
) {
    if text.is_empty() {
        return;
    }
    // What looks harmless and reads otherwise is shown as it reads.
    if let Some(plain) = unfold::unfold(text) {
        let mut inner = sink.nested();
        let mut after = state.clone();
        redact_plain(core, &plain, &mut inner, strict, depth, &mut after);
        if inner.counts.total() > 0 {
            *state = after;
            return sink.absorb(inner, |text, out| out.extend_from_slice(text));
        }
    }
    redact_plain(core, text, sink, strict, depth, state);
}

fn redact_plain<'r>(
    core: &'r Core,
    text: &[u8],
    sink: &mut Sink<'r>,
    strict: bool,
    depth: u8,
    state: &mut TextState,
) {
    if core.user.has_patterns() {
        core.user.split(text, sink, |part, sink| {
            scan(core, part, sink, strict, depth, state)
        });
    } else {
        scan(core, text, sink, strict, depth, state);
    }
}

fn scan<'r>(
    core: &'r Core,
    text: &[u8],
    sink: &mut Sink<'r>,
    strict: bool,
    depth: u8,
    state: &mut TextState,
) {
    let mut scan = Scan {
        core,
        text,
        sink,
        strict,
        depth,
        label: state.label,
        pair: state.pair,
        noun: 0,
        person: 0,
        done: 0,
        phrase_seen: 0,
        token: (0, 0),
        blob: false,
        block: state.block,
        element: None,
    };
    state.pem = state.pem && is_pem_line(text);
    let start = if state.pem {
        let end = scan.pem_end(0);
        state.pem = end.is_none();
        scan.done = end.unwrap_or(text.len());
        scan.done
    } else if state.block.is_some() {
        scan.continue_block(0)
    } else if state.blob {
        scan.continue_blob()
    } else {
        0
    };
    state.pem |= scan.run(start);
    let reaches_on = |(kind, until): (Kind, usize)| Some((kind, until.checked_sub(text.len())?));
    state.label = scan
        .label
        .and_then(reaches_on)
        .filter(|(_, until)| *until > 0);
    state.pair = scan.pair.and_then(reaches_on);
    state.blob = scan.blob;
    state.block = scan.block;
}

impl<'r> Scan<'_, '_, 'r> {
    /// The pass. Answers whether it ended inside a PEM block.
    fn run(&mut self, start: usize) -> bool {
        let text = self.text;
        let lexicon = words::lexicon();
        let plain = !self.strict;
        let user = if plain && start == 0 {
            self.access_log_user()
        } else {
            NOWHERE
        };
        let mut at = start;
        let mut pem = false;
        while at < text.len() {
            let b = text[at];
            let is = CLASS[usize::from(b)];
            if at == user.0 {
                at = self.mask(user.0, user.1, Kind::Username, Why::Recogniser);
                continue;
            }
            if plain
                && self.noun > at
                && self.label.is_none()
                && b.is_ascii_hexdigit()
                && let Some(next) = self.quiet_id(at)
            {
                at = next;
                continue;
            }
            if is & LETTER != 0 {
                if matches!(b, 0xe0 | 0xe3..=0xed) {
                    at = self.foreign(at);
                    continue;
                }
                if plain && self.label.is_none() && b.is_ascii_lowercase() {
                    let next = self.plain_words(lexicon, at);
                    if next > at {
                        at = next;
                        continue;
                    }
                }
                let end = words::run(text, at, |b| CLASS[usize::from(b)] & LETTER != 0);
                if self.ends_word(end) {
                    let hash = words::hash_in(text, at, end);
                    // An ordinary word in a sentence: nothing to do.
                    if plain
                        && self.label.is_none()
                        && end - at <= 12
                        && !lexicon.is_special(hash)
                        && !lexicon.is_phrase(hash)
                        && self.goes_on(at, end)
                        && (b.is_ascii_lowercase() || {
                            let word = lexicon.get_hashed(&text[at..end], hash);
                            end - at > 2 && word.is(KNOWN) && !word.is(FIRST_NAME)
                        })
                    {
                        // A verb parts a noun from what is no longer its id.
                        if end - at > 4 {
                            self.noun = 0;
                        }
                        at = end + 1;
                        continue;
                    }
                    let word = if end - at <= 24 {
                        lexicon.get_hashed(&text[at..end], hash)
                    } else {
                        Word::default()
                    };
                    at = self.word(at, end, word);
                    continue;
                }
                let quiet = if plain && self.label.is_none() && self.person <= at {
                    self.quiet_token(lexicon, at)
                } else {
                    None
                };
                at = quiet.unwrap_or_else(|| self.other(at));
                continue;
            }
            if is & SPACE != 0 {
                at += 1;
                continue;
            }
            if self.label.is_some()
                && let Some(next) = self.quoted(at)
            {
                at = next;
                continue;
            }
            at = match b {
                0xe2 => at + spans::sign_len(text, at),
                b'[' => match self.sink.masks.mask_len(&text[at..]) {
                    Some(len) => {
                        // The value of a label stands here already.
                        self.label = self.label.filter(|(kind, _)| !is_secret(*kind));
                        at + len
                    }
                    None => self.island(at),
                },
                b'{' => self.island(at),
                b'<' => {
                    self.begin_element(at);
                    at + 1
                }
                b'>' => self.element_text(at),
                b'-' if vendor::starts_pem(&text[at..]) => {
                    self.flush(at);
                    let end = self.pem_end(at + 10);
                    pem = end.is_none();
                    let end = end.unwrap_or(text.len());
                    self.mask(at, end, vendor::pem_kind(&text[at..]), Why::Recogniser)
                }
                b'(' | b'+'
                    if class(text, at + 1) & DIGIT != 0
                        || (b == b'(' && text.get(at + 1) == Some(&b'+')) =>
                {
                    self.numeric(at)
                }
                b'\\' => match text.get(at + 1) {
                    Some(b'u' | b'x') => self.other(at),
                    Some(b'n' | b'r' | b't' | b'b' | b'f' | b'"' | b'\\' | b'/' | b'\'') => at + 2,
                    _ => at + 1,
                },
                _ if is & DELIMITER != 0 => at + 1,
                _ => self.other(at),
            };
        }
        self.flush(text.len());
        pem
    }

    /// Writes what stands between the last mask and `to`.
    fn flush(&mut self, to: usize) {
        if to > self.done {
            self.sink.keep(&self.text[self.done..to]);
            self.done = to;
        }
    }

    /// Masks a span.
    fn mask(&mut self, from: usize, to: usize, kind: Kind, why: Why) -> usize {
        let from = from.max(self.done);
        if to > from {
            self.flush(from);
            self.sink.mask(kind, why, &self.text[from..to]);
            self.done = to;
        }
        to
    }

    fn label_at(&self, at: usize) -> Option<Kind> {
        self.label
            .filter(|(_, until)| *until >= at)
            .map(|(kind, _)| kind)
    }

    /// Whether a run of letters that ends at `end` is a word of a sentence and not the beginning
    /// of a longer token.
    #[inline]
    fn ends_word(&self, end: usize) -> bool {
        match self.text.get(end) {
            None => true,
            Some(b) => {
                CLASS[usize::from(*b)] & DELIMITER != 0
                    || (*b == b'-' && self.text.get(end + 1) == Some(&b'>'))
                    || (matches!(b, b'.' | b'!' | b'?' | b':')
                        && class(self.text, end + 1) & (SPACE | DELIMITER) != 0)
            }
        }
    }

    /// Whether a sentence goes on behind a word: a blank and no sign of a key. Words with a
    /// capital inside may be encoded.
    #[inline]
    fn goes_on(&self, at: usize, end: usize) -> bool {
        self.text.get(end) == Some(&b' ')
            && !matches!(self.text.get(end + 1), Some(b'=' | b':' | b'-' | 0xe2))
            && (end - at < 8 || !self.text[at..end].iter().any(u8::is_ascii_uppercase))
    }

    /// A word of letters only.
    fn word(&mut self, at: usize, end: usize, word: Word) -> usize {
        if matches!(end - at, 6 | 10)
            && let Some(next) = self.sql(at, end)
        {
            return next;
        }
        if word.is(BIP39)
            && at >= self.phrase_seen
            && self.may_be_phrase(end)
            && let Some(next) = self.phrase(at)
        {
            return next;
        }
        // `"ssn": "..."`, `Password: ...`
        if (matches!(
            self.text.get(end),
            Some(b':' | b'"' | b'\'' | b'\\' | b'`' | b'*' | b'-' | 0xe2)
        ) || (self.text.get(end) == Some(&b' ')
            && matches!(self.text.get(end + 1), Some(b'=' | b':' | b'-' | 0xe2))))
            && let Some(next) = self.key(at, end)
        {
            return next;
        }
        if end - at == 2
            && let Some(stop) = national::spaced_nino(self.text, at)
        {
            return self.mask(at, stop, Kind::NationalId, Why::Recogniser);
        }
        if word.flags & !(words::API | words::TEXT | BIP39) == 0 && word.is(KNOWN) {
            return self.plain_word(at, end);
        }
        if word.is(NOUN) {
            self.noun = end + NOUN_REACH;
        }
        if word.is(LABEL) {
            return self.label_word(at, end, word);
        }
        if word.is(PERSON) {
            self.person = end + NOUN_REACH;
        }
        if self.text.get(end) == Some(&b'<')
            && let Some(next) = self.travel_document(at)
        {
            return next;
        }
        if (self.text[at].is_ascii_uppercase() || self.text[at] >= 0x80)
            && let Some(next) = self.name(at, end, word)
        {
            return next;
        }
        if word.is(KNOWN | NOUN | PERSON) {
            return self.plain_word(at, end);
        }
        self.unknown_word(at, end)
    }
}

/// A line that can be part of a PEM block: encoded text, an attribute of the block, or its end.
fn is_pem_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    memchr::memmem::find(line, b"---").is_some()
        || line
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\\'))
        || [
            b"Proc-Type".as_slice(),
            b"DEK-Info",
            b"Version",
            b"Comment",
            b"Hash",
        ]
        .iter()
        .any(|name| line.starts_with(name))
}

#[cfg(test)]
mod tests;
