//! Proofs, the signed log, and packs of both.

use std::path::PathBuf;
use std::sync::Arc;

use super::export::write;
use super::{AdminDesk, Ready};
use crate::adapters::clock;
use crate::adapters::evidence::keys::LogKeys;
use crate::adapters::evidence::prove::NotProved;
use crate::adapters::evidence::{checkpoints, verify};
use crate::adapters::ledger::Question;
use crate::app::audit::proof::{ProveFault, prove_call};
use crate::app::own_calls::journal_of;
use crate::domain::access::Person;
use crate::domain::journal::{JournalId, Source as _};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::report::ReportKind;
use crate::edge::admin::desk::{Fault, Form, Reply};
use crate::edge::admin::model;
use crate::types::CallId;

/// Most faults that are told; with one the log is not sound, and the command tells all.
const MAX_FAULTS: usize = 100;

/// In every pack: how to check what is in it, without us.
const README: &str = "\
What is in this pack, and how to check it

report.html, report.json   The report, if one was asked for. It names the checkpoint that its records
                           are under.
proofs/*.tlog-proof        For each call that was asked for: every record of it, and the proof that
                           they are in the signed log (C2SP tlog-proof).
checkpoint.txt             The newest checkpoint of the log, signed (C2SP tlog-checkpoint).
keys.txt                   The public keys of the log, the first one first. Compare them with those
                           that you were given before, by a way that nobody could change.

With Egret's program, which needs nothing else for this:

    egret audit verify-proof proofs/CALL_ID.tlog-proof --key 'FIRST LINE OF keys.txt'

The formats are public: https://c2sp.org/tlog-proof, https://c2sp.org/tlog-checkpoint.
";

/// Where a call's records are.
type Leaves = Option<(JournalId, Vec<u64>)>;

/// There is no log.
pub(super) const fn not_sealed() -> model::ProofStatus {
    model::ProofStatus {
        status: "none",
        origin: None,
        records: Vec::new(),
        size: None,
        advice: Some(
            "the records are not sealed: [evidence] is not enabled, or the log cannot be read",
        ),
    }
}

fn fault(error: &ProveFault) -> Fault {
    match error {
        ProveFault::NotProved(NotProved::NoCall(_)) => Fault::NotFound(error.to_string()),
        ProveFault::OtherNode(_)
        | ProveFault::NotProved(NotProved::NoLog { .. } | NotProved::NoCheckpoint(_)) => {
            Fault::Conflict(error.to_string())
        }
        ProveFault::NotProved(_) => {
            tracing::error!(%error, "a proof could not be made");
            Fault::Failed("the proof could not be made: see the log".to_owned())
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Fault::Failed("the work was broken off".to_owned())))
}

impl AdminDesk {
    async fn leaves(&self, call: CallId) -> Result<Leaves, Fault> {
        let found = self
            .readers
            .ask(|mut reader| async move {
                let found = reader.leaves_of(call).await;
                (reader, found)
            })
            .await?;
        Ok(found.map(|(journal, leaves)| {
            let numbers = [leaves.intent, leaves.outcome, leaves.completion];
            (journal, numbers.into_iter().flatten().collect())
        }))
    }

    pub(super) async fn proof_status(
        &self,
        ready: &Ready,
        call: CallId,
    ) -> Result<model::ProofStatus, Fault> {
        let Some(evidence) = self.health.evidence() else {
            return Ok(not_sealed());
        };
        let Some((journal, records)) = self.leaves(call).await? else {
            return Ok(not_sealed());
        };
        if journal != ready.parts.journal.id() {
            let own = journal_of(&self.config());
            let of_commands = crate::adapters::journal::Reader::open(&own);
            let is_here = of_commands.is_ok_and(|found| found.journal() == journal);
            return Ok(model::ProofStatus {
                // Commands seal what they put on record themselves, before they show anything.
                status: if is_here { "sealed" } else { "elsewhere" },
                origin: None,
                records,
                size: None,
                advice: match is_here {
                    true => None,
                    false => Some("another node has recorded it: prove it there"),
                },
            });
        }
        let state = evidence.state();
        let is_sealed = records.iter().all(|number| *number < state.sealed);
        Ok(model::ProofStatus {
            status: if is_sealed { "sealed" } else { "waiting" },
            origin: Some(state.origin),
            records,
            size: Some(state.sealed),
            advice: match is_sealed {
                true => None,
                false => Some("a checkpoint is made within seconds"),
            },
        })
    }

    /// The proof of a call as text.
    async fn bundle(&self, call: CallId) -> Result<String, Fault> {
        let known = self.leaves(call).await?;
        let known =
            known.ok_or_else(|| Fault::NotFound("the ledger has no such call".to_owned()))?;
        let directories = [
            self.config().journal.directory.clone(),
            journal_of(&self.config()),
        ];
        blocking(move || {
            let [first, second] = &directories;
            let (journal, numbers) = &known;
            prove_call(call, Some((*journal, numbers)), [first, second])
                .map(|bundle| bundle.to_string())
                .map_err(|error| fault(&error))
        })
        .await
    }

    pub(super) async fn proof(
        &self,
        call: CallId,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let own = OwnCall::new(OwnOperation::AuditProve).fact("call", call);
        let work = async {
            let text = self.bundle(call).await?;
            let file = Reply::File {
                media: "text/plain; charset=utf-8",
                name: Some(format!("{call}.tlog-proof")),
                body: text.into(),
            };
            Ok((file, Some(1)))
        };
        self.recorded(own, who, id, work).await
    }

    /// The public keys and the newest checkpoint, from the files of the journal.
    async fn log_now(&self) -> Result<(Vec<String>, Option<model::Checkpoint>), Fault> {
        let directory = self.config().journal.directory.clone();
        blocking(move || {
            let wrong = |error: &dyn std::fmt::Display| {
                tracing::error!(%error, "the signed log cannot be read");
                Fault::Failed("the signed log cannot be read: see the log".to_owned())
            };
            let keys = LogKeys::read(&directory).map_err(|error| wrong(&error))?;
            let keys = match keys {
                None => Vec::new(),
                Some(keys) => {
                    let history = keys.history().map_err(|(_, error)| wrong(&error))?;
                    history.keys().map(ToString::to_string).collect()
                }
            };
            let last = checkpoints::last(&directory).map_err(|error| wrong(&error))?;
            let checkpoint = last.map(|(_, signed)| model::Checkpoint {
                size: signed.checkpoint.size,
                root: signed.checkpoint.root.to_string(),
                text: signed.note.to_string(),
            });
            Ok((keys, checkpoint))
        })
        .await
    }

    pub(super) async fn evidence(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AuditProve).fact("part", "log");
        let work = async {
            let (keys, checkpoint) = self.log_now().await?;
            let state = self.health.evidence().map(|evidence| evidence.state());
            let shown = model::Evidence {
                enabled: state.is_some(),
                origin: state.as_ref().map(|state| state.origin.clone()),
                keys,
                sealed_seq: state.as_ref().map(|state| state.sealed),
                checkpoint,
                failing: state.is_some_and(|state| state.failing.is_some()),
            };
            Ok((Reply::json(&shown), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn verify_evidence(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AuditVerify);
        let work = async {
            // It reads every byte of the journal: one at a time is enough for a disk.
            let turn = Arc::clone(&self.verifying).try_acquire_owned();
            let turn = turn.map_err(|_| Fault::Busy)?;
            let directories: [PathBuf; 2] = [
                self.config().journal.directory.clone(),
                journal_of(&self.config()),
            ];
            let began = clock::now();
            let (faults, records) = blocking(move || {
                let _turn = turn;
                let mut faults = Vec::new();
                let mut records = 0;
                for (place, directory) in directories.iter().enumerate() {
                    match verify::audit(directory, &[], |_, _| ()) {
                        Ok(found) => {
                            records += found.covered + found.uncovered + found.pruned;
                            faults.extend(found.faults.into_iter().map(|fault| fault.message));
                        }
                        // Where no command was ever run, there is no log of commands.
                        Err(_) if place > 0 => {}
                        Err(verify::NotAudited::NoLog { .. }) => {
                            let why = "there is no signed log: [evidence] is not enabled";
                            return Err(Fault::Conflict(why.to_owned()));
                        }
                        Err(error) => faults.push(error.to_string()),
                    }
                }
                Ok((faults, records))
            })
            .await?;
            let verified = model::Verified {
                sound: faults.is_empty(),
                faults: faults.into_iter().take(MAX_FAULTS).collect(),
                records,
                took_ms: u64::try_from(clock::now().since(began).as_millis()).unwrap_or(u64::MAX),
            };
            Ok((Reply::json(&verified), Some(records)))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn pack(
        &self,
        report: Option<ReportKind>,
        question: &Question,
        calls: Vec<CallId>,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let filter = self.resolve(self.parts()?, question)?;
        let call = question
            .on_record(OwnOperation::AuditExport, &filter)
            .fact("format", "evidence_pack")
            .fact("proofs", calls.len());
        let call = match report {
            Some(report) => call.fact("report", report),
            None => call,
        };
        let work = async {
            let now = clock::now();
            let mut files = vec![("README.txt".to_owned(), README.as_bytes().to_vec())];
            if let Some(kind) = report {
                let document = self.document(kind, filter, who).await?;
                files.push(("report.html".to_owned(), write(&document, Form::Html)?));
                files.push(("report.json".to_owned(), write(&document, Form::Json)?));
            }
            for call in &calls {
                let proof = self.bundle(*call).await?;
                files.push((format!("proofs/{call}.tlog-proof"), proof.into_bytes()));
            }
            let (keys, checkpoint) = self.log_now().await?;
            files.push((
                "keys.txt".to_owned(),
                format!("{}\n", keys.join("\n")).into_bytes(),
            ));
            if let Some(checkpoint) = checkpoint {
                files.push(("checkpoint.txt".to_owned(), checkpoint.text.into_bytes()));
            }
            let body = archive(&files, now.as_secs())
                .map_err(|_| Fault::Failed("the pack could not be written".to_owned()))?;
            let day = now.to_string();
            let pack = Reply::File {
                media: "application/x-tar",
                name: Some(format!("evidence-{}.tar", day.get(..10).unwrap_or("pack"))),
                body: body.into(),
            };
            Ok((pack, Some(files.len() as u64)))
        };
        self.recorded(call, who, id, work).await
    }
}

/// Files in one (POSIX ustar).
fn archive(files: &[(String, Vec<u8>)], at_s: i64) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(u64::try_from(at_s).unwrap_or(0));
        builder.append_data(&mut header, format!("evidence/{name}"), &content[..])?;
    }
    builder.into_inner()
}
