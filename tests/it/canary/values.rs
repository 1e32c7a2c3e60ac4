//! Secrets and personal values that exist nowhere else, each with the place where it was planted.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What a planted value looks like. Scrubbers and parsers treat each kind differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An opaque token of letters and digits.
    Token,
    /// A password with punctuation.
    Password,
    /// 64 hexadecimal digits.
    HexKey,
    /// 32 hexadecimal digits, as Cybrid's guids.
    Guid,
    /// A UUID used as a session or consent id.
    Uuid,
    /// A card number with a valid check digit.
    Card,
    /// A social security number.
    Ssn,
    /// First and last name.
    Name,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A street address.
    Address,
    /// A date of birth.
    BirthDate,
    /// An IBAN-like account number.
    Account,
    /// A base64 signature.
    Signature,
    /// A JWT with secrets in every claim.
    Jwt,
}

/// In rotation, so that every place gets every kind over time.
const ROTATION: &[Kind] = &[
    Kind::Token,
    Kind::Name,
    Kind::Card,
    Kind::Password,
    Kind::Email,
    Kind::HexKey,
    Kind::Ssn,
    Kind::Uuid,
    Kind::Phone,
    Kind::Signature,
    Kind::BirthDate,
    Kind::Guid,
    Kind::Address,
    Kind::Account,
];

/// A value that must not be found again.
pub struct Planted {
    /// The value as it was sent, before any encoding of its place.
    pub value: String,
    /// Where it was put.
    pub place: String,
}

/// Makes values and remembers them. The same seed makes the same values.
pub struct Garden {
    state: u64,
    turn: usize,
    /// Everything planted so far.
    pub planted: Vec<Planted>,
}

