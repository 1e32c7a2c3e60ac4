//! `egret audit export`: copies calls out of the ledger, of any number, in pieces, so that an export
//! that was cut off goes on where it stopped.
//!
//! Calls come in the order in which they were written into the ledger, for that is the only order in
//! which nothing is ever added in the middle: a call that took an hour has an early id and a late
//! row. A [`Position`] in that order is all that an export needs to go on.

mod lines;
mod parquet;
mod position;
mod progress;
mod state;

use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::{AuditError, Context, FilterArgs};
use crate::adapters::ledger::{CallRow, Filter, LedgerPlace, Reader, Written};
use crate::app::own_calls::Tally;
use crate::domain::own::OwnOperation;
use lines::{FileLines, StreamLines};
use parquet::Parts;
pub use position::Position;
use progress::Progress;
use state::State;
pub use state::StateError;

/// Calls that are read and written at a time: bounds memory whatever the ledger holds.
const PAGE: u32 = 2_000;

/// How often what was written is brought to the disk, with the place where to go on: what a kill
/// costs to do again.
const COMMIT: Duration = Duration::from_secs(1);

pub(super) const EXAMPLES: &str = "\
Calls come in the order in which they were recorded. An export to a file keeps in FILE.cursor how
far it has come; the same command with --resume goes on there, after an interruption or later, with
what has been recorded since. docs/export.md describes the formats.

Examples:
  Everything of a month, as JSON lines:
      egret audit export --from 2026-11-01 --to 2026-12-01 -o november.jsonl
  A warehouse table that is brought up to date every hour:
      egret audit export --format parquet -o calls.parquet --resume
  What failed or was denied, for a SIEM:
      egret audit export --format ocsf --outcome failure | vector --config siem.toml
  To another machine, going on where the last one stopped:
      egret audit export --after 48211:019a2b3c-4d5e-7f60-8123-456789abcdef | gzip | ssh backup 'cat > calls.gz'";

/// How calls are written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line, with every field
    #[default]
    Jsonl,
    /// Comma separated with a header, every field; safe to open in a spreadsheet
    Csv,
    /// Apache Parquet with typed columns: a directory of files, each whole in itself
    Parquet,
    /// One event a line: OCSF API Activity (class 6003)
    Ocsf,
}

impl ExportFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ocsf => "ocsf",
        }
    }
}

/// `egret audit export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// File to write, or with --format parquet directory; - for standard output
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Begin after this place, as the end of an earlier export has named it
    #[arg(long, value_name = "CURSOR", conflicts_with = "resume")]
    pub after: Option<Position>,
    /// Go on where the export to this file has stopped; begins one if there is none
    #[arg(long)]
    pub resume: bool,
    // Last, since its heading would hold for what follows.
    /// Which calls.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// Why calls were not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Parquet has its index at its end, and is read from there.
    #[error("Parquet cannot be written to standard output: name a directory with -o")]
    NotAStream,
    /// Standard output has no memory.
    #[error("--resume needs a file: name it with -o, or give the place with --after")]
    NothingToResume,
    /// The ledger is not the one that the place is of.
    #[error(
        "the ledger has no call {0}: it was rebuilt or replaced since, and its calls may stand in \
         another order; begin a new export"
    )]
    ForeignPosition(Position),
    /// Where the last export stands cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A Parquet file cannot be written.
    #[error("cannot write Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Somebody has stopped it.
    #[error("interrupted after {calls} calls; {hint}")]
    Interrupted {
        /// Calls that were exported.
        calls: u64,
        /// How to go on.
        hint: String,
    },
}

/// Where calls go.
trait Sink {
    /// Takes calls. They need not be safe until [`Sink::commit`].
    fn write(&mut self, rows: Vec<CallRow>) -> Result<(), AuditError>;

    /// Brings everything to where it is safe, together with the place where to go on. `is_last`
    /// says that nothing follows in this run; otherwise it may put that off.
    fn commit(&mut self, position: Position, is_last: bool) -> Result<(), AuditError>;
}

