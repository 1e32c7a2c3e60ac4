//! JSON inside text, also with escaped quotes.

use super::super::recognise::encoded;
use super::super::surface::json;
use super::super::words;
use super::{Scan, TextState, redact};

/// Bytes from an opening brace to the first quote of a JSON text.
const ISLAND_MAX: usize = 24;

impl Scan<'_, '_, '_> {
    /// JSON inside text.
    pub(super) fn island(&mut self, at: usize) -> usize {
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
                let plain = encoded::unescape(&text[at..end]);
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
                self.sink.absorb(inner, encoded::escape);
                self.done = end;
                end
            }
            _ => at + 1,
        }
    }
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
