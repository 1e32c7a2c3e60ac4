//! `egret audit verify`: is everything still what was recorded?
//!
//! A node has two logs: that of its calls, and that of what people did with Egret's own commands.
//! Both are checked alike, and both against the same ledger.

mod render;
mod rows;

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use clap::{Args, ValueEnum};

use super::{AuditError, Context};
use crate::adapters::evidence::verify::{self, Fault, JournalAudit, NotAudited};
use crate::adapters::evidence::{checkpoints, commands};
use crate::adapters::ledger::compare::{NamedBy, Unvouched};
use crate::adapters::ledger::{LedgerError, LedgerPlace, Reader};
use crate::app::own_calls::Tally;
use crate::domain::evidence::{SignatureType, VerifierKey};
use crate::domain::journal::JournalId;
use crate::domain::own::{OwnCall, OwnOperation};
use rows::Compare;

pub(super) const EXAMPLES: &str = "\
Checks the journal, its leaf hashes, every checkpoint and signature, the keys, and each row of the
ledger against the records that it was made of; and the same for the journal of commands, which says
who has read what. Names the first record that was changed, removed, inserted or moved. May run
beside the gateway. Exit code 1 if anything is wrong.

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

/// What was found of one log.
#[derive(Debug, Default)]
struct LogAudit {
    /// In the journal's directory.
    journal: JournalAudit,
    /// In the ledger's rows of it.
    rows: LedgerAudit,
}

impl LogAudit {
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.journal.faults.iter().chain(&self.rows.faults)
    }
}

/// What was found of the log of commands.
#[derive(Debug)]
enum Commands {
    /// It was checked.
    Checked(Box<LogAudit>),
    /// No command was ever put on record here.
    Nothing,
    /// It was never sealed; why not.
    NotSealed(String),
}

impl Commands {
    fn checked(&self) -> Option<&LogAudit> {
        match self {
            Self::Checked(log) => Some(log),
            Self::Nothing | Self::NotSealed(_) => None,
        }
    }
}

/// Everything that was found.
#[derive(Debug)]
struct Found {
    node: LogAudit,
    commands: Commands,
    /// What is wrong with the ledger and belongs to neither.
    ledger: Vec<Fault>,
    /// Rows that no record at hand vouches for.
    unvouched: Vec<Unvouched>,
}

impl Found {
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let commands = self.commands.checked().into_iter();
        let of_logs = std::iter::once(&self.node).chain(commands);
        of_logs.flat_map(LogAudit::faults).chain(&self.ledger)
    }
}

/// What was found in the ledger's rows of one journal.
#[derive(Debug, Default)]
struct LedgerAudit {
    faults: Vec<Fault>,
    /// Rows that are as the journal says.
    compared: u64,
    /// Rows that retention has given up, while the journal still has the records.
    given_up: u64,
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
    let mut node = LogAudit {
        journal: verify::audit(context.journal, &args.key, |done, of| {
            progress.tell("records", done, of);
        })?,
        rows: LedgerAudit::default(),
    };
    check_witnesses(context.journal, &args.witness, &mut node.journal)?;
    let commands = audit_commands(context, &node.journal, &mut progress)?;
    let mut found = Found {
        node,
        commands,
        ledger: Vec::new(),
        unvouched: Vec::new(),
    };
    if args.no_ledger {
        found.node.rows.left_out = Some("as asked".to_owned());
    } else {
        match Reader::open(ledger).await {
            Ok(reader) => compare(reader, context, &mut found, &mut progress).await?,
            Err(LedgerError::Missing { place }) => {
                found.node.rows.left_out = Some(format!("there is no ledger at {place}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    progress.end();
    match args.format {
        VerifyFormat::Text => render::write_text(out, &found)?,
        VerifyFormat::Json => render::write_json(out, &found)?,
    }
    match found.faults().count() {
        0 => Ok(()),
        faults => {
            out.flush()?;
            Err(AuditError::NotSound(faults))
        }
    }
}

/// Checks the log of commands, whose keys must be the node's.
fn audit_commands(
    context: &Context<'_>,
    node: &JournalAudit,
    progress: &mut Progress,
) -> Result<Commands, AuditError> {
    let directory = context.own_calls.journal();
    if !directory.is_dir() {
        return Ok(Commands::Nothing);
    }
    let audited = verify::audit(directory, &[], |done, of| {
        progress.tell("records of commands", done, of);
    });
    let mut journal = match audited {
        Ok(journal) => journal,
        Err(error @ NotAudited::NoLog { .. }) => return Ok(Commands::NotSealed(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let is_foreign = |key: &&VerifierKey| !commands::is_key_of(key, node.keys.iter());
    if let Some(foreign) = journal.keys.iter().find(is_foreign) {
        let message = format!(
            "the log of commands is signed by {foreign}, which is none of the node's keys: it was \
             replaced"
        );
        journal.faults.push(Fault::new("key", message));
    }
    Ok(Commands::Checked(Box::new(LogAudit {
        journal,
        rows: LedgerAudit::default(),
    })))
}

/// Compares the ledger with both journals, in one snapshot.
async fn compare(
    mut reader: Reader,
    context: &Context<'_>,
    found: &mut Found,
    progress: &mut Progress,
) -> Result<(), AuditError> {
    reader.hold_still().await?;
    let mut logs = vec![(context.journal, &mut found.node)];
    if let Commands::Checked(log) = &mut found.commands {
        logs.push((context.own_calls.journal(), log));
    }
    let ids: Vec<JournalId> = logs
        .iter()
        .filter_map(|(_, log)| log.journal.journal)
        .collect();
    let mut numbers = Vec::new();
    for id in &ids {
        numbers.extend(reader.journal(*id).await?.map(|known| known.number));
    }
    found.unvouched = reader.unvouched(&numbers).await?;
    if let Some(id) = reader.first_without_journal().await? {
        let message = "a row names no journal, and no command wrote it: it was inserted";
        let fault = Fault::new("row_inserted", message);
        found.ledger.push(fault.of_call(id));
    }
    for (directory, log) in logs {
        let LogAudit { journal, rows } = log;
        let Some(id) = journal.journal else {
            rows.left_out = Some("there is no journal".to_owned());
            continue;
        };
        let compare = Compare {
            directory,
            id,
            reader: &mut reader,
            retention: context.retention,
            found: rows,
        };
        compare.run(journal, progress).await?;
    }
    // What the rows themselves do not say cannot be looked up by them.
    if found.faults().next().is_none() {
        for kind in NamedBy::ALL {
            if let Some(stray) = reader.first_stray(kind, &numbers).await? {
                let message = format!(
                    "the table {} has a row that no call and no token says: it was inserted or \
                     changed",
                    stray.table
                );
                let fault = Fault::new("subject_inserted", message);
                found.ledger.push(match stray.call {
                    Some(id) => fault.of_call(id),
                    None => fault,
                });
            }
        }
    }
    let commands = commands::origin_of(&found.node.journal.origin);
    let others = reader.other_logs(&ids).await?;
    if let Some((id, _)) = others.iter().find(|(_, origin)| *origin == commands) {
        let message = format!(
            "the ledger has checkpoints of a log of this node's commands that is not here (journal \
             {id}): it was removed or replaced"
        );
        found.ledger.push(Fault::new("log_removed", message));
    }
    Ok(())
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
