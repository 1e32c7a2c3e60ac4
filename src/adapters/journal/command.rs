//! The journal of commands: what people do with `egret audit` and the like is recorded here, beside
//! the journal of the gateway, whose lock a running gateway holds.
//!
//! Same files, other life. Commands come and go, several at a time, and each writes two events. So
//! the lock is held for an append and not for the life of a process, an append goes behind the last
//! event instead of into a segment of its own, and there is no thread: who appends waits for the
//! disk. One start event begins the journal and no other follows, for it would end the calls of
//! other commands that are still running. Instead a running command holds a file of its own locked
//! ([`Presence`]); whose lock is free has ended, however it has.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::JournalError;
use super::erase;
use super::files::{Directory, DirectoryError, list, segment_path};
use super::log::{Group, Log, recover};
use super::reader::{ReadError, Reader};
use crate::adapters::{clock, entropy};
use crate::domain::evidence::Salt;
use crate::domain::journal::{
    Encoded, JournalId, Kind, Start, encode_call, encode_rotation, encode_start, push_frame,
};
use crate::domain::record::{CallRecord, Gateway, Step};
use crate::types::CallId;

/// Size of a segment: some thousand commands, and little to read for the next one.
const SEGMENT_SIZE: u64 = 1 << 20;

/// Pause between two looks whether another command has let go of the journal.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// Directory of the files that running commands hold locked.
const RUNNING: &str = "running";

/// The journal of commands, locked for as long as this lives. Let go of it soon: every other
/// command waits for it.
pub struct CommandJournal {
    log: Log<Directory>,
    path: PathBuf,
    id: JournalId,
    next_seq: u64,
}

/// A command is running. Ends with the process, if nothing ends it before.
#[derive(Debug)]
pub struct Presence {
    path: PathBuf,
    _lock: File,
}

impl CommandJournal {
    /// Opens the journal, making it if there is none, and cuts what a crash has torn. Waits for
    /// other commands for at most `patience`. `at_least` is as in [`super::Journal::open`].
    ///
    /// # Errors
    /// [`JournalError`]; [`DirectoryError::Locked`] when `patience` was not enough.
    pub fn open(
        path: &Path,
        gateway: &Gateway,
        at_least: impl FnOnce(JournalId) -> u64,
        patience: Duration,
    ) -> Result<Self, JournalError> {
        let mut directory = wait_for_lock(path, patience)?;
        erase::finish(path)?;
        let recovered = recover(&mut directory)?;
        let failed = |source| JournalError::Write {
            path: path.to_owned(),
            source,
        };
        let Some(id) = recovered.journal else {
            let id = JournalId::from_bytes(entropy::key_bytes()?);
            let mut journal = Self::new(directory, path, id, at_least(id));
            journal.begin(gateway).map_err(failed)?;
            return Ok(journal);
        };
        let next_seq = recovered.next_seq.max(at_least(id));
        let mut journal = Self::new(directory, path, id, next_seq);
        // Numbers that a ledger knows are not given again: then a new segment says where it goes on.
        let open_end = recovered
            .open_end
            .filter(|_| next_seq == recovered.next_seq);
        if let Some(open_end) = open_end {
            journal.log.resume(open_end).map_err(failed)?;
        }
        Ok(journal)
    }

    fn new(directory: Directory, path: &Path, id: JournalId, next_seq: u64) -> Self {
        Self {
            log: Log::new(directory, id, next_seq, SEGMENT_SIZE),
            path: path.to_owned(),
            id,
            next_seq,
        }
    }

    fn begin(&mut self, gateway: &Gateway) -> io::Result<()> {
        let mut encoded = Encoded::default();
        let start = Start {
            at: clock::now(),
            node: gateway.node.clone(),
            version: gateway.version.clone().into_owned().into(),
            config_hash: gateway.config_hash.clone(),
            cut_bytes: 0,
        };
        encode_start(&mut encoded.fields, &start);
        self.push(Kind::Start, &encoded)
    }

