use proptest::prelude::*;

use super::*;
use crate::domain::record::Fingerprint;
use crate::domain::report::{Asked, Cell, Document, Table};
use crate::types::{Micros, Outcome};

fn call(id: &str, token: &str, minted: &str) -> Call {
    Call {
        call_id: id.to_owned(),
        received: Micros(i64::try_from(id.len()).unwrap()),
        caller: "payments".to_owned(),
        address: "192.0.2.7".to_owned(),
        operation: "cybrid/bank.list_trades".to_owned(),
        effect: "read".to_owned(),
        token_type: "bank".to_owned(),
        token: token.to_owned(),
        minted: minted.to_owned(),
        minted_kind: String::new(),
        minted_until: None,
        outcome: Outcome::Success,
        decision: "forwarded".to_owned(),
        why: String::new(),
        status: Some(200),
        pii: Vec::new(),
        subjects: Vec::new(),
        facts: String::new(),
    }
}

fn builder() -> Builder {
    let whom = Whom::Token(Fingerprint::from_bytes([7; 16]));
    Builder::new(whom, Asked::default(), Vec::new())
}

fn table<'a>(document: &'a Document, key: &str) -> &'a Table {
    document
        .tables
        .iter()
        .find(|table| table.key == key)
        .unwrap()
}

fn total(document: &Document, key: &str) -> u64 {
    let mut totals = document.totals.iter();
    totals.find(|total| total.key == key).unwrap().value
}

/// Depth and name of each token, as the table shows them.
fn tree(document: &Document) -> Vec<(u64, String)> {
    let rows = table(document, "tokens").rows.iter();
    rows.map(|row| match (&row[0], &row[1]) {
        (Cell::Count(depth), Cell::Id(name)) => (*depth, name.clone()),
        other => panic!("{other:?}"),
    })
    .collect()
}

#[test]
fn tokens_stand_below_those_that_obtained_them() {
    let mut builder = builder();
    // Found from the use upwards.
    assert_eq!(builder.add(&call("ccc", "customer", "")), ["customer"]);
    assert_eq!(builder.add(&call("bb", "bank", "customer")), ["bank"]);
    assert_eq!(builder.add(&call("a", "", "bank")), [""; 0]);
    assert_eq!(builder.add(&call("dddd", "other", "")), ["other"]);
    let document = builder.finish();
    let shown = tree(&document);
    let wanted = [(0, "bank"), (1, "customer"), (0, "other")];
    assert_eq!(shown, wanted.map(|(depth, name)| (depth, name.to_owned())));
    let rows = &table(&document, "tokens").rows;
    assert_eq!(rows[2][3], Cell::text("not on record"));
    assert_eq!(rows[1][5], Cell::id("bb"));
    assert_eq!(
        (total(&document, "tokens"), total(&document, "mints")),
        (3, 2)
    );
}

#[test]
fn a_call_counts_once_however_often_it_is_found() {
    let mut builder = builder();
    let one = call("a", "t", "");
    builder.add(&one);
    assert_eq!(builder.add(&one), [""; 0]);
    assert_eq!(total(&builder.finish(), "calls"), 1);
}

#[test]
fn where_a_token_came_from_is_no_call_about_it() {
    let mut builder = builder();
    builder.add(&call("bb", "t", ""));
    assert_eq!(builder.trace(&call("a", "root", "t")), ["root"]);
    let document = builder.finish();
    assert_eq!(
        (total(&document, "calls"), total(&document, "mints")),
        (1, 0)
    );
    assert_eq!(table(&document, "tokens").rows[1][5], Cell::id("a"));
}

#[test]
fn what_matters_is_shown_one_by_one() {
    let mut builder = builder();
    let money = Call {
        effect: "money".to_owned(),
        outcome: Outcome::Unknown,
        ..call("a", "t", "")
    };
    let denied = Call {
        status: Some(401),
        outcome: Outcome::Failure,
        ..call("bb", "t", "")
    };
    let personal = Call {
        pii: vec!["contact".to_owned()],
        subjects: vec![Subject {
            kind: "customer".to_owned(),
            pseudonym: Some("ab".to_owned()),
        }],
        ..call("ccc", "t", "")
    };
    for call in [money, denied, personal] {
        builder.add(&call);
    }
    let document = builder.finish();
    for (key, value) in [
        ("calls", 3),
        ("money", 1),
        ("money_in_doubt", 1),
        ("denied", 1),
        ("touched", 1),
        ("personal_data", 1),
        ("unknown", 1),
        ("failed", 1),
    ] {
        assert_eq!(total(&document, key), value, "{key}");
    }
    assert_eq!(table(&document, "money").rows[0][1], Cell::id("a"));
    assert_eq!(table(&document, "denied").rows[0][1], Cell::id("bb"));
    assert_eq!(table(&document, "touched").rows[0][1], Cell::text("ab"));
}

proptest! {
    /// Tokens may be said to have obtained each other in any way, also in circles.
    #[test]
    fn every_token_stands_in_the_tree_once(
        calls in proptest::collection::vec((0u8..12, 0u8..12), 0..60)
    ) {
        let mut builder = builder();
        for (at, (token, minted)) in calls.iter().enumerate() {
            builder.add(&call(&format!("{at}"), &format!("t{token}"), &format!("t{minted}")));
        }
        let document = builder.finish();
        let shown = tree(&document);
        let names: std::collections::HashSet<_> = shown.iter().map(|(_, name)| name).collect();
        prop_assert_eq!(names.len(), shown.len());
        prop_assert_eq!(table(&document, "tokens").all, shown.len() as u64);
        for table in &document.tables {
            for row in &table.rows {
                prop_assert_eq!(row.len(), table.columns.len());
            }
        }
    }
}
