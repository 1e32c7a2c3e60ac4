//! Free text: log lines, messages, anything without a structure of its own.
//!
//! One pass from left to right. Words are looked up; a word may announce a value (a label), name
//! a resource whose id may follow (a noun), or be a key with its value. Every other token is
//! handed to the recognisers. In *strict* mode, for text inside structured data, whatever is not
//! a known word or a plain number is masked.

mod phrases;
mod spans;
mod tokens;

use spans::{CLASS, DELIMITER, DIGIT, IDENT, LETTER, SPACE, class};

use super::Core;
use super::kind::Kind;
use super::names::{self, Class};
use super::recognise::{number, vendor};
use super::shape;
use super::sink::{Sink, Why};
use super::surface::{json, memo, target};
use super::words::{self, BIP39, KNOWN, LABEL, NOUN, PERSON, Word};

/// How far a label reaches, in bytes.
const LABEL_REACH: usize = 56;
/// How far a noun reaches.
const NOUN_REACH: usize = 28;
/// Bytes from an opening brace to the first quote of a JSON text.
const ISLAND_MAX: usize = 24;
/// Words of a recovery phrase in a row that are no sentence, and after a label.
const PHRASE_MIN: usize = 9;
const PHRASE_LABELLED: usize = 3;

/// What is remembered from one piece of text to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextState {
    label: Option<(Kind, usize)>,
    /// Inside a PEM block.
    pem: bool,
    /// The line before ended in a long encoded token, so this one may go on with it.
    blob: bool,
}

/// One pass over one piece of text.
pub(crate) struct Scan<'t, 's, 'r> {
    core: &'r Core,
    text: &'t [u8],
    sink: &'s mut Sink<'r>,
    strict: bool,
    depth: u8,
    label: Option<(Kind, usize)>,
    noun: usize,
    person: usize,
    /// Everything before is written.
    done: usize,
    /// End of the run of recovery words that was looked at last.
    phrase_seen: usize,
    /// The token that was measured last.
    token: (usize, usize),
    blob: bool,
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
        noun: 0,
        person: 0,
        done: 0,
        phrase_seen: 0,
        token: (0, 0),
        blob: false,
    };
    state.pem &= is_pem_line(text);
    let start = if state.pem {
        let end = scan.pem_end(0);
        state.pem = end.is_none();
        scan.done = end.unwrap_or(text.len());
        scan.done
    } else if state.blob {
        scan.continue_blob()
    } else {
        0
    };
    state.pem |= scan.run(start);
    state.label = scan
        .label
        .filter(|(_, until)| *until > text.len())
        .map(|(kind, until)| (kind, until - text.len()));
    state.blob = scan.blob;
}

