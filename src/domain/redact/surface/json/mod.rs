//! JSON, also broken: truncated, without quotes, with single quotes, several documents, a prefix.
//!
//! A scanner of tokens with a stack of frames, no recursion. It never refuses: what is not JSON
//! is read as strict free text under the class of the field it stands in. Valid input gives valid
//! output, because only whole values are replaced, by strings.

mod member;
mod pass;
mod tokens;

use super::super::Core;
use super::super::fields::Node;
use super::super::kind::Kind;
use super::super::names::Class;
use super::super::sink::Sink;
use super::super::words;
use super::memo::Name;

pub(crate) use tokens::looks_nested;

use tokens::{Masked, mask_at, skip_string};

/// How deep JSON in strings in JSON is read.
pub(crate) const NESTING_MAX: u8 = 4;
/// Frames that are remembered; values below are masked unless they are harmless.
const FRAMES_MAX: usize = 256;
/// Blanks between a string and the colon that makes it a key.
const GAP_MAX: usize = 64;
/// Longest run of bytes that is no token.
const BARE_MAX: usize = 8 * 1024;

#[derive(Clone, Copy)]
struct Frame<'f> {
    object: bool,
    /// The class of values that have none of their own: of the elements of an array.
    class: Class,
    /// Everything below belongs to a sensitive field.
    forced: Option<Kind>,
    /// The class of the value that comes next.
    next: Class,
    /// What a sibling named (`"fieldId": "individualSsn"`), or the element before.
    pair: Option<Class>,
    expects_key: bool,
    /// The last key can carry the name of a pair.
    names_pair: bool,
    node: Option<Node<'f>>,
    next_node: Option<Node<'f>>,
    /// A comma that is written only if a member follows that is not left out.
    comma: bool,
    /// A member or element has been written.
    filled: bool,
}

impl Frame<'_> {
    /// The class of the value under a name: that of the pair, where it is only called a value.
    fn class_of(&self, name: Name) -> Class {
        match (name.class, self.pair) {
            (Class::Unknown, Some(pair)) if name.holds => pair,
            (class, _) => class,
        }
    }
}

/// The state between two pieces of one input.
pub(crate) struct Json<'f> {
    stack: Vec<Frame<'f>>,
    /// Depth beyond the frames.
    beyond: usize,
    skip: Option<u8>,
    depth: u8,
    top: Frame<'f>,
    /// Return after the first complete value.
    island: bool,
    complete: bool,
    /// The value of a member that is left out, at this depth.
    dropping: Option<usize>,
    /// Blanks behind a comma that is held back.
    gap: Vec<u8>,
}

/// Redacts a whole text.
pub(crate) fn redact_whole<'r>(core: &'r Core, text: &[u8], sink: &mut Sink<'r>, depth: u8) {
    Json::new(None, depth).consume(core, text, true, sink);
}

/// Redacts the JSON value that starts `text`; answers how many bytes it took.
pub(crate) fn redact_island<'r>(
    core: &'r Core,
    text: &[u8],
    sink: &mut Sink<'r>,
    depth: u8,
) -> usize {
    let mut json = Json::new(None, depth);
    json.island = true;
    json.consume(core, text, true, sink)
}

impl<'f> Json<'f> {
    pub(crate) fn new(node: Option<Node<'f>>, depth: u8) -> Self {
        Self {
            stack: Vec::new(),
            beyond: 0,
            skip: None,
            depth,
            top: Frame {
                object: false,
                class: if node.is_some() {
                    Class::Unknown
                } else {
                    Class::Text
                },
                forced: None,
                next: Class::Text,
                pair: None,
                expects_key: false,
                names_pair: false,
                node,
                next_node: node,
                comma: false,
                filled: false,
            },
            island: false,
            complete: false,
            dropping: None,
            gap: Vec::new(),
        }
    }

    /// For one document inside a text.
    pub(crate) fn island() -> Self {
        Self {
            island: true,
            ..Self::new(None, 1)
        }
    }

    /// Whether the document of an island has ended.
    pub(crate) fn is_complete(&self) -> bool {
        self.island && self.complete
    }

