//! URLs, and text hidden in a token: percent encoding, escapes, encoded blocks, PEM.

use super::super::kind::Kind;
use super::super::recognise::{encoded, number};
use super::super::sink::Why;
use super::super::surface::{json, target};
use super::super::words::{self, KNOWN};
use super::spans::{self, DIGIT, class};
use super::{Scan, TextState};

/// Longest token that is read as quoted-printable: its lines have 76 characters.
const QUOTED_PRINTABLE_MAX: usize = 128;

/// Longest URL that is read: filters of guids have 4,096 characters each.
const URL_MAX: usize = 16_384;

impl Scan<'_, '_, '_> {
    /// A URL: redacted part by part.
    pub(super) fn url(&mut self, at: usize) -> usize {
        let text = self.text;
        let mut end = at;
        let (mut depth, mut square) = (0_i32, 0_i32);
        while let Some(b) = text.get(end) {
            match b {
                b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'<' | b'>' | b'`' | b'\'' | b'|' | b'\\'
                | b'{' | b'}' | 0 => break,
                b'(' => depth += 1,
                b')' if depth == 0 => break,
                b')' => depth -= 1,
                b'[' => square += 1,
                b']' if square == 0 => break,
                b']' => square -= 1,
                b',' if class(text, end + 1) & spans::SPACE != 0 => break,
                // `jdbc:sqlserver://host;user=sa;password={...}`
                b';' if spans::is_key(text, end + 1) => break,
                _ => {}
            }
            end += 1;
            if end - at > URL_MAX {
                break;
            }
        }
        let end = spans::trim_end(text, at, end);
        if end - at > URL_MAX {
            let end = words::run(text, end, |b| b > b' ');
            return self.mask(at, end, Kind::Oversize, Why::Shape);
        }
        // `://4111 1111 ...`: a number in groups only begins there.
        let groups = text[at..end]
            .iter()
            .rposition(|b| !b.is_ascii_digit())
            .map_or(at, |n| at + n + 1);
        let number = (groups < end
            && class(text, end) & spans::SPACE != 0
            && class(text, end + 1) & DIGIT != 0)
            .then(|| number::find(text, groups, self.label_at(at)))
            .flatten()
            .filter(|(to, _)| *to > end);
        let url = if number.is_some() { groups } else { end };
        self.flush(at);
        target::redact_url(self.core, &text[at..url], None, self.sink, self.depth + 1);
        self.done = url;
        match number {
            Some((to, kind)) => self.mask(groups, to, kind, Why::Recogniser),
            None => end,
        }
    }

    /// A token with percent encoding or escapes: decoded, and masked as a whole if that shows
    /// anything.
    pub(super) fn decoded(&mut self, at: usize, end: usize) -> usize {
        let token = &self.text[at..end];
        if self.depth >= json::NESTING_MAX {
            return self.mask(at, end, Kind::Encoded, Why::Decoded);
        }
        let plain = if token.contains(&b'%') {
            encoded::percent(token, false)
        } else {
            Some(encoded::unescape(token))
        };
        let Some(plain) = plain else {
            return self.mask(at, end, Kind::Encoded, Why::Decoded);
        };
        if *plain == *token {
            return end;
        }
        let mut inner = self.sink.nested();
        let mut state = TextState {
            label: self.label_at(at).map(|kind| (kind, super::LABEL_REACH)),
            ..TextState::default()
        };
        super::redact(
            self.core,
            &plain,
            &mut inner,
            self.strict,
            self.depth + 1,
            &mut state,
        );
        let kind = inner.counts.iter().next().map(|(kind, _)| kind);
        match kind {
            Some(kind) => self.mask(at, end, kind, Why::Decoded),
            None => end,
        }
    }

    /// A token in quoted-printable encoding (RFC 2045, 6.7): masked as a whole if it hides anything.
    pub(super) fn quoted_printable(&mut self, at: usize, end: usize) -> Option<usize> {
        let token = &self.text[at..end];
        let sign = memchr::memchr(b'=', token)?;
        if !token.get(sign + 1).is_some_and(u8::is_ascii_hexdigit)
            || token.len() > QUOTED_PRINTABLE_MAX
            || self.depth >= json::NESTING_MAX
            || token.iter().any(|b| matches!(b, b'%' | b'&' | b'\\'))
        {
            return None;
        }
        let plain = encoded::quoted_printable(token)?;
        // `expires=1795305338` looks encoded too: only what shows more than the token itself counts.
        let hits = |text: &[u8], depth: u8| {
            let mut inner = self.sink.nested();
            let mut state = TextState {
                label: self.label_at(at).map(|kind| (kind, super::LABEL_REACH)),
                ..TextState::default()
            };
            super::redact(self.core, text, &mut inner, false, depth, &mut state);
            // `request_id=98...` decodes to something odd, which is no sign of anything.
            let odd = |kind: &Kind| matches!(kind, Kind::Opaque | Kind::Encoded | Kind::Unknown);
            let mut kinds = inner
                .counts
                .iter()
                .map(|(kind, _)| kind)
                .filter(|k| !odd(k));
            (kinds.next(), kinds.count())
        };
        let (kind, more) = hits(&plain, self.depth + 1);
        let (raw, raw_more) = hits(token, json::NESTING_MAX);
        (raw.is_none() || more > raw_more).then(|| Some(self.mask(at, end, kind?, Why::Decoded)))?
    }

    /// A line that goes on with the encoded block of the line before.
    pub(super) fn continue_blob(&mut self) -> usize {
        let text = self.text;
        let at = words::run(text, 0, |b| matches!(b, b' ' | b'\t' | b'>' | b'|'));
        let end = words::run(text, at, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_')
        });
        let rest = text[end..].trim_ascii();
        if end == at || !rest.is_empty() || (end - at < 16 && words::word(&text[at..end]).is(KNOWN))
        {
            return 0;
        }
        self.blob = end - at >= 60;
        self.mask(at, end, Kind::Opaque, Why::Recogniser)
    }

    /// Where the PEM block that goes on at `at` ends: behind the line of its end mark.
    pub(super) fn pem_end(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let mark = memchr::memmem::find(rest, b"-----END")
            .or_else(|| memchr::memmem::find(rest, b"---- END"))?;
        let tail = at + mark + 8;
        let close =
            memchr::memmem::find(&self.text[tail..], b"----").map_or(self.text.len(), |n| tail + n);
        Some(words::run(self.text, close, |b| b == b'-'))
    }
}
