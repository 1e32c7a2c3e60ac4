//! What a proxy does with a header field by its name alone. Names are compared without regard to
//! case; values are not looked at, except that of `Connection`.

use super::head::TOKEN;

/// How a header field of a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// For the bank: goes on unchanged.
    EndToEnd,
    /// For this connection only (RFC 9110, 7.6.1), or a credential for the gateway itself
    /// (`Proxy-Authorization`): never goes on.
    HopByHop,
    /// Says where a request came from, as some earlier proxy saw it: does not go on unless
    /// configured, and is believed by nobody.
    CallerAddress,
    /// Asks the server to take the request for another one: `X-HTTP-Method-Override: DELETE` on a
    /// POST. The record would tell a different story than the bank's books, so it never goes on.
    Override,
}

/// Names of fields that are for one connection. Every `Proxy-*` field is too.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names by which proxies and delivery networks pass on an address. Every `X-Forwarded-*` field
/// is one too.
const CALLER_ADDRESS: &[&str] = &[
    "cdn-loop",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-ipcountry",
    "cf-pseudo-ipv4",
    "cf-ray",
    "cf-visitor",
    "client-ip",
    "do-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "wl-proxy-client-ip",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-host",
    "x-nf-client-connection-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-vercel-forwarded-for",
];

/// Names by which frameworks let a request pass for another one.
const OVERRIDE: &[&str] = &[
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
];

/// Fields that `Connection` may not take away: without them the request would be another one, or
/// come without its credential, and RFC 9110, 7.6.1 forbids to nominate such fields.
const PROTECTED: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-version",
    "authorization",
    "cache-control",
    "consent-id",
    "consent-jwt",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "dauth",
    "digest",
    "directlogin",
    "host",
    "idempotency-key",
    "psd2-cert",
    "signature",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-api-signature",
    "x-jws-signature",
    "x-request-id",
];

/// The role of a field by its name.
pub fn role(name: &str) -> FieldRole {
    // Most fields of most requests start with another letter than these: one look is enough.
    let Some(first) = name.as_bytes().first() else {
        return FieldRole::EndToEnd;
    };
    match first.to_ascii_lowercase() {
        b'p' if starts_with(name, "proxy-") => FieldRole::HopByHop,
        b'x' if starts_with(name, "x-forwarded-") => FieldRole::CallerAddress,
        b'x' if is_one_of(name, OVERRIDE) => FieldRole::Override,
        b'c' | b'h' | b'k' | b't' | b'u' if is_one_of(name, HOP_BY_HOP) => FieldRole::HopByHop,
        b'c' | b'd' | b'f' | b't' | b'v' | b'w' | b'x' if is_one_of(name, CALLER_ADDRESS) => {
            FieldRole::CallerAddress
        }
        _ => FieldRole::EndToEnd,
    }
}

/// The further fields that the value of a `Connection` field nominates as hop-by-hop
/// (RFC 9110, 7.6.1).
///
/// Left out are the options `close` and `keep-alive`, what is not a name, and fields that must
/// not be taken away: a caller could otherwise strip `Content-Length` or a credential behind the
/// gateway's back.
pub fn nominated(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(|name| name.trim_matches([' ', '\t']))
        .filter(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| TOKEN[usize::from(byte)])
                && !name.eq_ignore_ascii_case("close")
                && !name.eq_ignore_ascii_case("keep-alive")
                && !is_one_of(name, PROTECTED)
        })
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.as_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn is_one_of(name: &str, list: &[&str]) -> bool {
    list.iter().any(|listed| name.eq_ignore_ascii_case(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_has_its_role() {
        // The first-letter filter in `role` must know the first letters of all lists.
        for (list, expected) in [
            (HOP_BY_HOP, FieldRole::HopByHop),
            (CALLER_ADDRESS, FieldRole::CallerAddress),
            (OVERRIDE, FieldRole::Override),
        ] {
            for name in list {
                assert_eq!(role(name), expected, "{name}");
                assert_eq!(role(&name.to_ascii_uppercase()), expected, "{name}");
            }
        }
    }

    #[test]
    fn families_are_known_by_their_prefix() {
        assert_eq!(role("Proxy-Authorization"), FieldRole::HopByHop);
        assert_eq!(role("proxy-anything"), FieldRole::HopByHop);
        assert_eq!(role("X-Forwarded-For"), FieldRole::CallerAddress);
        assert_eq!(role("X-FORWARDED-Client-Cert"), FieldRole::CallerAddress);
    }

    #[test]
    fn what_is_for_the_bank_goes_on() {
        for name in [
            "",
            "Authorization",
            "DirectLogin",
            "Consent-Id",
            "Content-Length",
            "traceparent",
            "X-Api-Key",
            "X-Request-ID",
            "PSU-IP-Address",
            "PSD2-CERT",
            "Proxy",
            "TPP-Signature-Certificate",
        ] {
            assert_eq!(role(name), FieldRole::EndToEnd, "{name}");
        }
    }

    #[test]
    fn connection_nominates_names() {
        let names: Vec<_> = nominated("close, X-Trace\t,,Keep-Alive , b@d,y").collect();
        assert_eq!(names, ["X-Trace", "y"]);
        assert_eq!(nominated("Authorization, content-length, HOST").count(), 0);
        assert_eq!(nominated("").count(), 0);
    }
}
