//! `egret doctor`: looks at a gateway's surroundings and tests on the spot that no secret gets out.

mod canary;
mod checks;
mod machine;
mod services;

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{ConfigArgs, Failure, Outcome};
use crate::adapters::clock;
use crate::app::Setup;

/// Options of `egret doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  egret doctor --config /etc/egret/egret.toml
  egret doctor --offline --no-self-test
  egret doctor --format json | jq '.findings[] | select(.grade != \"ok\")'

Banks, witnesses, receivers of alerts and the collector are connected to, with TLS and a check of
the certificate; nothing is asked of them. Run it as the user that runs the gateway.

The self-test starts a gateway and a bank of its own on loopback, with a ledger, a log and captures
in a temporary directory, sends calls full of made-up secrets through them, and searches everything
that was written. It touches neither the running gateway nor its ledger.

Ends with 1 if something failed; warnings alone end with 0.")]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Connect to nothing: no bank, no database, no running gateway.
    #[arg(long)]
    offline: bool,
    /// How to show what was found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Do not run the self-test.
    #[arg(long)]
    no_self_test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people, each when it is known.
    Text,
    /// One JSON object.
    Json,
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
    let now = clock::now();
    let mut report = Report {
        format: args.format,
        ..Report::default()
    };
    report.add(out, "clock", machine::clock(now))?;
    match Setup::read_for_callers(path) {
        Ok(setup) => {
            let config = &setup.config;
            let shown = path.display();
            let good = vec![Finding::good(format!("configuration {shown}"))];
            report.add(out, "configuration", good)?;
            report.add(out, "process", machine::process(config))?;
            report.add(out, "permissions", checks::permissions(config))?;
            report.add(out, "files", checks::files(config))?;
            report.add(out, "keys", checks::keys(config))?;
            report.add(out, "disk", machine::disks(config))?;
            report.add(out, "journal", services::journal(config))?;
            report.add(out, "certificates", checks::certificates(config, now))?;
            report.add(out, "alerts", services::channels(config))?;
            let telemetry = services::telemetry(config, args.offline, now)?;
            report.add(out, "telemetry", telemetry)?;
            if !args.offline {
                report.add(out, "ledger", services::ledger(config, now)?)?;
                report.add(out, "gateway", services::running(config))?;
                report.add(out, "network", services::outside(config, now)?)?;
            }
        }
        Err(error) => {
            let advice = "correct it; `egret check` names every fault";
            let what = format!("configuration: {error}");
            report.add(out, "configuration", vec![Finding::failed(what, advice)])?;
        }
    }
    if !args.no_self_test {
        report.add(out, "self_test", canary::run())?;
    }
    report.end(out)
}

impl Grade {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

struct Report {
    format: Format,
    warnings: usize,
    failures: usize,
    found: Vec<Value>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            format: Format::Text,
            warnings: 0,
            failures: 0,
            found: Vec::new(),
        }
    }
}

impl Report {
    fn add(
        &mut self,
        out: &mut impl Write,
        check: &'static str,
        findings: Vec<Finding>,
    ) -> io::Result<()> {
        for finding in findings {
            self.warnings += usize::from(finding.grade == Grade::Warning);
            self.failures += usize::from(finding.grade == Grade::Failed);
            if self.format == Format::Json {
                self.found.push(json!({
                    "check": check,
                    "grade": finding.grade.as_str(),
                    "what": finding.what,
                    "advice": finding.advice,
                }));
                continue;
            }
            let word = match finding.grade {
                Grade::Good => "ok     ",
                Grade::Warning => "warning",
                Grade::Failed => "FAILED ",
            };
            writeln!(out, "{word}  {}", finding.what)?;
            if !finding.advice.is_empty() {
                writeln!(out, "         {}", finding.advice)?;
            }
        }
        out.flush()
    }

    fn end(self, out: &mut impl Write) -> Outcome {
        if self.format == Format::Json {
            let report = json!({
                "ok": self.failures == 0,
                "warnings": self.warnings,
                "failures": self.failures,
                "findings": self.found,
            });
            writeln!(out, "{report:#}")?;
        }
        if self.failures > 0 {
            let failed = match self.failures {
                1 => "1 check failed".to_owned(),
                many => format!("{many} checks failed"),
            };
            return Err(Failure::new(failed));
        }
        match (self.format, self.warnings) {
            (Format::Json, _) => {}
            (_, 0) => writeln!(out, "everything is well")?,
            (_, 1) => writeln!(out, "usable, with 1 warning")?,
            (_, many) => writeln!(out, "usable, with {many} warnings")?,
        }
        Ok(())
    }
}
