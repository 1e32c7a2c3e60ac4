use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::future::poll_fn;
use std::task::Poll;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use clap::Parser;

use super::*;
use crate::adapters::ledger::row::COLUMNS;
use crate::adapters::ledger::{RecordStore, SqliteStore, samples};
use crate::app::own_calls::OwnCalls;
use crate::domain::record::{Gateway, Pseudonym};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    export: ExportArgs,
}

/// A ledger with so many calls, and room for exports of it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    async fn with(calls: std::ops::Range<u64>) -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        place.add(calls).await;
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn place(&self, name: &str) -> LedgerPlace {
        self.path(name).as_path().into()
    }

    async fn add(&self, calls: std::ops::Range<u64>) {
        let mut store = SqliteStore::open(&self.path("egret.db")).await.unwrap();
        let records: Vec<_> = calls.map(samples::plain).map(Box::new).collect();
        store.write(&records).await.unwrap();
    }

    /// Runs an export to its end.
    async fn try_run(&self, line: &str) -> Result<String, AuditError> {
        let own_calls = self.own_calls();
        let mut out = Vec::new();
        let (ledger, args) = (self.place("egret.db"), self.parse(line));
        let never = std::future::pending();
        run(&ledger, &args, &context(&own_calls), &mut out, never).await?;
        Ok(String::from_utf8(out).unwrap())
    }

    async fn run(&self, line: &str) -> String {
        self.try_run(line).await.unwrap()
    }

    /// Runs an export of all calls that is interrupted after its first page. Gives what was written
    /// to standard output, and what it says.
    async fn interrupted(&self, line: &str) -> (String, AuditError) {
        let own_calls = self.own_calls();
        let args = self.parse(line);
        let filter = Filter::default();
        let to_file = args.output.as_os_str() != "-";
        let mut out = Vec::new();
        let state = State::new(args.format.as_str(), &filter, Position::default());
        let sink: Box<dyn Sink + '_> = match args.format {
            _ if !to_file => Box::new(StreamLines::new(&mut out, args.format)),
            ExportFormat::Parquet => Box::new(Parts::open(&args.output, state).unwrap()),
            format => Box::new(FileLines::open(&args.output, format, state).unwrap()),
        };
        let is_over = Cell::new(false);
        let mut sink = OnePage {
            sink,
            is_over: &is_over,
        };
        let stop = poll_fn(|context| {
            context.waker().wake_by_ref();
            match is_over.get() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let mut reader = Reader::open(&self.place("egret.db")).await.unwrap();
        let export = Run::new(&mut reader, &filter, Position::default(), to_file);
        let mut tally = Tally::default();
        let done = export
            .await
            .unwrap()
            .run(&mut sink, &context(&own_calls), &mut tally, stop)
            .await;
        assert_eq!(tally.rows, Some(u64::from(PAGE)));
        drop(sink);
        (String::from_utf8(out).unwrap(), done.unwrap_err())
    }

    fn parse(&self, line: &str) -> ExportArgs {
        let line = line.replace("DIR", self.dir.path().to_str().unwrap());
        let words = std::iter::once("export").chain(line.split_whitespace());
        Cli::try_parse_from(words).unwrap().export
    }

    fn own_calls(&self) -> OwnCalls {
        let gateway = Gateway {
            node: "node/cli".into(),
            version: "0".into(),
            config_hash: "h".into(),
        };
        let (journal, readings) = (self.path("journal-cli"), self.place("readings.db"));
        OwnCalls::at(&journal, &readings, gateway)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn context(own_calls: &OwnCalls) -> Context<'_> {
    Context {
        retention: None,
        now: samples::received(60),
        journal: Path::new(""),
        key_file: Path::new(""),
        own_calls,
        notice: &|_| {},
        colour: false,
        pseudonymise: &|_, _| Ok(Pseudonym::from_bytes([0; 16])),
    }
}

/// Says so when it has taken a page.
struct OnePage<'a> {
    sink: Box<dyn Sink + 'a>,
    is_over: &'a Cell<bool>,
}

impl Sink for OnePage<'_> {
    fn write(&mut self, rows: Vec<CallRow>) -> Result<(), AuditError> {
        self.is_over.set(true);
        self.sink.write(rows)
    }

    fn commit(&mut self, position: Position, is_last: bool) -> Result<(), AuditError> {
        self.sink.commit(position, is_last)
    }
}

const MANY: u64 = PAGE as u64 * 3 + 7;

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    for (line, advice) in [
        ("--after 12", "whole cursor"),
        ("--format xml", "parquet"),
        ("--resume --after 0", "cannot be used with"),
    ] {
        let words = std::iter::once("export").chain(line.split_whitespace());
        let error = Cli::try_parse_from(words).err().unwrap().to_string();
        assert!(error.contains(advice), "{line}: {error}");
    }
}

#[tokio::test]
async fn every_call_comes_once_in_every_format() {
    let place = Place::with(0..MANY).await;
    let jsonl = place.run("").await;
    let lines: HashSet<_> = jsonl.lines().collect();
    assert_eq!(lines.len() as u64, MANY);
    let csv = place.run("--format csv").await;
    assert_eq!(csv.lines().count() as u64, MANY + 1);
    let ocsf = place.run("--format ocsf").await;
    assert_eq!(ocsf.lines().count() as u64, MANY);
    let event: serde_json::Value = serde_json::from_str(ocsf.lines().next().unwrap()).unwrap();
    assert_eq!(event["class_uid"], 6003);
    assert_eq!(event["metadata"]["uid"], samples::id(0).to_string());
    place.run("--format parquet -o DIR/calls").await;
    assert_eq!(part_rows(&place, "calls"), [MANY as i64]);
    let none = place.run("--format csv --caller nobody").await;
    assert_eq!(none.lines().count(), 1, "the header");
}

