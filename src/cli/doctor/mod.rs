//! `egret doctor`: looks at a gateway's surroundings and tests on the spot that no secret gets out.

mod canary;
mod checks;

use std::io::{self, Write};

use clap::Args;

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::clock;
use crate::app::Setup;

/// Options of `egret doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  egret doctor --config /etc/egret/egret.toml
  egret doctor --offline --no-self-test

The self-test starts a gateway and a bank of its own on loopback, with a ledger, a log and captures
in a temporary directory, sends calls full of made-up secrets through them, and searches everything
that was written. It touches neither the running gateway nor its ledger.

Ends with 1 if something failed; warnings alone end with 0.")]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Do not resolve the names of the banks' servers, nor ask the ledger's database.
    #[arg(long)]
    offline: bool,
    /// Do not run the self-test.
    #[arg(long)]
    no_self_test: bool,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    Warning,
    Failed,
}

/// What a check found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    grade: Grade,
    what: String,
    advice: String,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self {
            grade: Grade::Good,
            what: what.into(),
            advice: String::new(),
        }
    }

    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            grade: Grade::Warning,
            what: what.into(),
            advice: advice.into(),
        }
    }

    fn failed(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            grade: Grade::Failed,
            ..Self::warning(what, advice)
        }
    }
}

/// Runs every check.
///
/// # Errors
/// Something failed.
pub fn run(args: &DoctorArgs, out: &mut impl Write) -> Outcome {
    let path = &args.config.config;
    let mut report = Report::default();
    report.add(out, vec![checks::clock(clock::now())])?;
    match Setup::read_for_callers(path) {
        Ok(setup) => {
            let config = &setup.config;
            let shown = path.display();
            report.add(out, vec![Finding::good(format!("configuration {shown}"))])?;
            report.add(out, checks::permissions(config))?;
            report.add(out, checks::disk_space(config))?;
            if !args.offline {
                report.add(out, checks::database(config)?)?;
            }
            report.add(out, checks::certificates(config, clock::now()))?;
            if !args.offline {
                report.add(out, checks::names(config))?;
            }
        }
        Err(error) => {
            let advice = "correct it; `egret check` names every fault";
            let what = format!("configuration: {error}");
            report.add(out, vec![Finding::failed(what, advice)])?;
        }
    }
    if !args.no_self_test {
        report.add(out, canary::run())?;
    }
    report.end(out)
}

#[derive(Default)]
struct Report {
    warnings: usize,
    failures: usize,
}

impl Report {
    fn add(&mut self, out: &mut impl Write, findings: Vec<Finding>) -> io::Result<()> {
        for finding in findings {
            let word = match finding.grade {
                Grade::Good => "ok     ",
                Grade::Warning => "warning",
                Grade::Failed => "FAILED ",
            };
            self.warnings += usize::from(finding.grade == Grade::Warning);
            self.failures += usize::from(finding.grade == Grade::Failed);
            writeln!(out, "{word}  {}", finding.what)?;
            if !finding.advice.is_empty() {
                writeln!(out, "         {}", finding.advice)?;
            }
        }
        out.flush()
    }

    fn end(self, out: &mut impl Write) -> Outcome {
        if self.failures > 0 {
            return Err(Failure::new(format!("{} checks failed", self.failures)));
        }
        match self.warnings {
            0 => writeln!(out, "everything is well")?,
            1 => writeln!(out, "usable, with 1 warning")?,
            many => writeln!(out, "usable, with {many} warnings")?,
        }
        Ok(())
    }
}
