//! The places in a JSON document that a tap looks at, compiled into a tree that is walked along
//! with the document.

use super::key::MAX_KEY_BYTES;

/// The most paths in one set.
pub const MAX_PATHS: usize = 64;

/// The most steps in one path. The catalogs' longest has 7.
pub const MAX_PATH_STEPS: usize = 16;

/// Marks a place of the document to which no path leads.
pub(super) const NOWHERE: u16 = u16::MAX;

/// The place of the whole document.
pub(super) const ROOT: u16 = 0;

/// A path that cannot be used. Paths come from provider files, so they may be quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The set has too many paths.
    #[error("{found} paths are more than {MAX_PATHS}; name fewer")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// A path has too many steps.
    #[error("path {path:?} has more than {MAX_PATH_STEPS} steps; name a shorter one")]
    TooLong {
        /// The path.
        path: String,
    },
    /// A path is not in the notation.
    #[error(
        "path {path:?} is not understood at byte {at}; write keys joined by dots with [] behind \
         an array, as in objects[].name"
    )]
    Syntax {
        /// The path.
        path: String,
        /// Where the fault is, in bytes from the start.
        at: usize,
    },
    /// A key is too long.
    #[error("path {path:?} has a key of more than {MAX_KEY_BYTES} bytes")]
    KeyTooLong {
        /// The path.
        path: String,
    },
    /// A path stands twice in the set.
    #[error("path {path:?} is named twice; name it once")]
    Duplicate {
        /// The path.
        path: String,
    },
}

/// A compiled set of paths, shared by all taps for one operation.
///
/// The notation is that of the catalogs: keys joined by dots, `[]` for every element of an array.
/// `a.b`, `objects[].name`, `[].x` (the document is an array), `a[]` (an array of scalars),
/// `a[][]`. Keys are compared with what a JSON string says once its escapes are resolved, and
/// cannot contain a dot or a bracket.
#[derive(Debug)]
pub struct PathSet {
    nodes: Vec<Node>,
    len: usize,
}

#[derive(Debug)]
struct Node {
    /// Where to go for a key of an object.
    keys: Vec<(Box<[u8]>, u16)>,
    /// Where to go for an element of an array.
    elements: u16,
    /// The path that ends here.
    index: Option<usize>,
}

impl Node {
    const fn new() -> Self {
        Self {
            keys: Vec::new(),
            elements: NOWHERE,
            index: None,
        }
    }
}

enum Step<'a> {
    Key(&'a str),
    Elements,
}

impl PathSet {
    /// Compiles paths. A value is later told with the place of its path in this list.
    ///
    /// # Errors
    /// The first path that cannot be used and why.
    pub fn compile(paths: &[&str]) -> Result<Self, PathError> {
        if paths.len() > MAX_PATHS {
            return Err(PathError::TooMany { found: paths.len() });
        }
        let mut set = Self {
            nodes: vec![Node::new()],
            len: paths.len(),
        };
        for (index, path) in paths.iter().enumerate() {
            set.insert(index, path)?;
        }
        Ok(set)
    }

