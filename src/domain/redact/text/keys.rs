//! A key with its value: `key=value`, `"key": "value"`, `Authorization: Bearer ...`.

use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise::{iban, number};
use super::super::shape;
use super::super::sink::Why;
use super::super::surface::{memo, target};
use super::super::words::{self, KNOWN, LABEL, NOUN, PERSON};
use super::spans::{self, CLASS, IDENT};
use super::{LABEL_REACH, Scan};

/// Shortest number that is masked under a name that promises something else.
const NUMBER_MIN: usize = 8;

impl Scan<'_, '_, '_> {
    /// An identifier with its value: `key=value`, `"key": "value"`. `None` if it is no key.
    pub(super) fn key(&mut self, at: usize, end: usize) -> Option<usize> {
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
                // `one-time code: 482913`
                if key.eq_ignore_ascii_case(b"code")
                    && let Some(kind) = self.code_kind(at)
                {
                    self.label = Some((kind, after.start + LABEL_REACH));
                }
                // A long number that is not what the name promises is some other number.
                if value.len() >= NUMBER_MIN && shape::is_digits(value) {
                    return Some(self.mask(after.start, stop, Kind::Unknown, Why::Shape));
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
                // `acct: 87654321`
                if let Some(kind) = words::word(key).label() {
                    self.label = Some((kind, after.start + LABEL_REACH));
                }
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
}
