//! Rules of the configuration: patterns and field names, with examples that prove them.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

use super::kind::Kind;
use super::names::Class;
use super::shape;
use super::sink::{Sink, Why};

/// A rule as it is written in the configuration.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRule {
    /// The word inside the mask: 2 to 32 small letters, digits and `_`.
    pub name: String,
    /// A regular expression (crate `regex`: linear time, no look-around) for values in any text.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Names of fields, headers and parameters, in any spelling.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Show the fields instead of masking them. A card number or credential is masked anyway.
    #[serde(default)]
    pub keep: bool,
    /// Values that the pattern must find.
    #[serde(default)]
    pub must_match: Vec<String>,
    /// Values that it must not find.
    #[serde(default)]
    pub must_not_match: Vec<String>,
}

/// Why a rule, or the set of them, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The name is not a word.
    #[error("redaction rule {0:?}: a name has 2 to 32 small letters, digits or `_`")]
    Name(String),
    /// A name is used twice, or is that of a built-in kind.
    #[error("redaction rule {0:?}: the name is taken; choose another")]
    Taken(String),
    /// Neither pattern nor fields.
    #[error("redaction rule {0:?}: give a pattern or fields")]
    Empty(String),
    /// The expression does not compile or is too large.
    #[error("redaction rule {name:?}: the pattern does not compile: {reason}")]
    Pattern {
        /// The rule.
        name: String,
        /// What the compiler says.
        reason: String,
    },
    /// A pattern without examples.
    #[error(
        "redaction rule {0:?}: a pattern needs at least one must_match and one must_not_match example"
    )]
    NoExamples(String),
    /// An example that must match does not.
    #[error("redaction rule {name:?}: must_match example {at} is not found by the pattern")]
    Missed {
        /// The rule.
        name: String,
        /// Number of the example, from 1. The example itself may be sensitive.
        at: usize,
    },
    /// An example that must not match does.
    #[error("redaction rule {name:?}: must_not_match example {at} is found by the pattern")]
    Matched {
        /// The rule.
        name: String,
        /// Number of the example, from 1.
        at: usize,
    },
    /// The pattern matches the empty text.
    #[error("redaction rule {0:?}: the pattern matches the empty text")]
    EmptyMatch(String),
    /// Too many rules.
    #[error("more than {} redaction rules", RULES_MAX)]
    TooMany,
    /// A set that does not exist.
    #[error("unknown rule set {found:?}; use one of: {allowed}")]
    UnknownSet {
        /// What was written.
        found: String,
        /// What there is.
        allowed: String,
    },
}

/// Most rules: each pattern is a pass of its own over every text.
pub const RULES_MAX: usize = 64;
/// Largest compiled pattern, in bytes.
const PATTERN_BYTES: usize = 256 * 1024;

/// The compiled rules.
#[derive(Default)]
pub(crate) struct UserRules {
    patterns: Vec<(Regex, Kind)>,
    fields: HashMap<Vec<u8>, Class>,
}

fn fold(name: &[u8]) -> Vec<u8> {
    name.iter()
        .filter(|b| b.is_ascii_alphanumeric() || **b >= 0x80)
        .map(u8::to_ascii_lowercase)
        .collect()
}

impl UserRules {
    /// Compiles and proves the rules. Answers every fault, not only the first.
    pub(crate) fn compile(rules: &[UserRule]) -> Result<(Self, Vec<String>), Vec<RuleError>> {
        let mut this = Self::default();
        let mut names: Vec<String> = Vec::new();
        let mut errors = Vec::new();
        if rules.len() > RULES_MAX {
            return Err(vec![RuleError::TooMany]);
        }
        for rule in rules {
            let name = &rule.name;
            if !(2..=32).contains(&name.len())
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            {
                errors.push(RuleError::Name(name.clone()));
                continue;
            }
            if names.contains(name)
                || super::kind::KINDS.iter().any(|row| row.name == name)
                || name == "redacted"
            {
                errors.push(RuleError::Taken(name.clone()));
                continue;
            }
            let kind = Kind::User(u8::try_from(names.len()).unwrap_or(u8::MAX));
            names.push(name.clone());
            if rule.pattern.is_none() && rule.fields.is_empty() {
                errors.push(RuleError::Empty(name.clone()));
            }
            for field in &rule.fields {
                let class = if rule.keep {
                    Class::Safe(shape::ANY)
                } else {
                    Class::Sensitive(kind)
                };
                this.fields.insert(fold(field.as_bytes()), class);
            }
            if let Some(pattern) = &rule.pattern {
                match RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build() {
                    Ok(regex) => {
                        prove(rule, &regex, &mut errors);
                        this.patterns.push((regex, kind));
                    }
                    Err(error) => errors.push(RuleError::Pattern {
                        name: name.clone(),
                        reason: error.to_string(),
                    }),
                }
            }
        }
        if errors.is_empty() {
            Ok((this, names))
        } else {
            Err(errors)
        }
    }

    /// Whether there is no rule at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn has_patterns(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The class that a rule gives to a name.
    pub(crate) fn class_of(&self, name: &[u8]) -> Option<Class> {
        if self.fields.is_empty() {
            return None;
        }
        self.fields.get(&fold(name)).copied()
    }

    pub(crate) fn knows_field(&self, name: &[u8]) -> bool {
        self.class_of(name).is_some()
    }

    /// The kind of the first rule that finds something in a value.
    pub(crate) fn pattern_in(&self, value: &[u8]) -> Option<Kind> {
        self.patterns
            .iter()
            .find(|(regex, _)| regex.is_match(value))
            .map(|(_, kind)| *kind)
    }

    /// Masks what the patterns find and hands everything between to `rest`.
    pub(crate) fn split<'r>(
        &self,
        text: &[u8],
        sink: &mut Sink<'r>,
        mut rest: impl FnMut(&[u8], &mut Sink<'r>),
    ) {
        let mut hits: Vec<(usize, usize, Kind)> = Vec::new();
        for (regex, kind) in &self.patterns {
            hits.extend(regex.find_iter(text).map(|m| (m.start(), m.end(), *kind)));
        }
        hits.sort_unstable_by_key(|(start, end, _)| (*start, usize::MAX - end));
        let mut done = 0;
        for (start, end, kind) in hits {
            if end <= done || start == end {
                continue;
            }
            let start = start.max(done);
            if start > done {
                rest(&text[done..start], sink);
            }
            sink.mask(kind, Why::UserRule, &text[start..end]);
            done = end;
        }
        if done < text.len() {
            rest(&text[done..], sink);
        }
    }
}

fn prove(rule: &UserRule, regex: &Regex, errors: &mut Vec<RuleError>) {
    let name = || rule.name.clone();
    if rule.must_match.is_empty() || rule.must_not_match.is_empty() {
        errors.push(RuleError::NoExamples(name()));
    }
    if regex.is_match(b"") {
        errors.push(RuleError::EmptyMatch(name()));
    }
    for (at, text) in rule.must_match.iter().enumerate() {
        if !regex.is_match(text.as_bytes()) {
            errors.push(RuleError::Missed {
                name: name(),
                at: at + 1,
            });
        }
    }
    for (at, text) in rule.must_not_match.iter().enumerate() {
        if regex.is_match(text.as_bytes()) {
            errors.push(RuleError::Matched {
                name: name(),
                at: at + 1,
            });
        }
    }
}
