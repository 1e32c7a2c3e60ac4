//! `egret audit prove`, `verify-proof`, `key` and `rotate-key`.

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, json};

use super::verify::{VerifyFormat, parse_log_key, parse_witness_key};
use super::{AuditError, Context};
use crate::adapters::evidence::commands;
use crate::adapters::evidence::keys::{LogKeys, next_path};
use crate::adapters::evidence::verify::NotAudited;
use crate::adapters::ledger::compare::fields_of;
use crate::adapters::ledger::{LedgerError, LedgerPlace, Reader, Value};
use crate::adapters::signing_key;
use crate::app::audit::proof::{ProveFault, prove_call};
use crate::app::own_calls::Tally;
use crate::domain::evidence::bundle::{
    BundleFault, LeafContent, MAX_BUNDLE_BYTES, Trust, Verified, verify_bundle,
};
use crate::domain::evidence::{RotationError, VerifierKey};
use crate::domain::journal::{Assembler, Decoder, Event, Finished};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::types::{CallId, Micros};

pub(super) const PROVE_EXAMPLES: &str = "\
The file holds every record of the call, and the proof that they are in the signed log. Whoever has
the log's public key can check it with `egret audit verify-proof` or with other programs (it is a
C2SP tlog-proof), without a database and without us.

Examples:
      egret audit prove 019a2b3c-4d5e-7f60-8123-456789abcdef -o call.tlog-proof";

pub(super) const VERIFY_PROOF_EXAMPLES: &str = "\
Needs the file and the public key only; no configuration, journal or ledger.

Examples:
      egret audit verify-proof call.tlog-proof --key 'egret/node-1+5e2f…+AXz…'
  Somebody else must have seen the log, too:
      egret audit verify-proof call.tlog-proof --key '…' --witness 'witness.example+0a1b…+BGk…'";

pub(super) const KEY_EXAMPLES: &str = "\
Give the key to auditors and witnesses, by a way that nobody can change.

Examples:
      egret audit key
      egret audit key --all";

pub(super) const ROTATE_EXAMPLES: &str = "\
Makes the next key beside the present one. A running gateway finds it within a second, announces it
in the log, signed by both keys, and puts it in the place of the old one, which is gone then; a
gateway that is stopped does so at its next start. Older proofs and checkpoints stay valid.

With the key in EGRET_SIGNING_KEY: put the next key into EGRET_SIGNING_KEY_NEXT, restart, and then
move it to EGRET_SIGNING_KEY.

Examples:
      egret audit rotate-key";

/// `egret audit prove`
#[derive(Args, Clone, Debug)]
pub struct ProveArgs {
    /// Call id
    #[arg(value_name = "CALL_ID", value_parser = parse_call)]
    pub call: CallId,
    /// File to write; standard output otherwise
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `egret audit verify-proof`
#[derive(Args, Clone, Debug)]
pub struct VerifyProofArgs {
    /// The bundle; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Public key of the log, the first or a later one; may be repeated
    #[arg(long, value_name = "KEY", required = true, value_parser = parse_log_key)]
    pub key: Vec<VerifierKey>,
    /// Public key of a witness that must have cosigned; may be repeated
    #[arg(long, value_name = "KEY", value_parser = parse_witness_key)]
    pub witness: Vec<VerifierKey>,
    /// So many of the witnesses must have cosigned; all of them otherwise
    #[arg(long, value_name = "COUNT", requires = "witness")]
    pub quorum: Option<usize>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: VerifyFormat,
}

/// `egret audit key`
#[derive(Args, Clone, Debug)]
pub struct KeyArgs {
    /// All keys that the log has had, the first one first
    #[arg(long)]
    pub all: bool,
}

fn parse_call(text: &str) -> Result<CallId, String> {
    text.parse()
        .map_err(|_| "use the whole call id; `egret audit query` shows it".to_owned())
}

/// Why a proof was not made or is none.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It could not be made.
    #[error(transparent)]
    Prove(#[from] ProveFault),
    /// It does not prove anything.
    #[error("the proof does not hold: {0}")]
    Fault(#[from] BundleFault),
    /// The list of keys does not hold.
    #[error("the key rotation at record {0} is not valid: {1}; run `egret audit verify`")]
    Keys(u64, RotationError),
    /// A key to come is there already.
    #[error(
        "{0} is there already: a rotation is under way; a running gateway ends it within a second"
    )]
    UnderWay(PathBuf),
    /// The key is not in a file.
    #[error(
        "the signing key comes from {}: put the next key into {}, restart the gateway, and then \
         move it to {}",
        signing_key::ENV,
        signing_key::NEXT_ENV,
        signing_key::ENV
    )]
    FromEnvironment,
    /// The system refused.
    #[error("cannot {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes the bundle of a call.
