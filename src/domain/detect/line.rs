//! A line of the neutral event format (version 1), read without copying where that is possible.
//!
//! Unknown keys, operations and words are let pass, so that a feed may say more than is asked
//! for. A line that is not an object, has no time, or has a value of another type is a fault.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::event::{Environment, Event, Fault, Mint, TokenKind};

/// Longest line that is read: some hundred times the usual one. Longer ones are faults.
pub const MAX_LINE: usize = 64 << 10;

/// Text that borrows from the line unless it has escapes.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or null")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
                d.deserialize_any(Read)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[derive(Deserialize)]
struct RawMint<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    token: Text<'a>,
    #[serde(default)]
    ttl: Option<i64>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(default)]
    id: Option<u64>,
    ts: i64,
    #[serde(borrow, default)]
    env: Text<'a>,
    #[serde(borrow, default)]
    provider: Text<'a>,
    #[serde(borrow, default)]
    op: Text<'a>,
    #[serde(borrow, default)]
    effect: Text<'a>,
    #[serde(borrow, default)]
    caller: Text<'a>,
    #[serde(borrow, default)]
    ip: Text<'a>,
    #[serde(borrow, default)]
    country: Text<'a>,
    #[serde(default)]
    asn: Option<i64>,
    #[serde(borrow, default)]
    token_type: Text<'a>,
    #[serde(borrow, default)]
    token: Text<'a>,
    #[serde(borrow, default)]
    subject: Text<'a>,
    #[serde(borrow, default)]
    scopes: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    mint: Option<RawMint<'a>>,
    #[serde(borrow, default)]
    target: Text<'a>,
    #[serde(borrow, default)]
    view: Text<'a>,
    #[serde(default)]
    pii: Option<bool>,
    #[serde(default)]
    status: Option<i64>,
    #[serde(borrow, default)]
    by: Text<'a>,
    #[serde(borrow, default)]
    err: Text<'a>,
    #[serde(default)]
    load_test: Option<bool>,
}

/// A line that was read.
pub struct Line<'a> {
    raw: Raw<'a>,
    scopes: Vec<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// The line is no object of the neutral format; the text says why and where in the line, and
    /// quotes nothing of it.
    pub fn read(line: &'a [u8]) -> Result<Self, LineFault> {
        if line.len() > MAX_LINE {
            return Err(LineFault::too_long());
        }
        let mut raw: Raw<'a> =
            serde_json::from_slice(line).map_err(|error| LineFault::of(&error))?;
        let scopes = raw.scopes.take().unwrap_or_default();
        Ok(Self {
            scopes: scopes.into_iter().map(|text| text.0).collect(),
            raw,
        })
    }

    /// The event in it. `position` stands for the id of a line that has none.
    #[must_use]
    pub fn event(&self, position: u64) -> Event<'_> {
        let raw = &self.raw;
        Event {
            id: u128::from(raw.id.unwrap_or(position)),
            at: raw.ts,
            environment: match &*raw.env.0 {
                "sandbox" | "staging" | "test" => Environment::Sandbox,
                _ => Environment::Production,
            },
            provider: &raw.provider.0,
            operation: &raw.op.0,
            effect: &raw.effect.0,
            caller: &raw.caller.0,
            ip: raw.ip.0.parse::<IpAddr>().ok(),
            country: &raw.country.0,
            asn: raw.asn.and_then(|asn| u32::try_from(asn).ok()).unwrap_or(0),
            token_kind: TokenKind::of(&raw.token_type.0),
            token: &raw.token.0,
            subject: &raw.subject.0,
            scopes: &self.scopes,
            mint: raw.mint.as_ref().map(|mint| Mint {
                kind: TokenKind::of(&mint.kind.0),
                token: &mint.token.0,
                ttl: mint
                    .ttl
                    .and_then(|ttl| u32::try_from(ttl).ok())
                    .unwrap_or(0),
            }),
            target: &raw.target.0,
            view: &raw.view.0,
            pii: raw.pii.unwrap_or(false),
            status: raw
                .status
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or(0),
            by_proxy: raw.by.0 == "proxy",
            fault: Fault::of(&raw.err.0),
            load_test: raw.load_test.unwrap_or(false),
        }
    }
}

/// Why a line is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineFault(String);

impl LineFault {
    pub(super) fn too_long() -> Self {
        Self(format!("it is longer than {MAX_LINE} bytes"))
    }

    pub(super) fn of(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        // The library's own text can quote a value; the place and the sort of fault cannot.
        let what = match error.classify() {
            Category::Syntax => "it is not JSON",
            Category::Eof => "it ends in the middle",
            Category::Data => {
                "it is no event: an object with a whole number `ts` is expected, \
                               and every known key with its own type"
            }
            Category::Io => "it cannot be read",
        };
        Self(format!("{what} (column {})", error.column()))
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_line_is_read() {
        let line = br#"{"id":7,"ts":1795305338000,"env":"sandbox","provider":"cybrid","op":"token.customer",
            "caller":"app","ip":"2001:db8::1","country":"CA","asn":64500,"token_type":"bank","token":"00aa",
            "subject":"c\u00e9","scopes":["trades:read"],"mint":{"type":"customer","token":"11bb","ttl":1800},
            "status":201,"by":"upstream","latency_ms":12.5,"bytes":3,"new_key":{"a":[1]},"err":null}"#;
        let line = Line::read(line).unwrap();
        let event = line.event(1);
        assert_eq!(
            (event.id, event.at, event.asn),
            (7, 1_795_305_338_000, 64500)
        );
        assert_eq!((event.caller, event.subject), ("app", "cé"));
        assert_eq!(event.scopes, ["trades:read"]);
        assert_eq!(event.mint.unwrap().ttl, 1800);
        assert!(event.ip.unwrap().is_ipv6());
    }

    #[test]
    fn what_is_absent_is_empty() {
        let line = Line::read(br#"{"ts":1}"#).unwrap();
        let event = line.event(42);
        assert_eq!((event.id, event.caller, event.status), (42, "", 0));
        assert_eq!(event.environment, Environment::Production);
    }

    #[test]
    fn faults_say_where_and_quote_nothing() {
        for (line, what) in [
            (&b"{"[..], "ends in the middle"),
            (b"nonsense", "not JSON"),
            (b"[]", "no event"),
            (br#"{"id":1}"#, "no event"),
            (br#"{"ts":"topsecret"}"#, "no event"),
            (br#"{"ts":1,"caller":5}"#, "no event"),
        ] {
            let fault = Line::read(line).err().unwrap().to_string();
            assert!(fault.contains(what), "{fault}");
            assert!(!fault.contains("topsecret"), "{fault}");
        }
    }
}