    /// How many paths there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no paths, so that tapping is pointless.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn insert(&mut self, index: usize, path: &str) -> Result<(), PathError> {
        let mut node = ROOT;
        let mut at = 0;
        let mut steps = 0;
        while at < path.len() || steps == 0 {
            let (step, next) = read_step(path, at)?;
            steps += 1;
            if steps > MAX_PATH_STEPS {
                return Err(PathError::TooLong {
                    path: path.to_owned(),
                });
            }
            node = self.follow_or_add(node, &step);
            at = next;
        }
        match self.nodes.get_mut(usize::from(node)) {
            Some(Node {
                index: slot @ None, ..
            }) => *slot = Some(index),
            _ => {
                return Err(PathError::Duplicate {
                    path: path.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn follow_or_add(&mut self, node: u16, step: &Step<'_>) -> u16 {
        let found = match step {
            Step::Key(key) => self.key(node, key.as_bytes()),
            Step::Elements => self.elements(node),
        };
        if found != NOWHERE {
            return found;
        }
        // 64 paths of 16 steps make at most 1,025 nodes.
        let added = u16::try_from(self.nodes.len()).unwrap_or(NOWHERE);
        self.nodes.push(Node::new());
        if let Some(node) = self.nodes.get_mut(usize::from(node)) {
            match step {
                Step::Key(key) => node.keys.push((key.as_bytes().into(), added)),
                Step::Elements => node.elements = added,
            }
        }
        added
    }

    /// The place of an object's member.
    pub(super) fn key(&self, node: u16, key: &[u8]) -> u16 {
        self.nodes
            .get(usize::from(node))
            .and_then(|node| node.keys.iter().find(|(name, _)| **name == *key))
            .map_or(NOWHERE, |(_, to)| *to)
    }

    /// The place of an array's elements.
    pub(super) fn elements(&self, node: u16) -> u16 {
        self.nodes
            .get(usize::from(node))
            .map_or(NOWHERE, |node| node.elements)
    }

    /// Whether a path leads on through a member of an object at this place.
    pub(super) fn has_keys(&self, node: u16) -> bool {
        self.nodes
            .get(usize::from(node))
            .is_some_and(|node| !node.keys.is_empty())
    }

    /// The path that ends at this place.
    pub(super) fn index(&self, node: u16) -> Option<usize> {
        self.nodes
            .get(usize::from(node))
            .and_then(|node| node.index)
    }
}

/// Reads the step that starts at `at`, and where the next one starts.
fn read_step(path: &str, at: usize) -> Result<(Step<'_>, usize), PathError> {
    let syntax = |at| PathError::Syntax {
        path: path.to_owned(),
        at,
    };
    let rest = path.get(at..).unwrap_or_default();
    if rest.starts_with("[]") {
        return Ok((Step::Elements, at + 2));
    }
    let start = match rest.strip_prefix('.') {
        Some(_) if at > 0 => at + 1,
        None if at == 0 => 0,
        _ => return Err(syntax(at)),
    };
    let rest = path.get(start..).unwrap_or_default();
    let len = rest.find(['.', '[', ']']).unwrap_or(rest.len());
    let key = rest.get(..len).unwrap_or_default();
    if key.is_empty() || rest.get(len..).is_some_and(|after| after.starts_with(']')) {
        return Err(syntax(start + len));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(PathError::KeyTooLong {
            path: path.to_owned(),
        });
    }
    Ok((Step::Key(key), start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_notation() {
        let set =
            PathSet::compile(&["a.b", "objects[].name", "[].x", "a[]", "a", "m[][].é"]).unwrap();
        assert_eq!(set.len(), 6);
        let a = set.key(ROOT, b"a");
        assert_eq!(set.index(a), Some(4));
        assert_eq!(set.index(set.key(a, b"b")), Some(0));
        assert_eq!(set.index(set.elements(a)), Some(3));
        let objects = set.key(ROOT, b"objects");
        assert_eq!(set.index(objects), None);
        assert_eq!(set.index(set.key(set.elements(objects), b"name")), Some(1));
        assert_eq!(set.index(set.key(set.elements(ROOT), b"x")), Some(2));
        let m = set.elements(set.elements(set.key(ROOT, b"m")));
        assert_eq!(set.index(set.key(m, "é".as_bytes())), Some(5));
        assert_eq!(set.key(ROOT, b"nothing"), NOWHERE);
        assert_eq!(set.key(NOWHERE, b"a"), NOWHERE);
        assert_eq!(set.index(NOWHERE), None);
    }

    #[test]
    fn refuses_what_is_not_in_the_notation() {
        let table = [
            ("", 0),
            (".", 0),
            (".a", 0),
            ("a.", 2),
            ("a..b", 2),
            ("a[", 1),
            ("a]", 1),
            ("a[0]", 1),
            ("a[]b", 3),
            ("[]x", 2),
            ("a.[]", 2),
            ("a[].", 4),
            ("]", 0),
        ];
        for (path, at) in table {
            let error = PathSet::compile(&["ok", path]).unwrap_err();
            assert_eq!(
                error,
                PathError::Syntax {
                    path: path.to_owned(),
                    at
                }
            );
        }
    }

    #[test]
    fn limits_are_stated() {
        let names: Vec<String> = (0..=MAX_PATHS).map(|n| format!("k{n}")).collect();
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(PathSet::compile(&paths[..MAX_PATHS]).is_ok());
        assert_eq!(
            PathSet::compile(&paths).unwrap_err(),
            PathError::TooMany { found: 65 }
        );

        let steps = |n: usize| vec!["a"; n].join(".");
        assert!(PathSet::compile(&[&steps(MAX_PATH_STEPS)]).is_ok());
        let path = steps(MAX_PATH_STEPS + 1);
        assert_eq!(
            PathSet::compile(&[&path]).unwrap_err(),
            PathError::TooLong { path }
        );

        assert!(PathSet::compile(&[&"k".repeat(MAX_KEY_BYTES)]).is_ok());
        let path = "k".repeat(MAX_KEY_BYTES + 1);
        assert_eq!(
            PathSet::compile(&[&path]).unwrap_err(),
            PathError::KeyTooLong { path }
        );

        let error = PathSet::compile(&["a[].b", "a[].b"]).unwrap_err();
        assert_eq!(
            error,
            PathError::Duplicate {
                path: "a[].b".to_owned()
            }
        );
        assert_eq!(
            error.to_string(),
            "path \"a[].b\" is named twice; name it once"
        );
    }
}
