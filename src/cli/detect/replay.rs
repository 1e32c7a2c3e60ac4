//! `egret detect replay`: history through the detectors, in event time.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::adapters::network_map;
use crate::cli::{Failure, Outcome};
use crate::domain::detect::{
    Alert, Detection, Event, Figures, Line, LineFault, MAX_LINE, NetworkMap, NoMap, Row, Settings,
};
use crate::domain::moment::Moment;
use crate::types::Micros;

/// Options of `egret detect replay`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// Events to read, one JSON object a line: the neutral event format, or what
    /// `egret audit export` writes; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Where alerts go, one JSON object a line; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    alerts: PathBuf,
    /// What is known of networks: a MaxMind database, or a JSON list of objects with
    /// `cidr`, `country`, `asn` and `own`.
    #[arg(long, value_name = "FILE")]
    netmap: Option<PathBuf>,
    /// Settings of the detectors, in TOML.
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
  Try the detectors on recorded traffic:
      egret detect replay --events events.jsonl --alerts alerts.jsonl
  With a network map and stricter settings, from a pipe:
      zcat events.jsonl.gz | egret detect replay --events - --netmap networks.json --settings detect.toml
  From the ledger:
      egret audit export --format jsonl --since 30d -o - | egret detect replay --events -
  Learn from last month, then judge this week:
      egret detect replay --events october.jsonl --alerts /dev/null --save learned.bin
      egret detect replay --events week.jsonl --resume learned.bin

Alerts of severity medium and above would have called somebody. The same input and settings give the
same alerts, byte for byte. A line that is no event stops the replay unless --lenient is given; blank
lines, unknown keys and unknown operations are let pass.";

/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 20;

/// How long after the last event judgements are still waited for, in milliseconds: the longest
/// that any rule waits.
const AFTERMATH: i64 = 300_000;

/// What a replay came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    lines: u64,
    left_out: u64,
    faulty: u64,
    alerts: u64,
    pages: u64,
}

/// Replays.
///
/// # Errors
/// A file cannot be used, a line is no event, or the output fails.
pub fn run(args: &ReplayArgs, now: Micros, out: &mut impl Write) -> Outcome {
    let settings = match &args.settings {
        Some(path) => read_settings(path)?,
        None => Settings::default(),
    };
    let map = args
        .netmap
        .as_deref()
        .map(network_map::read)
        .transpose()
        .map_err(Failure::new)?;
    let map: &dyn NetworkMap = map.as_ref().map_or(&NoMap, |map| map);
    let mut detection = match &args.resume {
        Some(path) => {
            let bytes = fs::read(path).map_err(|error| failed("read", path, &error))?;
            let restored = Detection::restore(settings, &bytes);
            restored.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?
        }
        None => Detection::new(settings),
    };
    let milliseconds = |moment: Moment| moment.resolve(now).0.div_euclid(1000);
    let span = (
        args.from.map_or(i64::MIN, milliseconds),
        args.to.map_or(i64::MAX, milliseconds),
    );
    let input: Box<dyn Read> = if is_standard(&args.events) {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.events);
        Box::new(file.map_err(|error| failed("read", &args.events, &error))?)
    };
    let mut replay = Replay {
        detection: &mut detection,
        map,
        span,
        lenient: args.lenient,
        is_export: None,
        last: None,
        count: Count::default(),
    };
    let done = if is_standard(&args.alerts) {
        replay.run(input, out)
    } else {
        let file = File::create(&args.alerts);
        let file = file.map_err(|error| failed("write", &args.alerts, &error))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        let done = replay.run(input, &mut file);
        file.flush()
            .map_err(|error| failed("write", &args.alerts, &error))?;
        done
    };
    let count = replay.count;
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

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}: {error}", path.display()))
}

fn read_settings(path: &Path) -> Result<Settings, Failure> {
    let text = fs::read_to_string(path).map_err(|error| failed("read", path, &error))?;
    let settings: Settings = toml::from_str(&text).map_err(|error| {
        Failure::new(format!(
            "{}: {}",
            path.display(),
            error.to_string().trim_end()
        ))
    })?;
    let faults = settings.faults();
    if faults.is_empty() {
        return Ok(settings);
    }
    let faults = faults.join("\n  ");
    Err(Failure::new(format!("{}:\n  {faults}", path.display())))
}