impl Garden {
    /// An empty garden.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            turn: 0,
            planted: Vec::new(),
        }
    }

    /// A new value of the next kind.
    pub fn any(&mut self, place: impl Into<String>) -> String {
        let kind = ROTATION[self.turn % ROTATION.len()];
        self.turn += 1;
        self.plant(kind, place)
    }

    /// A new value for a field or parameter of this name: of any kind but those that the catalog
    /// records there on purpose.
    pub fn field(&mut self, name: &str, place: impl Into<String>) -> String {
        let kept = recorded_kinds(name);
        while kept.contains(&ROTATION[self.turn % ROTATION.len()]) {
            self.turn += 1;
        }
        self.any(place)
    }

    /// A new value of this kind.
    pub fn plant(&mut self, kind: Kind, place: impl Into<String>) -> String {
        let place = place.into();
        let value = match kind {
            Kind::Jwt => return self.jwt(&place, &[]),
            _ => self.make(kind),
        };
        self.remember(&value, &place);
        value
    }

    /// Adds a value that came from elsewhere, such as a token that a simulator made.
    pub fn remember(&mut self, value: &str, place: &str) {
        assert!(
            value.len() >= 8,
            "too short to be told from chance: {place}"
        );
        self.planted.push(Planted {
            value: value.to_owned(),
            place: place.to_owned(),
        });
    }

    /// A JWT. Every claim of it is a secret of its own, besides those given as raw JSON members.
    pub fn jwt(&mut self, place: &str, fixed: &[(&str, &str)]) -> String {
        let mut payload = String::from("{");
        for (name, json) in fixed {
            let _ = write!(payload, "\"{name}\":{json},");
        }
        for name in [
            "sub",
            "iss",
            "aud",
            "jti",
            "scope",
            "scp",
            "email",
            "name",
            "azp",
            "client_id",
            "nonce",
            "consumer_key",
            "login_user_name",
            "app_id",
            "cbs_id",
            "msg_sender",
            "smart_contract_address",
            "network_name",
            "custom_claim",
            "createdByUserId",
        ] {
            if fixed.iter().any(|(given, _)| *given == name) {
                continue;
            }
            let value = self.field(name, format!("{place}, claim {name}"));
            let _ = write!(payload, "\"{name}\":\"{value}\",");
        }
        let nested = self.any(format!("{place}, nested claim"));
        let _ = write!(
            payload,
            "\"properties\":{{\"bank_guid\":\"{nested}\"}},\"exp\":4102444800}}"
        );
        let kid = self.plant(Kind::Token, format!("{place}, key id"));
        let head = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"RS256\",\"kid\":\"{kid}\"}}"));
        let body = URL_SAFE_NO_PAD.encode(payload);
        let signature = URL_SAFE_NO_PAD.encode(self.bytes(96));
        for part in [&head, &body, &signature] {
            self.remember(part, &format!("{place}, part of the JWT"));
        }
        format!("{head}.{body}.{signature}")
    }

    /// `user:password` in base64, both planted, and the whole as well.
    pub fn basic(&mut self, place: &str) -> String {
        let user = self.plant(Kind::Email, format!("{place}, user"));
        let password = self.plant(Kind::Password, format!("{place}, password"));
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        self.remember(&encoded, place);
        encoded
    }

    fn make(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Token => self.pick(
                40,
                b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789",
            ),
            Kind::Password => {
                let core = self.pick(14, b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ");
                format!("{}!{}~$9", &core[..7], &core[7..])
            }
            Kind::HexKey => self.pick(64, b"0123456789abcdef"),
            Kind::Guid => self.pick(32, b"0123456789abcdef"),
            Kind::Uuid => {
                let hex = self.pick(32, b"0123456789abcdef");
                format!(
                    "{}-{}-4{}-8{}-{}",
                    &hex[..8],
                    &hex[8..12],
                    &hex[13..16],
                    &hex[17..20],
                    &hex[20..]
                )
            }
            Kind::Card => {
                let digits = format!("4{}", self.pick(14, b"0123456789"));
                format!("{digits}{}", luhn(&digits))
            }
            Kind::Ssn => {
                let digits = self.pick(8, b"123456789");
                format!("9{}-{}-{}", &digits[..2], &digits[2..4], &digits[4..])
            }
            Kind::Name => {
                let first = self.pick(7, b"aeiouklmnrstvz");
                let last = self.pick(9, b"aeioubdfghjkpqwx");
                format!("Z{first} Q{last}")
            }
            Kind::Email => {
                let user = self.pick(9, b"abcdefghijkmnopqrstuvwxyz");
                let host = self.pick(7, b"abcdefghijkmnopqrstuvwxyz");
                format!("{user}@{host}.example")
            }
            Kind::Phone => format!("+49{}", self.pick(11, b"0123456789")),
            Kind::Address => {
                let street = self.pick(9, b"aeioubdfghjkpqwx");
                let number = self.pick(3, b"123456789");
                format!("{number} {street}street, Flat {number}")
            }
            Kind::BirthDate => {
                // Every day of this half century at most once, and never a day of the test.
                let day = self.turn * 7 + self.planted.len() * 3;
                let (year, month) = (1901 + day / 336 % 55, 1 + day / 28 % 12);
                format!("{year}-{month:02}-{:02}", 1 + day % 28)
            }
            Kind::Account => format!("DE{}", self.pick(20, b"0123456789")),
            Kind::Signature => STANDARD.encode(self.bytes(48)),
            Kind::Jwt => unreachable!("made elsewhere"),
        }
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn pick(&mut self, count: usize, from: &[u8]) -> String {
        (0..count)
            .map(|_| char::from(from[(self.next() % from.len() as u64) as usize]))
            .collect()
    }
}

/// Kinds that have the shape which a provider file lists for a fact or parameter of this name.
fn recorded_kinds(name: &str) -> &'static [Kind] {
    match name {
        "jti" => &[Kind::Uuid],
        "amount" | "sourceAmount" | "destAmount" | "value" => &[Kind::Card],
        "from_date" | "to_date" => &[Kind::BirthDate],
        _ if name.ends_with("guid") || name.ends_with("id") => &[Kind::Guid, Kind::Uuid],
        _ => &[],
    }
}

fn luhn(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            match (at % 2, digit * 2) {
                (0, doubled @ 10..) => doubled - 9,
                (0, doubled) => doubled,
                _ => digit,
            }
        })
        .sum();
    (10 - sum % 10) % 10
}

/// Percent-encodes everything but letters and digits.
pub fn percent(value: &str) -> String {
    value.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
