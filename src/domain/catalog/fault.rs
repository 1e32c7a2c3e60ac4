//! What is wrong in a provider file, where, and what to write instead.

use std::fmt;

/// One fault of a provider file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's name as given.
    pub file: String,
    /// The line, from 1; 0 if the fault is in no line.
    pub line: u32,
    /// What was found, with the key.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; {}",
            self.file, self.line, self.what, self.instead
        )
    }
}

impl std::error::Error for Fault {}
