//! Request targets and URLs: authority, path segments, query, fragment.

use super::super::Core;
use super::super::fields::{Action, Node};
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::recognise::{self, encoded};
use super::super::shape;
use super::super::sink::{Sink, Why};
use super::super::text::is_secret;
use super::super::words::{self, API, KNOWN, LABEL, NOUN};
use super::pairs;

/// The kind of credential that a scheme of `Authorization` announces.
pub(crate) fn scheme_kind(scheme: &[u8]) -> Option<Kind> {
    const SCHEMES: [(&str, Kind); 19] = [
        ("bearer", Kind::Bearer),
        ("basic", Kind::Basic),
        ("digest", Kind::Authorization),
        ("oauth", Kind::OAuth1),
        ("directlogin", Kind::DirectLogin),
        ("gatewaylogin", Kind::GatewayLogin),
        ("dauth", Kind::DAuth),
        ("mac", Kind::Signature),
        ("bitso", Kind::Signature),
        ("bitstamp", Kind::ApiKey),
        ("hmac", Kind::Signature),
        ("token", Kind::Token),
        ("apikey", Kind::ApiKey),
        ("negotiate", Kind::Authorization),
        ("ntlm", Kind::Authorization),
        ("hawk", Kind::Signature),
        ("signature", Kind::Signature),
        ("dpop", Kind::Bearer),
        ("aws4-hmac-sha256", Kind::Signature),
    ];
    SCHEMES
        .iter()
        .find(|(name, _)| scheme.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, kind)| *kind)
}

/// Whether a value starts like an absolute URL.
pub(crate) fn looks_like_url(value: &[u8]) -> bool {
    let head = &value[..value.len().min(24)];
    memchr::memmem::find(head, b"://").is_some_and(|at| {
        at > 1
            && head[..at]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    }) && !value.contains(&b' ')
}

/// Redacts an absolute URL, or a target that starts with `/`. `node` holds the rules of the
/// operation that it belongs to.
pub(crate) fn redact_url<'r>(
    core: &'r Core,
    url: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
) {
    let Some(at) = memchr::memmem::find(url, b"://")
        .filter(|at| !url[..*at].contains(&b'/') && !url[..*at].contains(&b'?'))
    else {
        return redact_target(core, url, node, sink, depth);
    };
    let scheme = &url[..at];
    let letters = scheme.len() <= 16 && scheme.iter().all(u8::is_ascii_alphabetic);
    if letters || scheme.len() <= 5 || shape::is_wordy(scheme, KNOWN) {
        sink.keep(&url[..at + 3]);
    } else {
        sink.mask(Kind::Unknown, Why::Shape, scheme);
        sink.keep(b"://");
    }
    let rest = &url[at + 3..];
    let end = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let host = match memchr::memrchr(b'@', authority) {
        Some(sign) => {
            if core.masks.is_mask(&authority[..sign]) {
                sink.keep(&authority[..sign]);
            } else {
                sink.mask(Kind::Userinfo, Why::Recogniser, &authority[..sign]);
            }
            sink.keep(b"@");
            &authority[sign + 1..]
        }
        None => authority,
    };
    let mut host = host;
    while let Some(len) = core.masks.mask_len(host) {
        sink.keep(&host[..len]);
        host = &host[len..];
    }
    if !host.iter().any(u8::is_ascii_alphanumeric)
        || shape::matches(shape::HOST, host)
        || shape::is_wordy(host, KNOWN)
        || core.masks.is_mask(host)
    {
        sink.keep(host);
    } else {
        sink.mask(
            recognise::whole(host).unwrap_or(Kind::Unknown),
            Why::Shape,
            host,
        );
    }
    redact_target(core, target, node, sink, depth);
}

/// Redacts a path with an optional query and fragment.
fn redact_target<'r>(
    core: &'r Core,
    target: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    depth: u8,
) {
    let (rest, fragment) = match memchr::memchr(b'#', target) {
        Some(at) => target.split_at(at),
        None => (target, &b""[..]),
    };
    let (path, query) = match memchr::memchr(b'?', rest) {
        Some(at) => rest.split_at(at),
        None => (rest, &b""[..]),
    };
    redact_path(core, path, node, sink);
    if let Some(query) = query.strip_prefix(b"?") {
        sink.keep(b"?");
        pairs::redact_pairs(core, query, node.map(Node::or_judge), sink, depth);
    }
    if let Some(fragment) = fragment.strip_prefix(b"#") {
        sink.keep(b"#");
        pairs::redact_pairs(core, fragment, None, sink, depth);
    }
}

