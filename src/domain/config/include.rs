//! Further files that a configuration names with `include`.
//!
//! `include = ["callers.d/*.toml"]` takes in files as if their text stood in the main file. Patterns and
//! all other relative paths start at the directory of the main file, whichever file they stand in, so
//! that a line means the same wherever it is moved to.

use std::path::{Component, Path, PathBuf};

use super::fault::Faults;
use super::parse::Surroundings;
use super::reader::{
    Document, Found, INCLUDE, MAX_TEXT, Problem, Source, Table, Texts, no_variables,
};

/// Files within files within files: more is not a structure but a maze.
const MAX_DEPTH: usize = 4;
/// Most files of a configuration: one for each of the providers that there may be.
const MAX_FILES: usize = 256;

/// What `include` may hold.
pub(super) const PATTERNS: Texts = Texts {
    max: 64,
    max_bytes: 4_096,
};

/// What `include` does, for the reference.
pub(super) const MEANING: &str = "Further files, taken in as if their text stood here: paths, in \
    which the file name may have `*`, in the order in which they are written and those of a `*` by \
    name. A key may be written in one of them only; lists of tables such as `[[capture]]` are put \
    together. At most 256 files, four deep.";

struct Gathering<'s> {
    directory: PathBuf,
    surroundings: &'s dyn Surroundings,
    sources: Vec<Source>,
    paths: Vec<PathBuf>,
    bytes: usize,
    faults: Faults,
}

/// The texts of a configuration: the main file and all that it includes, each followed by its own. What
/// could not be taken in is a fault.
pub(super) fn gather(
    file: &Path,
    text: &str,
    surroundings: &dyn Surroundings,
) -> (Vec<Source>, Faults) {
    let mut gathering = Gathering {
        directory: file.parent().unwrap_or(Path::new("")).to_owned(),
        surroundings,
        sources: Vec::new(),
        paths: Vec::new(),
        bytes: 0,
        faults: Faults::default(),
    };
    gathering.take(lexical(file), text.to_owned(), 0);
    (gathering.sources, gathering.faults)
}

impl Gathering<'_> {
    fn take(&mut self, path: PathBuf, text: String, depth: usize) {
        let source = Source {
            name: path.display().to_string(),
            text,
        };
        self.bytes += source.text.len();
        self.paths.push(path);
        self.sources.push(source.clone());
        let document = Document::new(&source.name, &source.text, &no_variables);
        let read = document.read(|top| self.follow(&top, depth));
        let is_toml = read.is_some();
        if let Err(faults) = document.finish(read)
            && is_toml
        {
            // What is not TOML is said when everything is read.
            self.faults.extend(faults);
        }
    }

    fn follow(&mut self, top: &Table<'_>, depth: usize) {
        // Everything else is read later.
        let _ = top.entries();
        let Some(patterns) = top.optional(INCLUDE, &PATTERNS, "none", "") else {
            return;
        };
        let fault = |message: String, hint: &str| {
            top.fault(&patterns.place, Problem::new(message, hint));
        };
        if depth >= MAX_DEPTH {
            let hint = "include the files from the main file";
            fault(format!("more than {MAX_DEPTH} files deep"), hint);
            return;
        }
        for path in self.find(top, &patterns) {
            let name = path.display();
            if self.paths.contains(&path) {
                let hint = "remove it from one of the two places";
                fault(format!("{name} is included already"), hint);
                continue;
            }
            if self.paths.len() >= MAX_FILES {
                fault(format!("more than {MAX_FILES} files"), "use fewer files");
                return;
            }
            let text = match self.surroundings.read(&path) {
                Ok(bytes) => {
                    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())
                }
                Err(error) => Err(format!("the file cannot be read: {error}")),
            };
            match text {
                Ok(text) if self.bytes.saturating_add(text.len()) > MAX_TEXT => {
                    fault(
                        "the files are too large".to_owned(),
                        "at most 16 MiB are read",
                    );
                    return;
                }
                Ok(text) => self.take(path, text, depth + 1),
                Err(what) => {
                    let hint = "paths are relative to the directory of the main file";
                    fault(format!("{name}: {what}"), hint);
                }
            }
        }
    }

    /// The files that patterns stand for.
    fn find(&self, top: &Table<'_>, patterns: &Found<Vec<String>>) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for pattern in &patterns.value {
            let path = lexical(&self.directory.join(pattern));
            let name = path.file_name().and_then(|name| name.to_str());
            let directory = path.parent().unwrap_or(Path::new(""));
            let has_star = |text: &str| text.contains('*');
            if directory.to_str().is_some_and(has_star) {
                let hint = "a * may stand in the file name only";
                let problem = Problem::new(format!("{pattern}: a * in a directory"), hint);
                top.fault(&patterns.place, problem);
                continue;
            }
            let Some(name) = name.filter(|name| has_star(name)) else {
                found.push(path);
                continue;
            };
            match self.surroundings.list(directory) {
                Ok(mut names) => {
                    names.retain(|of| !of.starts_with('.') && matches(name, of));
                    names.sort_unstable();
                    found.extend(names.into_iter().map(|of| directory.join(of)));
                }
                Err(error) => {
                    let what = format!("{pattern}: the directory cannot be read: {}", error.kind());
                    let problem = Problem::new(what, "make the directory, or remove the pattern");
                    top.fault(&patterns.place, problem);
                }
            }
        }
        found
    }
}

/// A path without `.` and, where that is certain, without `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match (part, clean.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                clean.pop();
            }
            _ => clean.push(part),
        }
    }
    clean
}

/// Whether a name fits a pattern in which `*` stands for any characters; linear in their product.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut rest = rest;
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            match rest.split_once(before) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fits) in [
            ("*.toml", "a.toml", true),
            ("*.toml", ".toml", true),
            ("*.toml", "a.tom", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("**", "anything", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_path_has_one_form() {
        for (path, clean) in [
            ("/etc/egret/./a/../b.toml", "/etc/egret/b.toml"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
        ] {
            assert_eq!(lexical(Path::new(path)), Path::new(clean));
        }
    }
}
