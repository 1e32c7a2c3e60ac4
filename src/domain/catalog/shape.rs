//! Shapes: what a value must look like before it may be recorded as it is.
//!
//! A shape is the guard between bodies of strangers and the ledger: a value that does not fit is
//! not recorded, so a secret that lands in the wrong field stays out of the record.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Longest text that is looked at; every shape is shorter, except lists of scopes.
const MAX_TEXT: usize = 64;
/// Most scopes in one list. Cybrid documents 64 scopes; a token asks for a subset.
const MAX_SCOPES: usize = 96;
/// Most values of one `enum(...)`, so that a catalog stays small in memory.
const MAX_ENUM: usize = 256;
/// Digits of a safe integer: pages, limits and offsets. More could be a phone or card number.
const MAX_INT_DIGITS: usize = 6;
/// Digits of an amount, on both sides of the point together. Base units of 18-decimal assets
/// need 30 for a thousand billion.
const MAX_AMOUNT_DIGITS: usize = 30;

/// The system views of OBP (`constant.scala`). Names of custom views can hold anything, so they
/// do not fit.
const SYSTEM_VIEWS: &[&str] = &[
    "InitiatePaymentsBerlinGroup",
    "ManageCustomViews",
    "ReadAccountsBasic",
    "ReadAccountsBerlinGroup",
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadBalancesBerlinGroup",
    "ReadTransactionsBasic",
    "ReadTransactionsBerlinGroup",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
    "StageOne",
    "_public",
    "accountant",
    "auditor",
    "firehose",
    "owner",
    "standard",
];

/// A sorted list of words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Arc<[Box<str>]>);

impl Words {
    /// Sorts the words and removes duplicates.
    pub fn new<T: Into<Box<str>>>(words: impl IntoIterator<Item = T>) -> Self {
        let mut words: Vec<Box<str>> = words.into_iter().map(Into::into).collect();
        words.sort_unstable();
        words.dedup();
        Self(words.into())
    }

    /// Whether the list has this word, in this case.
    pub fn contains(&self, word: &str) -> bool {
        self.0.binary_search_by(|known| (**known).cmp(word)).is_ok()
    }

    /// The words in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|word| &**word)
    }

    /// How many words.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a recordable value must look like. In provider files each shape has one spelling:
/// the one that `Display` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `int`: one to six digits.
    Int,
    /// `bool`: `true` or `false` in any case (the Cybrid Python client writes `True`).
    Bool,
    /// `date`: `YYYY-MM-DD`.
    Date,
    /// `datetime`: RFC 3339 with at most nine fraction digits.
    DateTime,
    /// `epoch_ms`: thirteen digits, milliseconds since 1970.
    EpochMs,
    /// `guid32`: 32 lower or upper case hexadecimal digits (Cybrid).
    Guid32,
    /// `uuid`: RFC 9562 text form.
    Uuid,
    /// `wyre_id`: `AC`, `TF`, `PA`, `WA` or `WO`, then `-` or `_`, then 4 to 20 upper-case
    /// letters or digits.
    WyreId,
    /// `asset`: 2 to 12 upper-case letters, digits or underscores, a letter first (`USDC_SOL`).
    Asset,
    /// `symbol`: two assets joined by `-` (`BTC-USD`).
    Symbol,
    /// `amount`: an integer or decimal of at most 30 digits, with an optional minus.
    Amount,
    /// `currency`: three upper-case letters (ISO 4217).
    Currency,
    /// `obp_code`: `OBP-` and five or six digits.
    ObpCode,
    /// `view`: a known OBP system view.
    View,
    /// `obp_role`: `Can` and at most 60 letters in camel case, the name of an OBP entitlement.
    ObpRole,
    /// `dotted_word`: two to four lower camel words joined by dots (Wyre's `errorCode`).
    DottedWord,
    /// `support_ref`: 4 to 16 upper-case letters or digits, not digits alone (Wyre's
    /// `exceptionId`).
    SupportRef,
    /// `scope`: one of the provider's scopes.
    Scope(Words),
    /// `scopes`: the provider's scopes, joined by single spaces (RFC 6749, section 3.3).
    Scopes(Words),
    /// `enum(a, b)`: one of the listed words, in the listed case.
    Enum(Words),
}

/// What shapes of a provider file can refer to: the provider's scopes, and shapes that the file
/// names itself under `[shapes]`.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// For `scope` and `scopes`.
    pub scopes: Words,
    /// Shapes by name. A name of a built-in shape is not looked up here.
    pub named: HashMap<Box<str>, Shape>,
}

