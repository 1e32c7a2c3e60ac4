//! `egret detect replay`: history through the detectors, in event time.

mod ledger;
mod lines;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Own;
use crate::adapters::ledger::Reader;
use crate::adapters::machine::Machine;
use crate::adapters::network_map;
use crate::app::Setup;
use crate::app::own_calls::Tally;
use crate::cli::{Failure, Outcome, record};
use crate::domain::config;
use crate::domain::detect::{Alert, Detection, Event, Figures, NetworkMap, NoMap, Row, Settings};
use crate::domain::moment::Moment;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::types::Micros;

/// Options of `egret detect replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// Configuration whose ledger is read, and whose [detect] settings are used. Without it, and
    /// without --events, that of EGRET_CONFIG or config/egret.toml.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Events to read instead of the ledger, one JSON object a line: the neutral event format, or
    /// what `egret audit export` writes; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Where alerts go, one JSON object a line; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: PathBuf,
    /// What is known of networks: a MaxMind database, or a JSON list of objects with
    /// `cidr`, `country`, `asn` and `own`. Without it that of the configuration.
    #[arg(long, value_name = "FILE")]
    netmap: Option<PathBuf>,
    /// Settings of the detectors, in TOML, instead of those of the configuration.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Go on from what was learned in an earlier replay.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Write what was learned to a file at the end.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Leave out events before: a date, a time with its zone, or how long ago.
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Leave out events from then on.
    #[arg(long, value_name = "TIME")]
    to: Option<Moment>,
    /// Go on after lines that are no events, and count them.
    #[arg(long)]
    lenient: bool,
    /// Say at the end on standard error how much was read and how it went.
    #[arg(long)]
    stats: bool,
}

const EXAMPLES: &str = "\
Examples:
  What would have been told in the last month, with the settings of the gateway:
      egret detect replay --from 30d
  The same with other settings, before they are put in force:
      egret detect replay --from 30d --settings stricter.toml --stats
  On another machine, over an export:
      egret audit export --from 30d -o - | egret detect replay --events -
  Try the detectors on traffic of your own:
      egret detect replay --events events.jsonl --alerts alerts.jsonl
  With a network map and stricter settings, from a pipe:
      zcat events.jsonl.gz | egret detect replay --events - --netmap nets.json --settings own.toml
  Learn from last month, then judge this week:
      egret detect replay --events october.jsonl --alerts /dev/null --save learned.bin
      egret detect replay --events week.jsonl --resume learned.bin

Reading the ledger is put on record. Alerts of severity medium and above would have called somebody.
The same input and settings give the same alerts, byte for byte. A line that is no event stops the
replay unless --lenient is given; blank lines, unknown keys and unknown operations are let pass.";

/// Where the configuration is, unless it is said: as for other commands, but that events from a file
/// need none.
const DEFAULT_CONFIG: &str = "config/egret.toml";
const CONFIG_VARIABLE: &str = "EGRET_CONFIG";

/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 20;

/// How long after the last event judgements are still waited for, in milliseconds: the longest
/// that any rule waits.
const AFTERMATH: i64 = 300_000;

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Lines or rows.
    read: u64,
    left_out: u64,
    faulty: u64,
    alerts: u64,
    pages: u64,
}

/// Replays.
///
/// # Errors
/// A file or the ledger cannot be used, a line is no event, or the output fails.
pub fn run(args: &ReplayArgs, now: Micros, out: &mut impl Write) -> Outcome {
    let setup = match (&args.config, &args.events) {
        (None, Some(_)) => None,
        (Some(path), _) => Some(read_setup(path)?),
        (None, None) => {
            let named = std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from);
            let path = named.unwrap_or_else(|| DEFAULT_CONFIG.into());
            Some(read_setup(&path)?)
        }
    };
    let own = setup.as_ref().map(|setup| Own::of(&setup.config));
    let own = own.unwrap_or_default();
    let settings = match &args.settings {
        Some(path) => read_settings(path)?,
        None => own.settings,
    };
    let map = args.netmap.as_deref().or(own.netmap.as_deref());
    let map = map.map(network_map::read).transpose();
    let map = map.map_err(Failure::new)?;
    let map: &dyn NetworkMap = map.as_ref().map_or(&NoMap, |map| map);
    let mut detection = match &args.resume {
        Some(path) => {
            let bytes = fs::read(path).map_err(|error| failed("read", path, &error))?;
            let restored = Detection::restore(settings, &bytes);
            restored.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
        }
        None => Detection::new(settings),
    };
    let period = Period {
        from: args.from.map(|moment| moment.resolve(now)),
        to: args.to.map(|moment| moment.resolve(now)),
    };
    let mut judge = Judge::new(&mut detection, map, period.milliseconds());
    let done = if is_standard(&args.alerts) {
        replay(args, setup.as_ref(), period, &mut judge, out)
    } else {
        let file = File::create(&args.alerts);
        let file = file.map_err(|error| failed("write", &args.alerts, &error))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        let done = replay(args, setup.as_ref(), period, &mut judge, &mut file);
        file.flush()
            .map_err(|error| failed("write", &args.alerts, &error))?;
        done
    };
    let count = judge.count;
    if args.stats || (args.lenient && count.faulty > 0) {
        report(count, detection.figures());
    }
    done?;
    if let Some(path) = &args.save {
        let file = File::create(path).map_err(|error| failed("write", path, &error))?;
        let saved = detection.snapshot(BufWriter::with_capacity(BUFFER, file));
        saved.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    }
    Ok(())
}

