use clap::Parser;

use super::*;
use crate::adapters::ledger::{LedgerPlace, RecordStore, SqliteStore, samples};
use crate::domain::record::{CallRecord, Gateway};
use crate::types::Outcome;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    audit: AuditArgs,
}

/// Stands in for the keyed hash: the customer of the samples is "known".
fn pseudonymise(kind: &str, raw: &str) -> Result<Pseudonym, KeyError> {
    Ok(pseudonym(kind, raw))
}

fn pseudonym(kind: &str, raw: &str) -> Pseudonym {
    let byte = match (kind, raw) {
        ("customer", "known") => 0xcc,
        ("bank_account", "a:1") => 0xbb,
        _ => 0x00,
    };
    Pseudonym::from_bytes(samples::bytes(byte))
}

fn parse(line: &str) -> Result<AuditArgs, clap::Error> {
    let words = std::iter::once("audit").chain(line.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.audit)
}

struct Ledger {
    dir: tempfile::TempDir,
}

impl Ledger {
    async fn with(records: Vec<CallRecord>) -> Self {
        let ledger = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        ledger.add(records).await;
        ledger
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("egret.db")
    }

    /// What is read here is put into a ledger of its own, so that it does not change the answers.
    fn own_calls(&self) -> OwnCalls {
        let gateway = Gateway {
            node: "node/cli".into(),
            version: "0".into(),
            config_hash: "h".into(),
        };
        let (journal, ledger) = (self.dir.path().join("journal-cli"), self.readings());
        OwnCalls::at(&journal, &ledger.as_path().into(), gateway)
    }

    fn readings(&self) -> std::path::PathBuf {
        self.dir.path().join("readings.db")
    }

    fn place(&self) -> LedgerPlace {
        self.path().as_path().into()
    }

    async fn add(&self, records: Vec<CallRecord>) {
        let mut store = SqliteStore::open(&self.path()).await.unwrap();
        let records: Vec<_> = records.into_iter().map(Box::new).collect();
        store.write(&records).await.unwrap();
    }

    async fn try_run(&self, line: &str, colour: bool) -> Result<String, AuditError> {
        let mut out = Vec::new();
        let own_calls = self.own_calls();
        let context = Context {
            retention: None,
            journal: Path::new(""),
            own_calls: &own_calls,
            notice: &|_| {},
            key_file: Path::new(""),
            now: samples::received(60),
            colour,
            pseudonymise: &pseudonymise,
        };
        let args = parse(line).unwrap();
        run(
            &self.place(),
            &args,
            &context,
            &mut out,
            std::future::ready(()),
        )
        .await?;
        Ok(String::from_utf8(out).unwrap())
    }

    async fn run(&self, line: &str) -> String {
        self.try_run(line, false).await.unwrap()
    }

    async fn count(&self, line: &str) -> usize {
        self.run(&format!("{line} --format json"))
            .await
            .lines()
            .count()
    }
}

