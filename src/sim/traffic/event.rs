//! One event, and its line in the neutral event format (version 1).

use super::network::{Address, NetMap};
use super::operation::{Op, SCOPES};

/// What credential a call used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    None,
    Org,
    Bank,
    Customer,
    DirectLogin,
    ApiKey,
}

impl TokenKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Org => "org",
            Self::Bank => "bank",
            Self::Customer => "customer",
            Self::DirectLogin => "direct_login",
            Self::ApiKey => "api_key",
        }
    }
}

/// Why a call failed, where the format has a word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    CircuitOpen,
    Upstream,
    Timeout,
    RateLimited,
    TokenRateLimit,
    TokenExpired,
    InvalidToken,
    InvalidClient,
    InvalidCredentials,
}

impl Fault {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::CircuitOpen => "circuit_open",
            Self::Upstream => "upstream_5xx",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::TokenRateLimit => "token_rate_limit",
            Self::TokenExpired => "token_expired",
            Self::InvalidToken => "invalid_token",
            Self::InvalidClient => "invalid_client",
            Self::InvalidCredentials => "invalid_credentials",
        }
    }

    /// The status that goes with it.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::None => 200,
            Self::CircuitOpen => 503,
            Self::Upstream => 502,
            Self::Timeout => 504,
            Self::RateLimited => 429,
            Self::TokenRateLimit => 403,
            Self::TokenExpired
            | Self::InvalidToken
            | Self::InvalidClient
            | Self::InvalidCredentials => 401,
        }
    }

    const fn is_proxys(self) -> bool {
        matches!(self, Self::CircuitOpen | Self::Timeout)
    }
}

/// Who is granted something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    None,
    /// A user of OBP.
    User(u64),
    /// A contract that speaks through DAuth: network, address.
    Contract(&'static str, u64),
}

/// What a successful mint gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Minted {
    pub(super) kind: TokenKind,
    pub(super) token: u64,
    pub(super) ttl: u32,
}

/// One call as the gateway records it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) ts: i64,
    pub(super) op: Op,
    /// A place in the list of callers' names.
    pub(super) caller: u32,
    pub(super) sandbox: bool,
    pub(super) address: Address,
    pub(super) kind: TokenKind,
    /// 0 is none, here and below.
    pub(super) token: u64,
    pub(super) subject: u64,
    pub(super) scopes: u16,
    pub(super) mint: Option<Minted>,
    pub(super) target: Target,
    pub(super) view: &'static str,
    pub(super) pii: bool,
    pub(super) status: u16,
    pub(super) fault: Fault,
    pub(super) by_proxy: bool,
    pub(super) latency_ms: u32,
    pub(super) bytes: u32,
    /// The label that it belongs to, from 1.
    pub(super) label: u32,
}

impl Event {
    /// Makes it fail.
    pub(super) fn fail(&mut self, fault: Fault) {
        self.fault = fault;
        self.status = fault.status();
        self.by_proxy = fault.is_proxys();
        self.mint = None;
        self.bytes = 180;
        match fault {
            Fault::CircuitOpen => self.latency_ms = 0,
            Fault::Timeout => self.latency_ms = 30_000,
            _ => {}
        }
    }
}

/// Writes lines; keeps what they share.
pub(super) struct Lines {
    scopes: Vec<Vec<u8>>,
    catalog_names: bool,
}

impl Lines {
    pub(super) fn new(catalog_names: bool) -> Self {
        let scopes = SCOPES
            .iter()
            .map(|set| {
                let quoted: Vec<_> = set.iter().map(|scope| format!("\"{scope}\"")).collect();
                format!(",\"scopes\":[{}]", quoted.join(",")).into_bytes()
            })
            .collect();
        Self {
            scopes,
            catalog_names,
        }
    }

