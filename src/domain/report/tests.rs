use super::*;
use crate::types::{Micros, Outcome};
use proptest::prelude::*;

const DAY: i64 = 86_400_000_000;

fn asked() -> Asked {
    Asked {
        from: Micros(1_795_305_600_000_000),
        to: Micros(1_795_305_600_000_000 + 400 * DAY),
        filters: vec![
            ("caller".to_owned(), "pay's".to_owned()),
            ("failed".to_owned(), String::new()),
        ],
        at: Micros(1_795_348_800_000_000),
        by: "auditor".to_owned(),
    }
}

fn builder(kind: ReportKind) -> Builder {
    Builder::new(kind, asked(), Source::default())
}

fn activity(caller: Option<&str>) -> Activity {
    Activity {
        caller: caller.map(str::to_owned),
        provider: Some("cybrid".to_owned()),
        operation: "bank.create_trade".to_owned(),
        effect: Some("money".to_owned()),
        token_type: "customer".to_owned(),
        decision: "forwarded".to_owned(),
        ..Activity::default()
    }
}

fn counted(activity: i64, outcome: Outcome, status: Option<u16>, calls: u64) -> Counted {
    Counted {
        activity,
        outcome,
        status,
        error_code: None,
        calls,
    }
}

fn total(document: &Document, key: &str) -> u64 {
    let total = document.totals.iter().find(|total| total.key == key);
    total.unwrap_or_else(|| panic!("no total {key}")).value
}

fn rows<'a>(document: &'a Document, key: &str) -> &'a [Vec<Cell>] {
    let table = document.tables.iter().find(|table| table.key == key);
    &table.unwrap_or_else(|| panic!("no table {key}")).rows
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

#[test]
fn money_is_counted_by_how_it_ended_and_doubt_is_a_warning() {
    let mut builder = builder(ReportKind::Money);
    builder.activity(1, activity(Some("payouts")));
    builder.activity(2, activity(None));
    let from = asked().from;
    builder.count(from, &counted(1, Outcome::Success, Some(201), 7));
    builder.count(from, &counted(2, Outcome::Unknown, Some(504), 2));
    builder.count(
        Micros(from.0 + DAY),
        &counted(1, Outcome::Cancelled, None, 1),
    );
    let document = builder.finish();
    let keys = [
        "calls",
        "success",
        "failure",
        "unknown",
        "cancelled",
        "callers",
    ];
    assert_eq!(keys.map(|key| total(&document, key)), [10, 7, 0, 2, 1, 1]);
    let warned = document
        .totals
        .iter()
        .filter(|total| total.is_warning && total.value > 0);
    assert_eq!(
        warned.map(|total| total.key).collect::<Vec<_>>(),
        ["unknown"]
    );
    let days: Vec<_> = document
        .days
        .iter()
        .map(|day| (day.date(), day.calls, day.marked))
        .collect();
    assert_eq!(
        days,
        [
            ("2026-11-22".to_owned(), 9, 2),
            ("2026-11-23".to_owned(), 1, 1)
        ]
    );
    let count = Cell::Count;
    assert_eq!(
        rows(&document, "by_caller"),
        [
            vec![
                text("payouts"),
                count(8),
                count(7),
                count(0),
                count(0),
                count(1)
            ],
            vec![
                text("(none)"),
                count(2),
                count(0),
                count(0),
                count(2),
                count(0)
            ],
        ]
    );
    assert_eq!(
        rows(&document, "busiest")[0],
        [text("2026-11-22"), text("payouts"), count(7)]
    );
}

#[test]
fn failed_authentication_says_who_refused_and_why() {
    let mut builder = builder(ReportKind::FailedAuth);
    builder.activity(1, activity(Some("payouts")));
    builder.activity(
        2,
        Activity {
            decision: "denied".to_owned(),
            reason: Some("caller_refused".to_owned()),
            ..activity(None)
        },
    );
    let at = asked().from;
    let expired = Counted {
        error_code: Some("authentication_failed".to_owned()),
        ..counted(1, Outcome::Failure, Some(401), 3)
    };
    builder.count(at, &expired);
    builder.count(at, &counted(1, Outcome::Failure, Some(403), 1));
    builder.count(at, &counted(2, Outcome::Failure, Some(403), 5));
    let document = builder.finish();
    let keys = ["denied", "bank_401", "bank_403", "unidentified"];
    assert_eq!(keys.map(|key| total(&document, key)), [5, 3, 1, 5]);
    let causes: Vec<_> = rows(&document, "by_cause")
        .iter()
        .map(|row| &row[..2])
        .collect();
    assert_eq!(
        causes,
        [
            [text("gateway"), text("caller_refused")],
            [text("bank"), text("401 authentication_failed")],
            [text("bank"), text("403")],
        ]
    );
}

