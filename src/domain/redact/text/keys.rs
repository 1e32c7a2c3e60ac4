//! A key with its value: `key=value`, `"key": "value"`, `Authorization: Bearer ...`.

use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise::{iban, number};
use super::super::shape;
use super::super::sink::Why;
use super::super::surface::{memo, target};
use super::super::words::{self, KNOWN, LABEL, NOUN, PERSON};
use super::spans::{self, CLASS, IDENT};
use super::{LABEL_REACH, Scan, places};

/// Longest value in braces.
const BRACES_MAX: usize = 256;

/// How far the name of a pair reaches, in bytes: to the next lines of a list.
const PAIR_REACH: usize = 160;

/// Shortest number that is masked under a name that promises something else.
const NUMBER_MIN: usize = 8;

impl Scan<'_, '_, '_> {
    /// An identifier with its value: `key=value`, `"key": "value"`. `None` if it is no key.
    pub(super) fn key(&mut self, at: usize, end: usize) -> Option<usize> {
        let after = spans::value_after(self.text, end)?;
        let key = &self.text[at..end];
        if is_source_line(key, self.text, end) {
            return None;
        }
        let says = memo::read_name_in(self.text, at, end);
        let class = self.core.user.class_of(key).unwrap_or(says.class);
        if class == Class::Unknown && !says.printable {
            return None;
        }
        if says.pairs
            && let Some(next) = self.pair_name(after)
        {
            return Some(next);
        }
        if after.start >= self.text.len() || matches!(self.text[after.start], b'\n' | b'\r') {
            if let Class::Sensitive(kind) = class {
                self.label = Some((kind, after.start + LABEL_REACH));
            }
            return Some(after.start.min(self.text.len()));
        }
        if let Class::Sensitive(kind) = class
            && let Some(next) = self.block_scalar(at, after.start, kind)
        {
            return Some(next);
        }
        if let Some(len) = self.sink.masks.mask_len(&self.text[after.start..]) {
            if let Class::Sensitive(kind) = class {
                self.label = Some((kind, after.start + len + LABEL_REACH));
            }
            let next = after.start + len;
            let closed = after.quote != 0 && self.text.get(next) == Some(&after.quote);
            return Some(next + usize::from(closed));
        }
        if says.holds
            && let Some((kind, _)) = self.pair.take_if(|(_, until)| *until >= at)
        {
            return self.sensitive_value(after, kind, false, None);
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
            Class::Safe(_)
                if key.len() <= 5
                    && key[..key.len().min(4)].eq_ignore_ascii_case(b"code")
                    && self.code_kind(at).is_some() =>
            {
                // `one-time code: 482913`
                let kind = self.code_kind(at)?;
                self.sensitive_value(after, kind, false, None)
            }
            Class::Safe(shapes) => {
                // `x-request-id:[...]`: a bracket is no part of it.
                let open = usize::from(matches!(self.text[after.start], b'[' | b'(' | b'<'));
                let after = spans::After {
                    start: after.start + open,
                    ..after
                };
                let stop = self.token_end(after.start);
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
                // A long number that is not what the name promises is some other number.
                if value.len() >= NUMBER_MIN && shape::is_digits(value) {
                    return Some(self.mask(after.start, stop, Kind::Unknown, Why::Shape));
                }
                self.noun = 0;
                Some(after.start)
            }
            Class::Unknown | Class::Text | Class::Url | Class::PairName => {
                // `acct: 87654321`
                if let Some(kind) = words::word(key).label() {
                    self.label = Some((kind, after.start + LABEL_REACH));
                }
                // `new=Winter#2025`
                let stop = self.token_end(after.start);
                if !after.prose && is_password(&self.text[after.start..stop]) {
                    return Some(self.mask(after.start, stop, Kind::Password, Why::Shape));
                }
                if words::word(key).is(PERSON) {
                    self.person = after.start + 4;
                    let stop = self.token_end(after.start);
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

    /// A key whose value names what its sibling holds (`name: DB_PASSWORD`, `name="pw"`), if that is
    /// sensitive and the whole of the value.
    fn pair_name(&mut self, after: spans::After) -> Option<usize> {
        let stop = self.token_end(after.start);
        let value = self.text.get(after.start..stop)?;
        let whole = matches!(
            self.text.get(stop),
            None | Some(b'"' | b'\'' | b'\n' | b'\r' | b',' | b'>' | b'}')
        );
        if value.is_empty() || !whole {
            return None;
        }
        let Some(Class::Sensitive(kind)) = names::as_pair_name(value) else {
            return None;
        };
        self.pair = Some((kind, stop + PAIR_REACH));
        self.label = None;
        names::is_printable(value).then_some(stop)
    }

    pub(super) fn sensitive_value(
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
        // `password={a;b}` of connection strings.
        if after.quote == 0 && text.get(after.start) == Some(&b'{') {
            let window = &text[after.start..text.len().min(after.start + BRACES_MAX)];
            if let Some(len) = memchr::memchr2(b'}', b'\n', window).filter(|n| window[*n] == b'}') {
                return Some(self.mask(after.start + 1, after.start + len, kind, Why::Name));
            }
        }
        if after.quote == 0 && phrase && after.prose && spans::is_phrase(text, after.start) {
            let end = spans::value_end(text, after, Kind::Mnemonic);
            return Some(self.mask(after.start, end, kind, Why::Name));
        }
        if after.quote == 0
            && kind == Kind::Iban
            && let Some((end, _)) = iban::find(text, after.start)
        {
            return Some(self.mask(after.start, end, kind, Why::Name));
        }
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
                && let Some(end) = places::date_phrase(text, after.start)
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
}

/// `auth.go:77`: a file and a line, not a key.
fn is_source_line(key: &[u8], text: &[u8], end: usize) -> bool {
    let Some(point) = memchr::memrchr(b'.', key) else {
        return false;
    };
    matches!(key.len() - point, 2..=5)
        && key[point + 1..].iter().all(u8::is_ascii_lowercase)
        && text.get(end) == Some(&b':')
        && {
            let stop = words::run(text, end + 1, |b| b.is_ascii_digit());
            (1..=6).contains(&(stop - end - 1))
                && !text.get(stop).is_some_and(u8::is_ascii_alphabetic)
        }
}

/// Letters of both cases, a digit and a sign that words and ids do not have: a password as rules for
/// passwords want it.
fn is_password(value: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    (8..=32).contains(&value.len())
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
        && has(|b| matches!(b, b'!' | b'#' | b'$' | b'^' | b'*' | b'~' | b'?'))
        && !has(|b| matches!(b, b'/' | b':' | b'.' | b'=' | b'@' | b'%' | b'&' | b'\\'))
}
