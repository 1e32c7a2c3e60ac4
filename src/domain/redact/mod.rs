//! Redaction: bytes of any kind in, the same bytes without secrets and personal values out.
//!
//! Structure first, patterns second. A header, a pair or a JSON member is judged by its name: a
//! known sensitive name masks the value, a known harmless name shows it if the value has the
//! shape that the name promises, and an unknown name shows only values that cannot hold a secret.
//! Free text is read word by word, and validated recognisers look at everything that is not a
//! word.
//!
//! The rule for reading the code: a value is *kept* for a reason, never masked for a reason.
//!
//! This module does no I/O, knows no time and keeps no state between calls (a memo of names that
//! were read aside). It does not decide what is captured or logged, and it is not a substitute
//! for leaving things out: what needs no text should be a typed field.
//!
//! Bounds: every pass is linear in the input. One value of at most 256 KiB is held; JSON is
//! remembered to a depth of 256 and read to a depth of 4 inside strings; percent encoding is
//! undone three times. What is beyond is masked.

mod fields;
mod kind;
mod names;
mod pseudonym;
mod recognise;
mod shape;
mod sink;
mod stream;
mod surface;
mod text;
mod user;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::types::{Secret, UnknownWord};

pub use fields::{Action, FieldRules, PathError, PathStep};
pub use kind::{KINDS, Kind, RULE_SETS, Row};
pub use pseudonym::PseudonymKey;
pub use sink::{Counts, Hit, Why};
pub use stream::Stream;
pub use user::{RULES_MAX, RuleError, UserRule};

use fields::Node;
use sink::Masks;
use user::UserRules;

/// What the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    /// A header line or block, also with a request or status line in front.
    Header,
    /// A query without or with its `?`.
    Query,
    /// A path, a request target or a URL.
    Path,
    /// A JSON document, several, or what is left of one.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`, from the first boundary.
    Multipart,
    /// Anything else: log lines, messages.
    Text,
}

impl Surface {
    /// Every surface.
    pub const ALL: &'static [Self] = &[
        Self::Header,
        Self::Query,
        Self::Path,
        Self::Json,
        Self::Form,
        Self::Multipart,
        Self::Text,
    ];

    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Path => "path",
            Self::Json => "json",
            Self::Form => "form",
            Self::Multipart => "multipart",
            Self::Text => "text",
        }
    }

    /// The surface of a body with this content type. Types that are not known are text.
    pub fn of_content_type(content_type: &str) -> Self {
        let essence = content_type
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "multipart/form-data" | "multipart/mixed" => Self::Multipart,
            "application/json" | "text/json" | "application/x-ndjson" => Self::Json,
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Text,
        }
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Surface {
    type Err = UnknownWord;

    /// Reads the one spelling, and what people write for it, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let folded: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '_' | '-'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let synonym = match folded.as_str() {
            "headers" => Some(Self::Header),
            "querystring" => Some(Self::Query),
            "url" | "target" => Some(Self::Path),
            "urlencoded" | "xwwwformurlencoded" => Some(Self::Form),
            "formdata" | "multipartformdata" => Some(Self::Multipart),
            "plain" | "plaintext" | "freetext" | "log" => Some(Self::Text),
            _ => None,
        };
        let found = Self::ALL.iter().find(|s| s.as_str() == folded);
        found.copied().or(synonym).ok_or_else(|| UnknownWord {
            kind: "surface",
            found: text.to_owned(),
            allowed: Self::ALL
                .iter()
                .map(|s| s.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

/// A value that has been through a redactor. Only this module makes one, so whoever demands it
/// cannot be handed raw text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// The redacted value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The redacted value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Redacted<Vec<u8>> {
    /// Adds what comes next of the same output.
    pub fn append(&mut self, next: Self) {
        self.0.extend_from_slice(&next.0);
    }

    /// As text; bytes that are not UTF-8 become U+FFFD.
    pub fn into_text(self) -> Redacted<String> {
        Redacted(match String::from_utf8(self.0) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }
}

impl Redacted<String> {
    /// The first `max` bytes, cut at a character and never inside a mask, with `…` if anything
    /// is left out. Cutting comes after redaction, or half a secret would be read.
    #[must_use]
    pub fn truncate(mut self, max: usize) -> Self {
        if self.0.len() > max {
            let mut end = max;
            while !self.0.is_char_boundary(end) {
                end -= 1;
            }
            let head = &self.0[..end];
            if let Some(open) = head.rfind('[').filter(|open| !head[*open..].contains(']')) {
                end = open;
            }
            self.0.truncate(end);
            self.0.push('…');
        }
        self
    }
}

impl<T: fmt::Display> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a call knows about its input.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The provider, for field rules.
    pub api: Option<&'a str>,
    /// The operation, for field rules.
    pub operation: Option<&'a str>,
    /// Note why each mask was written.
    pub explain: bool,
}

/// The result of one call.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// The output.
    pub bytes: Redacted<Vec<u8>>,
    /// Masks by kind.
    pub counts: Counts,
    /// Every mask with its reason, if the context asked for it.
    pub hits: Vec<Hit>,
}

/// What every pass needs: masks, the user's rules, the rules of operations.
pub(crate) struct Core {
    masks: Masks,
    user: UserRules,
    operations: BTreeMap<(String, String), FieldRules>,
}

/// The engine: compiled once, shared by all threads.
pub struct Redactor {
    core: Core,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor")
            .field("operations", &self.core.operations.len())
            .finish_non_exhaustive()
    }
}

