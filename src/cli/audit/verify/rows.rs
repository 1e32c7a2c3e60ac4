//! Compares the ledger with what the journal says it should hold.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{LedgerAudit, Progress};
use crate::adapters::evidence::checkpoints::{self, Signed};
use crate::adapters::evidence::deliver::row;
use crate::adapters::evidence::verify::{Fault, JournalAudit};
use crate::adapters::journal;
use crate::adapters::ledger::Reader;
use crate::adapters::ledger::compare::{
    KnownJournal, MAX_CALLS, MAX_PAIRS, NamedBy, Pair, StoredRow, digest_of,
};
use crate::cli::audit::AuditError;
use crate::domain::evidence::audit::{Difference, first_difference};
use crate::domain::evidence::merkle::NodeHash;
use crate::domain::journal::{Assembler, Decoder, Finished, Gap, JournalId, Source as _};
use crate::domain::record::{OperationClass, SubjectRole};
use crate::domain::retention::Periods;
use crate::types::CallId;

/// Calls whose ids are held at a time in search of a row that the journal does not know.
const HELD: usize = 1_000_000;

/// Rows that are read at a time for that.
const PAGE: u32 = 10_000;

/// Tokens that are remembered as looked at.
const SEEN_TOKENS: usize = 1_000_000;

/// Compares a ledger with a journal.
pub(super) struct Compare<'a> {
    pub(super) directory: &'a Path,
    pub(super) id: JournalId,
    pub(super) reader: &'a mut Reader,
    /// How long rows are kept.
    pub(super) retention: Option<Periods>,
    pub(super) found: &'a mut LedgerAudit,
}