impl Shape {
    /// Names of the shapes that need no list, for messages and for parsing.
    pub const PLAIN: &'static [(&'static str, Self)] = &[
        ("int", Self::Int),
        ("bool", Self::Bool),
        ("date", Self::Date),
        ("datetime", Self::DateTime),
        ("epoch_ms", Self::EpochMs),
        ("guid32", Self::Guid32),
        ("uuid", Self::Uuid),
        ("wyre_id", Self::WyreId),
        ("asset", Self::Asset),
        ("symbol", Self::Symbol),
        ("amount", Self::Amount),
        ("currency", Self::Currency),
        ("obp_code", Self::ObpCode),
        ("view", Self::View),
        ("obp_role", Self::ObpRole),
        ("dotted_word", Self::DottedWord),
        ("support_ref", Self::SupportRef),
    ];

    /// Reads a shape as written in a provider file.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, String> {
        let text = text.trim();
        let scopes = &vocabulary.scopes;
        if let Some((_, shape)) = Self::PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(shape.clone());
        }
        match text {
            "scope" | "scopes" if scopes.is_empty() => {
                return Err("list the provider's scopes under `scopes` first".to_owned());
            }
            "scope" => return Ok(Self::Scope(scopes.clone())),
            "scopes" => return Ok(Self::Scopes(scopes.clone())),
            _ => {}
        }
        if let Some(list) = text
            .strip_prefix("enum(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            let words: Vec<&str> = list.split(',').map(str::trim).collect();
            if words.len() > MAX_ENUM || !words.iter().all(|word| is_enum_word(word)) {
                return Err(format!(
                    "write enum(a, b, ...) with at most {MAX_ENUM} words of letters, digits and _-.: characters"
                ));
            }
            return Ok(Self::Enum(Words::new(words)));
        }
        if let Some(shape) = vocabulary.named.get(text) {
            return Ok(shape.clone());
        }
        let names: Vec<&str> = Self::PLAIN.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "use one of: {}, scope, scopes, enum(a, b), or a name of [shapes]",
            names.join(", ")
        ))
    }

    /// Whether a name is taken by a built-in shape.
    pub fn is_builtin(name: &str) -> bool {
        matches!(name, "scope" | "scopes" | "mask")
            || Self::PLAIN.iter().any(|(known, _)| *known == name)
    }

    /// Whether a value of this shape cannot carry a secret, so that it may stand in a recorded
    /// query: numbers, dates and words that the file itself lists.
    pub const fn is_safe_in_query(&self) -> bool {
        matches!(
            self,
            Self::Int | Self::Bool | Self::Date | Self::DateTime | Self::EpochMs | Self::Enum(_)
        )
    }

    /// Whether a text, or a JSON number or boolean as it was written, has this shape.
    pub fn fits(&self, text: &str) -> bool {
        if let Self::Scopes(scopes) = self {
            return text.split(' ').count() <= MAX_SCOPES
                && text.split(' ').all(|scope| scopes.contains(scope));
        }
        if text.is_empty() || text.len() > MAX_TEXT {
            return false;
        }
        let bytes = text.as_bytes();
        match self {
            Self::Int => bytes.len() <= MAX_INT_DIGITS && all_digits(bytes),
            Self::Bool => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
            Self::Date => is_date(bytes),
            Self::DateTime => is_datetime(bytes),
            Self::EpochMs => bytes.len() == 13 && all_digits(bytes),
            Self::Guid32 => bytes.len() == 32 && bytes.iter().all(u8::is_ascii_hexdigit),
            Self::Uuid => is_uuid(bytes),
            Self::WyreId => is_wyre_id(bytes),
            Self::Asset => is_asset(bytes),
            Self::Symbol => text.split_once('-').is_some_and(|(base, quote)| {
                is_asset(base.as_bytes()) && is_asset(quote.as_bytes())
            }),
            Self::Amount => is_amount(bytes),
            Self::Currency => bytes.len() == 3 && bytes.iter().all(u8::is_ascii_uppercase),
            Self::ObpCode => leading_obp_code(text).is_some_and(|code| code.len() == text.len()),
            Self::View => SYSTEM_VIEWS.binary_search(&text).is_ok(),
            Self::ObpRole => is_obp_role(bytes),
            Self::DottedWord => is_dotted_word(text),
            Self::SupportRef => {
                // Digits alone could be a card or account number.
                (4..=16).contains(&bytes.len())
                    && bytes.iter().any(u8::is_ascii_uppercase)
                    && bytes
                        .iter()
                        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            }
            Self::Scope(scopes) => scopes.contains(text),
            Self::Enum(words) => words.contains(text),
            Self::Scopes(_) => false,
        }
    }

    /// The part of a text that has this shape: for `obp_code` the code that a message starts
    /// with (`OBP-20006: User is missing ...`), for all others the whole text or nothing.
    pub fn leading<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::ObpCode => leading_obp_code(text),
            _ => self.fits(text).then_some(text),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(_) => f.write_str("scope"),
            Self::Scopes(_) => f.write_str("scopes"),
            Self::Enum(words) => {
                f.write_str("enum(")?;
                for (i, word) in words.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(word)?;
                }
                f.write_str(")")
            }
            plain => match Self::PLAIN.iter().find(|(_, shape)| shape == plain) {
                Some((name, _)) => f.write_str(name),
                None => Ok(()),
            },
        }
    }
}

