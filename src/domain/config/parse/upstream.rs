//! Base URLs of banks, and which of them are too dangerous to call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::domain::config::model::Upstream;
use crate::domain::config::reader::{Kind, Problem, Raw, Shape, quoted};

/// Longest base URL, in bytes.
const MAX_URL: usize = 2048;
/// Longest host name, in bytes, and longest part of one (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;

/// A base URL: `https://host[:port][/path]`.
pub(super) struct BaseUrl;

impl Kind for BaseUrl {
    type Value = Upstream;

    fn read(&self, raw: Raw<'_>) -> Result<Upstream, Problem> {
        let text = raw
            .text()
            .ok_or_else(|| Problem::new("must be a URL in quotes", WRITE))?;
        parse_url(text)
    }

    fn describe(&self) -> String {
        "URL".to_owned()
    }

    fn show(&self, value: &Upstream) -> String {
        quoted(&value.url())
    }

    fn shape(&self) -> Shape {
        Shape::Pattern(vec!["^[Hh][Tt][Tt][Pp][Ss]?://[^@?#]+$"])
    }
}

const WRITE: &str = "write \"https://host\", with port and path if needed";

/// Reads a base URL. Values are repeated in problems only where nothing secret can stand.
pub(super) fn parse_url(text: &str) -> Result<Upstream, Problem> {
    let fault = |message: &str, hint: &str| Err(Problem::new(message, hint));
    if text.len() > MAX_URL {
        return fault("the URL is too long", "use at most 2048 bytes");
    }
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let (tls, rest) = if lower == "https://" {
        (true, text.get(8..).unwrap_or_default())
    } else if lower.starts_with("http://") {
        (false, text.get(7..).unwrap_or_default())
    } else {
        return fault("not an http or https URL", WRITE);
    };
    if rest.contains('@') {
        let hint = "remove everything up to the @: callers bring their own credentials";
        return fault("a base URL must not hold a user or a password", hint);
    }
    if rest.contains(['?', '#']) {
        return fault("a base URL must not hold a query or a fragment", WRITE);
    }
    if rest
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || byte == b'\\')
    {
        let hint = "write it in ASCII: host names in Punycode, paths percent-encoded";
        return fault("the URL holds a character that is not allowed", hint);
    }
    let (authority, path) = rest
        .find('/')
        .and_then(|slash| rest.split_at_checked(slash))
        .unwrap_or((rest, ""));
    let (host, port) = split_port(authority)?;
    let host = normalise_host(host)?;
    Ok(Upstream {
        tls,
        host: host.into(),
        port: port.unwrap_or(if tls { 443 } else { 80 }),
        base_path: base_path(path)?.into(),
        ca: None,
        verify: true,
    })
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), Problem> {
    let end_of_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let after = authority.get(end_of_host..).unwrap_or_default();
    let Some(colon) = after.find(':') else {
        return Ok((authority, None));
    };
    let (host, port) = authority
        .split_at_checked(end_of_host + colon)
        .unwrap_or((authority, ""));
    match port.get(1..).and_then(|port| port.parse::<u16>().ok()) {
        Some(port) if port > 0 => Ok((host, Some(port))),
        _ => Err(Problem::new(
            "the port is not a number from 1 to 65535",
            WRITE,
        )),
    }
}

fn normalise_host(host: &str) -> Result<String, Problem> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner
            .strip_suffix(']')
            .and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address
            .map(|address| format!("[{address}]"))
            .ok_or_else(|| Problem::new("not an IPv6 address in brackets", WRITE));
    }
    if host.is_empty() {
        return Err(Problem::new("the host is missing", WRITE));
    }
    let host = host.to_ascii_lowercase();
    if host.parse::<Ipv4Addr>().is_ok() {
        return Ok(host);
    }
    let label_is_good = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if host.len() > MAX_HOST || !host.split('.').all(label_is_good) {
        let hint = "use letters, digits, hyphens and dots, without a dot at the end";
        return Err(Problem::new("not a host name", hint));
    }
    // Resolvers read `127.1`, `2130706433` and `0x7f.1` as addresses (inet_aton), which would
    // go round every rule about addresses.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(Problem::new(
            "an address in an unusual notation",
            "write it as 127.0.0.1",
        ));
    }
    Ok(host)
}

fn base_path(path: &str) -> Result<&str, Problem> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/').skip(1);
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain.is_empty() || plain == "." || plain == ".."
    };
    let unusual = |byte: u8| matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}');
    if segments.any(dots) || path.bytes().any(unusual) {
        let hint = "write the path without empty segments, dot segments and unusual characters";
        return Err(Problem::new("the path of the URL is not plain", hint));
    }
    Ok(path)
}

impl Upstream {
    /// The address, if the host is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        let bare = self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host);
        bare.parse().ok()
    }

    /// Whether the server is on this machine: 127.0.0.0/8, `::1` or `localhost`. Other names are
    /// not, wherever they lead today.
    pub fn is_loopback(&self) -> bool {
        self.ip()
            .map_or(&*self.host == "localhost", |ip| ip.is_loopback())
    }

    /// Whether whoever listens on an address of this machine is called by it.
    pub fn leads_to(&self, address: SocketAddr) -> bool {
        self.is_loopback()
            && address.port() == self.port
            && (address.ip().is_unspecified() || self.ip().is_none_or(|ip| ip == address.ip()))
    }
}

