//! JSON, also broken: truncated, without quotes, with single quotes, several documents, a prefix.
//!
//! A scanner of tokens with a stack of frames, no recursion. It never refuses: what is not JSON
//! is read as strict free text under the class of the field it stands in. Valid input gives valid
//! output, because only whole values are replaced, by strings.

use super::super::Core;
use super::super::fields::{Action, Node};
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise::{self, encoded};
use super::super::shape;
use super::super::sink::{Sink, Why};
use super::super::text::{self, TextState, is_secret};
use super::memo::field;
use super::value::{self, VALUE_MAX, Verdict};

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

/// Whether a string is itself JSON (an object or an array).
pub(crate) fn looks_nested(value: &[u8]) -> bool {
    let Some(open @ (b'{' | b'[')) = value.first() else {
        return false;
    };
    let rest = value[1..].trim_ascii_start();
    match rest.first() {
        None | Some(b'"' | b'{' | b'[' | b'\'' | b'\\') => true,
        Some(b'}') => *open == b'{',
        Some(b']' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n') => *open == b'[',
        Some(b) => *open == b'{' && b.is_ascii_alphabetic() && memchr::memchr(b':', rest).is_some(),
    }
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
            },
            island: false,
            complete: false,
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
        while at < text.len() {
            if self.island && self.complete {
                break;
            }
            if let Some(quote) = self.skip {
                let (next, closed) = skip_string(text, at, quote, eof);
                if closed {
                    self.skip = None;
                    self.end_value();
                } else if next == at {
                    break;
                }
                at = next;
                continue;
            }
            let b = text[at];
            match b {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    let end = super::super::words::run(text, at, |b| {
                        matches!(b, b' ' | b'\t' | b'\r' | b'\n')
                    });
                    sink.keep(&text[at..end]);
                    at = end;
                }
                b'{' | b'[' => {
                    if b == b'[' {
                        match mask_at(core, text, at, eof) {
                            Masked::Yes(len) => {
                                sink.keep(&text[at..at + len]);
                                at += len;
                                self.end_value();
                                continue;
                            }
                            Masked::Wait => break,
                            Masked::No => {}
                        }
                    }
                    self.open(b == b'{');
                    sink.keep(&text[at..=at]);
                    at += 1;
                }
                b'}' | b']' => {
                    self.close();
                    sink.keep(&text[at..=at]);
                    at += 1;
                }
                b',' => {
                    let frame = self.frame();
                    frame.expects_key = frame.object;
                    frame.next = frame.class;
                    sink.keep(b",");
                    at += 1;
                }
                b':' => {
                    self.frame().expects_key = false;
                    sink.keep(b":");
                    at += 1;
                }
                b'"' | b'\'' => match self.string(core, text, at, eof, sink) {
                    Some(next) => at = next,
                    None => break,
                },
                _ => match self.bare(core, text, at, eof, sink) {
                    Some(next) => at = next,
                    None => break,
                },
            }
        }
        at
    }

    fn open(&mut self, object: bool) {
        if self.stack.len() >= FRAMES_MAX {
            self.beyond += 1;
            return;
        }
        let parent = self.frame();
        let class = parent.next;
        let mut forced = parent.forced;
        if let (Class::Sensitive(kind), None) = (class, forced) {
            forced = Some(kind);
        } else if let (Class::Sensitive(kind), Some(_)) = (class, forced) {
            forced = Some(kind);
        }
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
        let frame = self.frame();
        frame.next = frame.class;
        frame.names_pair = false;
        frame.next_node = frame.node;
    }

    fn string<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        at: usize,
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> Option<usize> {
        let quote = text[at];
        let limit = text.len().min(at + 1 + VALUE_MAX);
        let (end, closed) = match string_end(&text[..limit], at + 1, quote) {
            Some(end) => (end, true),
            None if limit < text.len() => {
                // Longer than anything that is read: masked, the rest is skipped.
                let frame = *self.frame();
                sink.mask_quoted(
                    self.effective(frame).unwrap_or(Kind::Oversize),
                    Why::Shape,
                    b"",
                );
                self.skip = Some(quote);
                return Some(at + 1);
            }
            None if eof => (text.len(), false),
            None => return None,
        };
        let inner = &text[at + 1..end];
        let after = if closed { end + 1 } else { end };
        let frame = *self.frame();
        // A string before a colon is a key, wherever it stands.
        let is_key = match next_sign(text, after, eof) {
            Sign::Wait => return None,
            Sign::Colon => true,
            Sign::Other => {
                frame.object
                    && frame.expects_key
                    && closed
                    && memchr::memchr(b':', &text[after..text.len().min(after + GAP_MAX)]).is_some()
            }
        };
        if is_key {
            self.key(core, inner, &text[at..after], sink);
        } else {
            self.string_value(core, inner, &text[at..after], closed, sink);
        }
        Some(after)
    }

    fn key<'r>(&mut self, core: &'r Core, inner: &[u8], raw: &[u8], sink: &mut Sink<'r>) {
        let name = encoded::unescape(inner);
        let (class, printable) = field(core, &name);
        let frame = self.frame();
        frame.next_node = frame.node.map(|node| node.child(&name));
        frame.expects_key = false;
        let ruled = frame.next_node.is_some_and(Node::is_known);
        frame.next = class;
        frame.names_pair = matches!(class, Class::PairName)
            || matches!(
                &*name,
                b"name"
                    | b"type"
                    | b"label"
                    | b"id"
                    | b"code"
                    | b"kind"
                    | b"n"
                    | b"k"
                    | b"displayName"
                    | b"title"
            );
        if matches!(class, Class::Unknown)
            && let Some(pair) = frame.pair
        {
            frame.next = pair;
        }
        if printable || ruled || core.masks.is_mask(&name) || shape::is_harmless(&name) {
            sink.keep(raw);
        } else {
            sink.mask_quoted(
                recognise::whole(&name).unwrap_or(Kind::Key),
                Why::Shape,
                inner,
            );
        }
    }

    /// The kind that the whole subtree has, if it has one.
    fn effective(&self, frame: Frame<'f>) -> Option<Kind> {
        match frame.next {
            Class::Sensitive(kind) => Some(kind),
            _ => frame.forced,
        }
    }

    /// The class of the value that comes now.
    fn class(&self, frame: Frame<'f>) -> Class {
        match (frame.forced, frame.next) {
            (None, next) => next,
            (Some(_), Class::Sensitive(kind)) => Class::Sensitive(kind),
            // Inside personal data, only words and times may stand; inside credentials nothing.
            (Some(kind), Class::Safe(shapes)) if !is_secret(kind) => {
                let shapes = shapes & (shape::WORDY | shape::BOOLISH | shape::TIME | shape::ASSET);
                if shapes == 0 {
                    Class::Sensitive(kind)
                } else {
                    Class::Safe(shapes)
                }
            }
            (Some(kind), _) => Class::Sensitive(kind),
        }
    }

    fn string_value<'r>(
        &mut self,
        core: &'r Core,
        inner: &[u8],
        raw: &[u8],
        closed: bool,
        sink: &mut Sink<'r>,
    ) {
        let frame = *self.frame();
        let value = encoded::unescape(inner);
        let mut class = self.class(frame);
        if !frame.object
            && !self.stack.is_empty()
            && frame.forced.is_none()
            && matches!(class, Class::Unknown | Class::Safe(_))
        {
            // `["ssn", "989-41-7730"]`: the element before names this one.
            let named =
                names::as_pair_name(&value).filter(|named| matches!(named, Class::Sensitive(_)));
            if let (Some(pair), None) = (frame.pair, named) {
                class = pair;
            }
            self.frame().pair = named;
        }
        let mut verdict = if self.beyond > 0 && !shape::is_harmless(&value) {
            Verdict::Mask(Kind::Unknown, Why::Shape)
        } else {
            ruled(core, frame.next_node, class, &value)
        };
        if frame.object && frame.names_pair && frame.forced.is_none() {
            if let Some(named @ Class::Sensitive(_)) = names::as_pair_name(&value) {
                self.frame().pair = Some(named);
                if names::is_printable(&value) {
                    verdict = Verdict::Keep;
                }
            } else if let Some(named) = names::as_pair_name(&value) {
                self.frame().pair.get_or_insert(named);
            }
        }
        self.end_value();
        match (
            verdict,
            value::rewrite(core, verdict, &value, sink, self.depth),
        ) {
            (_, None) => sink.keep(raw),
            (Verdict::Mask(kind, why), Some(_)) if value.len() <= VALUE_MAX => {
                if core.masks.is_on(kind) {
                    sink.mask_quoted(kind, why, &value);
                } else {
                    sink.keep(raw);
                }
            }
            (_, Some(new)) => {
                sink.out.push(b'"');
                sink.absorb(new, encoded::escape);
                if closed {
                    sink.out.push(b'"');
                }
            }
        }
    }

    /// A number, a literal, or something that is no JSON.
    fn bare<'r>(
        &mut self,
        core: &'r Core,
        text: &[u8],
        at: usize,
        eof: bool,
        sink: &mut Sink<'r>,
    ) -> Option<usize> {
        let limit = text.len().min(at + BARE_MAX);
        let mut end = at;
        while end < limit
            && !matches!(
                text[end],
                b',' | b':' | b'}' | b']' | b'{' | b'[' | b'"' | b'\'' | b'\n' | b'\r'
            )
        {
            end += 1;
        }
        if end == text.len() && !eof {
            return None;
        }
        let token = text[at..end].trim_ascii_end();
        let end = at + token.len();
        let frame = *self.frame();
        if token.is_empty() {
            sink.keep(&text[at..=at]);
            return Some(at + 1);
        }
        if text.get(end) == Some(&b':') && is_bare_key(token) {
            self.bare_key(core, token, sink);
            return Some(end);
        }
        let class = self.class(frame);
        let class = match (frame.pair, class) {
            (Some(pair), Class::Unknown | Class::Safe(_))
                if !frame.object && !self.stack.is_empty() =>
            {
                pair
            }
            (_, class) => class,
        };
        if !frame.object {
            self.frame().pair = None;
        }
        if is_literal(token) {
            match (class, token) {
                // Whether there is an address says nothing; what a credential or a trait is does.
                (Class::Sensitive(kind), b"true" | b"false")
                    if is_secret(kind)
                        || matches!(kind, Kind::Personal | Kind::DateOfBirth | Kind::Text) =>
                {
                    sink.mask_quoted(kind, Why::Name, token);
                }
                _ => match frame.next_node.map(Node::action) {
                    Some(Some(Action::Mask | Action::Drop | Action::Pseudonymise))
                        if token != b"null" =>
                    {
                        sink.mask_quoted(Kind::Unknown, Why::FieldRule, token)
                    }
                    _ => sink.keep(token),
                },
            }
            self.end_value();
            return Some(end);
        }
        if is_number(token) {
            let class = if class == Class::Text {
                Class::Unknown
            } else {
                class
            };
            match ruled(core, frame.next_node, class, token) {
                Verdict::Keep => sink.keep(token),
                Verdict::Mask(kind, why) => sink.mask_quoted(kind, why, token),
                _ => sink.mask_quoted(Kind::Unknown, Why::Shape, token),
            }
            self.end_value();
            return Some(end);
        }
        match class {
            Class::Sensitive(kind) => sink.mask_quoted(kind, Why::Name, token),
            _ => text::redact(
                core,
                token,
                sink,
                true,
                self.depth + 1,
                &mut TextState::default(),
            ),
        }
        Some(end)
    }

    /// A key without quotes.
    fn bare_key<'r>(&mut self, core: &'r Core, token: &[u8], sink: &mut Sink<'r>) {
        let (class, printable) = field(core, token);
        let frame = self.frame();
        frame.next = class;
        frame.next_node = frame.node.map(|node| node.child(token));
        frame.names_pair = matches!(class, Class::PairName);
        if let (Class::Unknown, Some(pair)) = (class, frame.pair) {
            frame.next = pair;
        }
        if printable {
            sink.keep(token);
        } else {
            sink.mask(Kind::Key, Why::Shape, token);
        }
    }
}

