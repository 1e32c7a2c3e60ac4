//! What a witness remembers: the last checkpoint of each log that it has cosigned, a file each.
//!
//! Judging and remembering are one step under one lock, and nothing is answered before it is on the
//! disk: a witness that forgot could be made to sign two histories. The lock is held across that
//! write on purpose; a witness has one request a second and log.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::FileError;
use crate::adapters::whole_file;
use crate::domain::evidence::witness::{
    Accepted, AddCheckpoint, Refusal, Seen, WitnessedLog, decide,
};
use crate::domain::evidence::{Checkpoint, Note, SignerKey, VerifierKey};
use crate::types::Micros;

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process.
    #[error("the state in {path} is in use by another witness: stop it, or use another directory")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Its own signature is missing in what it remembers.
    #[error(
        "{path} is not a checkpoint of {origin} that this witness has cosigned: it was damaged or \
         changed, or belongs to another witness. Restore it from a copy; do not delete it, or the \
         witness may sign a second history"
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The log.
        origin: String,
    },
}

/// Why a request is not answered with a cosignature.
#[derive(Debug)]
pub enum NotCosigned {
    /// The protocol says why.
    Refused(Refusal),
    /// It could not be remembered.
    NotKept(FileError),
}

/// A witness.
#[derive(Debug)]
pub struct Witness {
    directory: PathBuf,
    key: SignerKey,
    logs: Mutex<BTreeMap<String, WitnessedLog>>,
    _lock: fs::File,
}

impl Witness {
    /// Reads what was cosigned before. `keys` are those of the logs, any number for each.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(
        directory: &Path,
        key: SignerKey,
        keys: Vec<VerifierKey>,
    ) -> Result<Self, WitnessError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(FileError::io("make the directory", directory))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(WitnessError::Locked {
                    path: directory.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(error)) => {
                return Err(FileError::io("lock", &path)(error).into());
            }
        }
        let mut logs: BTreeMap<String, WitnessedLog> = BTreeMap::new();
        for log in keys {
            let origin = log.name().to_owned();
            logs.entry(origin.clone())
                .or_insert_with(|| WitnessedLog {
                    origin,
                    keys: Vec::new(),
                    seen: None,
                })
                .keys
                .push(log);
        }
        for log in logs.values_mut() {
            log.seen = read(directory, &log.origin, &key)?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            key,
            logs: Mutex::new(logs),
            _lock: lock,
        })
    }

    /// The public key.
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// What was cosigned last, of each log.
    pub fn seen(&self) -> Vec<(String, Option<Seen>)> {
        let logs = self.logs.lock();
        logs.values()
            .map(|log| (log.origin.clone(), log.seen))
            .collect()
    }

    /// Judges a request, remembers what is accepted, and only then gives it out.
    ///
    /// # Errors
    /// [`NotCosigned`].
    pub fn add(&self, request: &AddCheckpoint, now: Micros) -> Result<Accepted, NotCosigned> {
        let mut logs = self.logs.lock();
        let Some(log) = logs.get_mut(request.origin()) else {
            let origin = request.origin().to_owned();
            return Err(NotCosigned::Refused(Refusal::UnknownLog(origin)));
        };
        let accepted = decide(log, request, &self.key, now).map_err(NotCosigned::Refused)?;
        self.keep(&log.origin, &accepted.note)
            .map_err(NotCosigned::NotKept)?;
        log.seen = Some(accepted.seen);
        Ok(accepted)
    }

    fn keep(&self, origin: &str, note: &Note) -> Result<(), FileError> {
        let path = state_path(&self.directory, origin);
        whole_file::write(&path, note.to_string().as_bytes()).map_err(FileError::io("write", &path))
    }
}

/// One file for each log; an origin may hold slashes and anything else that is printable.
fn state_path(directory: &Path, origin: &str) -> PathBuf {
    let name = crate::domain::evidence::merkle::leaf_hash(origin.as_bytes());
    let name: String = name
        .as_bytes()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    directory.join(format!("{name}.checkpoint"))
}

fn read(directory: &Path, origin: &str, key: &SignerKey) -> Result<Option<Seen>, WitnessError> {
    let path = state_path(directory, origin);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io("read", &path)(error).into()),
    };
    let checkpoint = Note::parse(&bytes)
        .ok()
        .filter(|note| note.verify(std::slice::from_ref(key.verifier())).is_ok())
        .and_then(|note| Checkpoint::parse(note.text()).ok())
        .filter(|checkpoint| checkpoint.origin == origin);
    match checkpoint {
        Some(checkpoint) => Ok(Some(Seen::from(&checkpoint))),
        None => Err(WitnessError::NotOurs {
            path,
            origin: origin.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoints::tests::signed;
    use super::*;
    use crate::domain::evidence::SignatureType;

    const NOW: Micros = Micros::from_secs(1_800_000_000);

    fn log_key(seed: u8) -> SignerKey {
        SignerKey::from_seed("egret/node-1", SignatureType::Ed25519, &[seed; 32]).unwrap()
    }

    fn witness(directory: &Path) -> Result<Witness, WitnessError> {
        let key = SignerKey::from_seed("w1", SignatureType::CosignatureV1, &[9; 32]).unwrap();
        Witness::open(directory, key, vec![log_key(1).verifier().clone()])
    }

    fn first(size: u64) -> AddCheckpoint {
        AddCheckpoint {
            old_size: 0,
            proof: Vec::new(),
            checkpoint: signed(size, &log_key(1)).note,
        }
    }

    #[test]
    fn what_was_cosigned_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let one = witness(dir.path()).unwrap();
        one.add(&first(5), NOW).unwrap();
        assert!(matches!(
            witness(dir.path()),
            Err(WitnessError::Locked { .. })
        ));
        drop(one);
        let again = witness(dir.path()).unwrap();
        assert_eq!(again.seen()[0].1.unwrap().size, 5);
        let refused = again.add(&first(3), NOW).unwrap_err();
        assert!(
            matches!(
                &refused,
                NotCosigned::Refused(Refusal::Conflict { seen: 5, .. })
            ),
            "{refused:?}"
        );
        drop(again);
        let path = state_path(dir.path(), "egret/node-1");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\n5\n", "\n2\n", 1)).unwrap();
        assert!(matches!(
            witness(dir.path()),
            Err(WitnessError::NotOurs { .. })
        ));
    }

    #[test]
    fn nothing_is_given_out_that_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let one = witness(dir.path()).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(matches!(
            one.add(&first(5), NOW),
            Err(NotCosigned::NotKept(_))
        ));
        assert_eq!(one.seen()[0].1, None);
        fs::create_dir(dir.path()).unwrap();
        one.add(&first(5), NOW).unwrap();
    }

    #[test]
    fn of_many_at_once_one_history_is_cosigned() {
        let dir = tempfile::tempdir().unwrap();
        let one = witness(dir.path()).unwrap();
        let accepted: usize = std::thread::scope(|scope| {
            let asked: Vec<_> = (1..9_u64)
                .map(|size| {
                    let one = &one;
                    scope.spawn(move || usize::from(one.add(&first(size), NOW).is_ok()))
                })
                .collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).sum()
        });
        assert_eq!(
            accepted, 1,
            "all of them say that nothing was cosigned before"
        );
    }
}
