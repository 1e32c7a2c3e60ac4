//! Apache Parquet: a directory of files with typed columns.
//!
//! A Parquet file has its index at its end and cannot be added to. So an export is a directory of
//! parts, as tools that read Parquet expect it; a part that is there is whole. It is written under a
//! name that those tools pass over, and gets its own when it is on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;

use super::state::{State, sync_directory};
use super::{ExportError, Position, Sink, io_failed};
use crate::adapters::ledger::row::{COLUMNS, Column, Kind};
use crate::adapters::ledger::{CallRow, Value};
use crate::app::VERSION;
use crate::cli::audit::AuditError;

/// Calls in a row group: they are held in memory, at about a kilobyte each, until it is full.
const GROUP_ROWS: usize = 32_768;

/// Calls in a part: what an export that was killed has to do again.
const PART_ROWS: u64 = 1 << 20;

/// Texts of times, which are columns of type timestamp beside them.
const TEXTS: &[&str] = &[
    "received",
    "forwarded",
    "first_byte",
    "completed",
    "token_expires",
    "minted_expires",
];

/// How a column is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    /// Microseconds since 1970, UTC.
    Timestamp,
    Integer,
    /// UTF-8; JSON, too.
    Text,
}

/// The columns of the files, with their places in a row.
fn columns() -> impl Iterator<Item = (usize, &'static Column, Stored)> {
    let all = COLUMNS.iter().enumerate();
    all.filter(|(_, column)| !TEXTS.contains(&column.name))
        .map(|(place, column)| {
            let stored = match column.kind {
                Kind::Integer if column.name.ends_with("_at") => Stored::Timestamp,
                Kind::Integer => Stored::Integer,
                Kind::Text | Kind::Json => Stored::Text,
            };
            (place, column, stored)
        })
}

fn schema() -> Result<Type, ParquetError> {
    let fields = columns().map(|(_, column, stored)| {
        let (physical, logical) = match stored {
            Stored::Timestamp => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
            Stored::Integer => (Physical::INT64, None),
            Stored::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    });
    let fields = fields.collect::<Result<_, ParquetError>>()?;
    Type::group_type_builder("calls")
        .with_fields(fields)
        .build()
}

/// A part that is being written.
struct Part {
    writer: SerializedFileWriter<File>,
    rows: u64,
}

/// Calls to a directory of Parquet files, beside which its state stands.
pub(super) struct Parts {
    directory: PathBuf,
    state: State,
    part: Option<Part>,
    /// Calls of the row group to come.
    waiting: Vec<CallRow>,
}

impl Parts {
    /// Opens the directory and removes what is there beyond the state: a part that was finished,
    /// and not yet counted, when the last export was killed.
    pub(super) fn open(directory: &Path, state: State) -> Result<Self, AuditError> {
        // First, so that there is never a directory that nobody can go on with.
        state.save(directory)?;
        let clear = || -> io::Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
            for path in [
                part_path(directory, state.parts + 1),
                unfinished_path(directory),
            ] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        };
        clear().map_err(|error| io_failed("use the directory", directory, &error))?;
        Ok(Self {
            directory: directory.to_owned(),
            state,
            part: None,
            waiting: Vec::new(),
        })
    }

    fn failed(&self, error: ParquetError) -> AuditError {
        let path = unfinished_path(&self.directory);
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(error) => io_failed("write", &path, &error).into(),
                Err(other) => ExportError::from(ParquetError::External(other)).into(),
            },
            error => ExportError::from(error).into(),
        }
    }

    fn begin(&self) -> Result<Part, AuditError> {
        let path = unfinished_path(&self.directory);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| io_failed("write", &path, &error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("egret version {VERSION}"))
            .build();
        let made = schema().and_then(|schema| {
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
        });
        Ok(Part {
            writer: made.map_err(|error| self.failed(error))?,
            rows: 0,
        })
    }

    /// Writes a row group of what has gathered.
    fn flush(&mut self) -> Result<(), AuditError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.begin()?,
        };
        write_group(&mut part.writer, &self.waiting).map_err(|error| self.failed(error))?;
        part.rows += self.waiting.len() as u64;
        self.part = Some(part);
        self.waiting.clear();
        Ok(())
    }

    /// Ends the part that is being written, if any.
    fn finish_part(&mut self) -> Result<(), AuditError> {
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        let file = part
            .writer
            .into_inner()
            .map_err(|error| self.failed(error))?;
        let from = unfinished_path(&self.directory);
        let to = part_path(&self.directory, self.state.parts + 1);
        let finish = || -> io::Result<()> {
            file.sync_all()?;
            fs::rename(&from, &to)?;
            sync_directory(&to)
        };
        finish().map_err(|error| io_failed("write", &to, &error))?;
        self.state.parts += 1;
        self.state.calls += part.rows;
        Ok(())
    }
}

impl Sink for Parts {
    fn write(&mut self, mut rows: Vec<CallRow>) -> Result<(), AuditError> {
        self.waiting.append(&mut rows);
        if self.waiting.len() >= GROUP_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn commit(&mut self, position: Position, is_last: bool) -> Result<(), AuditError> {
        let in_part = self.part.as_ref().map_or(0, |part| part.rows);
        if !is_last && in_part < PART_ROWS {
            return Ok(());
        }
        self.flush()?;
        self.finish_part()?;
        self.state.position = position;
        Ok(self.state.save(&self.directory)?)
    }
}

fn part_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("part-{number:06}.parquet"))
}

/// Tools that read Parquet pass over names that begin with a point.
fn unfinished_path(directory: &Path) -> PathBuf {
    directory.join(".unfinished")
}

fn write_group(
    writer: &mut SerializedFileWriter<File>,
    rows: &[CallRow],
) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    let mut columns = columns();
    while let Some(mut column) = group.next_column()? {
        let Some((place, _, stored)) = columns.next() else {
            break;
        };
        let values = rows.iter().map(|row| row.at(place));
        match stored {
            Stored::Timestamp | Stored::Integer => {
                let (levels, numbers) = present(values.map(|value| match value {
                    Value::Integer(number) => Some(*number),
                    _ => None,
                }));
                let column = column.typed::<Int64Type>();
                column.write_batch(&numbers, Some(&levels), None)?;
            }
            Stored::Text => {
                let (levels, texts) = present(values.map(|value| match value {
                    Value::Text(text) => Some(ByteArray::from(text.as_str())),
                    Value::Json(json) => Some(ByteArray::from(&**json)),
                    _ => None,
                }));
                let column = column.typed::<ByteArrayType>();
                column.write_batch(&texts, Some(&levels), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    Ok(())
}

/// The values that there are, and for each row whether it has one.
fn present<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let mut levels = Vec::new();
    let mut found = Vec::new();
    for value in values {
        levels.push(i16::from(value.is_some()));
        found.extend(value);
    }
    (levels, found)
}
