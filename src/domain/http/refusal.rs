//! Why a request is not passed on. A refusal is a word from a fixed list: it cannot carry any of
//! the refused bytes into a record, a log line or an answer.

use std::fmt;

/// One row per refusal: code, HTTP status, what is wrong, what to do about it.
macro_rules! refusals {
    ($($variant:ident = $code:literal, $status:literal, $detail:literal, $hint:literal;)+) => {
        /// The reason why a request is refused before it is looked at any further.
        ///
        /// Code, status and texts are fixed and quote nothing of the request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $(#[doc = $detail] $variant,)+
        }

        impl Refusal {
            /// Every refusal, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable code that stands in records and problem types.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status to answer with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// What is wrong, for the caller.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }

            /// What to do about it, for the caller.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)+ }
            }
        }
    };
}

refusals! {
    TlsOnPlainPort = "tls_on_plain_port", 400,
        "This port speaks plain HTTP, but the connection starts with a TLS handshake.",
        "Use http:// for this port, or connect to the gateway's TLS port.";
    Http2Preface = "http2_preface", 400,
        "This port speaks HTTP/1.1, but the connection starts with the HTTP/2 preface.",
        "Use HTTP/1.1 here, or a port where HTTP/2 is on.";
    HeadIncomplete = "head_incomplete", 400,
        "The connection ended in the middle of a request head.",
        "Send the whole head before closing the connection.";
    HeadTimeout = "head_timeout", 408,
        "The request head did not arrive in time.",
        "Send the request line and all headers without long pauses.";
    LeadingEmptyLines = "leading_empty_lines", 400,
        "More than one empty line stands before the request line.",
        "Send the request line right after the previous request.";
    BareLf = "bare_lf", 400,
        "A line of the request head ends with LF alone.",
        "End every line of the head with CR LF.";
    BareCr = "bare_cr", 400,
        "The request head contains a CR that is not followed by LF.",
        "End every line of the head with CR LF and put no CR anywhere else.";
    ObsFold = "obs_fold", 400,
        "A header line starts with white space (a folded header).",
        "Put every header on one line.";
    BadRequestLine = "bad_request_line", 400,
        "The request line is not method, target and version with single spaces between them.",
        "Send a line such as: GET /cybrid/bank/api/banks HTTP/1.1";
    BadMethod = "bad_method", 400,
        "The method is not an HTTP token of at most 32 characters.",
        "Use a method such as GET, POST, PUT, PATCH or DELETE.";
    BadVersion = "bad_version", 505,
        "The request names no HTTP version, or one that this port does not speak.",
        "Use HTTP/1.1.";
    RequestLineTooLarge = "request_line_too_large", 414,
        "The request line is longer than the gateway accepts.",
        "Shorten the query, for example by asking for fewer identifiers at a time.";
    HeadTooLarge = "head_too_large", 431,
        "The request head is larger than the gateway accepts.",
        "Send fewer or shorter headers.";
    FieldTooLarge = "field_too_large", 431,
        "A header line is longer than the gateway accepts.",
        "Shorten the header; cookies and tokens are the usual cause.";
    TooManyFields = "too_many_fields", 431,
        "The request has more headers than the gateway accepts.",
        "Send fewer headers.";
    BadFieldName = "bad_field_name", 400,
        "A header name is empty or contains a character that names may not contain.",
        "Use letters, digits and hyphens in header names, followed by a colon.";
    SpaceBeforeColon = "space_before_colon", 400,
        "White space stands between a header name and its colon.",
        "Put the colon right after the header name.";
    BadFieldValue = "bad_field_value", 400,
        "A header value contains a control character.",
        "Remove control characters from header values, or encode them.";
    MissingHost = "missing_host", 400,
        "The request has no Host header.",
        "Send exactly one Host header; HTTP/1.1 requires it.";
    DuplicateHost = "duplicate_host", 400,
        "The request has more than one Host header.",
        "Send exactly one Host header.";
    BadHost = "bad_host", 400,
        "The Host header is not a host name or address with an optional port.",
        "Send a value such as: Host: localhost:8080";
    BadLength = "bad_length", 400,
        "Content-Length is not a plain decimal number.",
        "Send the body's length in bytes as digits only.";
    DuplicateLength = "duplicate_length", 400,
        "Content-Length is given more than once.",
        "Send exactly one Content-Length with one number.";
    ConflictingLength = "conflicting_length", 400,
        "Content-Length is given more than once with different numbers.",
        "Send exactly one Content-Length with one number.";
    LengthWithTransferEncoding = "length_with_transfer_encoding", 400,
        "The request has both Content-Length and Transfer-Encoding.",
        "Send one of the two.";
    TransferEncodingUnsupported = "transfer_encoding_unsupported", 501,
        "Transfer-Encoding is something other than a single chunked.",
        "Send Transfer-Encoding: chunked, or Content-Length instead.";
    TransferEncodingInHttp10 = "transfer_encoding_in_http10", 400,
        "Transfer-Encoding does not exist in HTTP/1.0.",
        "Use HTTP/1.1, or send Content-Length.";
    Connect = "connect", 405,
        "The gateway does not open tunnels: CONNECT is not served.",
        "Use the gateway as the base URL of the API instead of as an HTTP proxy.";
    AbsoluteForm = "absolute_form", 400,
        "The request target is a full URL; the gateway takes only a path.",
        "Use the gateway as the base URL of the API instead of as an HTTP proxy.";
    AsteriskForm = "asterisk_form", 400,
        "The request target is an asterisk; the gateway takes only a path.",
        "Name the path that the request is about.";
    BadTarget = "bad_target", 400,
        "The request target does not start with a slash.",
        "Send a path such as /cybrid/bank/api/banks.";
    TargetNotAscii = "target_not_ascii", 400,
        "The request target contains bytes outside ASCII.",
        "Percent-encode everything that is not an ASCII letter, digit or allowed sign.";
    TargetCharacter = "target_character", 400,
        "The request target contains a character that must be percent-encoded there.",
        "Percent-encode spaces, quotes, brackets and similar signs.";
    TargetControl = "target_control", 400,
        "The request target contains a control character, plain or percent-encoded.",
        "Remove control characters from the path and the query.";
    TargetEscape = "target_escape", 400,
        "The request target contains a percent sign without two hexadecimal digits after it.",
        "Write a literal percent sign as %25.";
    TargetUtf8 = "target_utf8", 400,
        "The percent-encoded bytes of the request target are not valid UTF-8.",
        "Percent-encode the UTF-8 form of the text.";
    TargetFragment = "target_fragment", 400,
        "The request target contains a fragment.",
        "Remove the part from # on, or write a literal # as %23.";
    Backslash = "backslash", 400,
        "The request target contains a backslash, plain or percent-encoded.",
        "Use forward slashes in paths; percent-encode a backslash in the query.";
    EncodedSlash = "encoded_slash", 400,
        "The path contains a percent-encoded slash.",
        "Send identifiers without slashes; this provider's paths do not need them.";
    DotSegment = "dot_segment", 400,
        "The path contains a segment that means this or the parent folder.",
        "Send the final path, without . and .. segments.";
    EmptySegment = "empty_segment", 400,
        "The path contains two slashes in a row.",
        "Check that the base URL does not end with a slash and that no identifier is empty.";
    NestedEncoding = "nested_encoding", 400,
        "The path is percent-encoded several times over.",
        "Percent-encode identifiers once.";
    PathTooLong = "path_too_long", 414,
        "The path is longer than the gateway accepts.",
        "Shorten the path.";
    TooManySegments = "too_many_segments", 414,
        "The path has more segments than the gateway accepts.",
        "Shorten the path.";
    QueryTooLong = "query_too_long", 414,
        "The query is longer than the gateway accepts.",
        "Shorten the query, for example by asking for fewer identifiers at a time.";
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.detail())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_lower_case_words() {
        let mut seen = HashSet::new();
        for refusal in Refusal::ALL {
            let code = refusal.as_str();
            assert!(seen.insert(code), "{code} twice");
            assert!(
                code.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{code}"
            );
        }
    }

    #[test]
    fn every_refusal_is_an_error_with_two_sentences() {
        for refusal in Refusal::ALL {
            assert!((400..=505).contains(&refusal.status()), "{refusal:?}");
            assert!(refusal.detail().ends_with('.'), "{refusal:?}");
            assert!(refusal.hint().len() > 10, "{refusal:?}");
        }
    }
}
