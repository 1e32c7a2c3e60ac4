//! One value under a name: kept, masked, or read further.

use super::super::Core;
use super::super::fields::{Action, Node};
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise;
use super::super::shape;
use super::super::sink::{Sink, Why};
use super::super::text::{self, TextState};
use super::super::words::KNOWN;
use super::{json, target};

/// Longest value that is read; a longer one is masked. 256 KiB holds every message and most
/// bodies that are quoted in another.
pub(crate) const VALUE_MAX: usize = 256 * 1024;

/// What happens to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Written as it is.
    Keep,
    /// Replaced.
    Mask(Kind, Why),
    /// Read as free text, strictly.
    Text,
    /// Read as a URL.
    Url,
    /// Read as JSON.
    Nested,
}

/// Whether a decoded value may stand under its name by its form alone.
pub(crate) fn stands(class: Class, value: &[u8]) -> bool {
    match class {
        Class::Sensitive(_) | Class::Text => false,
        Class::Safe(shapes) => shape::matches(shapes, value) || shape::is_harmless(value),
        Class::Url | Class::PairName | Class::Unknown => shape::is_harmless(value),
    }
}

/// Judges a decoded value.
pub(crate) fn judge(core: &Core, class: Class, value: &[u8]) -> Verdict {
    let trimmed = value.trim_ascii();
    if trimmed.is_empty() || core.masks.is_mask(trimmed) {
        return Verdict::Keep;
    }
    if let Class::Sensitive(kind) = class {
        return Verdict::Mask(kind, Why::Name);
    }
    if let Some(kind) = core.user.pattern_in(value) {
        return Verdict::Mask(kind, Why::UserRule);
    }
    let unknown = || {
        Verdict::Mask(
            recognise::whole(trimmed).unwrap_or(Kind::Unknown),
            Why::Shape,
        )
    };
    let further = || {
        if json::looks_nested(trimmed) {
            Verdict::Nested
        } else if target::looks_like_url(trimmed) {
            Verdict::Url
        } else {
            unknown()
        }
    };
    if stands(class, trimmed) {
        return Verdict::Keep;
    }
    match class {
        Class::Text => {
            if json::looks_nested(trimmed) {
                Verdict::Nested
            } else {
                Verdict::Text
            }
        }
        Class::Url => {
            if trimmed.starts_with(b"/") || target::looks_like_url(trimmed) {
                Verdict::Url
            } else if shape::is_wordy(trimmed, KNOWN) || shape::matches(shape::HOST, trimmed) {
                Verdict::Keep
            } else {
                further()
            }
        }
        Class::PairName if names::as_pair_name(trimmed).is_some() => Verdict::Keep,
        Class::Safe(_) | Class::PairName | Class::Unknown | Class::Sensitive(_) => further(),
    }
}

/// Judges a value where the operation has field rules: by the rule, and by the class of its name
/// where the rule says so or where there are no rules.
pub(crate) fn ruled(core: &Core, node: Option<Node<'_>>, class: Class, value: &[u8]) -> Verdict {
    let Some(node) = node else {
        return judge(core, class, value);
    };
    let trimmed = value.trim_ascii();
    if trimmed.is_empty() || core.masks.is_mask(trimmed) {
        return Verdict::Keep;
    }
    let kind = match class {
        Class::Sensitive(kind) => kind,
        _ => recognise::whole(value).unwrap_or(Kind::Unknown),
    };
    match node.action() {
        Some(Action::Keep) => kept(core, trimmed),
        Some(Action::Judge) => judge(core, class, value),
        Some(Action::Pseudonymise) if !kind.is_personal() => {
            Verdict::Mask(Kind::Personal, Why::FieldRule)
        }
        Some(Action::Mask | Action::Drop | Action::Pseudonymise) | None => {
            Verdict::Mask(kind, Why::FieldRule)
        }
    }
}

/// What a rule keeps: a value with a form of its own (an id, a number, a time, words of an API).
/// A card, a credential or another validated value is never kept, and what is none of these is
/// read as text, so that a sentence in a kept field does not carry a name along.
fn kept(core: &Core, value: &[u8]) -> Verdict {
    if let Some(kind) = core.user.pattern_in(value) {
        return Verdict::Mask(kind, Why::UserRule);
    }
    match recognise::whole(value) {
        Some(kind) if kind != Kind::Opaque => return Verdict::Mask(kind, Why::Recogniser),
        _ => {}
    }
    if shape::matches(shape::FORMED, value) {
        Verdict::Keep
    } else if json::looks_nested(value) {
        Verdict::Nested
    } else if target::looks_like_url(value) {
        Verdict::Url
    } else {
        Verdict::Text
    }
}

/// Redacts a decoded value by its verdict. `None`: it stands as it was. Otherwise the new value,
/// still without the escapes of its surface, is in the nested sink.
pub(crate) fn rewrite<'r>(
    core: &'r Core,
    verdict: Verdict,
    value: &[u8],
    sink: &Sink<'r>,
    depth: u8,
) -> Option<Sink<'r>> {
    if verdict == Verdict::Keep && value.len() <= VALUE_MAX {
        return None;
    }
    let mut inner = sink.nested();
    if value.len() > VALUE_MAX {
        inner.mask(Kind::Oversize, Why::Shape, value);
        return Some(inner);
    }
    match verdict {
        Verdict::Keep => return None,
        Verdict::Mask(kind, why) => inner.mask(kind, why, value),
        _ if depth >= json::NESTING_MAX => inner.mask(Kind::Encoded, Why::Shape, value),
        Verdict::Text => text::redact(
            core,
            value,
            &mut inner,
            true,
            depth + 1,
            &mut TextState::default(),
        ),
        Verdict::Url => target::redact_url(core, value, None, &mut inner, depth + 1),
        Verdict::Nested => json::redact_whole(core, value, &mut inner, depth + 1),
    }
    (inner.counts.total() > 0 || inner.out != value).then_some(inner)
}