/// Words of an `enum(...)`: what JSON APIs use as constants.
fn is_enum_word(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= MAX_TEXT
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
}

fn all_digits(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit)
}

/// The number that two digits write, if both are digits.
fn two_digits(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() == 10
        && all_digits(&bytes[..4])
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && two_digits(bytes, 5).is_some_and(|month| (1..=12).contains(&month))
        && two_digits(bytes, 8).is_some_and(|day| (1..=31).contains(&day))
}

/// RFC 3339, section 5.6.
fn is_datetime(bytes: &[u8]) -> bool {
    let Some((date, rest)) = bytes.split_at_checked(10) else {
        return false;
    };
    let Some((clock, zone)) = rest.split_at_checked(9) else {
        return false;
    };
    let clock_ok = matches!(clock[0], b'T' | b't' | b' ')
        && two_digits(clock, 1).is_some_and(|hour| hour < 24)
        && clock[3] == b':'
        && two_digits(clock, 4).is_some_and(|minute| minute < 60)
        && clock[6] == b':'
        && two_digits(clock, 7).is_some_and(|second| second <= 60);
    if !is_date(date) || !clock_ok {
        return false;
    }
    let zone = match zone.strip_prefix(b".") {
        None => zone,
        Some(fraction) => {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
    };
    match zone {
        b"Z" | b"z" => true,
        [b'+' | b'-', clock @ ..] if clock.len() == 5 => {
            two_digits(clock, 0).is_some_and(|hour| hour < 24)
                && clock[2] == b':'
                && two_digits(clock, 3).is_some_and(|minute| minute < 60)
        }
        _ => false,
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Both separators occur in Wyre's documents.
fn is_wyre_id(bytes: &[u8]) -> bool {
    match bytes {
        [a, b, b'-' | b'_', rest @ ..] => {
            matches!(
                [*a, *b],
                [b'A', b'C'] | [b'T', b'F'] | [b'P', b'A'] | [b'W', b'A' | b'O']
            ) && (4..=20).contains(&rest.len())
                && rest
                    .iter()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        }
        _ => false,
    }
}

fn is_asset(bytes: &[u8]) -> bool {
    (2..=12).contains(&bytes.len())
        && bytes[0].is_ascii_uppercase()
        && bytes
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
}

fn is_amount(bytes: &[u8]) -> bool {
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (whole, fraction) = match unsigned.iter().position(|b| *b == b'.') {
        Some(dot) => (&unsigned[..dot], Some(&unsigned[dot + 1..])),
        None => (unsigned, None),
    };
    all_digits(whole)
        && fraction.is_none_or(all_digits)
        && whole.len() + fraction.map_or(0, <[u8]>::len) <= MAX_AMOUNT_DIGITS
}

/// `OBP-` and five digits; one code, OBP-300010, has six.
fn leading_obp_code(text: &str) -> Option<&str> {
    let digits = text
        .strip_prefix("OBP-")?
        .bytes()
        .take(7)
        .take_while(u8::is_ascii_digit)
        .count();
    (5..=6)
        .contains(&digits)
        .then(|| text.get(..4 + digits))
        .flatten()
}

fn is_obp_role(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"Can").is_some_and(|rest| {
        rest.first().is_some_and(u8::is_ascii_uppercase) && rest.iter().all(u8::is_ascii_alphabetic)
    })
}

fn is_dotted_word(text: &str) -> bool {
    let words = text.split('.').count();
    (2..=4).contains(&words)
        && text.split('.').all(|word| {
            word.len() <= 32
                && word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.bytes().all(|b| b.is_ascii_alphabetic())
        })
}
