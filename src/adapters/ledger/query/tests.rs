use super::*;
use crate::adapters::ledger::filter::StatusFilter;
use crate::adapters::ledger::{RecordStore, SqliteStore, samples};
use crate::domain::record::{CallRecord, Pseudonym, Subject, SubjectRole};
use crate::types::{Decision, Effect, Environment, Micros, Outcome, TokenType};

async fn reader(records: Vec<CallRecord>) -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("egret.db");
    let mut store = SqliteStore::open(&path).await.unwrap();
    let records: Vec<_> = records.into_iter().map(Box::new).collect();
    store.write(&records).await.unwrap();
    let reader = Reader::open(&path.as_path().into()).await.unwrap();
    (dir, reader)
}

fn ids(rows: &[CallRow]) -> Vec<String> {
    rows.iter().map(|row| row.text("call_id").into()).collect()
}

fn sample_ids(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|n| samples::id(n).to_string())
        .collect()
}

#[tokio::test]
async fn each_filter_selects_the_calls_it_names() {
    let mut other = samples::plain(2);
    other.caller.name = Some("payouts".into());
    other.target.provider = Some("obp".into());
    other.target.service = Some("api".into());
    other.target.environment = Some(Environment::Production);
    other.outcome = Outcome::Unknown;
    other.decision = Decision::Limited;
    other.credential.token_type = TokenType::DirectLogin;
    other.credential.fingerprint = None;
    other.status = Some(504);
    // Claimed by one token, asked for with another.
    let organization = Pseudonym::from_bytes(samples::bytes(0x99));
    let mut third = samples::plain(3);
    for (call, role) in [
        (&mut other, SubjectRole::Token),
        (&mut third, SubjectRole::Request),
    ] {
        call.add_subject(Subject {
            kind: "organization".into(),
            role,
            pseudonym: Some(organization),
        });
    }
    let (_dir, mut reader) = reader(vec![samples::full(1), other, third, samples::empty(4)]).await;
    let none = Filter::default();
    let mint = Fingerprint::from_bytes(samples::bytes(0xdd));
    let token = Fingerprint::from_bytes(samples::bytes(0xaa));
    let customer = Pseudonym::from_bytes(samples::bytes(0xcc));
    let acted_for = Pseudonym::from_bytes(samples::bytes(0xbb));
    let status = |text: &str| text.parse::<StatusFilter>().ok();
    let cases: Vec<(Filter, Vec<u64>)> = vec![
        (none.clone(), vec![1, 2, 3, 4]),
        (
            Filter {
                from: Some(samples::received(2)),
                ..none.clone()
            },
            vec![2, 3, 4],
        ),
        (
            Filter {
                to: Some(samples::received(2)),
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                from: Some(Micros(samples::received(2).0 + 1)),
                ..none.clone()
            },
            vec![3, 4],
        ),
        (
            Filter {
                caller: Some("payouts".into()),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                provider: Some("cybrid".into()),
                ..none.clone()
            },
            vec![1, 3],
        ),
        (
            Filter {
                service: Some("api".into()),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                environment: Some(Environment::Production),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                operation: Some("unknown".into()),
                ..none.clone()
            },
            vec![4],
        ),
        (
            Filter {
                effect: Some(Effect::Money),
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                token_type: Some(TokenType::DirectLogin),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                fingerprint: Some(token),
                ..none.clone()
            },
            vec![1, 3],
        ),
        (
            Filter {
                minted: Some(mint),
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                decision: Some(Decision::Limited),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                outcome: Some(Outcome::Success),
                ..none.clone()
            },
            vec![3],
        ),
        (
            Filter {
                outcome: Some(Outcome::Unknown),
                ..none.clone()
            },
            vec![2, 4],
        ),
        (
            Filter {
                status: status("422"),
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                status: status("5xx"),
                ..none.clone()
            },
            vec![2],
        ),
        (
            Filter {
                error_code: Some("invalid_parameter".into()),
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                subjects: vec![customer, acted_for],
                ..none.clone()
            },
            vec![1],
        ),
        (
            Filter {
                subjects: vec![organization],
                ..none.clone()
            },
            vec![2, 3],
        ),
        (
            Filter {
                subjects: vec![customer],
                to: Some(samples::START),
                ..none.clone()
            },
            vec![],
        ),
        (
            Filter {
                call_id: Some(samples::id(3).into()),
                ..none.clone()
            },
            vec![3],
        ),
        (
            Filter {
                provider: Some("cybrid".into()),
                outcome: Some(Outcome::Failure),
                ..none
            },
            vec![1],
        ),
    ];
    for (filter, expected) in cases {
        let found = reader
            .query(&filter, page(Order::OldestFirst, 10))
            .await
            .unwrap();
        assert_eq!(
            ids(&found.rows),
            sample_ids(expected.iter().copied()),
            "{filter:?}"
        );
        assert_eq!(reader.count(&filter).await.unwrap(), expected.len() as u64);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps_in_both_orders() {
    let (_dir, mut reader) = reader((0..25).map(samples::plain).collect()).await;
    for (order, expected) in [
        (Order::OldestFirst, sample_ids(0..25)),
        (Order::NewestFirst, sample_ids((0..25).rev())),
    ] {
        for limit in [1, 7, 24, 25, 26] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = Page {
                    order,
                    limit,
                    after,
                };
                let found = reader.query(&Filter::default(), page).await.unwrap();
                seen.extend(ids(&found.rows));
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{order:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_token_is_traced_to_its_mint_and_to_its_uses() {
    let mint = samples::full(1);
    let mut uses: Vec<_> = (2..15).map(samples::plain).collect();
    for call in &mut uses {
        call.credential.fingerprint = mint.mint.as_ref().and_then(|mint| mint.fingerprint);
    }
    let (_dir, mut reader) = reader([vec![mint], uses].concat()).await;
    let Shown::Call(row, lineage) = reader.show(samples::id(1).into()).await.unwrap() else {
        panic!("the mint is there");
    };
    assert_eq!(row.text("minted_kind"), "customer_access_token");
    assert_eq!(lineage.used_by_count, 13);
    assert_eq!(ids(&lineage.used_by), sample_ids(2..12));
    assert_eq!(lineage.minted_by, []);
    let Shown::Call(_, lineage) = reader.show(samples::id(5).into()).await.unwrap() else {
        panic!("the use is there");
    };
    assert_eq!(ids(&lineage.minted_by), sample_ids([1]));

    let beginning: IdPrefix = samples::id(1).to_string()[..6].parse().unwrap();
    let Shown::Several(rows) = reader.show(beginning).await.unwrap() else {
        panic!("the beginning fits all");
    };
    assert_eq!(rows.len(), 5);
    let nobody = reader.show("fff".parse().unwrap()).await.unwrap();
    assert_eq!(nobody, Shown::Nothing);
}

#[tokio::test]
async fn the_tail_follows_the_order_of_writing() {
    // A call that took long is written after one that began later; calls that are written
    // together are in the order of their ids.
    let (dir, mut reader) = reader(vec![samples::plain(5)]).await;
    let mut store = SqliteStore::open(&dir.path().join("egret.db"))
        .await
        .unwrap();
    let batch = [Box::new(samples::plain(3)), Box::new(samples::plain(1))];
    store.write(&batch).await.unwrap();
    let all = Filter::default();
    let rows = reader.last(&all, 2).await.unwrap();
    assert_eq!(ids(&rows), sample_ids([1, 3]));
    let seq = reader.last_seq().await.unwrap();
    assert_eq!(reader.since(&all, seq, 10).await.unwrap().rows, []);
    let batch = [Box::new(samples::plain(2)), Box::new(samples::full(4))];
    store.write(&batch).await.unwrap();
    assert_eq!(
        ids(&reader.since(&all, seq, 10).await.unwrap().rows),
        sample_ids([2, 4])
    );
    let money = Filter {
        effect: Some(Effect::Money),
        ..all
    };
    assert_eq!(
        ids(&reader.since(&money, seq, 10).await.unwrap().rows),
        sample_ids([4])
    );
}

/// One column of an answer.
async fn texts(reader: &mut Reader, sql: impl Into<Sql>, at: usize) -> Vec<String> {
    let read = |row: &Row| Ok(row.text(at)?.unwrap());
    reader.rows(sql.into(), read).await.unwrap()
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_dir, mut reader) = reader(vec![samples::plain(1)]).await;
    for statement in ["DELETE FROM records", "UPDATE profiles SET caller = 'x'"] {
        assert!(reader.conn.fetch_all(Sql::new(statement)).await.is_err());
    }
}

#[tokio::test]
async fn every_column_of_the_table_is_in_the_outputs() {
    let (_dir, mut reader) = reader(vec![]).await;
    let table = texts(
        &mut reader,
        "SELECT name FROM pragma_table_xinfo('calls')",
        0,
    )
    .await;
    // As bytes, or whole: shown in another form.
    let raw = [
        "call_id",
        "token_fingerprint",
        "minted_fingerprint",
        "profile_id",
        "credential_id",
        "detail",
    ];
    for name in table.iter().filter(|name| !raw.contains(&name.as_str())) {
        assert!(COLUMNS.iter().any(|column| column.source == name), "{name}");
    }
    let document = include_str!("../../../../docs/audit-schema.md");
    for name in &table {
        assert!(
            document.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
}

#[tokio::test]
async fn questions_use_the_indexes() {
    let (_dir, mut reader) = reader(vec![samples::full(1)]).await;
    let period = Filter {
        from: Some(samples::START),
        to: Some(samples::received(100)),
        ..Filter::default()
    };
    let by_time = "USING INDEX sqlite_autoindex_records_1 (call_id>? AND call_id<?)";
    let cases = [
        (period.clone(), by_time),
        (
            Filter {
                provider: Some("cybrid".into()),
                ..period.clone()
            },
            by_time,
        ),
        (
            Filter {
                fingerprint: Some(Fingerprint::from_bytes(samples::bytes(0xaa))),
                ..period.clone()
            },
            "USING INDEX records_by_credential (credential_id=? AND call_id>? AND call_id<?)",
        ),
        (
            Filter {
                minted: Some(Fingerprint::from_bytes([1; 16])),
                ..Filter::default()
            },
            "USING INDEX records_by_mint",
        ),
        (
            Filter {
                outcome: Some(Outcome::Unknown),
                ..Filter::default()
            },
            "USING INDEX records_not_successful",
        ),
        (
            Filter {
                subjects: vec![Pseudonym::from_bytes([1; 16])],
                ..Filter::default()
            },
            "call_subjects USING PRIMARY KEY (subject=?)",
        ),
        (
            Filter {
                subjects: vec![Pseudonym::from_bytes([1; 16])],
                ..period.clone()
            },
            "USING COVERING INDEX records_by_credential (credential_id=? AND call_id>? AND call_id<?)",
        ),
    ];
    for (filter, expected) in cases {
        let mut sql = Sql::new("EXPLAIN QUERY PLAN ");
        sql.push("SELECT caller FROM calls WHERE true");
        reader
            .resolve(&filter)
            .await
            .unwrap()
            .push(&mut sql, Over::Calls);
        sql.push(" ORDER BY call_id DESC LIMIT 10");
        // Id, parent, a number without use, and the text.
        let plan = texts(&mut reader, sql, 3).await.join("\n");
        assert!(plan.contains(expected), "{filter:?}\n{plan}");
        let sorted = plan.contains("TEMP B-TREE");
        assert!(!sorted || !filter.subjects.is_empty(), "{filter:?}\n{plan}");
    }
}
