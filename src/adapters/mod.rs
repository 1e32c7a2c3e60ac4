//! Talks: files, databases and everything else outside the process.

pub mod callers_file;
