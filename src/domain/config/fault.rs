//! What is wrong with a file that people write, and where.

use std::fmt;

/// Faults that are kept; a file with more than that is not a configuration with mistakes but
/// another kind of file. The rest is counted.
pub const MAX_FAULTS: usize = 200;

/// Longest value or key that a message repeats, in bytes. Longer ones may be keys or tokens in
/// a wrong place.
const MAX_ECHO: usize = 64;

/// One fault of a configuration.
///
/// The texts name keys, bounds and places. They never repeat a value that could be a secret:
/// see [`echo`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `environment`.
    pub file: String,
    /// Line, from 1; 0 when the fault has no place in the file.
    pub line: usize,
    /// Column in characters, from 1; 0 when the fault has no place in the file.
    pub column: usize,
    /// Path of the key, such as `providers.cybrid.environment`, or the environment variable;
    /// empty for the file as a whole.
    pub key: String,
    /// What was found, if it may be shown.
    pub found: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or what to write instead; empty if the message says it all.
    pub hint: String,
}

impl fmt::Display for Fault {
    /// `config/egret.toml:12:9: providers.cybrid.enviroment: unknown key; did you mean ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if let Some(found) = &self.found {
            write!(f, ", found {found}")?;
        }
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// All faults of a configuration, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    left_out: usize,
}

impl Faults {
    /// Adds a fault; beyond [`MAX_FAULTS`] it is only counted.
    pub fn push(&mut self, fault: Fault) {
        if self.list.len() < MAX_FAULTS {
            self.list.push(fault);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds the faults of another file.
    pub fn extend(&mut self, other: Self) {
        self.left_out += other.left_out;
        for fault in other.list {
            self.push(fault);
        }
    }

    /// Whether there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults that were kept.
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// How many there are, those that were only counted included.
    pub fn count(&self) -> usize {
        self.list.len() + self.left_out
    }

    /// Sorts by place; files have the order in which they are given, others come after them.
    pub(crate) fn sort<'f>(&mut self, files: impl Iterator<Item = &'f str>) {
        let mut files: Vec<String> = files.map(str::to_owned).collect();
        for fault in &self.list {
            if !files.contains(&fault.file) {
                files.push(fault.file.clone());
            }
        }
        self.list.sort_by_key(|fault| {
            let file = files.iter().position(|file| *file == fault.file);
            (file, fault.line, fault.column)
        });
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self {
            list: vec![fault],
            left_out: 0,
        }
    }
}

impl fmt::Display for Faults {
    /// One fault a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(fault, f)?;
        }
        if self.left_out > 0 {
            write!(f, "\n... and {} more faults", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A value as a message may show it: quoted, or only its size when it is long, stands under a
/// key that is named like a secret, or looks like a token.
pub fn echo(key: &str, value: &str) -> String {
    let secret = sounds_secret(key) || value.starts_with("egk_") || value.starts_with("eyJ");
    if secret || value.len() > MAX_ECHO {
        format!("{} bytes of text (not shown)", value.len())
    } else {
        format!("{value:?}")
    }
}

/// A key as a message may show it.
pub(crate) fn show_key(key: &str) -> String {
    if key.len() > MAX_ECHO {
        return format!("({} bytes, not shown)", key.len());
    }
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}

/// Whether the last part of a key path names something secret.
fn sounds_secret(key: &str) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "key", "token", "secret", "credential"];
    let last = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    WORDS.iter().any(|word| last.contains(word))
}

/// The allowed name that is nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(written: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > MAX_ECHO {
        return None;
    }
    let folded = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let wanted = folded(written);
    let reach = 1 + wanted.chars().count() / 4;
    allowed
        .into_iter()
        .map(|name| (distance(&wanted, &folded(name)), name))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Number of letters to add, drop, change or swap with their neighbour (the optimal string
/// alignment distance).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = Vec::with_capacity(right.len() + 1);
        row.push(i + 1);
        for (j, b) in right.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(left.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: usize) -> Fault {
        Fault {
            file: "egret.toml".to_owned(),
            line,
            column: 9,
            key: "log.format".to_owned(),
            found: Some("\"jason\"".to_owned()),
            message: "not an allowed value".to_owned(),
            hint: "use one of: auto, human, json".to_owned(),
        }
    }

    #[test]
    fn a_fault_prints_place_key_finding_and_hint() {
        assert_eq!(
            fault(12).to_string(),
            "egret.toml:12:9: log.format: not an allowed value, found \"jason\"; \
             use one of: auto, human, json"
        );
        assert!(fault(0).to_string().starts_with("egret.toml: log.format"));
    }

    #[test]
    fn faults_beyond_the_limit_are_counted() {
        let mut faults = Faults::default();
        for line in 0..MAX_FAULTS + 3 {
            faults.push(fault(line));
        }
        assert_eq!(faults.count(), MAX_FAULTS + 3);
        assert!(faults.to_string().ends_with("... and 3 more faults"));
    }

    #[test]
    fn values_that_may_be_secret_are_not_repeated() {
        assert_eq!(echo("log.format", "jason"), "\"jason\"");
        for (key, value) in [
            ("listener.tls.key", "hunter2"),
            ("x.api_token", "hunter2"),
            ("X.ClientSecret", "hunter2"),
            ("log.format", "egk_hunter2"),
            ("log.format", &"hunter2".repeat(10)),
        ] {
            assert!(!echo(key, value).contains("hunter2"), "{key}");
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["environment", "file", "http_version"];
        assert_eq!(nearest("enviroment", names), Some("environment"));
        assert_eq!(nearest("HTTP-version", names), Some("http_version"));
        assert_eq!(nearest("flie", names), Some("file"));
        assert_eq!(nearest("colour", names), None);
    }

    #[test]
    fn distance_counts_edits() {
        for (left, right, edits) in [
            ("", "", 0),
            ("abc", "", 3),
            ("abc", "acb", 1),
            ("ab", "cd", 2),
        ] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
            assert_eq!(distance(right, left), edits, "{right} {left}");
        }
    }
}