pub(super) async fn run_prove(
    ledger: &LedgerPlace,
    args: &ProveArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let call = OwnCall::new(OwnOperation::AuditProve).fact("call", args.call);
    let work = async |tally: &mut Tally| {
        tally.add(1);
        prove(ledger, args, context, out).await
    };
    context.record(call, work).await
}

async fn prove(
    ledger: &LedgerPlace,
    args: &ProveArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let known = match Reader::open(ledger).await {
        Ok(mut reader) => reader.leaves_of(args.call).await?,
        // The journal alone will do.
        Err(LedgerError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let numbers: Vec<u64> = known
        .iter()
        .flat_map(|(_, leaves)| {
            [leaves.intent, leaves.outcome, leaves.completion]
                .into_iter()
                .flatten()
        })
        .collect();
    let known = known.map(|(journal, _)| (journal, &*numbers));
    let directories = [context.journal, context.own_calls.journal()];
    let bundle = prove_call(args.call, known, directories).map_err(ProofError::Prove)?;
    let text = bundle.to_string();
    match &args.output {
        None => out.write_all(text.as_bytes())?,
        Some(path) => {
            fs::write(path, text).map_err(|source| ProofError::Io {
                doing: "write",
                path: path.clone(),
                source,
            })?;
            writeln!(
                out,
                "{} proves {} records of the call",
                path.display(),
                1 + bundle.others.len()
            )?;
        }
    }
    Ok(())
}

/// Checks a bundle; needs nothing but the file and the keys.
///
/// # Errors
/// [`AuditError`]; also when the proof does not hold.
pub fn run_verify_proof(args: &VerifyProofArgs, out: &mut impl Write) -> Result<(), AuditError> {
    let failed = |source| ProofError::Io {
        doing: "read",
        path: args.file.clone(),
        source,
    };
    let mut bytes = Vec::new();
    let limit = MAX_BUNDLE_BYTES as u64 + 1;
    if args.file.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(&args.file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    }
    .map_err(failed)?;
    // The log of commands is signed by the node's keys under another name.
    let of_commands = args.key.iter().filter_map(commands::key_of);
    let trust = Trust {
        logs: args.key.iter().cloned().chain(of_commands).collect(),
        witnesses: args.witness.clone(),
        quorum: args.quorum.unwrap_or(args.witness.len()),
    };
    let proved = verify_bundle(&bytes, &trust).map_err(ProofError::Fault)?;
    let said = what_it_says(&proved);
    match args.format {
        VerifyFormat::Text => write_proved(out, &proved, &said)?,
        VerifyFormat::Json => {
            let records: Vec<u64> = numbers(&proved).collect();
            let fields: Map<String, serde_json::Value> = said
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            let witnesses: Map<String, serde_json::Value> = proved
                .witnesses
                .iter()
                .map(|witness| {
                    let at = witness.at.map(|at| at.to_string());
                    (witness.name.clone(), json!(at))
                })
                .collect();
            let report = json!({
                "origin": proved.origin,
                "records": records,
                "size": proved.size,
                "root": proved.root.to_string(),
                "signed_by": proved.signed_by.to_string(),
                "rotations": proved.rotations,
                "witnesses": witnesses,
                "pruned": matches!(proved.leaf, LeafContent::Pruned(_)),
                "says": fields,
            });
            writeln!(out, "{report}")?;
        }
    }
    Ok(())
}

fn numbers(proved: &Verified) -> impl Iterator<Item = u64> {
    std::iter::once(proved.index).chain(proved.others.iter().map(|(index, _)| *index))
}

/// The steps of the call, put together.
fn what_it_says(proved: &Verified) -> Vec<(&'static str, Value)> {
    let LeafContent::Present(first) = &proved.leaf else {
        return Vec::new();
    };
    let mut decoder = Decoder::default();
    let mut assembler = Assembler::default();
    let all = std::iter::once((&proved.index, first))
        .chain(proved.others.iter().map(|(index, leaf)| (index, leaf)));
    for (index, leaf) in all {
        match decoder.decode_sealed(leaf) {
            Ok((number, event)) if number == *index => {
                if let Event::Rotation(_) | Event::Start(_) | Event::Gap(_) = event {
                    continue;
                }
                assembler.push(number, event);
            }
            _ => return vec![("record", Value::Text("of a newer format".to_owned()))],
        }
    }
    let (mut calls, _) = assembler.take();
    calls.extend(assembler.into_open());
    calls
        .first()
        .map_or_else(Vec::new, |call: &Finished| fields_of(&call.record))
}

fn write_proved(
    out: &mut impl Write,
    proved: &Verified,
    said: &[(&'static str, Value)],
) -> io::Result<()> {
    writeln!(out, "the proof holds")?;
    let records: Vec<String> = numbers(proved).map(|number| number.to_string()).collect();
    writeln!(out, "  log        {}", proved.origin)?;
    writeln!(
        out,
        "  records    {} of {}",
        records.join(", "),
        proved.size
    )?;
    writeln!(out, "  signed by  {}", proved.signed_by)?;
    if proved.rotations > 0 {
        writeln!(out, "             after {} key changes", proved.rotations)?;
    }
    for witness in &proved.witnesses {
        let at = witness
            .at
            .map_or_else(String::new, |at| format!(" at {at}"));
        writeln!(out, "  witness    {}{at}", witness.name)?;
    }
    if let LeafContent::Pruned(hash) = &proved.leaf {
        writeln!(
            out,
            "The record was pruned; this proves that one with the hash {hash} stood there."
        )?;
        return Ok(());
    }
    writeln!(out, "The call, as it was recorded:")?;
    for (name, value) in said {
        match value {
            Value::Integer(at) if name.ends_with("_at") => {
                writeln!(out, "  {name:<22} {}", Micros(*at))?;
            }
            value => writeln!(out, "  {name:<22} {value}")?,
        }
    }
    Ok(())
}

fn keys(context: &Context<'_>) -> Result<LogKeys, AuditError> {
    let found = LogKeys::read(context.journal)?;
    let missing = || NotAudited::NoLog {
        path: context.journal.to_owned(),
    };
    Ok(found.ok_or_else(missing)?)
}

/// Prints the public keys.
pub(super) fn run_key(
    args: &KeyArgs,
    context: &Context<'_>,
    out: &mut impl Write,
) -> Result<(), AuditError> {
    let history = keys(context)?
        .history()
        .map_err(|(index, fault)| ProofError::Keys(index, fault))?;
    if args.all {
        for key in history.keys() {
            writeln!(out, "{key}")?;
        }
    } else {
        writeln!(out, "{}", history.latest())?;
    }
    Ok(())
}

/// Makes the next key.
pub(super) fn run_rotate(context: &Context<'_>, out: &mut impl Write) -> Result<(), AuditError> {
    let keys = keys(context)?;
    if std::env::var_os(signing_key::ENV).is_some() {
        return Err(ProofError::FromEnvironment.into());
    }
    let next = next_path(context.key_file);
    if next.exists() {
        return Err(ProofError::UnderWay(next).into());
    }
    let make = || {
        let key = signing_key::create_next(&next, keys.first.name());
        key.map_err(AuditError::from)
    };
    let (key, commands) = context.own_calls.rotate_key(make)?;
    writeln!(out, "{key}")?;
    if let Some(why) = commands {
        (context.notice)(&format!(
            "the log of commands does not go on with this key: {why}"
        ));
    }
    writeln!(
        out,
        "The gateway announces this key in the log within a second, or at its next start. Give it \
         to witnesses before, and to auditors; `egret audit key` prints it from then on."
    )?;
    Ok(())
}
