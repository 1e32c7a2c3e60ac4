//! Remembers which fingerprint key the records of a data directory were made with.
//!
//! Fingerprints and pseudonyms of another key fit none on record: tokens would no longer lead to the
//! call that minted them, and a customer would seem never to have been there. Nothing else would say
//! so, since every key is as good as any other on its own. The mark is a keyed hash from which nothing
//! about the key can be told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::whole_file;
use crate::domain::keyring::Keyring;

/// Name of the mark in the data directory.
const FILE: &str = "fingerprint.mark";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The key is gone, and records were made with it.
    #[error(
        "the fingerprint key file {path} is missing, and {records} holds records that were made with \
         it: restore the file from a copy. With a new key no token and no customer of before could be \
         found; if the copy is lost, too, begin anew with another data directory"
    )]
    Missing {
        /// The file that is missing.
        path: PathBuf,
        /// Where the records are.
        records: PathBuf,
    },
    /// Another key than before.
    #[error(
        "the fingerprint key in {place} is not the one that the records here were made with: it is \
         {found}, and {mark} says {wanted}. Restore the other one from a copy: with this one no token \
         and no customer of before could be found. To go on with this one all the same remove {mark}"
    )]
    Another {
        /// File or environment variable.
        place: String,
        /// Mark of the key that was found.
        found: String,
        /// Mark of the key that was used so far.
        wanted: String,
        /// Where the mark is kept.
        mark: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {doing} {path}: {cause}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// Says whether a new key may be made: only as long as nothing was recorded with another.
///
/// # Errors
/// [`MarkError::Missing`].
pub fn check_missing(key: &Path, data: &Path, journal: &Path) -> Result<(), MarkError> {
    let missing = |records: &Path| MarkError::Missing {
        path: key.to_owned(),
        records: records.to_owned(),
    };
    if data.join(FILE).exists() {
        return Err(missing(data));
    }
    if has_records(journal) {
        return Err(missing(journal));
    }
    Ok(())
}

/// Compares a key with the one that was used so far in the data directory, if any was. With
/// `may_mark` the first one is remembered.
///
/// # Errors
/// [`MarkError::Another`]; the mark cannot be read or written.
pub fn check(keyring: &Keyring, place: &str, data: &Path, may_mark: bool) -> Result<(), MarkError> {
    let mark = data.join(FILE);
    let io_error = |doing, cause| MarkError::Io {
        doing,
        path: mark.clone(),
        cause,
    };
    let found = keyring.mark();
    match fs::read_to_string(&mark) {
        Ok(wanted) if wanted.trim() == found => Ok(()),
        Ok(wanted) => Err(MarkError::Another {
            place: place.to_owned(),
            found,
            // A file of another content is no mark of ours; what it holds is not repeated.
            wanted: match wanted.trim() {
                text if text.len() == found_len()
                    && text.bytes().all(|b| b.is_ascii_hexdigit()) =>
                {
                    text.to_owned()
                }
                _ => "no mark".to_owned(),
            },
            mark,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_mark => {
            write(&mark, &found).map_err(|cause| io_error("write", cause))
        }
        // Commands may run where only the ledger is, and as users who may not look into the directory.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied) && !may_mark => {
            Ok(())
        }
        Err(cause) => Err(io_error("read", cause)),
    }
}

const fn found_len() -> usize {
    2 * crate::domain::keyring::MARK_LEN
}

fn has_records(journal: &Path) -> bool {
    let Ok(entries) = fs::read_dir(journal) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.path().extension().is_some_and(|end| end == "journal"))
}

fn write(mark: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = mark.parent() {
        fs::create_dir_all(directory)?;
    }
    whole_file::write(mark, format!("{text}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_remembered_and_another_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Keyring::new(&[7; 32]);
        check(&ours, "k", dir.path(), false).unwrap();
        assert!(!dir.path().join(FILE).exists());
        check(&ours, "k", dir.path(), true).unwrap();
        check(&ours, "k", dir.path(), true).unwrap();
        for may_mark in [true, false] {
            let error = check(&Keyring::new(&[8; 32]), "k", dir.path(), may_mark).unwrap_err();
            let said = error.to_string();
            assert!(
                said.contains(&ours.mark()) && said.contains("remove"),
                "{said}"
            );
        }
        fs::write(dir.path().join(FILE), "something else").unwrap();
        let said = check(&ours, "k", dir.path(), true).unwrap_err().to_string();
        assert!(!said.contains("something else"), "{said}");
    }

    #[test]
    fn a_key_is_not_made_anew_where_there_are_records() {
        let dir = tempfile::tempdir().unwrap();
        let (key, journal) = (dir.path().join("k"), dir.path().join("journal"));
        check_missing(&key, dir.path(), &journal).unwrap();
        fs::create_dir(&journal).unwrap();
        check_missing(&key, dir.path(), &journal).unwrap();
        fs::write(journal.join("00000000000000000000.journal"), "").unwrap();
        let said = check_missing(&key, dir.path(), &journal).unwrap_err();
        assert!(said.to_string().contains("restore the file"), "{said}");
    }
}