    fn frame(&mut self) -> &mut Frame<'f> {
        self.stack.last_mut().unwrap_or(&mut self.top)
    }

    /// Reads as many whole tokens as `text` holds; answers how many bytes that were.
    pub(crate) fn consume<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> usize {
        let mut at = 0;
        while at < text.len() && !(self.island && self.complete) {
            let stands = self.pass(core, text, at, eof);
            if stands > at {
                sink.keep(&text[at..stands]);
                at = stands;
                continue;
            }
            let next = if self.dropping.is_some() {
                // Read as usual, so that its end is found, and written nowhere.
                self.step(core, text, at, eof, &mut sink.nested())
            } else {
                self.step(core, text, at, eof, sink)
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        at
    }

    /// Reads one token; answers where the next one starts, or `None` if more input is needed.
    fn step<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        at: usize,
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> Option<usize> {
        if let Some(quote) = self.skip {
            let (next, closed) = skip_string(text, at, quote, eof);
            if closed {
                self.skip = None;
                self.end_value();
            } else if next == at {
                return None;
            }
            return Some(next);
        }
        let b = text[at];
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => {
                let end = words::run(text, at, |b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
                if self.frame().comma {
                    self.gap.extend(text[at..end].iter().take(GAP_MAX));
                    self.gap.truncate(GAP_MAX);
                } else {
                    sink.keep(&text[at..end]);
                }
                return Some(end);
            }
            b'{' | b'[' => {
                if b == b'[' {
                    match mask_at(core, text, at, eof) {
                        Masked::Yes(len) => {
                            self.separate(sink);
                            sink.keep(&text[at..at + len]);
                            self.end_value();
                            return Some(at + len);
                        }
                        Masked::Wait => return None,
                        Masked::No => {}
                    }
                }
                self.separate(sink);
                self.open(b == b'{');
                sink.keep(&text[at..=at]);
            }
            b'}' | b']' => {
                if self.ends_drop() {
                    // The end of the object that had the member: read again, and written.
                    return Some(at);
                }
                self.frame().comma = false;
                if !self.gap.is_empty() {
                    sink.keep(&std::mem::take(&mut self.gap));
                }
                self.close();
                sink.keep(&text[at..=at]);
            }
            b',' => {
                if self.ends_drop() {
                    return Some(at);
                }
                let frame = self.frame();
                frame.expects_key = frame.object;
                frame.next = frame.class;
                if frame.node.is_some() && frame.object {
                    frame.comma = true;
                } else {
                    sink.keep(b",");
                }
            }
            b':' => {
                self.frame().expects_key = false;
                sink.keep(b":");
            }
            b'"' | b'\'' => return self.string(core, text, at, eof, sink),
            _ => return self.bare(core, text, at, eof, sink),
        }
        Some(at + 1)
    }

    /// Writes the comma that was held back, before a member that is not left out.
    fn separate(&mut self, sink: &mut Sink<'_>) {
        let frame = self.frame();
        let held = std::mem::take(&mut frame.comma);
        let filled = std::mem::replace(&mut frame.filled, true);
        if held {
            if filled {
                sink.keep(b",");
            }
            sink.keep(&std::mem::take(&mut self.gap));
        }
    }

    /// Begins to leave a member out. What was held back belongs to it.
    fn drop_member(&mut self) {
        self.dropping = Some(self.stack.len());
        self.gap.clear();
    }

    /// Whether a sign ends a member that is left out and had no complete value.
    fn ends_drop(&mut self) -> bool {
        let ends = self.beyond == 0 && self.dropping == Some(self.stack.len());
        if ends {
            self.dropping = None;
        }
        ends
    }

    fn open(&mut self, object: bool) {
        if self.stack.len() >= FRAMES_MAX {
            self.beyond += 1;
            return;
        }
        let parent = self.frame();
        let class = parent.next;
        let forced = match class {
            Class::Sensitive(kind) => Some(kind),
            _ => parent.forced,
        };
        let node = parent
            .next_node
            .map(|node| if object { node } else { node.element() });
        let class = match (object, class) {
            // The elements of `"emails": [...]` are e-mail addresses; the members of an object have names.
            (false, class) => class,
            (true, _) => Class::Unknown,
        };
        self.stack.push(Frame {
            object,
            class,
            forced,
            next: class,
            pair: None,
            expects_key: object,
            names_pair: false,
            node,
            next_node: node,
            comma: false,
            filled: false,
        });
    }

    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        self.stack.pop();
        self.end_value();
    }

    /// After a value: the next one has the frame's class again.
    fn end_value(&mut self) {
        self.complete = self.stack.is_empty();
        if self.beyond == 0 && self.dropping == Some(self.stack.len()) {
            self.dropping = None;
        }
        let frame = self.frame();
        frame.next = frame.class;
        frame.names_pair = false;
        frame.next_node = frame.node;
    }
}
