//! What a changed configuration lets through that the one before did not.
//!
//! [`Protections`] are what guards something in a configuration, as plain data that can be kept: names, numbers
//! and digests, never a secret, a pattern or an example. [`compare`] says what became looser. It does
//! not say everything that differs, and nothing that became stricter.

mod gather;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Config;

/// Longest description of a change, in bytes: it becomes a fact of a record.
const MAX_HOW: usize = 200;
/// Longest name that is kept of anything, in bytes.
const MAX_NAME: usize = 64;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Somebody else may call.
    Caller,
    /// More is let through, shown or forgotten than before.
    Policy,
    /// Other certificates of a bank are trusted than before.
    Pins,
}

/// One thing that became looser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub topic: Topic,
    /// The key of the configuration, such as `providers.cybrid.unknown_operations`.
    pub key: String,
    /// How: `deny to forward`, `without pan`, `600 to 6000`. At most 200 bytes, in one line.
    pub how: String,
}

/// What guards one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Guard {
    /// One of several rules, by how strict it is.
    Level { strictness: u8, word: String },
    /// What may pass: each further one is looser.
    Allows(BTreeSet<String>),
    /// What protects: each that is missing is looser.
    Protects(BTreeSet<String>),
    /// A bound: more is looser, and none is the loosest.
    AtMost(Option<u64>),
    /// A time or number that is kept to: less is looser, and none is the strictest.
    AtLeast(Option<u64>),
    /// Whom or what is relied on: anything else is told.
    Trusts(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    topic: Topic,
    guard: Guard,
}

/// What guards something in a configuration.
///
/// The default knows nothing; nothing is looser than that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Protections(BTreeMap<String, Entry>);

impl Protections {
    /// Those of a configuration. `digest` gives the SHA-256 of a file as hexadecimal digits, or any
    /// other text that changes with its content; it is asked for certificates only.
    pub fn of(config: &Config, digest: &dyn Fn(&std::path::Path) -> String) -> Self {
        gather::gather(config, digest)
    }

    fn set(&mut self, topic: Topic, key: impl Into<String>, guard: Guard) {
        self.0.insert(key.into(), Entry { topic, guard });
    }

    fn level(&mut self, key: impl Into<String>, strictness: u8, word: &str) {
        let word = word.to_owned();
        self.set(Topic::Policy, key, Guard::Level { strictness, word });
    }

    /// A switch that protects while it is on.
    fn on(&mut self, key: impl Into<String>, is_on: bool) {
        self.level(key, u8::from(is_on), if is_on { "on" } else { "off" });
    }

    /// A switch that protects while it is off.
    fn off(&mut self, key: impl Into<String>, is_on: bool) {
        self.level(key, u8::from(!is_on), if is_on { "on" } else { "off" });
    }

    fn allows(&mut self, topic: Topic, key: impl Into<String>, names: BTreeSet<String>) {
        self.set(topic, key, Guard::Allows(names));
    }

    fn protects(&mut self, key: impl Into<String>, names: BTreeSet<String>) {
        self.set(Topic::Policy, key, Guard::Protects(names));
    }

    fn at_most(&mut self, key: impl Into<String>, most: Option<u64>) {
        self.set(Topic::Policy, key, Guard::AtMost(most));
    }

    fn at_least(&mut self, key: impl Into<String>, least: Option<u64>) {
        self.set(Topic::Policy, key, Guard::AtLeast(least));
    }
}

/// What became looser, in the order of the keys. What `before` does not know is not judged: a newer program may
/// look at more. Names of what came or went stand in the lists of their kind.
pub fn compare(before: &Protections, after: &Protections) -> Vec<Change> {
    let both = after
        .0
        .iter()
        .filter_map(|(key, now)| Some((key, before.0.get(key)?, now)));
    both.filter_map(|(key, was, now)| {
        Some(Change {
            topic: now.topic,
            key: key.clone(),
            how: shorten(loosened(&was.guard, &now.guard)?),
        })
    })
    .collect()
}

/// How a guard became looser, if it did.
fn loosened(was: &Guard, now: &Guard) -> Option<String> {
    match (was, now) {
        (
            Guard::Level {
                strictness: old,
                word: was,
            },
            Guard::Level {
                strictness: new,
                word: now,
            },
        ) => (new < old).then(|| format!("{was} to {now}")),
        (Guard::Allows(was), Guard::Allows(now)) => named("with", now.difference(was)),
        (Guard::Protects(was), Guard::Protects(now)) => named("without", was.difference(now)),
        (Guard::AtMost(was), Guard::AtMost(now)) => match (was, now) {
            (Some(was), Some(now)) if now > was => Some(format!("{was} to {now}")),
            (Some(was), None) => Some(format!("{was} to none")),
            _ => None,
        },
        (Guard::AtLeast(was), Guard::AtLeast(now)) => match (was, now) {
            (Some(was), Some(now)) if now < was => Some(format!("{was} to {now}")),
            (None, Some(now)) => Some(format!("none to {now}")),
            _ => None,
        },
        (Guard::Trusts(was), Guard::Trusts(now)) => {
            (was != now).then(|| format!("{} to {}", or_none(was), or_none(now)))
        }
        // Another kind of guard: what it was cannot be compared.
        _ => None,
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

/// What stands before `#` is the name; what follows tells versions of it apart.
fn named<'a>(how: &str, names: impl Iterator<Item = &'a String>) -> Option<String> {
    let mut names: Vec<&str> = names
        .map(|name| name.split('#').next().unwrap_or_default())
        .collect();
    names.dedup();
    (!names.is_empty()).then(|| format!("{how} {}", names.join(", ")))
}

/// One line of bounded length.
fn shorten(text: String) -> String {
    clip(&text, MAX_HOW)
}

fn clip(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for c in text.chars() {
        if out.len() + c.len_utf8() + '…'.len_utf8() > most {
            out.push('…');
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}