fn report(count: Count, figures: Figures) {
    let _ = writeln!(
        io::stderr(),
        "egret: {} lines, {} left out, {} no events; {} alerts, {} of them pages; {} callers, {} \
         subjects ({} given up), {} tokens ({} given up)",
        count.lines,
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

struct Replay<'a> {
    detection: &'a mut Detection,
    map: &'a dyn NetworkMap,
    /// First millisecond, and the one behind the last.
    span: (i64, i64),
    lenient: bool,
    /// Whether the input is an export of the ledger; known from the first line.
    is_export: Option<bool>,
    /// The newest event.
    last: Option<i64>,
    count: Count,
}

impl Replay<'_> {
    fn run(&mut self, input: impl Read, out: &mut impl Write) -> Outcome {
        let mut input = BufReader::with_capacity(BUFFER, input);
        let mut line = Vec::with_capacity(1024);
        let mut told = Vec::new();
        loop {
            line.clear();
            // One byte more than is allowed tells a line that is too long from one that fits.
            let mut limited = (&mut input).take(MAX_LINE as u64 + 2);
            let read = limited.read_until(b'\n', &mut line).map_err(|error| {
                Failure::new(format!(
                    "cannot read line {}: {error}",
                    self.count.lines + 1
                ))
            })?;
            if read == 0 {
                break;
            }
            self.count.lines += 1;
            if line.len() > MAX_LINE && !line.ends_with(b"\n") {
                input.skip_until(b'\n')?;
            }
            let text = line.trim_ascii();
            if text.is_empty() {
                continue;
            }
            // The first line tells which of the two it is.
            let is_export = *self.is_export.get_or_insert_with(|| is_export(text));
            let judged = if is_export {
                Row::read(text).map(|row| row.is_call() && self.observe(&row.event(), &mut told))
            } else {
                Line::read(text).map(|line| self.observe(&line.event(self.count.lines), &mut told))
            };
            match judged {
                Ok(true) => {}
                Ok(false) => self.count.left_out += 1,
                Err(_) if self.lenient => self.count.faulty += 1,
                Err(fault) => return Err(self.refusal(&fault)),
            }
            if !told.is_empty() {
                self.write(&mut told, out)?;
            }
        }
        if let Some(last) = self.last {
            self.detection
                .advance(last.saturating_add(AFTERMATH), &mut told);
        }
        self.write(&mut told, out)
    }

    /// Shows an event to the detectors. Returns whether it lies in the span.
    fn observe(&mut self, event: &Event<'_>, told: &mut Vec<Alert>) -> bool {
        if event.at < self.span.0 || event.at >= self.span.1 {
            return false;
        }
        self.last = self.last.max(Some(event.at));
        self.detection.observe(event, self.map, told);
        true
    }

    fn refusal(&self, fault: &LineFault) -> Failure {
        Failure::new(format!(
            "line {}: {fault}; --lenient goes on after such lines",
            self.count.lines
        ))
    }

    fn write(&mut self, told: &mut Vec<Alert>, out: &mut impl Write) -> Outcome {
        for alert in told.drain(..) {
            self.count.alerts += 1;
            self.count.pages += u64::from(alert.severity.is_page());
            serde_json::to_writer(&mut *out, &alert).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Whether a line is a row of the ledger. Only those have a `received_at`.
fn is_export(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"received_at\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(text: &str, lenient: bool) -> (Result<(), String>, Count) {
        let mut detection = Detection::new(Settings::default());
        let mut replay = Replay {
            detection: &mut detection,
            map: &NoMap,
            span: (0, 1_000),
            lenient,
            is_export: None,
            last: None,
            count: Count::default(),
        };
        let done = replay.run(text.as_bytes(), &mut Vec::new());
        (done.map_err(|failure| failure.message), replay.count)
    }

    #[test]
    fn a_faulty_line_is_named_by_its_number() {
        let text = "{\"ts\":1}\n\n  \n{\"ts\":2,\"x\":[{}]}\nnonsense\n{\"ts\":3}";
        let (done, count) = replay(text, false);
        let message = done.unwrap_err();
        assert!(
            message.starts_with("line 5: it is not JSON (column "),
            "{message}"
        );
        assert_eq!(count.lines, 5);
        let (done, count) = replay(text, true);
        assert_eq!(done, Ok(()));
        assert_eq!((count.lines, count.faulty), (6, 1));
    }

    #[test]
    fn a_line_without_end_is_a_fault_and_the_next_is_read() {
        let text = format!(
            "{{\"ts\":1,\"x\":\"{}\"}}\n{{\"ts\":2}}\n",
            "y".repeat(3 * MAX_LINE)
        );
        let (done, count) = replay(&text, true);
        assert_eq!(done, Ok(()));
        assert_eq!((count.lines, count.faulty), (2, 1));
    }

    #[test]
    fn events_outside_the_span_are_left_out() {
        let (_, count) = replay("{\"ts\":-1}\n{\"ts\":999}\n{\"ts\":1000}\n", false);
        assert_eq!(count.left_out, 2);
    }
}
