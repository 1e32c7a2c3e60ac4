//! Elements of XML with attributes: `<wsse:Password Type="...">value</wsse:Password>`. One without is
//! read like any word that announces a value.

use super::super::names::Class;
use super::super::sink::Why;
use super::super::surface::memo;
use super::super::words;
use super::Scan;
use super::spans::{CLASS, IDENT};

/// Longest start tag that is read.
const TAG_MAX: usize = 512;

impl Scan<'_, '_, '_> {
    /// Remembers where the start tag at `at` ends, if its name is sensitive and attributes follow.
    pub(super) fn begin_element(&mut self, at: usize) {
        let window = &self.text[..self.text.len().min(at + TAG_MAX)];
        let run = |from| words::run(window, from, |b| CLASS[usize::from(b)] & IDENT != 0);
        let mut name = at + 1;
        let mut end = run(name);
        if window.get(end) == Some(&b':') {
            name = end + 1;
            end = run(name);
        }
        if end > name
            && matches!(window.get(end), Some(b' ' | b'\t' | b'\n'))
            && let Class::Sensitive(kind) = memo::read_name(&window[name..end]).0
            && let Some(close) = memchr::memchr(b'>', &window[end..]).map(|n| end + n)
            && window[close - 1] != b'/'
        {
            self.element = Some((close, kind));
        }
    }

    /// Masks what follows the end of such a tag, up to the next one; answers where to go on.
    pub(super) fn element_text(&mut self, at: usize) -> usize {
        // `<entry name="token">value</entry>`: the attribute named it.
        let before = &self.text[at.saturating_sub(TAG_MAX)..at];
        let in_tag = || memchr::memrchr2(b'<', b'>', before).is_some_and(|n| before[n] == b'<');
        let named = self.pair.filter(|(_, until)| *until >= at && in_tag());
        let element = self.element.take_if(|(close, _)| *close == at);
        let Some(kind) = element
            .map(|(_, kind)| kind)
            .or(named.map(|(kind, _)| kind))
        else {
            return at + 1;
        };
        self.pair = None;
        let rest = &self.text[at + 1..];
        let value = memchr::memchr2(b'<', b'\n', rest).map_or(rest, |n| &rest[..n]);
        let start = at + 1 + (value.len() - value.trim_ascii_start().len());
        let value = value.trim_ascii();
        if value.is_empty() || self.sink.masks.mask_len(value) == Some(value.len()) {
            return at + 1;
        }
        self.mask(start, start + value.len(), kind, Why::Name)
    }
}