fn replay(
    args: &ReplayArgs,
    setup: Option<&Setup>,
    period: Period,
    judge: &mut Judge<'_>,
    out: &mut impl Write,
) -> Outcome {
    match (&args.events, setup) {
        (Some(events), _) => {
            let input: Box<dyn Read> = if is_standard(events) {
                Box::new(io::stdin().lock())
            } else {
                let file = File::open(events);
                Box::new(file.map_err(|error| failed("read", events, &error))?)
            };
            lines::run(judge, input, args.lenient, out)?;
        }
        (None, Some(setup)) => {
            let config = &setup.config;
            let work = async |tally: &mut Tally| {
                let mut reader = Reader::open(&config.ledger.place)
                    .await
                    .map_err(Failure::new)?;
                ledger::run(judge, &mut reader, (period.from, period.to), tally, out).await
            };
            record(config, period.on_record(), work)?;
        }
        (None, None) => {}
    }
    judge.finish(out)
}

/// Which calls are shown to the detectors.
#[derive(Clone, Copy)]
struct Period {
    from: Option<Micros>,
    to: Option<Micros>,
}

impl Period {
    /// The first millisecond, and the one behind the last.
    fn milliseconds(self) -> (i64, i64) {
        let milliseconds = |moment: Micros| moment.0.div_euclid(1000);
        (
            self.from.map_or(i64::MIN, milliseconds),
            self.to.map_or(i64::MAX, milliseconds),
        )
    }

    fn on_record(self) -> OwnCall {
        let mut call = OwnCall::new(OwnOperation::DetectReplay);
        for (name, moment) in [("from", self.from), ("to", self.to)] {
            if let Some(moment) = moment {
                call = call.fact(name, moment);
            }
        }
        call
    }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}: {error}", path.display()))
}

fn read_setup(path: &Path) -> Result<Setup, Failure> {
    // It serves nobody, so callers may be missing.
    Setup::read_for_callers(path).map_err(Failure::new)
}

fn read_settings(path: &Path) -> Result<Settings, Failure> {
    let text = fs::read_to_string(path).map_err(|error| failed("read", path, &error))?;
    let read = config::parse_detect(path, &text, &Machine::default());
    Ok(read.map_err(Failure::new)?.settings)
}

fn report(count: Count, figures: Figures) {
    let _ = writeln!(
        io::stderr(),
        "egret: {} events read, {} left out, {} no events; {} alerts, {} of them pages; {} callers, {} \
         subjects ({} given up), {} tokens ({} given up)",
        count.read,
        count.left_out,
        count.faulty,
        count.alerts,
        count.pages,
        figures.callers,
        figures.subjects,
        figures.subjects_evicted,
        figures.tokens,
        figures.tokens_evicted
    );
}

/// Shows events to the detectors and writes what they tell.
struct Judge<'a> {
    detection: &'a mut Detection,
    map: &'a dyn NetworkMap,
    /// First millisecond, and the one behind the last.
    span: (i64, i64),
    /// The newest event.
    last: Option<i64>,
    told: Vec<Alert>,
    count: Count,
}

impl<'a> Judge<'a> {
    fn new(detection: &'a mut Detection, map: &'a dyn NetworkMap, span: (i64, i64)) -> Self {
        Self {
            detection,
            map,
            span,
            last: None,
            told: Vec::new(),
            count: Count::default(),
        }
    }

    /// Takes in an event of a feed.
    fn event(&mut self, event: &Event<'_>) {
        if self.takes(event.at) {
            self.detection.observe(event, self.map, &mut self.told);
        }
    }

    /// Takes in a row of the ledger, as the running gateway does.
    fn row(&mut self, row: &Row) {
        if !row.is_call() {
            self.count.left_out += 1;
        } else if self.takes(row.event().at) {
            self.detection.observe_row(row, self.map, &mut self.told);
        }
    }

    /// Whether a moment lies in the span; those outside are counted.
    fn takes(&mut self, at: i64) -> bool {
        let takes = (self.span.0..self.span.1).contains(&at);
        if takes {
            self.last = self.last.max(Some(at));
        } else {
            self.count.left_out += 1;
        }
        takes
    }

    /// Waits for what is judged after the last event.
    fn finish(&mut self, out: &mut impl Write) -> Outcome {
        if let Some(last) = self.last {
            let end = last.saturating_add(AFTERMATH);
            self.detection.advance(end, &mut self.told);
        }
        self.write(out)
    }

    fn write(&mut self, out: &mut impl Write) -> Outcome {
        for alert in self.told.drain(..) {
            self.count.alerts += 1;
            self.count.pages += u64::from(alert.severity.is_page());
            serde_json::to_writer(&mut *out, &alert).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}
