//! Header blocks, also with a request or status line in front.

use super::super::Core;
use super::super::fields::Node;
use super::super::kind::Kind;
use super::super::names::{self, Class};
use super::super::shape::*;
use super::super::sink::{Sink, Why};
use super::super::text::{self, TextState, is_secret};
use super::super::words::{self, KNOWN};
use super::value::{self, Verdict};
use super::{memo, target};
use crate::domain::http::is_token_byte;

/// Longest line that is read.
pub(crate) const LINE_MAX: usize = 64 * 1024;

/// What a folded line goes on with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeaderState {
    folded: Option<Class>,
    first_done: bool,
}

/// Header names whose values have a form of their own.
fn known_header(name: &[u8]) -> Option<Class> {
    use Class::{Safe, Sensitive, Text, Url};
    let mut folded = [0_u8; 48];
    let folded = folded.get_mut(..name.len())?;
    folded.copy_from_slice(name);
    folded.make_ascii_lowercase();
    Some(match &*folded {
        b"accept" | b"content-type" | b"accept-post" | b"accept-patch" => Safe(MIME | RANGE),
        b"accept-encoding" | b"accept-language" | b"accept-charset" | b"content-encoding"
        | b"content-language" | b"te" | b"accept-ranges" => Safe(RANGE | WORDY),
        b"content-length"
        | b"age"
        | b"max-forwards"
        | b"upgrade-insecure-requests"
        | b"dnt"
        | b"x-response-time"
        | b"x-runtime" => Safe(INT | AMOUNT | WORDY),
        b"date"
        | b"expires"
        | b"last-modified"
        | b"if-modified-since"
        | b"if-unmodified-since"
        | b"retry-after"
        | b"deprecation"
        | b"sunset" => Safe(TIME | SMALL | DATE),
        b"host" | b"x-forwarded-host" | b"x-original-host" | b":authority" => Safe(HOST | WORDY),
        b"user-agent"
        | b"server"
        | b"via"
        | b"x-powered-by"
        | b"connection"
        | b"cache-control"
        | b"transfer-encoding"
        | b"vary"
        | b"upgrade"
        | b"pragma"
        | b"allow"
        | b"content-disposition"
        | b"range"
        | b"content-range"
        | b"www-authenticate"
        | b"proxy-authenticate"
        | b"strict-transport-security"
        | b"x-frame-options"
        | b"x-content-type-options"
        | b"x-xss-protection"
        | b"content-security-policy"
        | b"referrer-policy"
        | b"permissions-policy"
        | b"expect"
        | b"trailer"
        | b"keep-alive"
        | b"alt-svc"
        | b"x-cache"
        | b"server-timing"
        | b"access-control-allow-methods"
        | b"access-control-allow-headers"
        | b"access-control-expose-headers"
        | b"access-control-request-headers"
        | b"access-control-request-method"
        | b"access-control-allow-credentials"
        | b"access-control-max-age"
        | b"warning"
        | b"prefer"
        | b"preference-applied"
        | b"x-requested-with"
        | b"content-transfer-encoding"
        | b"priority"
        | b"x-robots-tag"
        | b"cf-cache-status"
        | b"x-rate-limit-warning" => Text,
        b"location"
        | b"content-location"
        | b"referer"
        | b"origin"
        | b"access-control-allow-origin"
        | b":path"
        | b"x-original-url"
        | b"x-original-uri"
        | b"x-forwarded-prefix"
        | b"x-rewrite-url"
        | b"link" => Url,
        b":method" | b":scheme" | b":status" | b"x-forwarded-proto" | b"x-forwarded-scheme" => {
            Safe(WORDY | SHORT_INT)
        }
        b"x-forwarded-port" => Safe(INT),
        b"etag" | b"if-none-match" | b"if-match" | b"if-range" => Safe(HASH | REFERENCE | WORDY),
        b"traceparent" | b"b3" => Safe(TRACEPARENT),
        b"x-b3-traceid"
        | b"x-b3-spanid"
        | b"x-b3-parentspanid"
        | b"x-b3-sampled"
        | b"x-datadog-trace-id"
        | b"x-datadog-parent-id"
        | b"cf-ray"
        | b"x-trace" => Safe(TRACE | BOOLISH),
        b"x-amzn-trace-id" => Safe(ID),
        b"tracestate" | b"baggage" => Class::Unknown,
        b"digest" | b"content-digest" | b"repr-digest" | b"x-jws-signature"
        | b"signature-input" => Sensitive(Kind::Signature),
        b"authorization" | b"proxy-authorization" => Sensitive(Kind::Authorization),
        b"cookie" | b"set-cookie" | b"cookie2" | b"set-cookie2" => Sensitive(Kind::Cookie),
        b"consent-id" | b"consent-jwt" => Sensitive(Kind::Consent),
        b"x-gemini-payload" | b"x-payload" => Sensitive(Kind::Signature),
        b"x-api-key" | b"consumer-key" | b"api-key" | b"apikey" => Sensitive(Kind::ApiKey),
        b"from" => Sensitive(Kind::Email),
        other if other.starts_with(b"psu-") => Sensitive(Kind::Personal),
        other
            if other.starts_with(b"x-ratelimit")
                || other.starts_with(b"x-rate-limit")
                || other.starts_with(b"ratelimit") =>
        {
            Safe(INT | TIME | AMOUNT | RANGE | WORDY)
        }
        other if other.starts_with(b"echo_") => {
            return known_header(&name[5..]).or_else(|| Some(names::classify(&name[5..])));
        }
        other if other.starts_with(b"sec-") => Text,
        other
            if other.ends_with(b"-payload")
                || other.ends_with(b"-passphrase")
                || other.ends_with(b"-sign")
                || other.ends_with(b"-sig") =>
        {
            Sensitive(Kind::Signature)
        }
        _ => return None,
    })
}

