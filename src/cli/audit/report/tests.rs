//! The same document in every form, with names that mean harm.

use super::*;
use crate::adapters::ledger::{RecordStore, SqliteStore, samples};
use crate::app::audit::report::{facts, subjects};
use crate::domain::report::{
    Activity, Builder, CheckpointMark, Counted, DAY, Gap, JournalMark, Shown, Source,
};
use crate::types::{CallId, Effect, Micros, Outcome};
use serde_json::Value as Json;

/// A name that would be markup, a formula, a terminal's command or a second line.
const HOSTILE: &str = "=cmd|'/C calc'!A0<script>alert(1)</script>\"'&\u{1b}[2J\n\u{202e}x";

fn document(kind: ReportKind) -> Document {
    let asked = Asked {
        from: Micros(1_795_305_600_000_000),
        to: Micros(1_795_305_600_000_000 + 3 * DAY),
        filters: vec![("caller".to_owned(), HOSTILE.to_owned())],
        at: Micros(1_795_348_800_000_000),
        by: HOSTILE.to_owned(),
    };
    let source = Source {
        ledger: "data/egret.db".to_owned(),
        schema: 5,
        version: "0.1.0".to_owned(),
        calls: 1_234_567,
        journals: vec![JournalMark {
            journal: "ab".repeat(16),
            done_to: 99,
            checkpoint: Some(CheckpointMark {
                origin: "egret/node-1".to_owned(),
                size: 98,
                root: "cm9vdA==".to_owned(),
                at: Micros(1_795_348_799_000_000),
            }),
        }],
    };
    let from = asked.from;
    let mut builder = Builder::new(kind, asked, source);
    builder.activity(
        1,
        Activity {
            caller: Some(HOSTILE.to_owned()),
            provider: Some("cybrid".to_owned()),
            operation: "bank.get_customer".to_owned(),
            effect: Some("read".to_owned()),
            token_type: "customer".to_owned(),
            pii: vec!["email".to_owned(), "government_id".to_owned()],
            minted_kind: None,
            decision: "forwarded".to_owned(),
            ..Activity::default()
        },
    );
    for day in 0..3 {
        let counted = Counted {
            activity: 1,
            outcome: Outcome::Success,
            status: Some(200),
            error_code: None,
            calls: 1_000 + day,
        };
        builder.count(Micros(from.0 + day as i64 * DAY), &counted);
    }
    let call = Shown {
        received: from,
        call_id: "019a2b3c-4d5e-7f60-8123-456789abcdef".to_owned(),
        caller: HOSTILE.to_owned(),
        operation: "cybrid/bank.get_customer".to_owned(),
        token_type: "customer".to_owned(),
        status: Some(200),
        outcome: "success".to_owned(),
        why: String::new(),
        concerns: "customer ".to_owned() + &"cc".repeat(16),
        facts: HOSTILE.to_owned(),
    };
    builder.calls(&[call], 3_003);
    let gap = Gap {
        journal: "ab".repeat(16),
        from,
        to: from,
        refused: 1,
        shed: 2,
        dropped: 3,
    };
    builder.gaps(vec![gap], 1, [1, 2, 3]);
    builder.finish()
}

fn written(kind: ReportKind, format: ReportFormat) -> String {
    let mut out = Vec::new();
    write(&mut out, format, false, &document(kind)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_page_has_no_markup_but_its_own_and_is_well_formed() {
    for kind in ReportKind::ALL {
        let page = written(*kind, ReportFormat::Html);
        assert!(!page.contains("<script"), "{kind}");
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{kind}"
        );
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{kind}");
        for outside in [
            "http://",
            "https://",
            "src=",
            "url(",
            "@import",
            "javascript",
        ] {
            let found = page.matches(outside).count();
            let names = page.matches("xmlns=\"http://www.w3.org/").count();
            let allowed = if outside == "http://" { names } else { 0 };
            assert_eq!(found, allowed, "{kind}: {outside}");
        }
        balanced(&page);
        assert!(page.contains(">1,234,567</b>"), "{kind}");
        assert!(page.contains("3,003"), "{kind}");
    }
}

/// Every tag is closed by its own, attributes are quoted and `&` begins an entity.
fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let page = page.strip_prefix("<!DOCTYPE html>").unwrap();
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    for (index, part) in [head, body].into_iter().enumerate() {
        for piece in part.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap();
            assert!(!text.contains('>'), "{piece}");
            for entity in text.split('&').skip(1) {
                let (name, _) = entity.split_once(';').unwrap();
                assert!(
                    ["amp", "lt", "gt", "quot", "#39"].contains(&name),
                    "{piece}"
                );
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{piece}");
            } else if !tag.ends_with('/') {
                open.push(tag.split_whitespace().next().unwrap());
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert_eq!(open.is_empty(), index == 1, "{open:?}");
    }
}

#[test]
fn a_spreadsheet_sees_no_formula_and_every_record_is_as_wide() {
    for kind in ReportKind::ALL {
        let text = written(*kind, ReportFormat::Csv);
        let mut reader = csv_reader(&text);
        let mut found = false;
        for record in reader.records() {
            // Not flexible: fails if a record is narrower or wider than the first.
            let record = record.unwrap();
            for field in &record {
                assert!(
                    !field.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{field}"
                );
                found |= field.starts_with("'=cmd");
            }
        }
        assert!(found, "{kind}");
    }
}

fn csv_reader(text: &str) -> ::csv::Reader<&[u8]> {
    let mut builder = ::csv::ReaderBuilder::new();
    builder.has_headers(false).from_reader(text.as_bytes())
}

#[test]
fn a_terminal_gets_no_commands() {
    for kind in ReportKind::ALL {
        let text = written(*kind, ReportFormat::Table);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{kind}");
        assert!(text.contains("1,234,567"), "{kind}\n{text}");
    }
}

#[test]
fn json_has_the_numbers_and_the_names_as_they_are() {
    let text = written(ReportKind::PiiAccess, ReportFormat::Json);
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["totals"]["calls"], 3_003);
    assert_eq!(json["totals"]["identity_papers"], 3_003);
    assert_eq!(json["totals"]["shed_unrecorded"], 2);
    assert_eq!(json["tables"]["by_caller"]["rows"][0]["caller"], HOSTILE);
    assert_eq!(json["tables"]["by_class"]["rows"][0]["calls"], 3_003);
    assert_eq!(json["tables"]["calls"]["all"], 3_003);
    let more = json["tables"]["calls"]["more"].as_str().unwrap();
    assert!(
        more.starts_with("egret audit query --from 2026-11-22T00:00:00.000000Z"),
        "{more}"
    );
    assert_eq!(json["days"].as_array().unwrap().len(), 3);
    assert_eq!(json["days"][2]["calls"], 1_002);
}

