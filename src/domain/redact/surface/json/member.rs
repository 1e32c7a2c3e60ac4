//! What stands in JSON: keys, strings, numbers, literals, and what is none of these.

use super::super::super::Core;
use super::super::super::fields::{Action, Node};
use super::super::super::kind::Kind;
use super::super::super::names::{self, Class};
use super::super::super::recognise::{self, encoded};
use super::super::super::shape;
use super::super::super::sink::{Sink, Why};
use super::super::super::text::{self, TextState, is_secret};
use super::super::memo::{Name, field};
use super::super::value::{self, VALUE_MAX, Verdict};
use super::tokens::{Sign, is_bare_key, is_literal, is_number, next_sign, string_end};
use super::{BARE_MAX, Frame, GAP_MAX, Json};

impl<'f> Json<'f> {
    pub(super) fn string<'r>(
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
                self.separate(sink);
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
        let frame = self.frame();
        let expects_key = frame.object && frame.expects_key;
        // A string before a colon is a key, wherever it stands.
        let is_key = match next_sign(text, after, eof) {
            Sign::Wait => return None,
            Sign::Colon => true,
            Sign::Other if expects_key && closed => {
                let window = &text[after..text.len().min(after + GAP_MAX)];
                let found = memchr::memchr(b':', window).is_some();
                if !found && window.len() < GAP_MAX && !eof {
                    return None;
                }
                found
            }
            Sign::Other => false,
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
        let says = field(core, &name);
        let drops = self.take_name(&name, says);
        let ruled = self.frame().next_node.is_some_and(Node::is_known);
        if drops && self.beyond == 0 && self.dropping.is_none() {
            sink.count(kind_of(says.class), Why::FieldRule);
            return self.drop_member();
        }
        self.separate(sink);
        if says.printable || ruled || core.masks.is_mask(&name) || shape::is_harmless(&name) {
            sink.keep(raw);
        } else {
            sink.mask_quoted(
                recognise::whole(&name).unwrap_or(Kind::Key),
                Why::Shape,
                inner,
            );
        }
    }

    /// Sets what the value behind a key will be; answers whether a rule leaves the member out.
    fn take_name(&mut self, name: &[u8], says: Name) -> bool {
        let frame = self.frame();
        frame.expects_key = false;
        frame.names_pair = says.pairs;
        frame.next = frame.class_of(says);
        frame.next_node = frame.node.map(|node| node.child(name));
        is_dropped(frame.next_node)
    }

    /// The kind that the whole subtree has, if it has one.
    fn effective(&self, frame: Frame<'f>) -> Option<Kind> {
        match frame.next {
            Class::Sensitive(kind) => Some(kind),
            _ => frame.forced,
        }
    }

    /// The class of the value that comes now.
    pub(super) fn class(&self, frame: &Frame<'f>) -> Class {
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
        self.separate(sink);
        let frame = *self.frame();
        let value = encoded::unescape(inner);
        let mut class = self.class(&frame);
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
            value::ruled(core, frame.next_node, class, &value)
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
    pub(super) fn bare<'r>(
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
        self.separate(sink);
        let class = self.class(&frame);
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
            match value::ruled(core, frame.next_node, class, token) {
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
        let says = field(core, token);
        let drops = self.take_name(token, says);
        if drops && self.beyond == 0 && self.dropping.is_none() {
            sink.count(kind_of(says.class), Why::FieldRule);
            return self.drop_member();
        }
        self.separate(sink);
        if says.printable {
            sink.keep(token);
        } else {
            sink.mask(Kind::Key, Why::Shape, token);
        }
    }
}

fn is_dropped(node: Option<Node<'_>>) -> bool {
    node.and_then(Node::action) == Some(Action::Drop)
}

fn kind_of(class: Class) -> Kind {
    match class {
        Class::Sensitive(kind) => kind,
        _ => Kind::Unknown,
    }
}
