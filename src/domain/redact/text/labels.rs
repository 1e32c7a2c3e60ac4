//! Words that announce a value, and the words between them and it.

use super::super::kind::Kind;
use super::super::names::Class;
use super::super::recognise::iban;
use super::super::sink::Why;
use super::super::surface::memo;
use super::super::words::{self, KNOWN, LABEL, NOUN, PERSON, Word};
use super::spans;
use super::{LABEL_REACH, NOUN_REACH, Scan, places};

/// Longest text in quotation marks that is taken for a secret.
const QUOTED_MAX: usize = 256;

impl Scan<'_, '_, '_> {
    /// What stands in quotation marks behind a word that announces a secret, and at most words
    /// that connect: `the password is "correct horse battery"`. Masked as a whole, if it is not
    /// one known word that was only named (`password "required"`).
    pub(super) fn quoted(&mut self, at: usize) -> Option<usize> {
        let (open, close) = spans::opening_quote(self.text, at)?;
        let (kind, until) = self.label?;
        if until < at || !is_secret(kind) || kind == Kind::Username {
            return None;
        }
        let start = at + open;
        let window = self
            .text
            .get(start..self.text.len().min(start + QUOTED_MAX))?;
        let len = memchr::memmem::find(window, close)
            .filter(|len| memchr::memchr(b'\n', &window[..*len]).is_none())?;
        let inside = &window[..len];
        let words = inside.split(|b| *b == b' ').count();
        // A key follows its own rules: `token "access_token": "..."`.
        let names = matches!(self.text.get(start + len + close.len()), Some(b':' | b'='));
        if len < 3 && !names {
            // Its end opens nothing.
            return Some(start + len + close.len());
        }
        // A sign behind it shows that this mark closed what stood before.
        let joins = |b: &u8| matches!(b, b' ' | b',' | b':' | b';' | b'=' | b'>' | b'|');
        let closed = matches!(inside.first(), Some(b',' | b';' | b'}' | b')' | b']'))
            || inside.iter().all(joins);
        if names || closed || self.sink.masks.mask_len(inside).is_some() {
            return None;
        }
        let phrase = matches!(
            kind,
            Kind::Password | Kind::Secret | Kind::Pin | Kind::Mnemonic
        );
        let hit = if words > 1 {
            phrase
        } else {
            phrase && !words::word(inside).is(KNOWN | LABEL | NOUN | PERSON) && inside.len() >= 4
        };
        if !hit {
            return None;
        }
        self.label = None;
        Some(self.mask(start, start + len, kind, Why::Label) + close.len())
    }

    /// A known word: it ends the reach of a label for secrets unless it only connects.
    pub(super) fn plain_word(&mut self, at: usize, end: usize) -> usize {
        let word = &self.text[at..end];
        if (word.eq_ignore_ascii_case(b"code") || word.eq_ignore_ascii_case(b"codes"))
            && let Some(kind) = self.code_kind(at)
        {
            self.label = Some((kind, end + LABEL_REACH));
            return end;
        }
        if end - at == 4
            && self.text[at..end].eq_ignore_ascii_case(b"name")
            && self.text[at.saturating_sub(5)..at].eq_ignore_ascii_case(b"user ")
        {
            self.label = Some((Kind::Username, end + LABEL_REACH));
            return end;
        }
        if let Some((kind, _)) = self.label {
            let word = &self.text[at..end];
            // `credentials admin / "..."`, `password of dora is ...`
            let named = self
                .text
                .get(end..)
                .is_some_and(|rest| rest.starts_with(b" / "));
            if is_secret(kind) && !connects(word) && !named {
                self.label = None;
            } else if kind == Kind::DateOfBirth
                && let Some(stop) = places::date_phrase(self.text, at)
            {
                return self.mask(at, stop, Kind::DateOfBirth, Why::Label);
            }
        }
        end
    }

    /// A word outside the lexicon.
    pub(super) fn unknown_word(&mut self, at: usize, end: usize) -> usize {
        if let Some(kind) = self.label_at(at) {
            let bic = kind == Kind::Bic && iban::is_bic(&self.text[at..end]);
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
    pub(super) fn label_word(&mut self, at: usize, end: usize, word: Word) -> usize {
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
    pub(super) fn scheme(&mut self, end: usize, kind: Kind) -> usize {
        let start = words::run(self.text, end, |b| matches!(b, b' ' | b'\t' | b':' | b'='));
        if start == end {
            return end;
        }
        let stop = self.token_end(start);
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

    /// A name of several words (`clientSecret`, `X-Api-Key`) announces a value like a label.
    pub(super) fn announce(&mut self, at: usize, end: usize) {
        let end = spans::trim_end(self.text, at, end);
        if let Some(kind) = words::word(&self.text[at..end]).label() {
            self.label = Some((kind, end + LABEL_REACH));
        } else if end - at >= 3
            && end - at <= 40
            && self.text[at..end]
                .iter()
                .filter(|b| b.is_ascii_digit())
                .count()
                <= 2
            && let (Class::Sensitive(kind), true) = memo::read_name(&self.text[at..end])
        {
            self.label = Some((kind, end + super::LABEL_REACH));
        }
    }
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
    const WORDS: [&str; 68] = [
        "failed",
        "attempt",
        "attempts",
        "attempted",
        "denied",
        "rejected",
        "locked",
        "succeeded",
        "est",
        "es",
        "ist",
        "lautet",
        "by",
        "now",
        "currently",
        "temporarily",
        "changed",
        "reset",
        "updated",
        "rotated",
        "temporary",
        "initial",
        "default",
        "or",
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
    word.len() <= 11
        && WORDS
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w.as_bytes()))
}
