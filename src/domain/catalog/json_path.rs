//! Paths into JSON bodies, in the notation of the catalogs: `objects[].name`.

use std::fmt;
use std::sync::Arc;

/// Longest path in bytes, and most steps: deeper fields exist in no documented body.
const MAX_LEN: usize = 200;
const MAX_STEPS: usize = 12;

/// A path into a JSON body, checked but not compiled.
///
/// Steps are field names joined by dots. `[]` after a name means every element of that array; a
/// path that starts with `[]` is for a body that is an array. `**.name` means every field of
/// that name at any depth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JsonPath(Arc<str>);

impl JsonPath {
    /// Checks the syntax.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_path(text) {
            Ok(Self(text.into()))
        } else {
            Err(format!(
                "write field names joined by dots, `[]` after an array, `**.` in front for any depth, at most {MAX_STEPS} steps: objects[].name"
            ))
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it applies at any depth.
    pub fn is_anywhere(&self) -> bool {
        self.0.starts_with("**.")
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_path(text: &str) -> bool {
    if text.len() > MAX_LEN || text.split('.').count() > MAX_STEPS {
        return false;
    }
    let text = match text.strip_prefix("**.") {
        Some(name) if name.contains('.') => return false,
        Some(name) => name,
        None => match text.strip_prefix("[].") {
            Some(rest) => rest,
            None => text,
        },
    };
    text.split('.').all(|step| {
        let name = step.strip_suffix("[]").unwrap_or(step);
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-@$".contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogs_notation_is_read() {
        for good in [
            "name",
            "objects[].name",
            "objects[].stages[].identifiers[]",
            "[].name",
            "**.email",
            "Data.Consent-Id",
        ] {
            assert_eq!(JsonPath::parse(good).unwrap().as_str(), good);
        }
        let deep = vec!["a"; 13].join(".");
        for bad in [
            "", ".", "a.", "a..b", "a[0]", "a[]b", "**", "**.a.b", "a.**.b", "a b", &deep,
        ] {
            assert!(JsonPath::parse(bad).is_err(), "{bad:?}");
        }
        assert!(JsonPath::parse("**.email").unwrap().is_anywhere());
    }
}