/// Runs the command.
///
/// # Errors
/// [`AuditError`].
pub async fn run(
    ledger: &LedgerPlace,
    args: &ExportArgs,
    context: &Context<'_>,
    out: &mut impl Write,
    stop: impl Future<Output = ()>,
) -> Result<(), AuditError> {
    let filter = args.filter.resolve(context)?;
    let mut reader = Reader::open(ledger).await?;
    let to_stream = args.output.as_os_str() == "-";
    if to_stream && args.format == ExportFormat::Parquet {
        return Err(ExportError::NotAStream.into());
    }
    if to_stream && args.resume {
        return Err(ExportError::NothingToResume.into());
    }
    let call = args
        .filter
        .on_record(OwnOperation::AuditExport, &filter)
        .fact("format", args.format.as_str());
    let work = async |tally: &mut Tally| {
        if to_stream {
            let after = args.after.unwrap_or_default();
            check(&mut reader, after).await?;
            let mut sink = StreamLines::new(&mut *out, args.format);
            let export = Run::new(&mut reader, &filter, after, false).await?;
            return export.run(&mut sink, context, tally, stop).await;
        }
        let fresh = State::new(
            args.format.as_str(),
            &filter,
            args.after.unwrap_or_default(),
        );
        let state = State::open(&args.output, fresh, args.resume)?;
        let filter = state.with_period(filter);
        let after = state.position;
        check(&mut reader, after).await?;
        let export = Run::new(&mut reader, &filter, after, true).await?;
        if args.format == ExportFormat::Parquet {
            let mut sink = Parts::open(&args.output, state)?;
            export.run(&mut sink, context, tally, stop).await
        } else {
            let mut sink = FileLines::open(&args.output, args.format, state)?;
            export.run(&mut sink, context, tally, stop).await
        }
    };
    context.record(call, work).await
}

/// Sees to it that a place is one of this ledger.
async fn check(reader: &mut Reader, after: Position) -> Result<(), AuditError> {
    let Some(call_id) = after.call_id else {
        return Ok(());
    };
    let is_there = match reader.call_at(after.seq).await? {
        Some(found) => found == call_id,
        // Removed since, as retention does; or never there.
        None => after.seq <= reader.last_seq().await?,
    };
    match is_there {
        true => Ok(()),
        false => Err(ExportError::ForeignPosition(after).into()),
    }
}

/// One run: what is between two places of the ledger.
struct Run<'a> {
    reader: &'a mut Reader,
    filter: &'a Filter,
    at: Position,
    /// The last call when this began: what is recorded meanwhile is for the next run.
    end: Position,
    progress: Progress,
    to_file: bool,
    calls: u64,
}

impl<'a> Run<'a> {
    async fn new(
        reader: &'a mut Reader,
        filter: &'a Filter,
        at: Position,
        to_file: bool,
    ) -> Result<Self, AuditError> {
        let seq = reader.last_seq().await?;
        let end = Position {
            seq,
            call_id: reader.call_at(seq).await?,
        };
        Ok(Self {
            reader,
            filter,
            at,
            end,
            progress: Progress::start(at.seq, end.seq, to_file),
            to_file,
            calls: 0,
        })
    }

    async fn run(
        mut self,
        sink: &mut impl Sink,
        context: &Context<'_>,
        tally: &mut Tally,
        stop: impl Future<Output = ()>,
    ) -> Result<(), AuditError> {
        tally.add(0);
        let done = self.copy(sink, tally, stop).await;
        self.progress.finish();
        let is_whole = done?;
        let hint = match (is_whole, self.to_file) {
            (true, true) => "the same command with --resume adds what comes later".to_owned(),
            (false, true) => "the same command with --resume goes on".to_owned(),
            (_, false) => format!("--after {} goes on", self.at),
        };
        let calls = self.calls;
        if !is_whole {
            return Err(ExportError::Interrupted { calls, hint }.into());
        }
        (context.notice)(&format!("exported {calls} calls; {hint}"));
        Ok(())
    }

    /// Gives false if it was interrupted.
    async fn copy(
        &mut self,
        sink: &mut impl Sink,
        tally: &mut Tally,
        stop: impl Future<Output = ()>,
    ) -> Result<bool, AuditError> {
        let mut stop = pin!(stop);
        let mut committed = Instant::now();
        while self.at.seq < self.end.seq {
            let page = self.reader.since(self.filter, self.at.seq, PAGE);
            let Written { mut rows, .. } = tokio::select! {
                biased;
                () = &mut stop => {
                    sink.commit(self.at, true)?;
                    return Ok(false);
                }
                rows = page => rows?,
            };
            let is_full = rows.len() as u64 == u64::from(PAGE);
            rows.retain(|row| row.integer("seq").is_some_and(|seq| seq <= self.end.seq));
            tally.add(rows.len());
            self.calls += rows.len() as u64;
            let last = rows.last().and_then(Position::of).filter(|_| is_full);
            sink.write(rows)?;
            // After a page that is not full there is nothing more up to the end.
            self.at = last.unwrap_or(self.end);
            self.progress.show(self.at.seq, self.calls);
            if committed.elapsed() >= COMMIT {
                sink.commit(self.at, false)?;
                committed = Instant::now();
            }
        }
        sink.commit(self.at, true)?;
        Ok(true)
    }
}

/// Wraps an error of the system with what was being done to which file.
fn io_failed(doing: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {doing} {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests;
