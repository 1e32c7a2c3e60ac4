//! Field, parameter and header names: what kind of value a name announces.
//!
//! Names are folded (case, `_`, `-`, blanks, humps) and read as words. A name that qualifies
//! something (`password_changed_at`, `card_type`, `has_ssn`) is judged by its qualifier, and its
//! value must then have the qualifier's shape; otherwise one sensitive word is enough.

mod exact;
mod sensitive;

use exact::exact;
use sensitive::sensitive;

use super::kind::Kind;
use super::shape::*;
use super::words::{self, API, KNOWN};

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Never shown.
    Sensitive(Kind),
    /// Shown if the value has one of these shapes.
    Safe(u32),
    /// Words of the lexicon are shown.
    Text,
    /// A URL: shown without its secrets.
    Url,
    /// The value names another field, whose value is beside it (`fieldId`).
    PairName,
    /// Not in any dictionary.
    Unknown,
}

/// Longest name that is read; a longer one is not a name.
pub(crate) const NAME_MAX: usize = 96;
const WORDS_MAX: usize = 12;

struct Split {
    buffer: [u8; NAME_MAX],
    ends: [u8; WORDS_MAX],
    count: usize,
}

impl Split {
    fn new(name: &[u8]) -> Option<Self> {
        let mut split = Self {
            buffer: [0; NAME_MAX],
            ends: [0; WORDS_MAX],
            count: 0,
        };
        let mut at = 0;
        let fits = words::split_words(name, |word| {
            if split.count == WORDS_MAX || at + word.len() > NAME_MAX {
                return false;
            }
            for b in word {
                split.buffer[at] = b.to_ascii_lowercase();
                at += 1;
            }
            split.ends[split.count] = u8::try_from(at).unwrap_or(u8::MAX);
            split.count += 1;
            true
        });
        (fits && split.count > 0).then_some(split)
    }

    fn joined(&self) -> &str {
        let end = usize::from(self.ends[self.count - 1]);
        std::str::from_utf8(&self.buffer[..end]).unwrap_or("")
    }

    fn word(&self, at: usize) -> &str {
        if at >= self.count {
            return "";
        }
        let start = if at == 0 {
            0
        } else {
            usize::from(self.ends[at - 1])
        };
        std::str::from_utf8(&self.buffer[start..usize::from(self.ends[at])]).unwrap_or("")
    }

    fn has(&self, wanted: &[&str]) -> bool {
        (0..self.count).any(|at| wanted.contains(&self.word(at)))
    }
}

/// Reads a name.
pub(crate) fn classify(name: &[u8]) -> Class {
    // Words of other scripts are not split: `hasło` has no `has` in it.
    if !name.is_ascii()
        && let Some(kind) = words::word(name).label()
    {
        return Class::Sensitive(kind);
    }
    if name.len() > NAME_MAX {
        return Class::Unknown;
    }
    let Some(split) = Split::new(name) else {
        return Class::Unknown;
    };
    if let Some(class) = listed(&split) {
        return class;
    }
    if let Some(class) = qualified(&split) {
        return class;
    }
    if let Some(kind) = sensitive(&split) {
        return Class::Sensitive(kind);
    }
    by_last_word(&split)
}

/// What the list of names says, also without the `X-` of own headers.
fn listed(split: &Split) -> Option<Class> {
    exact(split.joined()).or_else(|| {
        (split.count > 1 && split.word(0) == "x").then(|| exact(split.joined().get(1..)?))?
    })
}

/// Whether a name may be printed: made of known words and small pieces, so that no secret can
/// stand where a name is expected.
pub(crate) fn is_printable(name: &[u8]) -> bool {
    if name.is_empty() {
        return true;
    }
    if name.len() > NAME_MAX
        || !name.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'_' | b'-' | b'.' | b' ' | b'[' | b']' | b'$' | b'@' | b':' | b'/' | b'#'
                )
        })
        || name[1..].contains(&b'@')
    {
        return false;
    }
    let split = Split::new(name);
    if split.as_ref().is_some_and(|split| listed(split).is_some()) {
        return true;
    }
    // `6 May 1960` is no name.
    if name.iter().filter(|b| b.is_ascii_digit()).count() > 3
        && name.iter().any(|b| matches!(b, b' ' | b'-' | b'/' | b'.'))
    {
        return false;
    }
    // Unknown letters and digits together stay below the six that count as a leak.
    let mut unknown = 0;
    words::split_words(name, |piece| {
        let flags = words::word(piece);
        if !flags.is(KNOWN | words::LABEL | words::NOUN) {
            unknown += piece.len();
        }
        unknown < 6
    }) || is_known_compound(name)
}