/// Redacts one line without its end. `node` holds the rules of the operation, for its target.
pub(crate) fn redact_line<'r>(
    core: &'r Core,
    line: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
    state: &mut HeaderState,
) {
    if line.is_empty() {
        // What follows is another head, or nothing.
        *state = HeaderState::default();
        return;
    }
    let first = !state.first_done;
    state.first_done = true;
    if line[0] == b' ' || line[0] == b'\t' {
        let at = words::run(line, 0, |b| b == b' ' || b == b'\t');
        sink.keep(&line[..at]);
        let class = state.folded.unwrap_or(Class::Unknown);
        return redact_value(core, class, &line[at..], sink);
    }
    state.folded = None;
    if line.len() > LINE_MAX {
        return sink.mask(Kind::Oversize, Why::Shape, line);
    }
    if first && request_line(core, line, node, sink) {
        return;
    }
    let colon = match line.strip_prefix(b":") {
        // Pseudo headers of HTTP/2.
        Some(rest) => memchr::memchr(b':', rest).map(|at| at + 1),
        None => memchr::memchr(b':', line),
    };
    // Only the characters of a token (RFC 9110, 5.6.2) make a name.
    let name_end = colon.filter(|at| {
        *at > 0
            && *at <= names::NAME_MAX
            && line[usize::from(line[0] == b':')..*at]
                .iter()
                .all(|b| is_token_byte(*b))
    });
    let Some(colon) = name_end else {
        return text::redact(core, line, sink, true, 1, &mut TextState::default());
    };
    let name = &line[..colon];
    let (class, printable) = match known_header(name) {
        Some(class) if !core.user.knows_field(name) => (class, true),
        _ => {
            let says = memo::field(core, name);
            (says.class, says.printable)
        }
    };
    if printable || core.masks.is_mask(name) {
        sink.keep(name);
    } else {
        sink.mask(
            super::super::recognise::whole(name).unwrap_or(Kind::Key),
            Why::Shape,
            name,
        );
    }
    sink.keep(b":");
    let start = words::run(line, colon + 1, |b| b == b' ' || b == b'\t');
    sink.keep(&line[colon + 1..start]);
    state.folded = Some(class);
    redact_value(core, class, &line[start..], sink);
}

fn redact_value<'r>(core: &'r Core, class: Class, value: &[u8], sink: &mut Sink<'r>) {
    if value.is_empty() {
        return;
    }
    if let Class::Sensitive(kind) = class
        && is_secret(kind)
    {
        // The scheme tells which kind of token it was.
        let end = words::run(value, 0, |b| b.is_ascii_alphanumeric() || b == b'-');
        if value.get(end) == Some(&b' ')
            && let Some(kind) = target::scheme_kind(&value[..end])
        {
            let start = words::run(value, end, |b| b == b' ');
            sink.keep(&value[..start]);
            if core.masks.is_mask(value[start..].trim_ascii()) {
                return sink.keep(&value[start..]);
            }
            return sink.mask(kind, Why::Name, &value[start..]);
        }
    }
    let verdict = value::judge(core, class, value);
    match value::rewrite(core, verdict, value, sink, 0) {
        None => sink.keep(value),
        Some(inner) => sink.absorb(inner, |text, out| out.extend_from_slice(text)),
    }
}

/// `GET /path HTTP/1.1` or `HTTP/1.1 200 OK`. Answers whether it was one.
pub(crate) fn request_line<'r>(
    core: &'r Core,
    line: &[u8],
    node: Option<Node<'_>>,
    sink: &mut Sink<'r>,
) -> bool {
    if line.starts_with(b"HTTP/") {
        let verdict = Verdict::Text;
        match value::rewrite(core, verdict, line, sink, 0) {
            None => sink.keep(line),
            Some(inner) => sink.absorb(inner, |text, out| out.extend_from_slice(text)),
        }
        return true;
    }
    let Some(space) = memchr::memchr(b' ', line) else {
        return false;
    };
    let method = &line[..space];
    if !(3..=10).contains(&method.len())
        || !method.iter().all(u8::is_ascii_uppercase)
        || !words::word(method).is(KNOWN)
    {
        return false;
    }
    let rest = &line[space + 1..];
    let end = memchr::memmem::rfind(rest, b" HTTP/").unwrap_or(rest.len());
    let (uri, version) = rest.split_at(end);
    if !(uri.starts_with(b"/") || uri == b"*" || target::looks_like_url(uri)) {
        return false;
    }
    sink.keep(&line[..=space]);
    if uri == b"*" {
        sink.keep(uri);
    } else {
        target::redact_url(core, uri, node, sink, 0);
    }
    if version.len() <= 9 {
        sink.keep(version);
    } else {
        sink.mask(Kind::Unknown, Why::Shape, version);
    }
    true
}