#[test]
fn the_command_line_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    let args = parse("query --customer GUID-1 --subject account:A-1").unwrap();
    let shown = format!("{args:?}");
    assert!(
        !shown.contains("GUID-1") && !shown.contains("A-1"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_table_of_calls() {
    let mut refused = samples::empty(3);
    refused.caller.name = Some("\u{1b}[2Jevil\u{202e}".into());
    let ledger = Ledger::with(vec![samples::plain(1), samples::full(2), refused]).await;
    let ids = [3, 2, 1].map(|n| samples::id(n).to_string());
    let expected = format!(
        "\
received                  call                                  caller     operation           token     status  result    ms
2026-01-02T03:04:08.000Z  {}  \u{fffd}[2Jevil\u{fffd}  unknown             unknown        -  refused    -
2026-01-02T03:04:07.000Z  {}  billing    cybrid/createTrade  customer     422  failure  6.0
2026-01-02T03:04:06.000Z  {}  billing    cybrid/listTrades   customer     200  success  6.0
",
        ids[0], ids[1], ids[2]
    );
    assert_eq!(ledger.run("query").await, expected);
    assert_eq!(
        ledger.run("query --caller nobody").await,
        "no calls match\n"
    );
}

#[tokio::test]
async fn colours_only_when_asked_for() {
    let ledger = Ledger::with(vec![samples::plain(1), samples::full(2)]).await;
    let coloured = ledger.try_run("query", true).await.unwrap();
    let lines: Vec<_> = coloured.lines().collect();
    assert!(
        lines[1].starts_with("\u{1b}[31m"),
        "failures are red: {:?}",
        lines[1]
    );
    assert!(lines[2].starts_with("2026"), "successes are plain");
    assert!(!ledger.run("query").await.contains('\u{1b}'));
    assert!(
        !ledger
            .try_run("query --format json", true)
            .await
            .unwrap()
            .contains('\u{1b}')
    );
    assert!(colour_wanted(true, None));
    assert!(colour_wanted(true, Some("".as_ref())));
    assert!(!colour_wanted(true, Some("1".as_ref())));
    assert!(!colour_wanted(false, None));
}

#[tokio::test]
async fn json_lines_hold_every_field() {
    let ledger = Ledger::with(vec![samples::full(1)]).await;
    let line = ledger.run("query --format json").await;
    assert_eq!(line.lines().count(), 1);
    let call: serde_json::Value = serde_json::from_str(&line).unwrap();
    for column in crate::adapters::ledger::row::COLUMNS {
        assert!(!call[column.name].is_null(), "{}", column.name);
    }
    assert_eq!(call["call_id"], samples::id(1).to_string());
    assert_eq!(call["facts"]["quote_guid"], "9f3c");
    assert_eq!(call["subjects"][0]["subject"], "cc".repeat(16));
    assert_eq!(call["status"], 422);
}

#[tokio::test]
async fn csv_cannot_start_a_formula() {
    let mut record = samples::full(1);
    record.caller.name = Some("=cmd|' /C calc'!A0".into());
    record.target.query = Some("a,\"b\"".into());
    let ledger = Ledger::with(vec![record]).await;
    let text = ledger.run("query --format csv").await;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header = csv.headers().unwrap().clone();
    let row = csv.records().next().unwrap().unwrap();
    let cell = |name: &str| {
        let at = header.iter().position(|column| column == name).unwrap();
        row.get(at).unwrap()
    };
    assert_eq!(cell("caller"), "'=cmd|' /C calc'!A0");
    assert_eq!(cell("query"), "a,\"b\"");
    assert_eq!(cell("status"), "422");
    let empty = ledger.run("query --format csv --caller nobody").await;
    assert_eq!(empty.lines().count(), 1, "the header");
}

#[tokio::test]
async fn pages_and_limits() {
    let ledger = Ledger::with((0..30).map(samples::plain).collect()).await;
    let page = ledger.run("query --limit 10").await;
    let cursor = samples::id(20).to_string();
    assert_eq!(
        page.lines().last().unwrap(),
        format!("there are more: repeat with --after {cursor}")
    );
    let next = ledger
        .run(&format!("query --limit 10 --after {cursor}"))
        .await;
    assert!(
        next.lines()
            .nth(1)
            .unwrap()
            .contains(&samples::id(19).to_string())
    );
    let oldest = ledger.run("query --limit 1 --oldest-first").await;
    assert!(oldest.contains(&samples::id(0).to_string()));
    assert_eq!(ledger.count("query --limit 0").await, 30);
    assert!(!ledger.run("query --limit 30").await.contains("--after"));
}

#[tokio::test]
async fn more_calls_than_are_read_at_a_time() {
    let count = u64::from(CHUNK) * 2 + 5;
    let ledger = Ledger::with((0..count).map(samples::plain).collect()).await;
    let text = ledger.run("query --limit 0 --format csv").await;
    let lines: std::collections::HashSet<_> = text.lines().collect();
    assert_eq!(lines.len() as u64, count + 1, "one header, every call once");
    assert_eq!(ledger.count("query --limit 1500").await, 1500);
}

#[tokio::test]
async fn filters_as_typed() {
    let ledger = Ledger::with(vec![
        samples::plain(1),
        samples::full(2),
        samples::plain(50),
    ])
    .await;
    for (line, expected) in [
        ("query --from 30s", 1),
        ("query --from 2026-01-02 --to 2026-01-02T03:04:07Z", 1),
        ("query --to 2026-01-02", 0),
        ("query --customer known", 1),
        ("query --customer unknown", 0),
        ("query --subject bank_account:a:1", 1),
        ("query --pseudonym cccccccccccccccccccccccccccccccc", 1),
        ("query --fingerprint aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 3),
        ("query --status 4xx", 1),
        (
            "query --effect money --outcome failure --provider cybrid",
            1,
        ),
        ("query --token-type customer --environment sandbox", 3),
        ("tail --limit 2", 2),
        ("tail --outcome failure", 1),
    ] {
        assert_eq!(ledger.count(line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn wrong_input_says_what_to_write() {
    let ledger = Ledger::with(vec![samples::plain(1), samples::plain(2)]).await;
    for (line, advice) in [
        ("query --from yesterday", "15m"),
        ("query --status 4x", "4xx"),
        ("query --effect reed", "access-change"),
        ("query --fingerprint 12", "32 hexadecimal digits"),
        ("query --subject customer", "colon"),
        ("query --after 019a", "whole call id"),
        ("query --format xml", "csv"),
        ("show nothex", "hexadecimal"),
    ] {
        let error = parse(line).unwrap_err().to_string();
        assert!(error.contains(advice), "{line}: {error}");
    }
    for (line, advice) in [
        ("query --from 1h --to 2h", "the period is empty"),
        ("show ffffffff", "egret audit query"),
        ("show 01", &*samples::id(2).to_string()),
    ] {
        let error = ledger.try_run(line, false).await.unwrap_err().to_string();
        assert!(error.contains(advice), "{line}: {error}");
    }
    let nowhere = Ledger {
        dir: tempfile::tempdir().unwrap(),
    };
    let error = nowhere.try_run("stats", false).await.unwrap_err();
    assert!(error.to_string().contains("egret serve"), "{error}");
}

#[tokio::test]
async fn show_tells_the_history_of_the_token() {
    let mut usage = samples::plain(5);
    let mint = samples::full(1);
    usage.credential.fingerprint = mint.mint.as_ref().and_then(|mint| mint.fingerprint);
    let ledger = Ledger::with(vec![mint, usage]).await;
    let text = ledger.run(&format!("show {}", samples::id(1))).await;
    assert!(
        text.contains("operation              createTrade\n"),
        "{text}"
    );
    assert!(
        text.contains("received               2026-01-02T03:04:06.000000Z\n"),
        "{text}"
    );
    assert!(
        text.contains("Calls that used the token that this call handed out: 1\n"),
        "{text}"
    );
    assert!(text.contains(&samples::id(5).to_string()), "{text}");
    let text = ledger.run(&format!("show {}", samples::id(5))).await;
    assert!(text.contains("The token was handed out by:\n"), "{text}");
    assert!(
        !text.contains("error_code"),
        "absent fields are left out: {text}"
    );
    let json = ledger
        .run(&format!("show {} --format json", samples::id(5)))
        .await;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["minted_by"][0]["call_id"], samples::id(1).to_string());
}

#[tokio::test]
async fn statistics_in_each_format() {
    let mut lost = samples::plain(3);
    lost.outcome = Outcome::Unknown;
    let ledger = Ledger::with(vec![
        samples::plain(1),
        samples::full(2),
        lost,
        samples::plain(4),
    ])
    .await;
    let text = ledger.run("stats --from 2m").await;
    assert!(text.starts_with("calls          4\n"), "{text}");
    assert!(text.contains("error rate     50.00 %\n"), "{text}");
    assert!(text.contains("per minute     2.0\n"), "{text}");
    assert!(text.contains("p99 6.0 ms"), "{text}");
    assert!(text.contains("cybrid/listTrades       3\n"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&ledger.run("stats --format json").await).unwrap();
    assert_eq!(json["calls"], 4);
    assert_eq!(
        json["by"]["outcome"][0],
        serde_json::json!({"value": "success", "calls": 2})
    );
    assert_eq!(json["total_us"]["p50"], 6_000);
    let csv = ledger.run("stats --format csv").await;
    assert!(csv.contains("\ncaller,billing,4\n"), "{csv}");
}

#[tokio::test]
async fn tail_follows_until_it_is_stopped() {
    let ledger = Ledger::with(vec![samples::plain(1)]).await;
    let mut out = Vec::new();
    let own_calls = ledger.own_calls();
    let context = Context {
        retention: None,
        journal: Path::new(""),
        own_calls: &own_calls,
        notice: &|_| {},
        key_file: Path::new(""),
        now: samples::START,
        colour: false,
        pseudonymise: &pseudonymise,
    };
    let args = parse("tail --follow --format json").unwrap();
    // The writer works while the tail waits, and the tail gets one more look before it stops.
    let stop = async {
        ledger.add(vec![samples::plain(9)]).await;
        ledger.add(vec![samples::plain(2)]).await;
        tokio::time::sleep(POLL * 3).await;
    };
    run(&ledger.place(), &args, &context, &mut out, stop)
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let ids: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["call_id"].clone())
        .collect();
    assert_eq!(ids, [1, 9, 2].map(|n| samples::id(n).to_string()));
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_error() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ledger = Ledger::with(vec![samples::plain(1)]).await;
    let own_calls = ledger.own_calls();
    let context = Context {
        retention: None,
        journal: Path::new(""),
        own_calls: &own_calls,
        notice: &|_| {},
        key_file: Path::new(""),
        now: samples::START,
        colour: false,
        pseudonymise: &pseudonymise,
    };
    for line in [
        "query",
        "query --format json",
        "query --format csv",
        "stats --format csv",
    ] {
        let args = parse(line).unwrap();
        run(
            &ledger.place(),
            &args,
            &context,
            &mut Gone,
            std::future::ready(()),
        )
        .await
        .unwrap();
    }
}
