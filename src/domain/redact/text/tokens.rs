//! Tokens that are not plain words: numbers, keys with values, URLs, addresses, random strings.

use super::super::kind::Kind;
use super::super::recognise::{self, contact, encoded, iban, number, vendor};
use super::super::shape;
use super::super::sink::Why;
use super::super::surface::target;
use super::super::words::{self, API, KNOWN, LABEL, NOUN};
use super::plain::{is_ip, is_joined, is_login, is_plain, strict_token, trimmed_names};
use super::spans::{self, CLASS, DIGIT, IDENT, LETTER, class};
use super::{Scan, is_secret, places};

/// Longest token that is judged as such; a longer one is masked. What is found inside a token is
/// masked piece by piece and the rest is read again, so this bounds the work for each byte.
const TOKEN_MAX: usize = 2_048;

impl Scan<'_, '_, '_> {
    /// A token that starts at `at` and is more than a word.
    pub(super) fn other(&mut self, at: usize) -> usize {
        let end = self.token_end(at);
        if end == at {
            return at + 1;
        }
        self.other_within(at, end)
    }

    /// The end of the token at `at`. The rest of a token whose end is known is not measured again,
    /// so that a token of many keys is not read once for each.
    pub(super) fn token_end(&mut self, at: usize) -> usize {
        if at <= self.token.0 || at >= self.token.1 {
            self.token = (at, spans::token_end(self.text, at));
        }
        self.token.1
    }

    pub(super) fn other_within(&mut self, at: usize, end: usize) -> usize {
        let text = self.text;
        let first = CLASS[usize::from(text[at])];
        if let Some(next) = self.quoted_printable(at, end) {
            return next;
        }
        if matches!(
            text[at],
            b'&' | b'?' | b'=' | b'#' | b'*' | b'^' | b'@' | b':' | b'!'
        ) {
            return at + 1;
        }
        // `$env:API_SECRET = '...'` of PowerShell: the name follows.
        if text[at..end].starts_with(b"$env:") {
            return at + 5;
        }
        if text[at] == b'$'
            && let Some(next) = self.bound_value(at, end)
        {
            return next;
        }
        if text[at] == b'-'
            && let Some(next) = self.option(at, end)
        {
            return next;
        }
        if matches!(&text[at..end], b"a/c" | b"A/C" | b"A/c" | b"a/c#" | b"A/C#") {
            self.label = Some((Kind::Account, end + super::LABEL_REACH));
            return end;
        }
        // `G-482913 is your code`.
        if first & LETTER != 0
            && text.get(at + 1) == Some(&b'-')
            && class(text, at + 2) & DIGIT != 0
            && let Some(next) = self.one_time(at + 2)
        {
            return next;
        }
        if first & LETTER != 0 || text[at] == b'_' || text[at] == b'$' {
            let ident = words::run(&text[..end], at, |b| {
                CLASS[usize::from(b)] & IDENT != 0 || b == b'$'
            });
            // A sign directly behind it, or behind a quote.
            if matches!(text.get(ident), Some(b'=' | b':' | b'"' | b'\'' | b'\\')) || ident == end {
                if text.get(ident) == Some(&b':')
                    && matches!(text.get(ident + 1), Some(b'/'))
                    && text.get(ident + 2) == Some(&b'/')
                {
                    return self.url(at);
                }
                let key = spans::trim_end(text, at, ident);
                if key > at
                    && key - at <= super::super::names::NAME_MAX
                    && ident - key <= 1
                    && let Some(next) = self.key(at, key)
                {
                    return next.max(at + 1);
                }
            }
            if let Some((stop, kind)) = iban::find(text, at) {
                return self.mask(at, stop, kind, Why::Recogniser);
            }
            if let Some(next) = self.double_name(at) {
                return next;
            }
            // `client_secret is ...`: the name announces a value, and may be one itself.
            if ident == end || trimmed_names(&text[ident..end]) {
                let next = self.token(at, end);
                self.announce(at, ident);
                return next;
            }
        } else if first & DIGIT != 0 {
            return self.numeric(at);
        }
        self.token(at, end)
    }

    /// A token that starts with a digit, `+` or `(`.
    pub(super) fn numeric(&mut self, at: usize) -> usize {
        let text = self.text;
        let label = self.label_at(at);
        if label.is_none() {
            // Most numbers are short and stand alone.
            let end = words::run(&text[..text.len().min(at + 6)], at, |b| b.is_ascii_digit());
            let alone = match text.get(end) {
                None | Some(b',' | b'\n' | b'\r' | b'"' | b']' | b'}' | b';') => true,
                Some(b' ') => !text.get(end + 1).is_some_and(|b| {
                    b.is_ascii_digit() || b.is_ascii_uppercase() || matches!(b, b'-' | b'(')
                }),
                Some(_) => false,
            };
            if end - at >= 4
                && let Some(next) = self.one_time(at)
            {
                return next;
            }
            if alone && end - at < 6 && end > at {
                return end;
            }
        }
        if label != Some(Kind::DateOfBirth)
            && let Some(len) = shape::timestamp_len(&text[at..text.len().min(at + 48)])
        {
            return at + len;
        }
        if let Some((end, kind)) = number::find(text, at, label) {
            let why = if label == Some(kind) {
                Why::Label
            } else {
                Why::Recogniser
            };
            // Letters that hang on belong to it: `4111111111111111x`.
            let token = spans::token_end(text, end);
            let end = if class(text, end) & (LETTER | DIGIT) != 0 && token - end <= 8 {
                token
            } else {
                end
            };
            return self.mask(at, end, kind, why);
        }
        if label == Some(Kind::DateOfBirth)
            && let Some(end) = places::date_phrase(text, at)
        {
            return self.mask(at, end, Kind::DateOfBirth, Why::Label);
        }
        if text[at].is_ascii_digit()
            && let Some(end) = places::street_address(text, at)
        {
            return self.mask(at, end, Kind::Address, Why::Recogniser);
        }
        let end = spans::token_end(text, at);
        if end == at {
            return at + 1;
        }
        self.token(at, end)
    }

    /// Judges all of `text[at..end]`: what is found inside may end before it.
    fn tokens(&mut self, at: usize, end: usize) {
        let mut here = at;
        while here < end {
            here = self.token(here, end);
        }
    }

    /// Judges `text[at..end]`, which holds no delimiter; answers how far it got.
    pub(super) fn token(&mut self, at: usize, end: usize) -> usize {
        let text = self.text;
        let end = spans::trim_end(text, at, end).max(at + 1);
        let token = &text[at..end];
        let head = &token[..token.len().min(TOKEN_MAX)];
        if let Some(n) = memchr::memchr_iter(b':', head).find(|n| head[n + 1..].starts_with(b"//"))
        {
            let scheme = token[..n]
                .iter()
                .rposition(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'+' | b'-' | b'.'))
                .map_or(0, |p| p + 1);
            if scheme == 0 && n > 0 {
                return self.url(at);
            }
            if scheme > 0 && scheme < n {
                self.tokens(at, at + scheme);
                return self.url(at + scheme);
            }
        }
        if token.len() > TOKEN_MAX {
            self.blob = text[end..].iter().take(64).all(u8::is_ascii_whitespace);
            return self.mask(
                at,
                end,
                vendor::key(token).unwrap_or(Kind::Opaque),
                Why::Shape,
            );
        }
        if let Some((from, to)) = memchr::memchr_iter(b'@', token)
            .find_map(|n| contact::email_around(text, at + n, self.done.max(at)))
        {
            self.tokens(at, from);
            self.mask(from, to, Kind::Email, Why::Recogniser);
            return to.max(at + 1);
        }
        if token.contains(&b'%') && encoded::has_percent(token)
            || memchr::memchr(b'\\', token).is_some()
        {
            return self.decoded(at, end);
        }
        if token.len() < 4 {
            return end;
        }
        if token[0] == b'/' && token[1].is_ascii_alphabetic() {
            let segment = token[1..]
                .split(|b| matches!(b, b'/' | b'?'))
                .next()
                .unwrap_or(b"");
            if self.strict || shape::is_wordy(segment, API) {
                self.flush(at);
                target::redact_url(self.core, token, None, self.sink, self.depth + 1);
                self.done = end;
                return end;
            }
        }
        if let Some(kind) = self.label_at(at)
            && let Some(next) = self.labelled(at, end, kind)
        {
            return next;
        }
        if let Some((kind, why)) = self.judge(token, at) {
            if kind == Kind::Opaque && token.len() >= 60 {
                self.blob = text[end..].iter().all(u8::is_ascii_whitespace);
            }
            // Padding and a cut tail belong to it.
            return self.mask(at, end, kind, why);
        }
        if self.strict && shape::is_old_written_date(token) {
            return self.mask(at, end, Kind::DateOfBirth, Why::Shape);
        }
        if token.iter().any(|b| {
            matches!(
                b,
                b'/' | b':' | b'=' | b'&' | b'?' | b'#' | b'@' | b'+' | b'~' | b'^'
            )
        }) && !shape::is_timestamp(token)
        {
            return self.parts(at, end);
        }
        if self.strict && !strict_token(token, self.noun > at) {
            return self.mask(at, end, Kind::Text, Why::Shape);
        }
        if self.person > at && is_login(token) {
            return self.mask(at, end, Kind::Username, Why::Label);
        }
        self.embedded(at, end)
    }

    /// Groups of digits inside a token: `x-4111-1111-1111-1111`, or between letters of a script
    /// that writes no blanks. Answers the end of what was masked, else `end`.
    fn embedded(&mut self, at: usize, end: usize) -> usize {
        let text = self.text;
        let mut here = at;
        while here < end {
            if text[here].is_ascii_digit() && (here == at || !text[here - 1].is_ascii_digit()) {
                if here > at {
                    // `acct-12345678`: the word before the number announces it.
                    let before = words::run(&text[..here], at, |b| b.is_ascii_alphabetic());
                    let label = if before < here && !text[before].is_ascii_alphanumeric() {
                        words::word(&text[at..before]).label()
                    } else {
                        None
                    };
                    let found = number::find(text, here, label);
                    if let Some((to, kind)) = found.filter(|(_, kind)| {
                        label.is_some() || matches!(kind, Kind::Card | Kind::Ssn | Kind::NationalId)
                    }) {
                        return self.mask(here, to, kind, Why::Recogniser);
                    }
                }
                here = words::run(text, here, |b| b.is_ascii_digit());
            } else {
                // `账户GB33 ...`: letters of another script are no part of an account number.
                if here > at
                    && text[here].is_ascii_uppercase()
                    && text[here - 1] >= 0x80
                    && let Some((to, kind)) = iban::find(text, here)
                {
                    return self.mask(here, to, kind, Why::Recogniser);
                }
                here += 1;
            }
        }
        end
    }

    /// A token with signs inside that is not one thing: its parts.
    pub(super) fn parts(&mut self, at: usize, end: usize) -> usize {
        let text = self.text;
        let mut here = at;
        while here < end {
            let stop = words::run(&text[..end], here, |b| {
                !matches!(
                    b,
                    b'/' | b':' | b'=' | b'&' | b'?' | b'#' | b'@' | b'+' | b'~' | b'^'
                )
            });
            let part = &text[here..stop];
            // The segment before names the one behind it: `/customers/<id>`.
            if !part.is_empty() {
                let word = words::word(part);
                if word.is(NOUN) {
                    self.noun = stop + 4;
                }
                if let Some(kind) = word.label() {
                    self.label = Some((kind, stop + super::LABEL_REACH));
                }
                if part[0].is_ascii_digit() {
                    let from = if here > at && text[here - 1] == b'+' {
                        here - 1
                    } else {
                        here
                    };
                    if let Some((to, kind)) = number::find(text, from, self.label_at(here)) {
                        here = from;
                        here = self.mask(here, to, kind, Why::Recogniser);
                        continue;
                    }
                }
                if let Some(kind) = self.label_at(here)
                    && is_secret(kind)
                    && word.label().is_none()
                    && let Some(next) = self.labelled(here, stop, kind)
                {
                    here = next + 1;
                    continue;
                }
                if let Some((kind, why)) = self.judge(part, here) {
                    self.mask(here, stop, kind, why);
                } else if self.strict && !strict_token(part, self.noun > here) {
                    self.mask(here, stop, Kind::Text, Why::Shape);
                } else {
                    let next = self.embedded(here, stop);
                    if next != stop {
                        here = next;
                        continue;
                    }
                }
                if matches!(text.get(stop), Some(b'=' | b':'))
                    && stop + 1 < end
                    && let Some(next) = self.key(here, stop)
                    && next > stop + 1
                {
                    here = next;
                    continue;
                }
            }
            here = stop + 1;
        }
        here.max(end)
    }

    /// A token after a label.
    pub(super) fn labelled(&mut self, at: usize, end: usize, kind: Kind) -> Option<usize> {
        let token = &self.text[at..end];
        let hash = matches!(token.len(), 40 | 64) && token.iter().all(u8::is_ascii_hexdigit);
        if self.noun > at
            && (shape::is_uuid(token) || shape::is_hex32(token) || shape::is_wyre_id(token) || hash)
            && (!is_secret(kind) || kind == Kind::Username)
        {
            return None;
        }
        let digits = token.iter().filter(|b| b.is_ascii_digit()).count();
        let hit = match kind {
            Kind::Ip => is_ip(token),
            Kind::Bic if iban::is_bic(token) => true,
            Kind::Username if is_ip(token) => false,
            Kind::Passport
            | Kind::Licence
            | Kind::NationalId
            | Kind::Account
            | Kind::Routing
            | Kind::Iban
            | Kind::Bic
            | Kind::Ssn => {
                token.len() >= 5
                    && digits >= 3
                    && !shape::starts_with_date(token)
                    && !shape::is_code(token)
                    && !shape::is_wyre_id(token)
            }
            Kind::Bitcoin | Kind::Ethereum | Kind::Chain => {
                token.len() >= 20 && recognise::is_opaque(token)
            }
            kind if is_secret(kind) => {
                // `MyDogSpot` is made of words and is none.
                let known = if token.iter().all(u8::is_ascii_alphabetic) {
                    words::word(token).is(KNOWN | LABEL | NOUN)
                } else {
                    shape::is_wordy(token, KNOWN | LABEL | NOUN)
                };
                token.len() >= 4
                    && !known
                    && !shape::is_timestamp(token)
                    && !shape::is_code(token)
                    && !shape::is_decimal(token)
            }
            _ => false,
        };
        if !hit {
            return None;
        }
        if is_secret(kind) {
            self.label = None;
        }
        Some(self.mask(at, end, kind, Why::Label))
    }

    /// What a token without delimiters is, if it may not stand.
    pub(super) fn judge(&self, token: &[u8], at: usize) -> Option<(Kind, Why)> {
        if token.len() < 8 {
            return None;
        }
        let known_id = self.noun > at
            && (shape::is_uuid(token)
                || shape::is_id(token)
                || (matches!(token.len(), 40 | 64) && token.iter().all(u8::is_ascii_hexdigit)));
        match recognise::token(token) {
            Some(Kind::Opaque) => {
                if known_id
                    || is_joined(token, self.strict)
                    || shape::is_wordy(token, KNOWN | LABEL | NOUN)
                    || is_plain(token)
                {
                    return None;
                }
                Some((Kind::Opaque, Why::Recogniser))
            }
            Some(kind) => Some((kind, Why::Recogniser)),
            None if encoded::hides_text(token)
                && !known_id
                && !shape::is_wordy(token, KNOWN | LABEL | NOUN)
                && !is_plain(token) =>
            {
                Some((Kind::Encoded, Why::Decoded))
            }
            None => None,
        }
    }
}