/// Redacts the segments of a path. A segment stands if it is a known word, or an id behind a
/// known word.
fn redact_path<'r>(core: &'r Core, path: &[u8], node: Option<Node<'_>>, sink: &mut Sink<'r>) {
    // What follows is a key: `/services/T0/B0/...`, `/webhook/<id>/IncomingWebhook/<id>/<id>`.
    let mut hook = false;
    let rules = node.and_then(|node| {
        let segments: Vec<&[u8]> = path.split(|b| *b == b'/').take(SEGMENTS_MAX + 1).collect();
        (segments.len() <= SEGMENTS_MAX).then(|| node.segments(&segments))?
    });
    let mut before: &[u8] = b"";
    let mut before_that: &[u8] = b"";
    for (n, segment) in path.split(|b| *b == b'/').enumerate() {
        if n > 0 {
            sink.keep(b"/");
        }
        if segment.is_empty() {
            continue;
        }
        let (name, matrix) = match memchr::memchr(b';', segment) {
            Some(at) => segment.split_at(at),
            None => (segment, &b""[..]),
        };
        let rule = rules.as_ref().and_then(|rules| *rules.get(n)?);
        let verdict = match rule {
            Some(Action::Mask | Action::Drop | Action::Pseudonymise)
                if !core.masks.is_mask(name) =>
            {
                Some((personal_kind(before, name), Why::FieldRule))
            }
            _ if hook && !core.masks.is_mask(name) && !shape::is_wordy(name, KNOWN) => {
                Some((Kind::Url, Why::Name))
            }
            _ => judge_segment(core, before, before_that, name),
        };
        hook |= name.eq_ignore_ascii_case(b"webhook") || name.eq_ignore_ascii_case(b"hook");
        match verdict {
            None => sink.keep(name),
            Some((kind, why)) => sink.mask(kind, why, name),
        }
        if let Some(matrix) = matrix.strip_prefix(b";") {
            sink.keep(b";");
            pairs::redact_pairs(core, matrix, None, sink, 1);
        }
        before_that = before;
        before = name;
    }
}

/// Segments of a path that is compared with an operation's: more than any operation has.
const SEGMENTS_MAX: usize = 64;

/// The kind of a parameter that names somebody.
fn personal_kind(before: &[u8], value: &[u8]) -> Kind {
    recognise::whole(value)
        .filter(|kind| *kind != Kind::Opaque)
        .or_else(|| parent_kind(before))
        .unwrap_or(Kind::Personal)
}

/// Parents whose child is a secret or names a person, in the catalogs' paths.
fn parent_kind(parent: &[u8]) -> Option<Kind> {
    const PARENTS: [(&str, Kind); 19] = [
        ("reset", Kind::Token),
        ("invite", Kind::Token),
        ("magic-link", Kind::Token),
        ("activate", Kind::Token),
        ("unsubscribe", Kind::Token),
        ("apikey", Kind::ApiKey),
        ("apikeys", Kind::ApiKey),
        ("validate_user", Kind::Token),
        ("reset_password", Kind::Token),
        ("reset-password", Kind::Token),
        ("user-invitations", Kind::Token),
        ("user-invitation", Kind::Token),
        ("email", Kind::Email),
        ("username", Kind::Username),
        ("consents", Kind::Consent),
        ("consent", Kind::Consent),
        ("sessions", Kind::Session),
        ("provider", Kind::Username),
        ("invitations", Kind::Token),
    ];
    if let Some((_, kind)) = PARENTS
        .iter()
        .find(|(name, _)| parent.eq_ignore_ascii_case(name.as_bytes()))
    {
        return Some(*kind);
    }
    match names::classify(parent) {
        Class::Sensitive(kind) => Some(kind),
        _ => None,
    }
}

fn judge_segment(
    core: &Core,
    before: &[u8],
    before_that: &[u8],
    segment: &[u8],
) -> Option<(Kind, Why)> {
    if core.masks.is_mask(segment) {
        return None;
    }
    let Some(plain) = encoded::percent(segment, false) else {
        return Some((Kind::Encoded, Why::Decoded));
    };
    let value = plain.trim_ascii();
    if value.is_empty() {
        return None;
    }
    if let Some(kind) = core.user.pattern_in(value) {
        return Some((kind, Why::UserRule));
    }
    // `/users/{PROVIDER}/{USERNAME}`: two behind `users`.
    let user =
        before_that.eq_ignore_ascii_case(b"users") && !before.is_empty() && !shape::is_id(before);
    let parent = if user {
        Some(Kind::Username)
    } else {
        parent_kind(before)
    };
    if let Some(kind) = parent {
        let id = shape::is_uuid(value) || shape::is_hex32(value) || shape::is_wyre_id(value);
        let word =
            shape::is_wordy(value, API | LABEL | NOUN) && value.iter().all(|b| !b.is_ascii_digit());
        let shown = word || (!is_secret(kind) && (id || value.len() < 4));
        if !shown {
            return Some((
                recognise::whole(value)
                    .filter(|k| *k != Kind::Opaque)
                    .unwrap_or(kind),
                Why::Name,
            ));
        }
        return None;
    }
    if shape::is_wordy(value, KNOWN | LABEL | NOUN)
        || (value.len() <= 32 && shape::is_version(value))
    {
        return None;
    }
    let plain_parent = !before.is_empty() && shape::is_wordy(before, KNOWN | LABEL | NOUN);
    let chained = shape::is_id(before) && !before.is_empty();
    if (plain_parent || chained) && shape::matches(shape::REFERENCE, value) {
        return None;
    }
    // `{BANK_ID}`, `:id`: a template, not a value.
    if value.first().is_some_and(|b| matches!(b, b'{' | b':'))
        && value
            .iter()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'{' | b'}' | b':'))
        && {
            let mut known = true;
            words::split_words(value, |word| {
                known &= words::word(word).is(KNOWN | NOUN | LABEL);
                known
            });
            known
        }
    {
        return None;
    }
    Some((recognise::whole(value).unwrap_or(Kind::Unknown), Why::Shape))
}
