//! Keeps a 32-byte key in a file: made on first start, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::adapters::entropy;
use crate::adapters::key_mark::MarkError;
use crate::adapters::private_file;
use crate::domain::keyring::MASTER_KEY_LEN;
use crate::types::Secret;

/// Environment variable that holds the key instead of the file: 64 hexadecimal digits.
pub const ENV: &str = "EGRET_FINGERPRINT_KEY";

/// Environment variable that holds the key of captures instead of its file.
pub const CAPTURE_ENV: &str = "EGRET_CAPTURE_KEY";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("cannot {doing} the key file {path}: {cause}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// There is none, and a new one would fit nothing on record.
    #[error(
        "there is no key file {path}: what is on record can be searched and read with the gateway's own \
         key only; give this user that file, or the key in {variable}"
    )]
    Absent {
        /// Which file.
        path: PathBuf,
        /// The environment variable that can hold the key.
        variable: String,
    },
    /// Others may read the key.
    #[error("the key file {path} has mode {mode:o}; others could read it: run `chmod 600 {path}`")]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key.
    #[error("{place} does not hold a key: expected 64 hexadecimal digits")]
    Malformed {
        /// File or environment variable.
        place: String,
    },
    /// No random bytes for a new key.
    #[error(transparent)]
    NoEntropy(#[from] entropy::NoEntropy),
    /// Not the key that the records were made with.
    #[error(transparent)]
    Mark(#[from] MarkError),
}

/// Reads the key from the environment or the file; makes the file if neither is there.
///
/// # Errors
/// [`KeyError`]: what is wrong, where, and what to do.
pub fn load_or_create(
    path: &Path,
    from_env: Option<String>,
) -> Result<Secret<[u8; MASTER_KEY_LEN]>, KeyError> {
    load_or_create_named(path, ENV, from_env)
}

/// As [`load_or_create`], for a key that another environment variable can hold.
///
/// # Errors
/// As [`load_or_create`].
pub fn load_or_create_named(
    path: &Path,
    variable: &str,
    from_env: Option<String>,
) -> Result<Secret<[u8; MASTER_KEY_LEN]>, KeyError> {
    if let Some(text) = from_env {
        return parse(&text).ok_or_else(|| KeyError::Malformed {
            place: format!("the environment variable {variable}"),
        });
    }
    match fs::read_to_string(path) {
        Ok(text) => {
            check_mode(path)?;
            parse(&text).ok_or_else(|| KeyError::Malformed {
                place: format!("the key file {}", path.display()),
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
        Err(error) => Err(io_error("read", path, error)),
    }
}

/// Reads the key without making one.
///
/// # Errors
/// As [`load_or_create`]; a missing file is an error.
pub fn load(
    path: &Path,
    from_env: Option<String>,
) -> Result<Secret<[u8; MASTER_KEY_LEN]>, KeyError> {
    load_named(path, ENV, from_env)
}

/// As [`load`], for a key that another environment variable can hold.
///
/// # Errors
/// As [`load`].
pub fn load_named(
    path: &Path,
    variable: &str,
    from_env: Option<String>,
) -> Result<Secret<[u8; MASTER_KEY_LEN]>, KeyError> {
    if from_env.is_none() {
        fs::metadata(path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => KeyError::Absent {
                path: path.to_owned(),
                variable: variable.to_owned(),
            },
            _ => io_error("read", path, cause),
        })?;
    }
    load_or_create_named(path, variable, from_env)
}

fn check_mode(path: &Path) -> Result<(), KeyError> {
    let file = fs::metadata(path).map_err(|cause| io_error("look at", path, cause))?;
    match private_file::too_open(&file) {
        None => Ok(()),
        Some(mode) => Err(KeyError::TooOpen {
            path: path.to_owned(),
            mode,
        }),
    }
}

fn create(path: &Path) -> Result<Secret<[u8; MASTER_KEY_LEN]>, KeyError> {
    let key: [u8; MASTER_KEY_LEN] = entropy::key_bytes()?;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .map_err(|cause| io_error("make the directory of", path, cause))?;
    }
    let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    // create_new: of two processes that start at once, the second must not replace the key.
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match opened {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|cause| io_error("write", path, cause))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return load_or_create(path, None);
        }
        Err(error) => return Err(io_error("make", path, error)),
    }
    Ok(Secret::new(key))
}

fn parse(text: &str) -> Option<Secret<[u8; MASTER_KEY_LEN]>> {
    let text = text.trim();
    if text.len() != 2 * MASTER_KEY_LEN || !text.is_ascii() {
        return None;
    }
    let mut key = [0; MASTER_KEY_LEN];
    for (byte, at) in key.iter_mut().zip((0..text.len()).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(Secret::new(key))
}

fn io_error(doing: &'static str, path: &Path, cause: io::Error) -> KeyError {
    KeyError::Io {
        doing,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_with_mode_0600_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/fingerprint.key");
        let made = load_or_create(&path, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(load_or_create(&path, None).unwrap(), made);
    }

    #[test]
    fn faults_say_where_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        fs::write(&path, "not a key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = load_or_create(&path, None).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
        assert!(!error.contains("not a key file's content"), "{error}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_create(&path, None).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");

        let error = load_or_create(&path, Some("zz".into())).unwrap_err();
        assert!(error.to_string().contains(ENV), "{error}");

        assert!(load(&dir.path().join("missing"), None).is_err());
    }
}