    /// Its identity.
    pub fn id(&self) -> JournalId {
        self.id
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Announces a key, as [`super::Journal::announce_key`] does, and brings that to the disk.
    ///
    /// # Errors
    /// [`JournalError::Write`]; also when `sign` gives nothing.
    pub fn announce_key(
        &mut self,
        sign: impl FnOnce(u64) -> Option<Vec<u8>>,
    ) -> Result<(), JournalError> {
        let mut encoded = Encoded::default();
        let announced = match sign(self.next_seq) {
            Some(note) => {
                encode_rotation(&mut encoded.fields, &note);
                self.push(Kind::Rotation, &encoded)
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        };
        announced.map_err(|source| JournalError::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// Writes a step of a call and brings it to the disk. `known` as in
    /// [`crate::domain::record::Recorder::append`].
    ///
    /// # Errors
    /// [`JournalError::Write`]: it may or may not be there.
    pub fn append(
        &mut self,
        step: Step,
        known: Option<usize>,
        record: &CallRecord,
    ) -> Result<(), JournalError> {
        let mut encoded = Encoded::default();
        let salts = || entropy::id_bytes().map(Salt::from_bytes);
        encode_call(&mut encoded, known, record, salts)?;
        self.push(Kind::Call(step), &encoded)
            .map_err(|source| JournalError::Write {
                path: self.path.clone(),
                source,
            })
    }

    fn push(&mut self, kind: Kind, encoded: &Encoded) -> io::Result<()> {
        let Encoded { fields, openings } = encoded;
        let mut bytes = Vec::new();
        push_frame(&mut bytes, kind, self.next_seq, fields, openings);
        self.log.push(Group {
            first_seq: self.next_seq,
            count: 1,
            bytes,
        });
        self.next_seq += 1;
        self.log.write(clock::now())?;
        self.log.sync()
    }

    /// A reader of all that is in it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Reader::open(&self.path)
    }

    /// Says that a command is running, before its first step is written.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub fn enter(&self, call: CallId) -> Result<Presence, JournalError> {
        let failed = |source| JournalError::Write {
            path: self.path.join(RUNNING),
            source,
        };
        let path = presence_path(&self.path, call);
        let lock = lock_new(&path).map_err(failed)?;
        Ok(Presence { path, _lock: lock })
    }

    /// Whether the command that a call belongs to has ended without saying so.
    pub fn has_gone(&self, call: CallId) -> bool {
        is_free(&presence_path(&self.path, call))
    }

    /// Removes what commands that have ended have left of themselves.
    pub fn tidy(&self) {
        let Ok(entries) = fs::read_dir(self.path.join(RUNNING)) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if is_free(&path) {
                // It comes again if it matters: whoever tidies next sees it, too.
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Presence {
    /// The command has ended, and has said so in the journal, which must still be locked.
    pub fn leave(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// When a journal of commands was written to last; `None` if there is none. The length of a segment
/// says nothing: there is room ahead.
pub fn last_write(path: &Path) -> Option<LastWrite> {
    let segment = list(path).ok()?.last().copied()?;
    let written = fs::metadata(segment_path(path, segment)).ok()?;
    Some(LastWrite {
        segment,
        at: (written.mtime(), written.mtime_nsec()),
    })
}

/// Tells one state of a journal from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastWrite {
    segment: u64,
    at: (i64, i64),
}

fn presence_path(directory: &Path, call: CallId) -> PathBuf {
    directory.join(RUNNING).join(call.to_string())
}

fn lock_new(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.try_lock()?;
    Ok(file)
}

/// Whether nobody holds a file, or there is none. What cannot be looked at counts as held.
fn is_free(path: &Path) -> bool {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn wait_for_lock(path: &Path, patience: Duration) -> Result<Directory, DirectoryError> {
    let deadline = Instant::now() + patience;
    loop {
        match Directory::open(path) {
            Err(DirectoryError::Locked { .. }) if Instant::now() < deadline => {
                thread::sleep(LOCK_POLL);
            }
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journal::{Source, seal_frame};
    use crate::domain::own::{self, OwnCall, OwnOperation};
    use crate::types::{Micros, Outcome};
    use std::sync::Arc;

    fn gateway() -> Gateway {
        Gateway {
            node: "node/cli".into(),
            version: "0".into(),
            config_hash: "h".into(),
        }
    }

    fn open(path: &Path, at_least: u64) -> CommandJournal {
        CommandJournal::open(path, &gateway(), |_| at_least, Duration::ZERO).unwrap()
    }

    fn record(number: u8) -> CallRecord {
        let id = CallId::from_parts(i64::from(number), [number; 10]);
        OwnCall::new(OwnOperation::AuditQuery).open(id, Micros(1), Arc::new(gateway()), "ann")
    }

    fn segments(path: &Path) -> usize {
        let files = fs::read_dir(path).unwrap().flatten();
        files
            .filter(|file| file.path().extension().is_some())
            .count()
    }

    /// Ids of the calls that have ended, and how many have not.
    fn read(path: &Path) -> (Vec<CallId>, usize) {
        let mut reader = Reader::open(path).unwrap();
        reader.seek(None).unwrap();
        let mut ended = Vec::new();
        while let Some(batch) = reader.next(100).unwrap() {
            ended.extend(batch.calls.iter().map(|call| call.record.call_id));
        }
        (ended, reader.open_calls())
    }

    #[test]
    fn commands_take_turns_in_one_segment_and_end_nobody_elses_call() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-cli");
        let (first, mut second) = (record(1), record(2));
        open(&path, 0).append(Step::Intent, None, &first).unwrap();
        open(&path, 0).append(Step::Intent, None, &second).unwrap();
        own::complete(&mut second, Outcome::Success, Some(3), Micros(2));
        open(&path, 0)
            .append(Step::Completion, Some(second.subjects.len()), &second)
            .unwrap();
        assert_eq!(read(&path), (vec![second.call_id], 1));
        assert_eq!(segments(&path), 1);
    }

    #[test]
    fn what_was_torn_is_cut_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-cli");
        let mut record = record(1);
        open(&path, 0).append(Step::Intent, None, &record).unwrap();
        // Cuts the room behind the last event, and tears a frame that was never whole.
        drop(open(&path, 0));
        let segment = super::super::files::segment_path(&path, 0);
        let mut bytes = fs::read(&segment).unwrap();
        let mut frame = Vec::new();
        push_frame(&mut frame, Kind::Start, 2, &[0; 40], &[]);
        seal_frame(&mut frame, 0).unwrap();
        bytes.extend_from_slice(&frame[..frame.len() - 1]);
        fs::write(&segment, bytes).unwrap();
        own::give_up(&mut record);
        open(&path, 0)
            .append(Step::Completion, Some(record.subjects.len()), &record)
            .unwrap();
        assert_eq!(read(&path), (vec![record.call_id], 0));
    }

    #[test]
    fn numbers_that_a_ledger_knows_are_not_given_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-cli");
        drop(open(&path, 0));
        let mut journal = open(&path, 9);
        journal.append(Step::Completion, None, &record(1)).unwrap();
        drop(journal);
        assert_eq!(super::super::files::list(&path).unwrap(), [0, 9]);
        assert_eq!(open(&path, 0).next_seq, 10);
    }

    #[test]
    fn a_full_segment_is_followed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-cli");
        let mut large = record(1);
        large.target.query = Some("q".repeat(60_000).into());
        for number in 0..40 {
            large.call_id = CallId::from_parts(number, [1; 10]);
            open(&path, 0)
                .append(Step::Completion, None, &large)
                .unwrap();
        }
        assert_eq!(read(&path).0.len(), 40);
        assert_eq!(segments(&path), 3);
    }

    #[test]
    fn the_lock_is_waited_for_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal-cli");
        let held = open(&path, 0);
        let wait = |patience| CommandJournal::open(&path, &gateway(), |_| 0, patience);
        let locked = wait(Duration::from_millis(30)).err().unwrap();
        assert!(matches!(
            locked,
            JournalError::Directory(DirectoryError::Locked { .. })
        ));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| wait(Duration::from_secs(20)).map(|_| ()));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn who_has_gone_is_known_by_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), 0);
        let (here, gone) = (record(1).call_id, record(2).call_id);
        let presence = journal.enter(here).unwrap();
        drop(journal.enter(gone).unwrap());
        assert!(!journal.has_gone(here) && journal.has_gone(gone));
        assert!(journal.has_gone(record(3).call_id), "never was there");
        journal.tidy();
        let left = || fs::read_dir(dir.path().join(RUNNING)).unwrap().count();
        assert_eq!(left(), 1);
        presence.leave();
        assert_eq!(left(), 0);
    }
}
