//! Plain text, line by line, so that a stream needs to hold one line only.

use super::super::Core;
use super::super::kind::Kind;
use super::super::sink::{Sink, Why};
use super::super::text::{self, TextState};
use super::super::words::{self, KNOWN};
use super::json::Json;

/// Longest line that is read as one; a longer one is cut between words.
const LINE_MAX: usize = 64 * 1024;

/// The state between two pieces of one text.
pub(crate) struct Lines<'f> {
    state: TextState,
    /// Inside a JSON document that began on a line of its own.
    json: Option<Box<Json<'f>>>,
    /// Inside a token without an end.
    skipping: bool,
}

impl Lines<'_> {
    pub(crate) fn new() -> Self {
        Self {
            state: TextState::default(),
            json: None,
            skipping: false,
        }
    }

    /// Reads as many whole lines as there are.
    pub(crate) fn consume<'r>(
        &mut self,
        core: &'r Core,
        input: &[u8],
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> usize {
        let mut at = 0;
        while at < input.len() {
            if let Some(json) = self.json.as_mut() {
                let used = json.consume(core, &input[at..], eof, sink);
                at += used;
                if json.is_complete() {
                    self.json = None;
                    continue;
                }
                break;
            }
            let rest = &input[at..];
            if self.skipping {
                let end = words::run(rest, 0, |b| b > b' ');
                self.skipping = end == rest.len();
                at += end;
                continue;
            }
            let window = &rest[..rest.len().min(LINE_MAX)];
            match memchr::memchr(b'\n', window) {
                Some(n) => {
                    if opens_document(&rest[..n]) {
                        self.json = Some(Box::new(Json::island()));
                        continue;
                    }
                    text::redact(core, &rest[..=n], sink, false, 0, &mut self.state);
                    at += n + 1;
                }
                None if rest.len() >= LINE_MAX => at += self.long_line(core, window, sink),
                None if eof => {
                    text::redact(core, rest, sink, false, 0, &mut self.state);
                    at = input.len();
                }
                None => break,
            }
        }
        at
    }

    /// A line beyond the limit: cut behind the last place where two known words meet, so that no
    /// number or phrase is torn; else at the last blank; else the token is masked.
    fn long_line<'r>(&mut self, core: &'r Core, window: &[u8], sink: &mut Sink<'r>) -> usize {
        let mut blank = None;
        let mut cut = None;
        let floor = window.len() - window.len() / 4;
        let mut end = window.len();
        while let Some(at) = memchr::memrchr(b' ', &window[..end]).filter(|at| *at > floor) {
            blank.get_or_insert(at);
            let known = |word: &[u8]| {
                !word.is_empty()
                    && word.iter().all(u8::is_ascii_lowercase)
                    && words::word(word).is(KNOWN)
                    && !words::word(word).is(words::LABEL | words::BIP39)
            };
            let before = window[..at]
                .iter()
                .rposition(|b| *b == b' ')
                .map_or(0, |n| n + 1);
            let after = words::run(window, at + 1, |b| b != b' ');
            if after < window.len() && known(&window[before..at]) && known(&window[at + 1..after]) {
                cut = Some(at);
                break;
            }
            end = at;
        }
        if let Some(at) = cut
            .or(blank)
            .or_else(|| memchr::memrchr(b' ', window).filter(|at| *at > 0))
        {
            text::redact(core, &window[..=at], sink, false, 0, &mut self.state);
            return at + 1;
        }
        sink.mask(Kind::Oversize, Why::Shape, b"");
        self.skipping = true;
        window.len()
    }
}

/// A line that is only the opening of a JSON document.
fn opens_document(line: &[u8]) -> bool {
    matches!(line.trim_ascii(), b"{" | b"[" | b"[{")
}