#[test]
fn a_report_that_asks_for_its_own_effect_again_is_refused() {
    let filter = Filter {
        effect: Some(Effect::Read),
        ..Filter::default()
    };
    assert!(scope(ReportKind::Money, filter.clone()).is_err());
    assert!(scope(ReportKind::AccessChanges, filter.clone()).is_err());
    assert!(scope(ReportKind::PiiAccess, filter).unwrap().has_pii);
}

#[test]
fn subjects_and_facts_are_told_in_short() {
    let both = r#"[{"kind":"customer","role":"token","subject":"cc"},
        {"kind":"customer","role":"request","subject":"cc"},
        {"kind":"account","role":"request","subject":"bb"},
        {"kind":"user","role":"request","subject":null}]"#;
    assert_eq!(subjects(both), "customer cc, account bb, user (erased)");
    assert_eq!(
        facts(r#"{"quote":["q1","q2"],"asset":"BTC"}"#),
        "asset BTC, quote q1 q2"
    );
    assert_eq!((subjects(""), facts("[")), (String::new(), String::new()));
}

#[test]
fn a_file_is_written_whole_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    fs::write(&path, "an older one").unwrap();
    write_file(&path, ReportFormat::Html, &document(ReportKind::Money)).unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("</html>\n"));
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let nowhere = dir.path().join("none/report.html");
    assert!(write_file(&nowhere, ReportFormat::Html, &document(ReportKind::Money)).is_err());
}

/// The id of a call and its time of reception may come from two looks at the clock.
#[tokio::test]
async fn every_call_is_counted_on_its_day_although_its_id_is_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let first_day = samples::START.0.div_euclid(DAY);
    let mut records = Vec::new();
    let mut expected = std::collections::BTreeMap::new();
    // Two days with an empty month between them, and the midnights around them.
    for day in [first_day, first_day + 1, first_day + 31] {
        for offset in [-1_500_000, -1, 0, 1, 900_000, 40_000_000_000] {
            for skew in [-900_000, 0, 900_000] {
                let received = Micros(day * DAY + offset);
                let mut random = [0; 10];
                random[2..].copy_from_slice(&(records.len() as u64).to_be_bytes());
                let id = CallId::from_parts((received.0 + skew).div_euclid(1_000), random);
                let mut record = samples::plain(1);
                record.call_id = id;
                record.times.received_at = received;
                records.push(Box::new(record));
                *expected.entry(received.0.div_euclid(DAY)).or_insert(0) += 1;
            }
        }
    }
    let all = records.len() as u64;
    store.write(&records).await.unwrap();
    let place = LedgerPlace::from(path.as_path());
    for (from, to) in [(first_day - 1, first_day + 40), (first_day, first_day + 1)] {
        let asked = Asked {
            from: Micros(from * DAY),
            to: Micros(to * DAY),
            ..Asked::default()
        };
        let filter = Filter {
            from: Some(asked.from),
            to: Some(asked.to),
            ..Filter::default()
        };
        let mut reader = Reader::open(&place).await.unwrap();
        let kind = ReportKind::TokenUse;
        let document = make(&mut reader, &place, kind, &filter, asked, |_, _, _| ())
            .await
            .unwrap();
        let days: Vec<_> = document
            .days
            .iter()
            .map(|day| (day.number, day.calls))
            .collect();
        let wanted: Vec<_> = expected
            .range(from..to)
            .map(|(day, calls)| (*day, *calls))
            .collect();
        assert_eq!(days, wanted);
        let total = |key| {
            document
                .totals
                .iter()
                .find(|total| total.key == key)
                .unwrap()
                .value
        };
        let sum: u64 = wanted.iter().map(|(_, calls)| calls).sum();
        assert_eq!((total("calls"), total("all_calls")), (sum, sum));
        assert!(sum == all || to == first_day + 1);
        assert_eq!(total("tokens"), 1);
    }
}
