//! `egret audit verify`: is everything still what was recorded?

mod render;
mod rows;

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use clap::{Args, ValueEnum};

use super::{AuditError, Context};
use crate::adapters::evidence::checkpoints;
use crate::adapters::evidence::verify::{self, Fault, JournalAudit};
use crate::adapters::ledger::compare::Unvouched;
use crate::adapters::ledger::{LedgerError, LedgerPlace, Reader};
use crate::app::own_calls::Tally;
use crate::domain::evidence::{SignatureType, VerifierKey};
use crate::domain::own::{OwnCall, OwnOperation};
use rows::Compare;

pub(super) const EXAMPLES: &str = "\
Checks the journal, its leaf hashes, every checkpoint and signature, the keys, and each row of the
ledger against the records that it was made of. Names the first record that was changed, removed,
inserted or moved. May run beside the gateway. Exit code 1 if anything is wrong.

Examples:
      egret audit verify
  With the key that was noted when the gateway was set up, and a witness that must have cosigned:
      egret audit verify --key 'egret/node-1+5e2f…+AXz…' --witness 'witness.example+0a1b…+BGk…'";

/// How the result is written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// `egret audit verify`
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: VerifyFormat,
    /// Public key of the log as noted before, the first or a later one; may be repeated
    #[arg(long, value_name = "KEY", value_parser = parse_log_key)]
    pub key: Vec<VerifierKey>,
    /// Public key of a witness that must have cosigned the last checkpoint but for the newest; may
    /// be repeated
    #[arg(long, value_name = "KEY", value_parser = parse_witness_key)]
    pub witness: Vec<VerifierKey>,
    /// Leave out the ledger
    #[arg(long)]
    pub no_ledger: bool,
}

pub(super) fn parse_log_key(text: &str) -> Result<VerifierKey, String> {
    parse_key(text, SignatureType::Ed25519)
}

pub(super) fn parse_witness_key(text: &str) -> Result<VerifierKey, String> {
    parse_key(text, SignatureType::CosignatureV1)
}

fn parse_key(text: &str, kind: SignatureType) -> Result<VerifierKey, String> {
    let key = VerifierKey::parse(text).map_err(|fault| fault.to_string())?;
    key.check_use(kind).map_err(|fault| fault.to_string())?;
    Ok(key)
}

/// What was found in the ledger.
#[derive(Debug, Default)]
struct LedgerAudit {
    faults: Vec<Fault>,
    /// Rows that are as the journal says.
    compared: u64,
    /// Rows that retention has given up, while the journal still has the records.
    given_up: u64,
    /// Rows that no record at hand vouches for.
    unvouched: Vec<Unvouched>,
    /// Checkpoints that are as in the files.
    checkpoints: u64,
    /// Why rows were not compared.
    left_out: Option<String>,
}

pub(super) async fn run(
    ledger: &LedgerPlace,
    args: &VerifyArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let call = OwnCall::new(OwnOperation::AuditVerify);
    let work = async |_: &mut Tally| verify(ledger, args, context, out).await;
    context.record(call, work).await
}

async fn verify(
    ledger: &LedgerPlace,
    args: &VerifyArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let mut progress = Progress::start();
    let mut audit = verify::audit(context.journal, &args.key, |done, of| {
        progress.tell("records", done, of);
    })?;
    check_witnesses(context.journal, &args.witness, &mut audit)?;
    let mut rows = LedgerAudit::default();
    match audit.journal {
        _ if args.no_ledger => rows.left_out = Some("as asked".to_owned()),
        None => rows.left_out = Some("there is no journal".to_owned()),
        Some(id) => match Reader::open(ledger).await {
            Ok(reader) => {
                let compare = Compare {
                    directory: context.journal,
                    id,
                    reader,
                    retention: context.retention,
                    found: &mut rows,
                };
                compare.run(&mut audit, &mut progress).await?;
            }
            Err(LedgerError::Missing { place }) => {
                rows.left_out = Some(format!("there is no ledger at {place}"));
            }
            Err(error) => return Err(error.into()),
        },
    }
    progress.end();
    match args.format {
        VerifyFormat::Text => render::write_text(out, &audit, &rows)?,
        VerifyFormat::Json => render::write_json(out, &audit, &rows)?,
    }
    match audit.faults.len() + rows.faults.len() {
        0 => Ok(()),
        faults => {
            out.flush()?;
            Err(AuditError::NotSound(faults))
        }
    }
}

/// Says on a terminal how far it is.
struct Progress {
    is_terminal: bool,
    told: u64,
}

impl Progress {
    fn start() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            told: 0,
        }
    }

    fn tell(&mut self, what: &str, done: u64, of: u64) {
        // A line for every checkpoint would take longer than the check.
        if self.is_terminal && (done < self.told || done - self.told > of / 100) {
            self.told = done;
            let share = done.saturating_mul(100) / of.max(1);
            let _ = write!(io::stderr(), "\r{what}: {done} of {of} ({share} %)  ");
        }
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r{:60}\r", "");
        }
    }
}

/// Each witness must have cosigned some checkpoint; of how many records is told.
fn check_witnesses(
    directory: &Path,
    witnesses: &[VerifierKey],
    audit: &mut JournalAudit,
) -> Result<(), AuditError> {
    for witness in witnesses {
        let mut newest = None;
        for segment in checkpoints::segments(directory)?.into_iter().rev() {
            let Ok(entries) = checkpoints::read(directory, segment, 0) else {
                continue;
            };
            newest = entries
                .found
                .into_iter()
                .map(|(_, signed)| signed)
                .filter(|signed| signed.note.verify(std::slice::from_ref(witness)).is_ok())
                .map(|signed| signed.checkpoint.size)
                .max();
            if newest.is_some() {
                break;
            }
        }
        match newest {
            None => audit.faults.push(Fault::new(
                "witness",
                format!("{} has cosigned no checkpoint", witness.name()),
            )),
            Some(size) if size > audit.covered && audit.faults.is_empty() => {
                audit.faults.push(Fault::new(
                    "witness",
                    format!("{} has cosigned {size} records", witness.name()),
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