/// Why a host must not be called at all, and what to write instead.
pub(super) fn refused_host(host: &str) -> Option<Problem> {
    let under = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if under("sendwyre.com") || under("testwyre.com") {
        return Some(Problem::new(
            format!(
                "{host} is refused: Wyre was wound down in 2023, and whoever holds the name now \
                 would be sent live secrets"
            ),
            "write the URL of your own service that signs the Wyre way",
        ));
    }
    if host == "id.cybrid.app" || host == "api.cybrid.app" {
        return Some(Problem::new(
            format!("{host} is refused: Cybrid does not document this name"),
            "remove the key for Cybrid's own hosts, such as id.sandbox.cybrid.app",
        ));
    }
    None
}

/// What is too dangerous about an upstream, if anything.
pub(super) fn danger(upstream: &Upstream) -> Option<Problem> {
    if let Some(refused) = refused_host(&upstream.host) {
        return Some(refused);
    }
    if upstream.is_loopback() {
        return None;
    }
    if !upstream.tls {
        return Some(Problem::new(
            "plain HTTP is allowed to this machine only: tokens would cross the network in clear",
            "write https://",
        ));
    }
    if !upstream.verify {
        return Some(Problem::new(
            "verify = false is allowed to this machine only: anybody could pose as the bank",
            "remove verify, and name the bank's own authority with ca if it has one",
        ));
    }
    if upstream.ip().is_some() {
        return Some(Problem::new(
            "an address has no server name to verify a certificate with",
            "write the host name that stands in the bank's certificate",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(url: &str) -> String {
        match parse_url(url) {
            Ok(up) => format!("{} {} {} {:?}", up.tls, up.host, up.port, up.base_path),
            Err(problem) => format!("! {}", problem.message),
        }
    }

    #[test]
    fn urls_are_read_and_normalised() {
        for (url, expected) in [
            (
                "https://bank.sandbox.cybrid.app",
                "true bank.sandbox.cybrid.app 443 \"\"",
            ),
            (
                "HTTPS://Bank.Example:8443/obp/",
                "true bank.example 8443 \"/obp\"",
            ),
            ("http://localhost:9000/a/b", "false localhost 9000 \"/a/b\""),
            ("http://[::1]:9000", "false [::1] 9000 \"\""),
            ("https://[0:0::1]/", "true [::1] 443 \"\""),
            ("ftp://bank", "! not an http or https URL"),
            ("bank.example", "! not an http or https URL"),
            ("https://", "! the host is missing"),
            ("https://:443", "! the host is missing"),
            (
                "https://bank:0",
                "! the port is not a number from 1 to 65535",
            ),
            (
                "https://bank:",
                "! the port is not a number from 1 to 65535",
            ),
            (
                "https://bank:99999",
                "! the port is not a number from 1 to 65535",
            ),
            ("https://bank.example.", "! not a host name"),
            ("https://-bank.example", "! not a host name"),
            ("https://[::1x]", "! not an IPv6 address in brackets"),
            ("https://[::1", "! the port is not a number from 1 to 65535"),
            (
                "https://bänk.example",
                "! the URL holds a character that is not allowed",
            ),
            (
                "https://bank\\@evil",
                "! a base URL must not hold a user or a password",
            ),
            (
                "https://bank/?x=1",
                "! a base URL must not hold a query or a fragment",
            ),
            (
                "https://bank/#x",
                "! a base URL must not hold a query or a fragment",
            ),
            ("https://bank/a/../b", "! the path of the URL is not plain"),
            (
                "https://bank/a/%2e%2E",
                "! the path of the URL is not plain",
            ),
            ("https://bank//a", "! the path of the URL is not plain"),
            ("http://127.1:80", "! an address in an unusual notation"),
            ("http://2130706433", "! an address in an unusual notation"),
            ("http://127.0.0.0x1", "! an address in an unusual notation"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn only_this_machine_may_be_called_without_protection() {
        for (url, verify, safe) in [
            ("https://bank.example", true, true),
            ("https://bank.example", false, false),
            ("http://bank.example", true, false),
            ("https://10.0.0.1", true, false),
            ("https://0.0.0.0", true, false),
            ("https://[2001:db8::1]", true, false),
            ("http://127.0.0.1", true, true),
            ("http://127.9.9.9:1", true, true),
            ("https://127.0.0.1", false, true),
            ("http://[::1]", true, true),
            ("http://[::ffff:127.0.0.1]", true, false),
            ("http://localhost", true, true),
            ("http://localhost.example", true, false),
            ("https://api.sendwyre.com", true, false),
            ("https://sendwyre.com", true, false),
            ("https://API.TestWyre.com", true, false),
            ("https://notsendwyre.com", true, true),
            ("https://id.cybrid.app", true, false),
            ("https://api.cybrid.app", true, false),
            ("https://id.sandbox.cybrid.app", true, true),
        ] {
            let mut upstream = parse_url(url).unwrap();
            upstream.verify = verify;
            assert_eq!(danger(&upstream).is_none(), safe, "{url} {verify}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_user_is_repeated(text in "(https?://)?[a-z0-9.:/@?#%\\[\\]é-]{0,40}") {
            let shown = format!("{:?}", parse_url(&format!("https://hunter2@{text}")));
            prop_assert!(!shown.contains("hunter2"));
            let _ = parse_url(&text);
        }
    }
}
