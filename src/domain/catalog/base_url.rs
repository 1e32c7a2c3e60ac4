//! Base URLs of upstreams.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Longest host name (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// Where an upstream is: scheme, host, port and an optional path in front of every request path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    tls: bool,
    host: Arc<str>,
    port: u16,
    path: Arc<str>,
}

impl BaseUrl {
    /// Reads `https://host[:port][/path]`. Plain `http` is for loopback only: everything else
    /// would send credentials in the clear.
    ///
    /// # Errors
    /// A sentence that says what to write instead. It never repeats the text, which may hold a
    /// password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Self::parse_any(text)?;
        if !url.tls && !url.is_loopback() {
            return Err("use https; http is for loopback addresses only".to_owned());
        }
        Ok(url)
    }

    /// As [`BaseUrl::parse`], with plain `http` to other machines as well: for what holds no credential.
    ///
    /// # Errors
    /// As [`BaseUrl::parse`].
    pub fn parse_any(text: &str) -> Result<Self, String> {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("write https://host or https://host:port/path".to_owned()),
        };
        if rest.contains(['?', '#', '@', '\\', '%']) || !rest.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(
                "write a base URL without user name, query, fragment or escapes".to_owned(),
            );
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let path = path.trim_end_matches('/');
        if path
            .split('/')
            .skip(1)
            .any(|step| matches!(step, "" | "." | ".."))
        {
            return Err("write a path without empty and dot segments".to_owned());
        }
        let (host, port) =
            split_port(authority).ok_or("write the port as a number from 1 to 65535")?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        if !is_host(host) {
            return Err(
                "write a host name, an IPv4 address or an IPv6 address in brackets".to_owned(),
            );
        }
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase().into(),
            port,
            path: path.into(),
        })
    }

    /// Whether the connection is encrypted.
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// The host in lower case; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own if the URL has none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands in front of every request path: empty, or `/path` without a slash at the end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The value of the `Host` header: the port only if it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// Splits `host[:port]`; `None` if the port is not one.
pub fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_host = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(after_host)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        None => None,
        Some(port) if port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()) => {
            Some((host, Some(port.parse().ok().filter(|port| *port != 0)?)))
        }
        Some(_) => None,
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= MAX_HOST
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_scheme_host_port_and_path() {
        let url = BaseUrl::parse("https://Bank.Sandbox.Cybrid.app").unwrap();
        assert_eq!(
            (url.tls(), url.host(), url.port(), url.path()),
            (true, "bank.sandbox.cybrid.app", 443, "")
        );
        assert_eq!(url.to_string(), "https://bank.sandbox.cybrid.app");
        let url = BaseUrl::parse("http://127.0.0.1:9001/v2/").unwrap();
        assert_eq!(
            (url.authority().as_str(), url.path()),
            ("127.0.0.1:9001", "/v2")
        );
        assert!(BaseUrl::parse("http://[::1]:80").unwrap().is_loopback());
    }

    #[test]
    fn refuses_what_would_leak_or_mislead() {
        for bad in [
            "bank.example",
            "ftp://bank.example",
            "http://bank.example",
            "https://user:pw@bank.example",
            "https://bank.example?key=1",
            "https://bank.example/a/../b",
            "https://bank.example//a",
            "https://",
            "https://bank.example:0",
            "https://bank.example:x",
            "https://bank.example:99999",
            "https://-bank.example",
            "https://bank..example",
            "https://[::1",
            "https://127.0.0.1.nip@io",
        ] {
            let error = BaseUrl::parse(bad).unwrap_err();
            assert!(!error.contains("pw"), "{error}");
        }
        assert!(
            !BaseUrl::parse("https://127.0.0.1.example")
                .unwrap()
                .is_loopback()
        );
    }
}