impl Compare<'_> {
    pub(super) async fn run(
        mut self,
        audit: &mut JournalAudit,
        progress: &mut Progress,
    ) -> Result<(), AuditError> {
        let known = self.reader.journal(self.id).await?;
        let Some(known) = known else {
            self.found.left_out = Some("it has no row of this journal".to_owned());
            return Ok(());
        };
        for fault in &mut audit.faults {
            if let (None, Some(record)) = (&fault.call_id, fault.sequence) {
                let call = self.reader.call_of_record(known.number, record).await?;
                fault.call_id = call.map(|id| id.to_string());
            }
        }
        self.compare_rows(&known, progress).await?;
        self.compare_checkpoints().await
    }

    fn fault(
        &mut self,
        kind: &'static str,
        message: String,
        call: Option<CallId>,
        record: Option<u64>,
    ) {
        let mut fault = Fault::new(kind, message);
        fault.call_id = call.map(|id| id.to_string());
        fault.sequence = record;
        self.found.faults.push(fault);
    }

    async fn compare_rows(
        &mut self,
        known: &KnownJournal,
        progress: &mut Progress,
    ) -> Result<(), AuditError> {
        let mut calls = Calls::open(self.directory, known.cursor.done_to)?;
        let begins_at = calls.next;
        let mut position = 0_u64;
        let mut matched = 0_u64;
        let mut seen = HashSet::new();
        let last_prune = self.reader.last_prune().await?;
        let retention = self.retention;
        let given_up = retention.as_ref().zip(last_prune);
        // A row is given up if its time was over when that was last done.
        let was_over = |call: &Finished| {
            given_up.is_some_and(|(periods, at)| {
                let class = OperationClass::of(&call.record);
                call.record.times.received_at < periods.limit(class, at)
            })
        };
        loop {
            let mut batch = calls.take(MAX_CALLS);
            if batch.is_empty() {
                break;
            }
            progress.tell("rows", calls.next, known.cursor.done_to);
            let ids: Vec<CallId> = batch.iter().map(|call| call.record.call_id).collect();
            let rows = self.reader.rows_of(known.number, &ids).await?;
            let rows: HashMap<CallId, StoredRow> =
                rows.into_iter().map(|row| (row.call_id, row)).collect();
            matched += rows.len() as u64;
            let before = batch.len();
            batch.retain(|call| rows.contains_key(&call.record.call_id) || !was_over(call));
            self.found.given_up += (before - batch.len()) as u64;
            let ids: Vec<CallId> = batch.iter().map(|call| call.record.call_id).collect();
            let truth: Vec<NodeHash> = batch
                .iter()
                .map(|call| digest_of(&call.record, &call.leaves))
                .collect();
            let stored: Vec<(u64, NodeHash)> = (position..)
                .zip(&ids)
                .filter_map(|(at, id)| Some((at, rows.get(id)?.digest)))
                .collect();
            if let Some(difference) = first_difference(position, &truth, &stored) {
                self.tell(difference, position, &batch);
                return Ok(());
            }
            if !self.are_found(&batch, &rows, &mut seen).await? {
                return Ok(());
            }
            position += batch.len() as u64;
        }
        self.found.compared = matched;
        if let Some(stopped) = calls.stopped {
            self.found.left_out = Some(format!(
                "rows of records from {} on, since the journal cannot be read there: {stopped}",
                calls.next
            ));
        } else if begins_at > 0 {
            self.found.left_out = Some(format!("rows of records before {begins_at}"));
        } else {
            if known.rows > matched {
                self.find_inserted(known).await?;
            }
            let gaps = self.reader.gaps_of(known.number).await?;
            if gaps != calls.gaps {
                let differs = |(at, gap): (usize, &(u64, Gap))| {
                    (calls.gaps.get(at) != Some(gap)).then_some(gap.0)
                };
                let seq = gaps.iter().enumerate().find_map(differs);
                let message = "the table journal_gaps does not say what the journal says";
                self.fault("gap_changed", message.to_owned(), None, seq);
            }
        }
        Ok(())
    }

    /// Whether each of these calls is found by whom it concerns.
    async fn are_found(
        &mut self,
        batch: &[Finished],
        rows: &HashMap<CallId, StoredRow>,
        seen: &mut HashSet<i64>,
    ) -> Result<bool, AuditError> {
        if seen.len() > SEEN_TOKENS {
            seen.clear();
        }
        let mut pairs = Vec::new();
        for call in batch {
            let id = call.record.call_id;
            let Some(row) = rows.get(&id) else { continue };
            let token = row.credential.filter(|token| seen.insert(*token));
            for subject in &call.record.subjects {
                let Some(pseudonym) = subject.pseudonym else {
                    continue;
                };
                match (subject.role, token) {
                    (SubjectRole::Token, None) => {}
                    (SubjectRole::Token, Some(token)) => {
                        pairs.push((Pair::Credential(pseudonym, token), id));
                    }
                    _ => pairs.push((Pair::Call(pseudonym, id), id)),
                }
            }
        }
        for pairs in pairs.chunks(MAX_PAIRS) {
            let wanted: Vec<Pair> = pairs.iter().map(|(pair, _)| *pair).collect();
            let Some(lacking) = self.reader.first_lacking(&wanted).await? else {
                continue;
            };
            let call = pairs.iter().find(|(pair, _)| *pair == lacking);
            let table = match lacking {
                Pair::Call(..) => NamedBy::Call.table(),
                Pair::Credential(..) => NamedBy::Credential.table(),
            };
            let message = format!(
                "the table {table} lacks a subject of this call, so that the call is not found by \
                 it: a row was removed or changed"
            );
            self.fault("subject_removed", message, call.map(|(_, id)| *id), None);
            return Ok(false);
        }
        Ok(true)
    }

    fn tell(&mut self, difference: Difference, first: u64, batch: &[Finished]) {
        let of = |position: u64| {
            let at = usize::try_from(position.saturating_sub(first)).unwrap_or(usize::MAX);
            batch.get(at)
        };
        let (kind, position, what) = match difference {
            Difference::Changed { sequence } => (
                "row_changed",
                sequence,
                "the ledger's row does not say what the journal says: it was changed".to_owned(),
            ),
            Difference::Removed { sequence } => (
                "row_removed",
                sequence,
                "the ledger has no row of this call: it was removed".to_owned(),
            ),
            Difference::Inserted { sequence, .. } => (
                "row_inserted",
                sequence,
                "the ledger has a row twice".to_owned(),
            ),
            Difference::Moved { sequence, numbered } => {
                let other = of(numbered).map(|call| call.record.call_id.to_string());
                (
                    "row_moved",
                    sequence,
                    format!(
                        "the ledger's row holds what belongs to another call (that of call {} was \
                         exchanged too)",
                        other.unwrap_or_default()
                    ),
                )
            }
        };
        let call = of(position);
        let id = call.map(|call| call.record.call_id);
        let record = call.and_then(|call| {
            let leaves = call.leaves;
            leaves.intent.or(leaves.outcome).or(leaves.completion)
        });
        self.fault(kind, what, id, record);
    }

    /// The ledger has more rows of this journal than the journal has calls.
    async fn find_inserted(&mut self, known: &KnownJournal) -> Result<(), AuditError> {
        let mut after = i64::MIN;
        loop {
            let mut held: Vec<CallId> = Vec::new();
            while held.len() < HELD {
                let page = self.reader.calls_after(known.number, after, PAGE).await?;
                let Some((last, _)) = page.last() else { break };
                after = *last;
                held.extend(page.iter().map(|(_, id)| *id));
            }
            if held.is_empty() {
                return Ok(());
            }
            let mut unknown: HashSet<CallId> = held.iter().copied().collect();
            let mut calls = Calls::open(self.directory, known.cursor.done_to)?;
            loop {
                let batch = calls.take(MAX_CALLS);
                if batch.is_empty() {
                    break;
                }
                for call in batch {
                    unknown.remove(&call.record.call_id);
                }
            }
            if let Some(id) = held.into_iter().find(|id| unknown.contains(id)) {
                let message = "the journal has no such call: the row was inserted";
                self.fault("row_inserted", message.to_owned(), Some(id), None);
                return Ok(());
            }
        }
    }

    /// Compares the ledger's checkpoints with those of the files. What the ledger lacks at the end
    /// has not come yet.
    async fn compare_checkpoints(&mut self) -> Result<(), AuditError> {
        let segments = checkpoints::segments(self.directory)?;
        let ends = segments.iter().skip(1).copied().chain([u64::MAX]);
        let mut lacking: Option<u64> = None;
        for (at, (first, end)) in segments.iter().copied().zip(ends).enumerate() {
            let above = if at == 0 { 0 } else { first };
            let rows = self.reader.checkpoints(self.id, above, end).await?;
            let Ok(entries) = checkpoints::read(self.directory, first, 0) else {
                // Said already, with its place.
                continue;
            };
            let entries: Vec<Signed> = entries
                .found
                .into_iter()
                .map(|(_, signed)| signed)
                .collect();
            let filed: HashMap<String, _> = entries
                .iter()
                .map(|signed| (signed.note.to_string(), row(signed)))
                .collect();
            for stored in &rows {
                if filed.get(&stored.note) != Some(stored) {
                    let message = format!(
                        "the ledger's checkpoint of size {} is not in the journal's files: it was \
                         changed or inserted, or the journal was cut or restored from an old copy",
                        stored.size
                    );
                    self.fault("checkpoint_row", message, None, None);
                    return Ok(());
                }
            }
            self.found.checkpoints += rows.len() as u64;
            let there: HashSet<&str> = rows.iter().map(|row| &*row.note).collect();
            if let (Some(size), Some(_)) = (lacking, rows.first()) {
                return self.lacks(size);
            }
            let newest = rows.iter().map(|row| row.size).max().unwrap_or(0);
            for signed in entries.iter().filter(|signed| signed.cosignatures() == 0) {
                if there.contains(&*signed.note.to_string()) {
                    continue;
                }
                if signed.checkpoint.size < newest {
                    return self.lacks(signed.checkpoint.size);
                }
                lacking.get_or_insert(signed.checkpoint.size);
            }
        }
        Ok(())
    }

    fn lacks(&mut self, size: u64) -> Result<(), AuditError> {
        let message = format!(
            "the ledger lacks the checkpoint of size {size}, and has later ones: it was removed"
        );
        self.fault("checkpoint_row", message, None, None);
        Ok(())
    }
}

