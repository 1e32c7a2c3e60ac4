//! Files that the configuration names.

use std::path::{Path, PathBuf};

use super::Surroundings;
use crate::domain::config::reader::{FilePath, Found, Problem, Table};

/// Resolves paths and looks into the files that must be there already.
pub(super) struct Files<'a> {
    directory: &'a Path,
    surroundings: &'a dyn Surroundings,
    provider_texts: Vec<Vec<u8>>,
}

/// What a PEM file must hold.
#[derive(Clone, Copy)]
pub(super) enum Pem {
    Certificate,
    PrivateKey,
}

impl<'a> Files<'a> {
    pub(super) fn new(directory: &'a Path, surroundings: &'a dyn Surroundings) -> Self {
        Self {
            directory,
            surroundings,
            provider_texts: Vec::new(),
        }
    }

    /// A path relative to the directory of the configuration, without `.` on the way.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path).components().collect()
    }

    /// A path that is inside the data directory unless it is written.
    pub(super) fn in_data_dir(
        &self,
        table: &Table<'_>,
        key: &'static str,
        data_dir: &Path,
        default: &str,
        meaning: &str,
    ) -> PathBuf {
        let shown = format!("`{default}` in `data_dir`");
        table.optional(key, &FilePath, &shown, meaning).map_or_else(
            || {
                let path = data_dir.join(default);
                table.settle(&path.display().to_string());
                path
            },
            |path| self.resolve(&path.value),
        )
    }

    /// A PEM file that must be readable now.
    pub(super) fn pem(&self, table: &Table<'_>, path: Found<PathBuf>, pem: Pem) -> PathBuf {
        let resolved = self.resolve(&path.value);
        let (marker, content) = match pem {
            Pem::Certificate => ("-----BEGIN CERTIFICATE-----", "a PEM certificate"),
            Pem::PrivateKey => ("PRIVATE KEY-----", "a PEM private key"),
        };
        match self.surroundings.read(&resolved) {
            Ok(bytes) => {
                if memchr::memmem::find(&bytes, marker.as_bytes()).is_none() {
                    let hint = format!("write the path of a file with {content}");
                    let problem = Problem::new(format!("the file does not hold {content}"), hint);
                    table.fault(&path.place, problem);
                }
            }
            Err(error) => table.fault(&path.place, unreadable(&resolved, &error)),
        }
        resolved
    }

    /// Whether a file can be read.
    pub(super) fn readable(&self, path: &Path) -> std::io::Result<()> {
        self.surroundings.read(path).map(drop)
    }

    /// The text of a provider file; `None` was reported.
    pub(super) fn provider_text(
        &mut self,
        table: &Table<'_>,
        path: &Found<PathBuf>,
    ) -> Option<(PathBuf, String)> {
        let resolved = self.resolve(&path.value);
        let bytes = match self.surroundings.read(&resolved) {
            Ok(bytes) => bytes,
            Err(error) => {
                table.fault(&path.place, unreadable(&resolved, &error));
                return None;
            }
        };
        self.provider_texts.push(bytes.clone());
        let Ok(text) = String::from_utf8(bytes) else {
            table.fault(&path.place, Problem::new("the file is not UTF-8", ""));
            return None;
        };
        Some((resolved, text))
    }

    /// The texts of the provider files, for the hash.
    pub(super) fn into_provider_texts(self) -> Vec<Vec<u8>> {
        self.provider_texts
    }
}

/// The path is shown as it was looked for: what it is relative to is half of such faults.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(
        format!("the file cannot be read: {error}"),
        format!(
            "looked for at {}; paths are relative to the directory of the configuration file",
            path.display()
        ),
    )
}
