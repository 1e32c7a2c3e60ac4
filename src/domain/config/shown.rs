//! The configuration as it may be shown to people: as it is written, with its lines, and without
//! what is, or may be, a secret.

use toml::de::{DeTable, DeValue};

use super::fault::show_key;

/// What stands for a secret.
pub const SECRET: &str = "[secret]";

/// Most values that are shown.
const MAX_VALUES: usize = 10_000;

/// Longest value that is shown, in characters.
const MAX_VALUE: usize = 500;

/// A key whose name has one of these may hold a secret.
const SECRET_WORDS: &[&str] = &[
    "secret",
    "password",
    "token",
    "credential",
    "authorization",
    "key",
    "auth",
    "user",
];

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownValue {
    /// Its key, with the tables around it.
    pub key: String,
    /// The value.
    pub value: String,
    /// Its line, from 1; `None` for one that is not in the file.
    pub line: Option<u64>,
    /// `file` or `variable`.
    pub from: &'static str,
}

/// Whether a key's value is withheld. Files are named, not shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names_a_file = name.ends_with("_file") || name == "file";
    !names_a_file && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// A text without what may be secret in it: of an address only where it leads, since user names,
/// passwords and the paths of webhooks are as good as keys.
fn show_text(name: &str, text: &str) -> String {
    if is_secret(name) {
        return SECRET.to_owned();
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let is_whole = host.len() == rest.trim_end_matches('/').len();
        return format!("{scheme}://{host}{}", if is_whole { "" } else { "/…" });
    }
    // A connection string of a database, or text that a person should not see by chance.
    if text.contains('@') || text.contains("BEGIN") {
        return SECRET.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_VALUE)
        .collect()
}

fn show(name: &str, value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => show_text(name, text),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(at) => at.to_string(),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| show(name, item.get_ref()));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(_) => "{…}".to_owned(),
    }
}

struct Walk<'t> {
    text: &'t str,
    found: Vec<ShownValue>,
}

impl Walk<'_> {
    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = match path {
                "" => show_key(name.get_ref()),
                path => format!("{path}.{}", show_key(name.get_ref())),
            };
            self.value(&key, name.get_ref(), name.span().start, value.get_ref());
        }
    }

    fn value(&mut self, key: &str, name: &str, at: usize, value: &DeValue<'_>) {
        if self.found.len() >= MAX_VALUES {
            return;
        }
        match value {
            DeValue::Table(table) => self.table(key, table),
            DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                for (number, item) in items.iter().enumerate() {
                    let key = format!("{key}[{number}]");
                    self.value(&key, name, item.span().start, item.get_ref());
                }
            }
            value => {
                let before = self.text.as_bytes().get(..at).unwrap_or_default();
                let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
                self.found.push(ShownValue {
                    key: key.to_owned(),
                    value: show(name, value),
                    line: Some(line),
                    from: "file",
                });
            }
        }
    }
}

/// What is written in a configuration, in the order of its lines, and the environment variables that
/// go before it. A text that is not TOML shows nothing; a gateway does not run with one.
pub fn shown(text: &str, variables: &[(String, String)]) -> Vec<ShownValue> {
    let (top, _) = DeTable::parse_recoverable(text);
    let mut walk = Walk {
        text,
        found: Vec::new(),
    };
    walk.table("", top.get_ref());
    walk.found.sort_by_key(|value| value.line);
    for (name, value) in variables {
        walk.found.push(ShownValue {
            key: name.clone(),
            value: show_text(name, value),
            line: None,
            from: "variable",
        });
    }
    walk.found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_shown_with_its_line() {
        let text = "node = \"a\"\n\n[ledger]\nurl = \"postgres://egret:hunter2@db:5432/egret\"\n\
            [[alerts.channel]]\nname = \"soc\"\nurl = \"https://hooks.example/T0/hunter2\"\n\
            routing_key = \"hunter2\"\n[callers]\nfile = \"c.toml\"\n[limits]\nworkers = 4\n";
        let variables = [(
            "EGRET_LEDGER_URL".to_owned(),
            "postgres://u:hunter2@h/x".to_owned(),
        )];
        let found = shown(text, &variables);
        let lines: Vec<String> = found
            .iter()
            .map(|v| format!("{:?} {}={}", v.line.unwrap_or(0), v.key, v.value))
            .collect();
        assert_eq!(
            lines,
            [
                "1 node=a",
                "4 ledger.url=postgres://db:5432/…",
                "6 alerts.channel[0].name=soc",
                "7 alerts.channel[0].url=https://hooks.example/…",
                "8 alerts.channel[0].routing_key=[secret]",
                "10 callers.file=c.toml",
                "12 limits.workers=4",
                "0 EGRET_LEDGER_URL=postgres://h/…",
            ]
        );
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn no_word_of_a_secret_gets_through() {
        for (name, value) in [
            ("password", "x"),
            ("EGRET_SIGNING_KEY", "x"),
            ("client_secret", "x"),
            ("place", "user@host"),
            ("note", "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert_eq!(show_text(name, value), SECRET, "{name}");
        }
        assert_eq!(show_text("fingerprint_key_file", "k.key"), "k.key");
    }
}
