//! `egret detect score`

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Outcome};
use crate::domain::score::{self, Detail, InputFault, Terms};

/// Largest file of labels or alerts, in bytes: labels are near 5 KB, so this is ten thousand.
const MAX_FILE: u64 = 256 << 20;

/// Options of `egret detect score`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret detect score --labels labels.jsonl --alerts alerts.jsonl --missed\n  egret detect \
score --labels labels.jsonl --alerts alerts.jsonl --json | jq .recall\n\nA page (severity medium or above) fits an attack \
if it was raised between the attack's start and some time after its end, and names one of its callers, addresses, \
subjects, tokens or targets. The first page that fits gives the delay; a page that fits no attack is false."
)]
pub struct ScoreArgs {
    /// The truth, as `egret sim traffic --labels` writes it.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// What was said, as `egret detect replay --alerts` writes it.
    #[arg(long, value_name = "FILE")]
    alerts: PathBuf,
    /// Minutes after its end within which an attack may still be reported.
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    grace: u32,
    /// Days from the start of each tenant that count as learning.
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    learning: u32,
    /// List the attacks that were missed.
    #[arg(long)]
    missed: bool,
    /// Everything as JSON, every attack with its fate included.
    #[arg(long)]
    json: bool,
}

/// Judges.
pub(super) fn run(args: &ScoreArgs, out: &mut impl Write) -> Outcome {
    let labels =
        score::read_labels(&read(&args.labels)?).map_err(|fault| name(&args.labels, &fault))?;
    let alerts =
        score::read_alerts(&read(&args.alerts)?).map_err(|fault| name(&args.alerts, &fault))?;
    let terms = Terms {
        grace_ms: i64::from(args.grace) * 60_000,
        learning_days: i64::from(args.learning),
    };
    let score = score::judge(&labels, &alerts, terms);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &score).map_err(Failure::new)?;
        writeln!(out)?;
    } else {
        let detail = Detail {
            missed: args.missed,
        };
        out.write_all(score::render(&score, detail).as_bytes())?;
    }
    Ok(())
}

fn name(path: &Path, fault: &InputFault) -> Failure {
    Failure::new(format!("{}: {fault}", path.display()))
}

fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    let length = file
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if length as u64 > MAX_FILE {
        return Err(Failure::new(format!(
            "{} is larger than {} MiB: judge it in parts",
            path.display(),
            MAX_FILE >> 20
        )));
    }
    Ok(text)
}
