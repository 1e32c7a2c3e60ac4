//! Formats of one call a line, to a file or to standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::state::State;
use super::{ExportFormat, Position, Sink, io_failed};
use crate::adapters::ledger::{CallRow, Value as Cell};
use crate::cli::audit::render::Rows;
use crate::cli::audit::{AuditError, Format};
use crate::domain::ocsf;

/// Bytes that are gathered before they go to the file.
const BUFFER: usize = 256 << 10;

/// Writes calls in one of the formats.
enum Lines {
    Plain(Rows),
    Ocsf,
}

impl Lines {
    /// `goes_on` says that there are calls before.
    fn new(format: ExportFormat, goes_on: bool) -> Self {
        match format {
            ExportFormat::Csv => Self::Plain(Rows::going_on(Format::Csv, goes_on)),
            ExportFormat::Ocsf => Self::Ocsf,
            ExportFormat::Jsonl | ExportFormat::Parquet => {
                Self::Plain(Rows::going_on(Format::Json, goes_on))
            }
        }
    }

    fn write(&mut self, out: &mut impl Write, rows: &[CallRow]) -> io::Result<()> {
        match self {
            Self::Plain(lines) => lines.write(out, rows),
            Self::Ocsf => rows.iter().try_for_each(|row| {
                serde_json::to_writer(&mut *out, &ocsf::event(&OcsfRow(row)))?;
                out.write_all(b"\n")
            }),
        }
    }
}

/// A row as OCSF asks for it.
struct OcsfRow<'a>(&'a CallRow);

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => (*number).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Json(json) => serde_json::from_str(json).unwrap_or_else(|_| (&**json).into()),
    }
}

impl ocsf::Row for OcsfRow<'_> {
    fn value(&self, column: &str) -> Value {
        value(self.0.get(column))
    }

    fn values(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let fields = self.0.fields();
        fields.map(|(column, cell)| (column.name, value(cell)))
    }
}

/// Calls to standard output.
pub(super) struct StreamLines<W: Write> {
    lines: Lines,
    out: W,
}

impl<W: Write> StreamLines<W> {
    pub(super) fn new(out: W, format: ExportFormat) -> Self {
        Self {
            lines: Lines::new(format, false),
            out,
        }
    }
}

impl<W: Write> Sink for StreamLines<W> {
    fn write(&mut self, rows: Vec<CallRow>) -> Result<(), AuditError> {
        Ok(self.lines.write(&mut self.out, &rows)?)
    }

    fn commit(&mut self, _: Position, _: bool) -> Result<(), AuditError> {
        // Writes the header of a CSV that has no calls.
        self.lines.write(&mut self.out, &[])?;
        Ok(self.out.flush()?)
    }
}

/// Calls to a file, beside which its state stands.
pub(super) struct FileLines {
    lines: Lines,
    out: BufWriter<File>,
    path: PathBuf,
    state: State,
}

impl FileLines {
    /// Opens the file and cuts what lies behind the place that the state names: it may be half a
    /// line, and is exported again.
    pub(super) fn open(
        path: &Path,
        format: ExportFormat,
        state: State,
    ) -> Result<Self, AuditError> {
        // First, so that there is never a file that nobody can go on with.
        state.save(path)?;
        let open = || -> io::Result<File> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            if file.metadata()?.len() < state.bytes {
                let shorter = "it is shorter than the last export has left it";
                return Err(io::Error::other(shorter));
            }
            file.set_len(state.bytes)?;
            file.seek(SeekFrom::Start(state.bytes))?;
            Ok(file)
        };
        let file = open().map_err(|error| io_failed("go on with", path, &error))?;
        Ok(Self {
            lines: Lines::new(format, state.bytes > 0),
            out: BufWriter::with_capacity(BUFFER, file),
            path: path.to_owned(),
            state,
        })
    }
}

impl Sink for FileLines {
    fn write(&mut self, rows: Vec<CallRow>) -> Result<(), AuditError> {
        let written = self.lines.write(&mut self.out, &rows);
        written.map_err(|error| io_failed("write", &self.path, &error))?;
        self.state.calls += rows.len() as u64;
        Ok(())
    }

    fn commit(&mut self, position: Position, _: bool) -> Result<(), AuditError> {
        let mut sync = || -> io::Result<u64> {
            self.lines.write(&mut self.out, &[])?;
            self.out.flush()?;
            self.out.get_ref().sync_data()?;
            self.out.stream_position()
        };
        let bytes = sync().map_err(|error| io_failed("write", &self.path, &error))?;
        self.state.bytes = bytes;
        self.state.position = position;
        Ok(self.state.save(&self.path)?)
    }
}