fn used(token: i64, caller: &str, outcome: Outcome, last: i64) -> TokenUse {
    TokenUse {
        token,
        fingerprint: format!("{token:032x}"),
        token_type: "customer".to_owned(),
        caller: Some(caller.to_owned()),
        outcome,
        expires_at: Some(Micros(1_000)),
        was_minted_here: token != 3,
        calls: 1,
        first: Micros(1),
        last: Micros(last),
    }
}

#[test]
fn tokens_that_are_shared_late_or_foreign_stand_out() {
    let mut builder = builder(ReportKind::TokenUse);
    for one in [
        used(1, "billing", Outcome::Success, 900),
        used(1, "payouts", Outcome::Success, 800),
        // Refused after its end, as it should be.
        used(2, "billing", Outcome::Failure, 2_000),
        used(2, "billing", Outcome::Success, 1_000),
        used(3, "billing", Outcome::Success, 1_001),
    ] {
        builder.token(&one);
    }
    let document = builder.finish();
    let keys = ["tokens", "foreign_tokens", "shared_tokens", "late_tokens"];
    assert_eq!(keys.map(|key| total(&document, key)), [3, 1, 1, 1]);
    let id = |n: i64| Cell::Id(format!("{n:032x}"));
    assert_eq!(rows(&document, "shared_tokens")[0][0], id(1));
    assert_eq!(
        rows(&document, "shared_tokens")[0][2],
        text("billing, payouts")
    );
    assert_eq!(rows(&document, "late_tokens")[0][0], id(3));
    assert_eq!(rows(&document, "busiest_tokens").len(), 3);
}

#[test]
fn what_is_cut_says_how_to_get_all_of_it() {
    let mut builder = builder(ReportKind::Money);
    let call = Shown {
        received: Micros(0),
        call_id: "id".to_owned(),
        caller: String::new(),
        operation: String::new(),
        token_type: String::new(),
        status: None,
        outcome: String::new(),
        why: String::new(),
        concerns: String::new(),
        facts: String::new(),
    };
    builder.calls(&[call], 2);
    let document = builder.finish();
    let table = document
        .tables
        .iter()
        .find(|table| table.key == "calls")
        .unwrap();
    assert!(table.is_cut());
    assert_eq!(
        table.more.as_deref(),
        Some(
            "egret audit query --from 2026-11-22T00:00:00.000000Z --to \
             2027-12-27T00:00:00.000000Z --caller 'pay'\\''s' --failed --effect money \
             --outcome unknown --limit 0 --format csv"
        )
    );
}

#[test]
fn every_report_has_its_words_explained_and_tables_with_rows_as_wide_as_their_heads() {
    for kind in ReportKind::ALL {
        assert_eq!(kind.as_str().parse::<ReportKind>().unwrap(), *kind);
        let mut builder = builder(*kind);
        builder.activity(1, activity(Some("payouts")));
        builder.count(asked().from, &counted(1, Outcome::Success, Some(200), 1));
        builder.token(&used(1, "billing", Outcome::Success, 2));
        let document = builder.finish();
        assert!(document.terms.len() > 6);
        let mut keys: Vec<_> = document.tables.iter().map(|table| table.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(
            keys.len(),
            document.tables.len(),
            "{kind}: a key stands twice"
        );
        for table in &document.tables {
            for row in &table.rows {
                assert_eq!(row.len(), table.columns.len(), "{kind} {}", table.key);
            }
        }
    }
}

proptest! {
    #[test]
    fn days_months_and_callers_add_up_to_the_calls(
        parts in prop::collection::vec((0_i64..400, 0_i64..4, 0_u64..1_000), 0..200),
    ) {
        let mut parts = parts;
        parts.sort_unstable();
        let mut builder = builder(ReportKind::Money);
        for n in 0..4 {
            builder.activity(n, activity((n > 0).then_some(["a", "b", "c"][n as usize % 3])));
        }
        for (day, number, calls) in &parts {
            let at = Micros(asked().from.0 + day * DAY);
            builder.count(at, &counted(*number, Outcome::ALL[*number as usize], None, *calls));
        }
        let document = builder.finish();
        let sum: u64 = parts.iter().map(|(_, _, calls)| calls).sum();
        prop_assert_eq!(total(&document, "calls"), sum);
        prop_assert_eq!(document.days.iter().map(|day| day.calls).sum::<u64>(), sum);
        prop_assert_eq!(document.months().iter().map(|month| month.calls).sum::<u64>(), sum);
        let of_callers = rows(&document, "by_caller").iter().map(|row| match row[1] {
            Cell::Count(calls) => calls,
            _ => 0,
        });
        prop_assert_eq!(of_callers.sum::<u64>(), sum);
    }
}