impl<'r> Scan<'_, '_, 'r> {
    /// The pass. Answers whether it ended inside a PEM block.
    fn run(&mut self, start: usize) -> bool {
        let text = self.text;
        let lexicon = words::lexicon();
        let plain = !self.strict;
        let mut at = start;
        let mut pem = false;
        while at < text.len() {
            let b = text[at];
            let is = CLASS[usize::from(b)];
            if is & LETTER != 0 {
                let end = words::run(text, at, |b| CLASS[usize::from(b)] & LETTER != 0);
                if self.ends_word(end) {
                    let hash = words::hash_in(text, at, end);
                    // An ordinary word in a sentence: nothing to do.
                    if plain
                        && self.label.is_none()
                        && end - at <= 12
                        && b.is_ascii_lowercase()
                        && !lexicon.is_special(hash)
                        && self.goes_on(at, end)
                    {
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
                at = self.other(at);
                continue;
            }
            if is & SPACE != 0 {
                at += 1;
                continue;
            }
            at = match b {
                b'[' => match self.sink.masks.mask_len(&text[at..]) {
                    Some(len) => {
                        // The value of a label stands here already.
                        self.label = self.label.filter(|(kind, _)| !is_secret(*kind));
                        at + len
                    }
                    None => self.island(at),
                },
                b'{' => self.island(at),
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
            && !matches!(self.text.get(end + 1), Some(b'=' | b':'))
            && (end - at < 8 || !self.text[at..end].iter().any(u8::is_ascii_uppercase))
    }

    /// A word of letters only.
    fn word(&mut self, at: usize, end: usize, word: Word) -> usize {
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
            Some(b':' | b'"' | b'\'' | b'\\' | b'`' | b'*')
        ) || (self.text.get(end) == Some(&b' ')
            && matches!(self.text.get(end + 1), Some(b'=' | b':'))))
            && let Some(next) = self.key(at, end)
        {
            return next;
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

    /// A known word: it ends the reach of a label for secrets unless it only connects.
    fn plain_word(&mut self, at: usize, end: usize) -> usize {
        if end - at == 4
            && self.text[at..end].eq_ignore_ascii_case(b"code")
            && let Some(kind) = self.code_kind(at)
        {
            self.label = Some((kind, end + LABEL_REACH));
            return end;
        }
        if let Some((kind, _)) = self.label {
            let word = &self.text[at..end];
            if is_secret(kind) && !connects(word) {
                self.label = None;
            } else if kind == Kind::DateOfBirth
                && let Some(stop) = spans::date_phrase(self.text, at)
            {
                return self.mask(at, stop, Kind::DateOfBirth, Why::Label);
            }
        }
        end
    }

    /// A word outside the lexicon.
    fn unknown_word(&mut self, at: usize, end: usize) -> usize {
        if let Some(kind) = self.label_at(at) {
            let bic = kind == Kind::Bic
                && matches!(end - at, 8 | 11)
                && self.text[at..end].iter().all(u8::is_ascii_uppercase);
            if bic || (is_secret(kind) && end - at >= 3) {
                return self.mask(at, end, kind, Why::Label);
            }
        }
        // Base64 can be all letters; a word has no capital inside.
        let mixed = end - at >= 8
            && self.text[at + 1..end].iter().any(u8::is_ascii_uppercase)
            && self.text[at..end].iter().any(u8::is_ascii_lowercase);
        if self.strict || mixed || end - at >= 16 {
            let next = self.token(at, end);
            self.announce(at, end);
            return next;
        }
        end
    }

    /// A word that announces a value.
    fn label_word(&mut self, at: usize, end: usize, word: Word) -> usize {
        let Some(kind) = word.label() else { return end };
        let before = self.label_at(at);
        self.label = Some((kind, end + LABEL_REACH));
        match kind {
            Kind::Bearer | Kind::DirectLogin | Kind::GatewayLogin | Kind::DAuth => {
                return self.scheme(end, kind);
            }
            // `account`, `card`, `key` after a better label do not replace it.
            Kind::Account | Kind::Card | Kind::ApiKey | Kind::Address
                if before.is_some_and(|b| {
                    b != kind && !matches!(b, Kind::Account | Kind::Card | Kind::Address)
                }) =>
            {
                self.label = before.map(|b| (b, end + LABEL_REACH));
            }
            _ => {}
        }
        if word.is(PERSON) {
            self.person = end + NOUN_REACH;
        }
        end
    }

    /// What follows a scheme of credentials, unless it is a word or a challenge.
    fn scheme(&mut self, end: usize, kind: Kind) -> usize {
        let start = words::run(self.text, end, |b| matches!(b, b' ' | b'\t' | b':' | b'='));
        if start == end {
            return end;
        }
        let stop = spans::token_end(self.text, start);
        let token = &self.text[start..stop];
        if token.len() < 3
            || token.iter().all(u8::is_ascii_alphabetic)
                && words::word(token).is(KNOWN | LABEL | NOUN)
            || token.starts_with(b"realm")
            || self.sink.masks.mask_len(token).is_some()
        {
            return end;
        }
        if memchr::memchr(b'=', token).is_some_and(|eq| {
            eq + 1 < token.len() || matches!(self.text.get(stop), Some(b'"' | b'['))
        }) && kind != Kind::Bearer
            && kind != Kind::Basic
        {
            // Parameters: each key is judged by itself.
            return end;
        }
        self.mask(start, stop, kind, Why::Label)
    }

    /// An identifier with its value: `key=value`, `"key": "value"`. `None` if it is no key.
    fn key(&mut self, at: usize, end: usize) -> Option<usize> {
        let after = spans::value_after(self.text, end)?;
        let key = &self.text[at..end];
        let class = self
            .core
            .user
            .class_of(key)
            .unwrap_or_else(|| memo::read_name(key).0);
        if class == Class::Unknown && !memo::read_name(key).1 {
            return None;
        }
        if after.start >= self.text.len() || matches!(self.text[after.start], b'\n' | b'\r') {
            if let Class::Sensitive(kind) = class {
                self.label = Some((kind, after.start + LABEL_REACH));
            }
            return Some(after.start.min(self.text.len()));
        }
        if let Some(len) = self.sink.masks.mask_len(&self.text[after.start..]) {
            if let Class::Sensitive(kind) = class {
                self.label = Some((kind, after.start + len + LABEL_REACH));
            }
            return Some(after.start + len);
        }
        match class {
            Class::Sensitive(kind) => {
                // A phrase has blanks; a key inside quotes ends with them.
                let phrase = kind == Kind::Password
                    && key.len() > 6
                    && key[key.len() - 6..].eq_ignore_ascii_case(b"phrase");
                let within = at
                    .checked_sub(1)
                    .map(|n| self.text[n])
                    .filter(|b| matches!(b, b'\'' | b'"' | b'`'))
                    .filter(|_| after.quote == 0 && !matches!(self.text[end], b'"' | b'\'' | b'`'));
                self.sensitive_value(after, kind, phrase, within)
            }
            Class::Safe(shapes) => {
                let stop = spans::token_end(self.text, after.start);
                let stop = if after.quote == 0 {
                    memchr::memchr(b'&', &self.text[after.start..stop])
                        .map_or(stop, |n| after.start + n)
                } else {
                    stop
                };
                let stop = spans::trim_end(self.text, after.start, stop);
                let value = &self.text[after.start..stop];
                if !value.is_empty() && shape::matches(shapes, value) {
                    self.label = None;
                    return Some(stop);
                }
                self.noun = 0;
                Some(after.start)
            }
            Class::PairName => {
                let stop = spans::token_end(self.text, after.start);
                if let Some(Class::Sensitive(kind)) =
                    names::as_pair_name(&self.text[after.start..stop])
                {
                    self.label = Some((kind, stop + LABEL_REACH));
                    return Some(stop);
                }
                Some(after.start)
            }
            Class::Unknown | Class::Text | Class::Url => {
                if words::word(key).is(PERSON) {
                    self.person = after.start + 4;
                    let stop = spans::token_end(self.text, after.start);
                    let value = &self.text[after.start..stop];
                    if !after.prose
                        && value.len() > 3
                        && value.iter().all(|b| b.is_ascii_alphabetic())
                        && !words::word(value).is(KNOWN | NOUN | LABEL)
                    {
                        return Some(self.mask(after.start, stop, Kind::Username, Why::Name));
                    }
                }
                Some(after.start)
            }
        }
    }

    fn sensitive_value(
        &mut self,
        after: spans::After,
        kind: Kind,
        phrase: bool,
        within: Option<u8>,
    ) -> Option<usize> {
        let text = match within.and_then(|quote| memchr::memchr(quote, &self.text[after.start..])) {
            Some(n) => &self.text[..after.start + n],
            None => self.text,
        };
        self.label = Some((kind, after.start + LABEL_REACH));
        if after.quote == 0 {
            // `Authorization: Bearer ...` keeps the scheme's name.
            let stop = words::run(text, after.start, |b| CLASS[usize::from(b)] & IDENT != 0);
            let word = &text[after.start..stop];
            if after.prose && !word.is_empty() && word.iter().all(|b| b.is_ascii_alphabetic()) {
                let known = words::word(word);
                if target::scheme_kind(word).is_some() && text.get(stop) == Some(&b' ') {
                    let end = spans::value_end(
                        text,
                        spans::After {
                            start: stop + 1,
                            ..after
                        },
                        Kind::Authorization,
                    );
                    self.mask(
                        stop + 1,
                        end,
                        target::scheme_kind(word).unwrap_or(kind),
                        Why::Name,
                    );
                    return Some(end.max(stop));
                }
                // Prose: `Account: closed`. A word with a capital after a name is a name.
                if known.is(KNOWN | LABEL | NOUN)
                    && !matches!(
                        kind,
                        Kind::Name | Kind::Address | Kind::Username | Kind::Mnemonic
                    )
                    && self.ends_word(stop)
                {
                    return Some(after.start);
                }
            }
            if let Some((end, found)) = number::find(text, after.start, Some(kind)) {
                let rest = spans::value_end(text, after, kind);
                return Some(self.mask(
                    after.start,
                    end.max(rest.min(spans::token_end(text, end))),
                    if found == Kind::Account { kind } else { found },
                    Why::Name,
                ));
            }
            if kind == Kind::DateOfBirth
                && let Some(end) = spans::date_phrase(text, after.start)
            {
                return Some(self.mask(after.start, end, kind, Why::Name));
            }
        }
        self.label = Some((kind, after.start + LABEL_REACH));
        let end = spans::value_end(text, after, if phrase { Kind::Mnemonic } else { kind });
        if end <= after.start {
            return Some(after.start);
        }
        Some(self.mask(after.start, end, kind, Why::Name))
    }

    /// JSON inside text.
    fn island(&mut self, at: usize) -> usize {
        let text = self.text;
        let window = &text[..text.len().min(at + ISLAND_MAX)];
        let next = words::run(window, at + 1, |b| {
            matches!(b, b' ' | b'\t' | b'{' | b'[' | b'\n' | b'\r')
        });
        let opens_object = text[at..next].contains(&b'{');
        if self.depth >= json::NESTING_MAX || !opens_object {
            return at + 1;
        }
        match (text.get(next), text.get(next + 1)) {
            (Some(b'"'), _) => {
                self.flush(at);
                let used = json::redact_island(self.core, &text[at..], self.sink, self.depth + 1);
                self.done = at + used;
                self.label = None;
                at + used.max(1)
            }
            (Some(b'\\'), Some(b'"')) => {
                let end = escaped_end(text, at);
                let plain = super::recognise::encoded::unescape(&text[at..end]);
                self.flush(at);
                let mut inner = self.sink.nested();
                let used = json::redact_island(self.core, &plain, &mut inner, self.depth + 1);
                if used < plain.len() {
                    redact(
                        self.core,
                        &plain[used..],
                        &mut inner,
                        self.strict,
                        self.depth + 1,
                        &mut TextState::default(),
                    );
                }
                self.sink.absorb(inner, super::recognise::encoded::escape);
                self.done = end;
                end
            }
            _ => at + 1,
        }
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

/// End of an escaped JSON text: an unescaped quote or the end of the line.
fn escaped_end(text: &[u8], at: usize) -> usize {
    let mut here = at;
    while let Some(b) = text.get(here) {
        match b {
            b'\\' => here += 2,
            b'"' | b'\n' => return here,
            _ => here += 1,
        }
    }
    text.len()
}

/// Kinds whose value can be any token.
pub(crate) fn is_secret(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Password
            | Kind::Secret
            | Kind::Token
            | Kind::ApiKey
            | Kind::Session
            | Kind::Cookie
            | Kind::Signature
            | Kind::Pin
            | Kind::CardCode
            | Kind::Consent
            | Kind::Authorization
            | Kind::Bearer
            | Kind::Basic
            | Kind::DirectLogin
            | Kind::GatewayLogin
            | Kind::DAuth
            | Kind::OAuth1
            | Kind::Jwt
            | Kind::PrivateKey
            | Kind::Username
            | Kind::CloudKey
            | Kind::SaasKey
            | Kind::Mnemonic
    )
}

/// Words between a label and its value.
fn connects(word: &[u8]) -> bool {
    const WORDS: [&str; 44] = [
        "is",
        "was",
        "are",
        "were",
        "for",
        "of",
        "the",
        "a",
        "an",
        "number",
        "no",
        "num",
        "id",
        "value",
        "code",
        "with",
        "to",
        "as",
        "set",
        "new",
        "old",
        "current",
        "your",
        "my",
        "his",
        "her",
        "their",
        "our",
        "following",
        "this",
        "has",
        "been",
        "be",
        "used",
        "given",
        "provided",
        "key",
        "header",
        "equals",
        "string",
        "phrase",
        "words",
        "and",
        "user",
    ];
    word.len() <= 9
        && WORDS
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}

#[cfg(test)]
mod tests;