#[tokio::test]
async fn a_stream_says_where_to_go_on() {
    let place = Place::with(0..MANY).await;
    let (begun, error) = place.interrupted("").await;
    let AuditError::Export(ExportError::Interrupted { calls, hint }) = &error else {
        panic!("{error}");
    };
    assert_eq!(*calls, u64::from(PAGE));
    let cursor = hint.split_whitespace().nth(1).unwrap();
    let rest = place.run(&format!("--after {cursor}")).await;
    assert_eq!(rest.lines().count() as u64 + calls, MANY);
    assert_eq!(begun + &rest, place.run("").await);
}

#[tokio::test]
async fn a_file_goes_on_where_it_stopped_whatever_a_kill_has_left() {
    let place = Place::with(0..MANY).await;
    for format in ["jsonl", "csv", "ocsf"] {
        let whole = place.run(&format!("--format {format}")).await;
        let line = format!("--format {format} -o DIR/{format}");
        let (_, error) = place.interrupted(&line).await;
        assert!(error.to_string().contains("--resume"), "{error}");
        let part = place.read(format);
        assert!(!part.is_empty() && whole.starts_with(&part), "{format}");
        // Half a line that was not committed.
        fs::write(place.path(format), format!("{part}{{\"seq\":")).unwrap();
        place.run(&format!("{line} --resume")).await;
        assert_eq!(place.read(format), whole, "{format}");
    }
    // What comes later comes behind.
    place.add(MANY..MANY + 3).await;
    place.run("--format csv -o DIR/csv --resume").await;
    assert_eq!(place.read("csv"), place.run("--format csv").await);
    place.run("--format csv -o DIR/csv --resume").await;
    assert_eq!(place.read("csv").lines().count() as u64, MANY + 3 + 1);
}

fn parts(place: &Place, name: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(place.path(name)).unwrap();
    let mut parts: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    parts.sort();
    parts
}

fn part_rows(place: &Place, name: &str) -> Vec<i64> {
    let rows = parts(place, name).into_iter().map(|part| {
        let file = fs::File::open(part).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        reader.metadata().file_metadata().num_rows()
    });
    rows.collect()
}

#[tokio::test]
async fn parquet_goes_on_with_another_part() {
    let place = Place::with(0..MANY).await;
    let line = "--format parquet -o DIR/calls.parquet/";
    place.interrupted(line).await;
    let before = part_rows(&place, "calls.parquet");
    assert_eq!(before.len(), 1);
    // A kill leaves a part that is not whole, and one that was finished and not counted.
    let path = |name: &str| place.path("calls.parquet").join(name);
    fs::write(path(".unfinished"), "PAR1").unwrap();
    fs::copy(path("part-000001.parquet"), path("part-000002.parquet")).unwrap();
    place.run(&format!("{line} --resume")).await;
    let after = part_rows(&place, "calls.parquet");
    assert_eq!(after.len(), 2);
    assert_eq!(after.iter().sum::<i64>(), MANY as i64);
    place.run(&format!("{line} --resume")).await;
    assert_eq!(part_rows(&place, "calls.parquet"), after, "nothing new");
}

#[tokio::test]
async fn parquet_columns_have_types_and_the_values_of_the_rows() {
    use ::parquet::record::Field;
    let place = Place::with(0..0).await;
    let mut store = SqliteStore::open(&place.path("egret.db")).await.unwrap();
    let records = [samples::full(1), samples::empty(2)].map(Box::new);
    store.write(&records).await.unwrap();
    place.run("--format parquet -o DIR/calls").await;
    let jsonl = place.run("").await;
    let file = fs::File::open(&parts(&place, "calls")[0]).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let mut count = 0;
    for (row, line) in rows.zip(jsonl.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for (name, field) in row.get_column_iter() {
            let wanted = &line[name];
            match field {
                Field::Null => assert!(wanted.is_null(), "{name}"),
                Field::TimestampMicros(micros) => {
                    assert!(name.ends_with("_at"), "{name}");
                    assert_eq!(wanted, micros);
                }
                Field::Long(number) => assert_eq!(wanted, number, "{name}"),
                Field::Str(text) => match wanted.as_str() {
                    Some(wanted) => assert_eq!(wanted, text, "{name}"),
                    None => assert_eq!(&wanted.to_string(), text, "{name}"),
                },
                other => panic!("{name} is {other}"),
            }
            count += 1;
        }
    }
    assert_eq!(count, 2 * (COLUMNS.len() - 6), "all but the texts of times");
}

#[tokio::test]
async fn wrong_input_says_what_to_do() {
    let place = Place::with(0..5).await;
    let other = Place::with(3..5).await;
    let third = place.run("").await.lines().nth(2).unwrap().to_owned();
    let third: serde_json::Value = serde_json::from_str(&third).unwrap();
    let cursor = format!("{}:{}", third["seq"], third["call_id"].as_str().unwrap());
    assert_eq!(
        place
            .run(&format!("--after {cursor}"))
            .await
            .lines()
            .count(),
        2
    );
    let foreign = other.try_run(&format!("--after {cursor}")).await;
    let error = foreign.unwrap_err().to_string();
    assert!(error.contains("rebuilt or replaced"), "{error}");
    for (line, advice) in [
        ("--format parquet", "-o"),
        ("--resume", "-o"),
        ("-o DIR/egret.db", "--resume"),
        ("-o DIR/egret.db --resume", "name another file"),
        ("-o DIR/no/such/file", "no/such/file"),
    ] {
        let error = place.try_run(line).await.unwrap_err().to_string();
        assert!(error.contains(advice), "{line}: {error}");
    }
}