    /// Appends the line of an event.
    pub(super) fn write(
        &self,
        id: u64,
        event: &Event,
        caller: &str,
        map: &NetMap,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"{\"id\":");
        number(out, id);
        out.extend_from_slice(b",\"ts\":");
        number(out, event.ts.max(0) as u64);
        out.extend_from_slice(if event.sandbox {
            b",\"env\":\"sandbox\",\"provider\":\"" as &[u8]
        } else {
            b",\"env\":\"production\",\"provider\":\""
        });
        out.extend_from_slice(event.op.provider().as_str().as_bytes());
        let name = if self.catalog_names {
            event.op.catalog()
        } else {
            event.op.short()
        };
        text(out, "\",\"op\":\"", name);
        text(out, ",\"caller\":\"", caller);
        out.extend_from_slice(b",\"ip\":\"");
        match event.address.ip {
            std::net::IpAddr::V4(ip) => {
                for (place, octet) in ip.octets().into_iter().enumerate() {
                    if place > 0 {
                        out.push(b'.');
                    }
                    number(out, u64::from(octet));
                }
            }
            std::net::IpAddr::V6(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
        }
        out.push(b'"');
        if let Some(network) = map.get(event.address.network) {
            if !network.country.is_empty() {
                text(out, ",\"country\":\"", network.country);
            }
            if network.asn > 0 {
                out.extend_from_slice(b",\"asn\":");
                number(out, u64::from(network.asn));
            }
        }
        text(out, ",\"token_type\":\"", event.kind.as_str());
        if event.token != 0 {
            hex(out, b",\"token\":\"", event.token);
        }
        if event.subject != 0 {
            hex(out, b",\"subject\":\"", event.subject);
        }
        if event.scopes != 0
            && let Some(scopes) = self.scopes.get(usize::from(event.scopes))
        {
            out.extend_from_slice(scopes);
        }
        if let Some(mint) = event.mint {
            text(out, ",\"mint\":{\"type\":\"", mint.kind.as_str());
            hex(out, b",\"token\":\"", mint.token);
            if mint.ttl > 0 {
                out.extend_from_slice(b",\"ttl\":");
                number(out, u64::from(mint.ttl));
            }
            out.push(b'}');
        }
        match event.target {
            Target::None => {}
            Target::User(user) => hex(out, b",\"target\":\"", user),
            Target::Contract(network, address) => {
                out.extend_from_slice(b",\"target\":\"");
                out.extend_from_slice(network.as_bytes());
                hex(out, b"/0x000000000000000000000000", address);
            }
        }
        if !event.view.is_empty() {
            text(out, ",\"view\":\"", event.view);
        }
        if event.pii {
            out.extend_from_slice(b",\"pii\":true");
        }
        out.extend_from_slice(b",\"status\":");
        number(out, u64::from(event.status));
        out.extend_from_slice(if event.by_proxy {
            b",\"by\":\"proxy\"" as &[u8]
        } else {
            b",\"by\":\"upstream\""
        });
        if event.fault != Fault::None {
            text(out, ",\"err\":\"", event.fault.as_str());
        }
        out.extend_from_slice(b",\"latency_ms\":");
        number(out, u64::from(event.latency_ms));
        out.extend_from_slice(b",\"bytes\":");
        number(out, u64::from(event.bytes));
        out.extend_from_slice(b"}\n");
    }
}

/// Appends `lead`, the word and a quotation mark. Words are of this program: none needs escaping.
fn text(out: &mut Vec<u8>, lead: &str, word: &str) {
    out.extend_from_slice(lead.as_bytes());
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// Appends `lead`, sixteen hexadecimal digits and a quotation mark.
fn hex(out: &mut Vec<u8>, lead: &[u8], word: u64) {
    out.extend_from_slice(lead);
    for shift in (0..16).rev() {
        let digit = ((word >> (shift * 4)) & 15) as u8;
        out.push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
    out.push(b'"');
}

/// Appends a number in decimal digits.
fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = value;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + (left % 10) as u8;
        }
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}
