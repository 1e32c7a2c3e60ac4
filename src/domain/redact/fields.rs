//! Field rules of one operation: what happens to each JSON path. Compiled once into a trie whose
//! nodes the scanner follows; it never builds a path.

use std::collections::BTreeMap;

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shown if its value has a form of its own (id, number, time, words) and is no card number, no
    /// credential and no other validated value; other values are read as text.
    Keep,
    /// Shown if its value has the shape that its name promises, as without rules.
    Judge,
    /// Replaced by the name of its kind.
    Mask,
    /// Left out, its name as well: a member leaves the object, a pair the form. What is neither (an
    /// element of a list) is masked.
    Drop,
    /// Replaced by a keyed pseudonym, where the redactor has a key.
    Pseudonymise,
}

impl std::str::FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "keep" => Self::Keep,
            "judge" => Self::Judge,
            "mask" => Self::Mask,
            "drop" => Self::Drop,
            "pseudonymise" | "pseudonymize" => Self::Pseudonymise,
            other => {
                return Err(format!(
                    "unknown action {other:?}; use one of: keep, judge, mask, drop, pseudonymise"
                ));
            }
        })
    }
}

/// The rules of one operation. A path is written as in the catalogs: `objects[].pii.name`; it
/// covers everything below it, and the longest path that fits wins. A field without a rule is
/// masked.
#[derive(Clone, Debug, Default)]
pub struct FieldRules {
    nodes: Vec<Entry>,
    path: Vec<PathStep>,
}

/// One segment of the operation's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Stands as it is.
    Literal(String),
    /// A parameter.
    Param(Action),
    /// A parameter that takes the rest of the path.
    Rest(Action),
}

#[derive(Clone, Debug, Default)]
struct Entry {
    children: BTreeMap<Vec<u8>, usize>,
    element: Option<usize>,
    action: Option<Action>,
}

/// A path that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "field path {path:?} is not understood: {reason}; write it as `name.first` or `objects[].guid`"
)]
pub struct PathError {
    path: String,
    reason: &'static str,
}

/// Deepest path that is accepted.
const PATH_MAX: usize = 32;

impl FieldRules {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a path is empty, has an empty part, or is deeper than 32 parts.
    pub fn compile<'a>(
        rules: impl IntoIterator<Item = (&'a str, Action)>,
    ) -> Result<Self, PathError> {
        let mut this = Self {
            nodes: vec![Entry::default()],
            path: Vec::new(),
        };
        for (path, action) in rules {
            let error = |reason| PathError {
                path: path.to_owned(),
                reason,
            };
            let mut node = 0;
            for (depth, part) in path.split('.').enumerate() {
                if depth >= PATH_MAX {
                    return Err(error("it has more than 32 parts"));
                }
                let name = part.trim_end_matches("[]");
                if name.is_empty() && !(depth == 0 && part.starts_with("[]")) {
                    return Err(error("a part is empty"));
                }
                if !name.is_empty() {
                    node = this.child_of(node, name.as_bytes());
                }
                for _ in 0..(part.len() - name.len()) / 2 {
                    node = this.element_of(node);
                }
            }
            this.nodes[node].action = Some(action);
        }
        Ok(this)
    }

    /// Says what the segments of the operation's path are. A path that ends like this is redacted
    /// by these rules; what stands before is the address of the service.
    #[must_use]
    pub fn with_path(mut self, steps: impl IntoIterator<Item = PathStep>) -> Self {
        self.path = steps.into_iter().collect();
        self
    }

    fn add(&mut self) -> usize {
        self.nodes.push(Entry::default());
        self.nodes.len() - 1
    }

    fn child_of(&mut self, node: usize, name: &[u8]) -> usize {
        if let Some(child) = self.nodes[node].children.get(name) {
            return *child;
        }
        let child = self.add();
        self.nodes[node].children.insert(name.to_vec(), child);
        child
    }

    fn element_of(&mut self, node: usize) -> usize {
        if let Some(element) = self.nodes[node].element {
            return element;
        }
        let element = self.add();
        self.nodes[node].element = Some(element);
        element
    }
}

/// A place in the rules while a body is read: the rule that holds here and the way further down.
/// Index into the rules of the operation, so that it is copied freely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'f> {
    rules: &'f FieldRules,
    at: Option<usize>,
    action: Option<Action>,
}

impl<'f> Node<'f> {
    pub(crate) fn root(rules: &'f FieldRules) -> Self {
        Self {
            rules,
            at: (!rules.nodes.is_empty()).then_some(0),
            action: None,
        }
    }

    /// The same rules, but what has none is judged by its name: for the query of a path, where
    /// parameters of paging and sorting stand beside those of the operation.
    pub(crate) fn or_judge(self) -> Self {
        Self {
            action: Some(Action::Judge),
            ..self
        }
    }

    fn go(self, to: Option<usize>) -> Self {
        let action = to
            .and_then(|at| self.rules.nodes[at].action)
            .or(self.action);
        Self {
            at: to,
            action,
            ..self
        }
    }

    pub(crate) fn child(self, name: &[u8]) -> Self {
        self.go(self
            .at
            .and_then(|at| self.rules.nodes[at].children.get(name).copied()))
    }

    pub(crate) fn element(self) -> Self {
        self.go(self
            .at
            .and_then(|at| self.rules.nodes[at].element.or(Some(at))))
    }

    /// What happens to each segment of a path, if it is one of this operation's: actions of
    /// parameters, and none for what stands before and between them.
    pub(crate) fn segments(self, path: &[&[u8]]) -> Option<Vec<Option<Action>>> {
        let steps = &self.rules.path;
        let rest = match steps.last()? {
            PathStep::Rest(action) => Some(*action),
            _ => None,
        };
        let fixed = steps.len() - usize::from(rest.is_some());
        let last = path.len().checked_sub(steps.len())?;
        let first = if rest.is_some() { 0 } else { last };
        let start = (first..=last).find(|start| {
            steps
                .iter()
                .take(fixed)
                .zip(path.iter().skip(*start))
                .all(|(step, segment)| match step {
                    PathStep::Literal(text) => text.as_bytes() == *segment,
                    PathStep::Param(_) | PathStep::Rest(_) => !segment.is_empty(),
                })
        })?;
        Some(
            (0..path.len())
                .map(|at| match at.checked_sub(start).map(|n| steps.get(n)) {
                    Some(Some(PathStep::Param(action))) => Some(*action),
                    Some(None | Some(PathStep::Rest(_))) => rest,
                    Some(Some(PathStep::Literal(_))) | None => None,
                })
                .collect(),
        )
    }

    /// The rule that holds here; none means: masked.
    pub(crate) fn action(self) -> Option<Action> {
        self.action
    }

    /// Whether the path is written in the rules, so that its names may be printed.
    pub(crate) fn is_known(self) -> bool {
        self.at.is_some()
    }
}