/// The verdict of the operation's field rules, or else of the class.
fn ruled(core: &Core, node: Option<Node<'_>>, class: Class, value: &[u8]) -> Verdict {
    let Some(node) = node else {
        return value::judge(core, class, value);
    };
    if value.trim_ascii().is_empty() || core.masks.is_mask(value) {
        return Verdict::Keep;
    }
    let kind = match class {
        Class::Sensitive(kind) => kind,
        _ => recognise::whole(value).unwrap_or(Kind::Unknown),
    };
    match node.action() {
        // What a rule keeps is still never a card or a credential.
        Some(Action::Keep) => match recognise::whole(value) {
            Some(kind) if !matches!(kind, Kind::Opaque) => Verdict::Mask(kind, Why::Recogniser),
            _ => Verdict::Keep,
        },
        Some(Action::Judge) => value::judge(core, class, value),
        Some(Action::Mask | Action::Drop) => Verdict::Mask(kind, Why::FieldRule),
        Some(Action::Pseudonymise) => Verdict::Mask(
            if kind.is_personal() {
                kind
            } else {
                Kind::Personal
            },
            Why::FieldRule,
        ),
        None => Verdict::Mask(kind, Why::FieldRule),
    }
}

const fn is_literal(token: &[u8]) -> bool {
    matches!(
        token,
        b"true" | b"false" | b"null" | b"True" | b"False" | b"None" | b"undefined" | b"NaN"
    )
}