impl Default for Redactor {
    /// All built-in rules, no pseudonyms.
    fn default() -> Self {
        Self {
            core: Core {
                masks: Masks {
                    enabled: u64::MAX,
                    key: None,
                    user_kinds: Vec::new(),
                },
                user: UserRules::default(),
                operations: BTreeMap::new(),
            },
        }
    }
}

impl Redactor {
    /// Begins a redactor with all built-in rules.
    pub fn builder() -> RedactorBuilder {
        RedactorBuilder::default()
    }

    /// Redacts one whole input.
    pub fn redact(&self, surface: Surface, input: &[u8], context: Context<'_>) -> Redaction {
        let mut machine = stream::Machine::new(&self.core, surface, context);
        let mut sink = sink::Sink::new(
            &self.core.masks,
            input.len() + input.len() / 8 + 32,
            context.explain,
        );
        machine.run_all(&self.core, input, &mut sink);
        Redaction {
            bytes: Redacted(sink.out),
            counts: sink.counts,
            hits: sink.hits.unwrap_or_default(),
        }
    }

    /// Redacts free text, as most callers in this house need it.
    pub fn text(&self, text: &str) -> Redacted<String> {
        self.redact(Surface::Text, text.as_bytes(), Context::default())
            .bytes
            .into_text()
    }

    /// Redacts an input that comes in pieces. The output is the same however it is cut.
    pub fn stream(&self, surface: Surface, context: Context<'_>) -> Stream<'_> {
        Stream::new(&self.core, surface, context)
    }

    /// The word for a kind, also for a kind of the user's own rules.
    pub fn kind_name(&self, kind: Kind) -> &str {
        self.core.masks.name(kind)
    }
}

impl Core {
    fn rules(&self, context: Context<'_>) -> Option<Node<'_>> {
        let (api, operation) = (context.api?, context.operation?);
        self.operations
            .get(&(api.to_owned(), operation.to_owned()))
            .map(Node::root)
    }
}

/// Builds a [`Redactor`].
#[derive(Debug, Default)]
pub struct RedactorBuilder {
    sets: Option<Vec<String>>,
    rules: Vec<UserRule>,
    key: Option<PseudonymKey>,
    operations: BTreeMap<(String, String), FieldRules>,
}

impl RedactorBuilder {
    /// Only these built-in rule sets (see [`RULE_SETS`]); all without this call.
    #[must_use]
    pub fn rule_sets<S: Into<String>>(mut self, sets: impl IntoIterator<Item = S>) -> Self {
        self.sets = Some(sets.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a rule of the configuration.
    #[must_use]
    pub fn rule(mut self, rule: UserRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Writes keyed pseudonyms for personal values instead of bare masks. With a key shorter than
    /// [`PseudonymKey::MIN_BYTES`] the masks stay bare.
    #[must_use]
    pub fn pseudonym_key(mut self, key: &Secret<Vec<u8>>) -> Self {
        self.key = PseudonymKey::new(key);
        self
    }

    /// Adds the field rules of one operation.
    #[must_use]
    pub fn operation(mut self, api: &str, operation: &str, rules: FieldRules) -> Self {
        self.operations
            .insert((api.to_owned(), operation.to_owned()), rules);
        self
    }

    /// Compiles.
    ///
    /// # Errors
    /// Every fault of every rule: a bad name or pattern, an example that does not behave, an
    /// unknown rule set.
    pub fn build(self) -> Result<Redactor, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut enabled = u64::MAX;
        if let Some(sets) = self.sets {
            enabled = !0 << KINDS.len();
            for set in sets {
                if !RULE_SETS.iter().any(|(name, _)| *name == set) {
                    errors.push(RuleError::UnknownSet {
                        found: set,
                        allowed: RULE_SETS
                            .iter()
                            .map(|(name, _)| *name)
                            .collect::<Vec<_>>()
                            .join(", "),
                    });
                    continue;
                }
                for row in KINDS.iter().filter(|row| row.set == set) {
                    enabled |= 1 << row.kind.index();
                }
            }
        }
        match UserRules::compile(&self.rules) {
            Ok((user, user_kinds)) if errors.is_empty() => Ok(Redactor {
                core: Core {
                    masks: Masks {
                        enabled,
                        key: self.key,
                        user_kinds,
                    },
                    user,
                    operations: self.operations,
                },
            }),
            Ok(_) => Err(errors),
            Err(more) => {
                errors.extend(more);
                Err(errors)
            }
        }
    }
}

#[cfg(test)]
mod tests;