/// The calls of a journal, put together from its records up to where a ledger stands.
struct Calls {
    reader: journal::Reader,
    decoder: Decoder,
    assembler: Assembler,
    next: u64,
    end: u64,
    ready: Vec<Finished>,
    gaps: Vec<(u64, Gap)>,
    stopped: Option<String>,
}

impl Calls {
    fn open(directory: &Path, end: u64) -> Result<Self, AuditError> {
        let mut reader = journal::Reader::open(directory)?;
        reader.seek(None)?;
        let next = reader.next_seq();
        Ok(Self {
            reader,
            decoder: Decoder::default(),
            assembler: Assembler::default(),
            next,
            end,
            ready: Vec::new(),
            gaps: Vec::new(),
            stopped: None,
        })
    }

    /// The next calls, at most `limit`; none at the end.
    fn take(&mut self, limit: usize) -> Vec<Finished> {
        while self.ready.len() < limit && self.next < self.end && self.stopped.is_none() {
            let mut event = None;
            let decoder = &mut self.decoder;
            let found = self.reader.next_leaf(|frame| {
                event = Some((frame.seq, decoder.decode(frame.payload, frame.openings)));
            });
            match (found, event) {
                (Ok(Some(_)), Some((seq, Ok((_, event))))) => {
                    self.next = seq + 1;
                    self.assembler.push(seq, event);
                }
                (Ok(Some(_)), Some((seq, Err(fault)))) => {
                    self.stopped = Some(format!("record {seq}: {fault}"));
                }
                (Ok(_), _) => self.stopped = Some("it ends before the ledger does".to_owned()),
                (Err(fault), _) => self.stopped = Some(fault.to_string()),
            }
            if self.assembler.ready() >= limit {
                self.collect();
            }
        }
        self.collect();
        let rest = self.ready.split_off(limit.min(self.ready.len()));
        std::mem::replace(&mut self.ready, rest)
    }

    fn collect(&mut self) {
        let (calls, gaps) = self.assembler.take();
        self.ready.extend(calls);
        self.gaps.extend(gaps);
    }
}