fn is_number(token: &[u8]) -> bool {
    (token[0].is_ascii_digit()
        || (token[0] == b'-' && token.get(1).is_some_and(u8::is_ascii_digit)))
        && token
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

fn is_bare_key(token: &[u8]) -> bool {
    token.len() <= names::NAME_MAX
        && token
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$' | b'.'))
}

enum Masked {
    Yes(usize),
    No,
    Wait,
}

/// A mask without quotes, as this engine writes it into broken JSON.
fn mask_at(core: &Core, text: &[u8], at: usize, eof: bool) -> Masked {
    match core.masks.mask_len(&text[at..]) {
        Some(len) => Masked::Yes(len),
        None if !eof
            && text.len() - at < super::super::sink::MASK_MAX
            && !text[at..].contains(&b']') =>
        {
            Masked::Wait
        }
        None => Masked::No,
    }
}

/// The closing quote.
fn string_end(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(quote, b'\\', text.get(at..)?)?;
        if text[at] == quote {
            return Some(at);
        }
        at += 2;
    }
}

/// Skips the rest of a long string: where it got, and whether the closing quote was there.
fn skip_string(text: &[u8], from: usize, quote: u8, eof: bool) -> (usize, bool) {
    match string_end(text, from, quote) {
        Some(end) => (end + 1, true),
        None if eof => (text.len(), false),
        None => {
            // A backslash at the end escapes what comes next.
            let slashes = text[from..]
                .iter()
                .rev()
                .take_while(|b| **b == b'\\')
                .count();
            (text.len() - slashes % 2, false)
        }
    }
}

enum Sign {
    Colon,
    Other,
    Wait,
}

fn next_sign(text: &[u8], at: usize, eof: bool) -> Sign {
    let window = &text[at.min(text.len())..text.len().min(at + GAP_MAX)];
    match window
        .iter()
        .find(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
    {
        Some(b':') => Sign::Colon,
        Some(_) => Sign::Other,
        None if window.len() < GAP_MAX && !eof => Sign::Wait,
        None => Sign::Other,
    }
}
