//! Block scalars of YAML: `password: |` and its value on the lines below, further to the right.

use super::super::kind::Kind;
use super::super::sink::Why;
use super::super::words;
use super::Scan;

/// A block that goes on as long as lines are further to the right than its key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    kind: Kind,
    indent: usize,
}

impl Scan<'_, '_, '_> {
    /// Begins a block if the value at `start` of the key at `at` is only its sign (YAML 1.2.2, 8.1:
    /// `|` or `>`, at most two indicators); answers where the reader goes on.
    pub(super) fn block_scalar(&mut self, at: usize, start: usize, kind: Kind) -> Option<usize> {
        let text = self.text;
        if !matches!(text.get(start), Some(b'|' | b'>')) {
            return None;
        }
        let end = words::run(text, start + 1, |b| matches!(b, b'+' | b'-' | b'1'..=b'9'));
        let end = words::run(text, end, |b| matches!(b, b' ' | b'\r'));
        if end - start > 8 || !matches!(text.get(end), None | Some(b'\n')) {
            return None;
        }
        let line = memchr::memrchr(b'\n', &text[..at]).map_or(0, |n| n + 1);
        self.block = Some(Block {
            kind,
            indent: indent_of(text, line) - line,
        });
        self.label = None;
        Some(self.continue_block((end + 1).min(text.len())))
    }

    /// Masks the lines from `at` on that belong to the block; answers where it ended.
    pub(super) fn continue_block(&mut self, at: usize) -> usize {
        let text = self.text;
        let mut here = at;
        while let Some(block) = self.block
            && here < text.len()
        {
            let end = memchr::memchr(b'\n', &text[here..]).map_or(text.len(), |n| here + n);
            let first = indent_of(text, here);
            let line = text[here..end].trim_ascii_end();
            if !line.is_empty() {
                if first - here <= block.indent {
                    self.block = None;
                    break;
                }
                let stop = here + line.len();
                if self.sink.masks.mask_len(&text[first..stop]) != Some(stop - first) {
                    self.mask(first, stop, block.kind, Why::Name);
                }
            }
            here = (end + 1).min(text.len());
        }
        here
    }
}

/// Where the first sign of the line at `at` stands.
fn indent_of(text: &[u8], at: usize) -> usize {
    words::run(text, at, |b| matches!(b, b' ' | b'\t'))
}