/// `accountid`, `userid`, `basketid`: lower-case compounds of two known words.
fn is_known_compound(name: &[u8]) -> bool {
    name.len() <= 24
        && name.iter().all(u8::is_ascii_alphabetic)
        && (3..name.len().saturating_sub(1)).any(|at| {
            words::word(&name[..at]).is(API | words::LABEL)
                && words::word(&name[at..]).is(API | words::LABEL)
        })
}

/// Names that say something *about* a sensitive thing.
fn qualified(split: &Split) -> Option<Class> {
    if split.count < 2 {
        return None;
    }
    let (first, last) = (split.word(0), split.word(split.count - 1));
    let before = split.word(split.count - 2);
    let born = split.has(&["birth", "birthday", "dob", "born"]);
    Some(match last {
        "at" | "on" | "since" | "until" | "timestamp" | "time" | "gte" | "lte" | "lt" | "gt"
        | "after" | "expires" | "expiry"
            if !born =>
        {
            Class::Safe(TIME | DATE | SMALL)
        }
        "date" | "day" if !born => Class::Safe(TIME | DATE | SMALL),
        "type" | "status" | "state" | "kind" | "mode" | "scheme" | "algorithm" | "alg"
        | "format" | "currency" | "country" | "category" | "method" | "level" | "source"
        | "direction" | "class" | "environment" | "policy" | "strength" => Class::Safe(WORDY),
        "code"
            if matches!(
                before,
                "country"
                    | "currency"
                    | "status"
                    | "error"
                    | "failure"
                    | "message"
                    | "language"
                    | "reason"
                    | "asset"
                    | "response"
                    | "result"
            ) =>
        {
            Class::Safe(CODE | WORD | SHORT_INT)
        }
        "verified" | "required" | "provided" | "present" | "enabled" | "disabled" | "valid"
        | "active" | "confirmed" | "available" | "allowed" | "supported" | "exists"
        | "optional" | "revoked" | "expired" | "masked" | "accepted" | "only" | "match"
        | "matches" => Class::Safe(BOOLISH | TIME),
        "count" | "total" | "size" | "length" | "len" | "limit" | "offset" | "attempts"
        | "retries" | "seconds" | "ms" | "minutes" | "days" | "hours" | "ttl" | "in" | "max"
        | "min" | "index" | "version" | "percent" | "bytes" | "used" | "remaining" | "age"
        | "height" => Class::Safe(DECIMAL | VERSION | BOOLISH),
        "last4" => Class::Safe(LAST4),
        "4" if before == "last" => Class::Safe(LAST4),
        _ if matches!(
            first,
            "is" | "has"
                | "can"
                | "should"
                | "needs"
                | "allow"
                | "include"
                | "num"
                | "max"
                | "min"
                | "requires"
                | "supports"
                | "force"
                | "use"
                | "with"
        ) =>
        {
            Class::Safe(BOOLISH | INT)
        }
        _ => return None,
    })
}

/// Whose numbers can be those of an account, a card or a person.
const PERSONAL: &[&str] = &[
    "account", "accounts", "acct", "card", "cards", "bank", "customer", "person", "holder",
];

/// What is counted up, so that its numbers may be long.
const BUSINESS: &[&str] = &[
    "order",
    "invoice",
    "batch",
    "build",
    "ticket",
    "case",
    "shipment",
    "parcel",
    "tracking",
    "transaction",
    "txn",
    "trade",
    "transfer",
    "payment",
    "payout",
    "settlement",
    "job",
    "event",
    "message",
    "delivery",
    "refund",
    "charge",
    "quote",
    "purchase",
    "receipt",
    "statement",
];

/// What the last word says when nothing is sensitive.
fn by_last_word(split: &Split) -> Class {
    let (last, before) = (
        split.word(split.count - 1),
        split.word(split.count.saturating_sub(2)),
    );
    match last {
        "guid" | "guids" | "uuid" | "uuids" => Class::Safe(REFERENCE),
        "id" | "ids" | "identifier" | "reference" | "ref" | "cursor" | "srn" => {
            Class::Safe(if split.has(PERSONAL) {
                REFERENCE
            } else if split.has(&["trace", "span"]) {
                TRACE
            } else if split.has(&["request", "correlation"]) {
                REFERENCE
            } else if split.has(BUSINESS) {
                BUSINESS_ID
            } else {
                ID
            })
        }
        "number" | "no" | "num" => match before {
            "page" | "line" | "sequence" | "version" | "block" | "item" | "row" | "retry"
            | "attempt" => Class::Safe(INT),
            word if BUSINESS.contains(&word) => Class::Safe(BUSINESS_ID),
            _ => Class::Sensitive(Kind::Account),
        },
        "amount" | "amounts" | "balance" | "balances" | "price" | "fee" | "fees" | "rate"
        | "cost" | "quantity" | "volume" | "spread" | "minimum" | "maximum" | "value"
            if last != "value" =>
        {
            Class::Safe(AMOUNT | INT)
        }
        "url" | "uri" | "href" | "link" | "links" | "endpoint" | "path" | "urls" | "uris" => {
            Class::Url
        }
        "asset" | "symbol" | "ccy" | "assets" | "symbols" => Class::Safe(ASSET | WORD),
        "code" | "codes" => Class::Safe(CODE | WORD | SHORT_INT),
        "message" | "description" | "reason" | "error" | "text" | "detail" | "agent" => Class::Text,
        "hash" | "digest" | "checksum" | "sha" | "sha256" | "commit" | "etag" | "revision" => {
            Class::Safe(HASH | REFERENCE)
        }
        "color" | "colour" => Class::Safe(COLOR | WORDY),
        "host" | "hostname" | "domain" => Class::Safe(HOST | WORDY),
        "name" | "names" => Class::Safe(WORDY | SCOPE),
        "scope" | "scopes" | "role" | "roles" | "permissions" => Class::Safe(SCOPE | WORDY),
        "ms" | "ns" | "us" | "count" | "seconds" | "bytes" => Class::Safe(DECIMAL),
        "port" => Class::Safe(SMALL),
        "flag" | "enabled" | "active" | "required" => Class::Safe(BOOLISH),
        _ => Class::Unknown,
    }
}

