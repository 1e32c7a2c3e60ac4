//! Queries and forms: `name=value` pairs.

use super::super::Core;
use super::super::fields::{Action, Node};
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise::{self, encoded};
use super::super::shape;
use super::super::sink::{Sink, Why};
use super::super::words::{API, LABEL, NOUN};
use super::memo;
use super::value::{self, Verdict};

/// Redacts all pairs of a text.
pub(crate) fn redact_pairs<'r>(
    core: &'r Core,
    text: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
) {
    let mut start = 0;
    let mut pair = None;
    while start <= text.len() {
        let end = memchr::memchr(b'&', &text[start..]).map_or(text.len(), |n| start + n);
        redact_pair(core, &text[start..end], node, sink, depth, &mut pair);
        if end < text.len() {
            sink.keep(b"&");
        }
        start = end + 1;
    }
}

/// Redacts one pair. `named` carries the field that an earlier pair named (`fieldId=...`).
pub(crate) fn redact_pair<'r>(
    core: &'r Core,
    text: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
    named: &mut Option<Class>,
) {
    // A semicolon separates too, where names stand on both sides.
    if let Some(at) = memchr::memchr(b';', text)
        && memchr::memchr(b'=', &text[at..]).is_some()
        && memchr::memchr(b'=', &text[..at]).is_some()
    {
        redact_pair(core, &text[..at], node, sink, depth, named);
        sink.keep(b";");
        // Bounded: each call takes one piece off the front.
        return redact_rest(core, &text[at + 1..], node, sink, depth, named);
    }
    one(core, text, node, sink, depth, named);
}

fn redact_rest<'r>(
    core: &'r Core,
    text: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
    named: &mut Option<Class>,
) {
    for (n, part) in text.split(|b| *b == b';').enumerate() {
        if n > 0 {
            sink.keep(b";");
        }
        one(core, part, node, sink, depth, named);
    }
}

fn one<'r>(
    core: &'r Core,
    text: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
    named: &mut Option<Class>,
) {
    if text.is_empty() {
        return;
    }
    let Some(eq) = memchr::memchr(b'=', text) else {
        // A name alone, or a value alone: only words stand.
        let plain = encoded::percent(text, true);
        match plain {
            Some(plain)
                if core.masks.is_mask(&plain)
                    || shape::is_harmless(&plain)
                    || shape::is_wordy(&plain, API | LABEL | NOUN) =>
            {
                sink.keep(text)
            }
            Some(plain) => {
                let verdict = value::judge(core, Class::Unknown, &plain);
                emit(core, verdict, text, &plain, sink, depth);
            }
            None => sink.mask(Kind::Encoded, Why::Decoded, text),
        }
        return;
    };
    let (key, raw) = (&text[..eq], &text[eq + 1..]);
    let name = encoded::percent(key, true);
    let says = name.as_ref().map(|name| memo::field(core, name));
    let (mut class, printable) =
        says.map_or((Class::Unknown, false), |says| (says.class, says.printable));
    let node = name
        .as_ref()
        .and_then(|name| node.map(|node| node.child(name)));
    let ruled = node.is_some_and(Node::is_known);
    if let (Class::Unknown, Some(pair)) = (class, *named)
        && says.is_none_or(|says| says.holds)
    {
        class = pair;
    }
    if node.and_then(Node::action) == Some(Action::Drop) {
        return sink.count(
            match class {
                Class::Sensitive(kind) => kind,
                _ => Kind::Unknown,
            },
            Why::FieldRule,
        );
    }
    if printable || ruled || name.as_ref().is_some_and(|name| core.masks.is_mask(name)) {
        sink.keep(key);
    } else {
        let kind = name
            .as_ref()
            .and_then(|name| recognise::whole(name))
            .unwrap_or(Kind::Key);
        sink.mask(kind, Why::Shape, key);
    }
    sink.keep(b"=");
    let Some(plain) = encoded::percent(raw, true) else {
        let kind = if let Class::Sensitive(kind) = class {
            kind
        } else {
            Kind::Encoded
        };
        return sink.mask(kind, Why::Decoded, raw);
    };
    if matches!(class, Class::PairName) {
        *named = names::as_pair_name(&plain);
    }
    let verdict = value::ruled(core, node, class, &plain);
    // `+` may have been a plus: a telephone number after `phone=+1...` is masked by name anyway.
    emit(core, verdict, raw, &plain, sink, depth);
}

fn emit<'r>(
    core: &'r Core,
    verdict: Verdict,
    raw: &[u8],
    plain: &[u8],
    sink: &mut Sink<'r>,
    depth: u8,
) {
    match value::rewrite(core, verdict, plain, sink, depth) {
        None => sink.keep(raw),
        Some(inner) => sink.absorb(inner, encode),
    }
}

/// Percent-encodes what cannot stand in a query or form. Brackets and colons stay, so that masks
/// can be read.
fn encode(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for b in text {
        if b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'['
                    | b']'
                    | b':'
                    | b'/'
                    | b'@'
                    | b','
                    | b'!'
                    | b'*'
                    | b'\''
                    | b'('
                    | b')'
                    | b'$'
                    | b'?'
                    | b'='
            )
        {
            out.push(*b);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]);
        }
    }
}