/// More digits than letters, or an id: no name, and there are too many of them to be remembered.
fn is_reference(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    digits * 2 > value.len() || super::shape::is_hex32(value) || super::shape::is_uuid(value)
}

/// Whether a *value* is itself a field name ("individualSsn"), and what it announces.
pub(crate) fn as_pair_name(value: &[u8]) -> Option<Class> {
    if value.is_empty()
        || value.len() > 64
        || !value
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' ' | b'/'))
        || is_reference(value)
    {
        return None;
    }
    let (class, printable) = super::surface::memo::read_name(value);
    match class {
        Class::Sensitive(_) => Some(class),
        class if printable && !matches!(class, Class::Unknown) => Some(class),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_spelling() {
        for name in [
            "date_of_birth",
            "dateOfBirth",
            "DATE-OF-BIRTH",
            "individualDateOfBirth",
            "DateOfBirth",
            "dob",
        ] {
            assert_eq!(
                classify(name.as_bytes()),
                Class::Sensitive(Kind::DateOfBirth),
                "{name}"
            );
        }
        for (name, kind) in [
            ("individualSsn", Kind::Ssn),
            ("client_secret", Kind::Secret),
            ("X-Api-Key", Kind::ApiKey),
            ("access_token", Kind::Token),
            ("individualLegalName", Kind::Name),
            ("individualEmail", Kind::Email),
            ("individualCellphoneNumber", Kind::Phone),
            ("accountNumber", Kind::Account),
            ("routing_number", Kind::Routing),
            ("identification_number", Kind::NationalId),
            ("CB-ACCESS-PASSPHRASE", Kind::Password),
            ("CB-ACCESS-SIGN", Kind::Signature),
            ("mobile_phone_number", Kind::Phone),
            ("secretKey", Kind::Secret),
            ("postal_code", Kind::Address),
            ("oauth_token", Kind::OAuth1),
            ("X-Amz-Signature", Kind::Signature),
            ("consent_id", Kind::Consent),
            ("signing_key", Kind::Signature),
            ("tax_number", Kind::NationalId),
        ] {
            assert_eq!(classify(name.as_bytes()), Class::Sensitive(kind), "{name}");
        }
    }

    #[test]
    fn names_about_sensitive_things_are_judged_by_shape() {
        for name in [
            "password_changed_at",
            "token_type",
            "card_type",
            "has_ssn",
            "email_verified",
            "phone_type",
            "token_count",
            "ssn_last4",
            "expires_in",
        ] {
            assert!(
                matches!(classify(name.as_bytes()), Class::Safe(_)),
                "{name}: {:?}",
                classify(name.as_bytes())
            );
        }
    }

    #[test]
    fn useful_names_are_known() {
        for name in [
            "guid",
            "customer_guid",
            "request_id",
            "bank_guid",
            "created_at",
            "deliver_amount",
            "state",
            "message_code",
            "errorCode",
            "external_bank_account_guid",
            "X-Request-ID",
        ] {
            assert!(
                matches!(classify(name.as_bytes()), Class::Safe(_)),
                "{name}: {:?}",
                classify(name.as_bytes())
            );
        }
    }

    #[test]
    fn secrets_are_not_names() {
        for name in [
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            "john@example.com",
            "4111111111111111",
            "989-41-7730",
            "Zyxanthe Quillfeather",
        ] {
            assert!(!is_printable(name.as_bytes()), "{name}");
        }
        for name in [
            "created_at",
            "customerGuid",
            "X-Request-ID",
            "line_1",
            "accountId",
            "swift_bic",
        ] {
            assert!(is_printable(name.as_bytes()), "{name}");
        }
    }
}
