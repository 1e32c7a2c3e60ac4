//! Tampering with a store, one act at a time, and what the audit says.

use std::iter::Peekable;

use proptest::prelude::*;

use super::*;
use crate::domain::evidence::Checkpoint;
use crate::domain::evidence::merkle::{NodeHash, Tree, leaf_hash};

const SIZES: [u64; 5] = [0, 7, 16, 17, 40];

fn leaf(n: u64) -> NodeHash {
    leaf_hash(&n.to_be_bytes())
}

fn records(count: u64) -> Vec<Record> {
    (0..count)
        .map(|sequence| Record {
            sequence,
            leaf: Some(leaf(sequence)),
            kept: Some(leaf(sequence)),
        })
        .collect()
}

fn checkpoints() -> Vec<Checkpoint> {
    let mut tree = Tree::new();
    SIZES
        .iter()
        .map(|size| {
            (tree.size()..*size).for_each(|n| tree.append(leaf(n)));
            Checkpoint::of("log", &tree)
        })
        .collect()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Audited {
    /// Records that a checkpoint vouches for.
    covered: u64,
    /// Checkpoints that fit.
    checkpoints: u64,
    /// Records after the last checkpoint, which nothing vouches for yet.
    uncovered: u64,
}

/// Audits a whole store: records in stored order, checkpoints by size.
fn audit<E: From<Finding>>(
    records: impl IntoIterator<Item = Result<Record, E>>,
    checkpoints: impl IntoIterator<Item = Result<Checkpoint, E>>,
) -> Result<Audited, E> {
    let mut records = records.into_iter().peekable();
    let mut auditor = Auditor::new();
    let mut audited = Audited::default();
    for checkpoint in checkpoints {
        let checkpoint = checkpoint?;
        take_below(checkpoint.size, &mut records, &mut auditor)?;
        auditor.checkpoint(checkpoint.size, &checkpoint.root)?;
        audited.checkpoints += 1;
    }
    audited.covered = auditor.tree().size();
    for record in records {
        let record = record?;
        let sequence = audited.covered.saturating_add(audited.uncovered);
        // No root vouches for these, but their numbers must go on, and kept hashes must fit.
        match record.sequence {
            numbered if numbered > sequence => {
                return Err(Finding::from(Difference::Removed { sequence }).into());
            }
            numbered if numbered < sequence => {
                return Err(Finding::from(Difference::Inserted { sequence, numbered }).into());
            }
            _ if record.leaf.is_some() && record.kept.is_some() && record.leaf != record.kept => {
                return Err(Finding::from(Difference::Changed { sequence }).into());
            }
            _ => audited.uncovered += 1,
        }
    }
    Ok(audited)
}

fn take_below<E: From<Finding>>(
    size: u64,
    records: &mut Peekable<impl Iterator<Item = Result<Record, E>>>,
    auditor: &mut Auditor,
) -> Result<(), E> {
    while let Some(record) = records.next_if(|record| {
        record
            .as_ref()
            .map_or(true, |record| record.sequence < size)
    }) {
        auditor.record(record?)?;
    }
    Ok(())
}

fn run(records: &[Record], checkpoints: &[Checkpoint]) -> Result<Audited, Finding> {
    audit(
        records.iter().copied().map(Ok),
        checkpoints.iter().cloned().map(Ok),
    )
}

fn finding(change: impl FnOnce(&mut Vec<Record>)) -> Finding {
    let mut records = records(45);
    change(&mut records);
    run(&records, &checkpoints()).unwrap_err()
}

fn renumber(records: &mut [Record]) {
    for (sequence, record) in (0..).zip(records) {
        record.sequence = sequence;
    }
}

#[test]
fn an_untouched_store_passes_also_when_pruned() {
    let mut records = records(45);
    let expected = Audited {
        covered: 40,
        checkpoints: 5,
        uncovered: 5,
    };
    assert_eq!(run(&records, &checkpoints()), Ok(expected));
    records
        .iter_mut()
        .step_by(3)
        .for_each(|record| record.leaf = None);
    assert_eq!(run(&records, &checkpoints()), Ok(expected));
    records.iter_mut().for_each(|record| record.kept = None);
    assert!(
        run(&records, &checkpoints()).is_err(),
        "nothing is left of the pruned records"
    );
}

#[test]
fn a_changed_record_is_named() {
    for sequence in [0, 6, 7, 16, 39] {
        let change = |records: &mut Vec<Record>| records[sequence].leaf = Some(leaf(99));
        let changed = Difference::Changed {
            sequence: sequence as u64,
        };
        assert_eq!(finding(change), Finding::Records(changed));
    }
}

#[test]
fn a_removed_record_is_named() {
    for at in [0, 6, 7, 16, 39] {
        let removed = Difference::Removed {
            sequence: at as u64,
        };
        assert_eq!(
            finding(|records| {
                records.remove(at);
            }),
            removed.into()
        );
    }
    // The thief renumbers what follows.
    let renumbered = finding(|records| {
        records.remove(20);
        renumber(records);
    });
    assert!(
        matches!(renumbered, Finding::Unlocated { from: 17, to: 40 }),
        "the kept hashes moved along with the records: {renumbered}"
    );
    // The tail after the last checkpoint can only show a gap.
    let gap = finding(|records| {
        records.remove(42);
    });
    assert_eq!(gap, Difference::Removed { sequence: 42 }.into());
}

#[test]
fn renumbered_records_are_named_by_hashes_kept_elsewhere() {
    let kept: Vec<NodeHash> = (0..45).map(leaf).collect();
    let with_kept = |mut records: Vec<Record>| {
        renumber(&mut records);
        for record in &mut records {
            record.kept = kept.get(record.sequence as usize).copied();
        }
        run(&records, &checkpoints()).unwrap_err()
    };
    let mut removed = records(45);
    removed.remove(20);
    assert_eq!(
        with_kept(removed),
        Difference::Removed { sequence: 20 }.into()
    );
    let mut inserted = records(45);
    inserted.insert(
        20,
        Record {
            sequence: 0,
            leaf: Some(leaf(99)),
            kept: None,
        },
    );
    let expected = Difference::Inserted {
        sequence: 20,
        numbered: 20,
    };
    assert_eq!(with_kept(inserted), expected.into());
    let mut copied = records(45);
    copied.insert(20, copied[18]);
    assert_eq!(with_kept(copied), expected.into());
}

#[test]
fn an_inserted_record_is_named() {
    let twin = Record {
        sequence: 20,
        leaf: Some(leaf(99)),
        kept: None,
    };
    let inserted = finding(|records| records.insert(20, twin));
    assert_eq!(
        inserted,
        Difference::Inserted {
            sequence: 20,
            numbered: 20
        }
        .into()
    );
    let late = Record {
        sequence: 3,
        ..twin
    };
    let inserted = finding(|records| records.push(late));
    assert_eq!(
        inserted,
        Difference::Inserted {
            sequence: 45,
            numbered: 3
        }
        .into()
    );
}

#[test]
fn moved_records_are_named() {
    // Contents exchanged under their numbers, as in a database.
    let moved = finding(|records| {
        let other = records[30].leaf;
        records[30].leaf = records[20].leaf;
        records[20].leaf = other;
    });
    assert_eq!(
        moved,
        Difference::Moved {
            sequence: 20,
            numbered: 20
        }
        .into()
    );
    // Whole records exchanged, as in a file.
    let moved = finding(|records| records.swap(20, 30));
    assert_eq!(
        moved,
        Difference::Moved {
            sequence: 20,
            numbered: 30
        }
        .into()
    );
}

#[test]
fn a_changed_leaf_hash_does_not_accuse_the_record() {
    let kept = finding(|records| records[20].kept = Some(leaf(99)));
    assert_eq!(kept, Finding::KeptHash { sequence: 20 });
    let both = finding(|records| {
        records[20].kept = Some(leaf(99));
        records[20].leaf = Some(leaf(99));
    });
    assert_eq!(both, Finding::Unlocated { from: 17, to: 40 });
}

#[test]
fn checkpoints_that_contradict_each_other_are_named() {
    let mut twice = checkpoints();
    twice.push(twice[4].clone());
    assert!(run(&records(45), &twice).is_ok());
    twice[5].root = leaf(0);
    assert_eq!(run(&records(45), &twice), Err(Finding::Forked { size: 40 }));
    let mut back = checkpoints();
    back.push(back[1].clone());
    assert_eq!(
        run(&records(45), &back),
        Err(Finding::Shrunk {
            size: 7,
            before: 40
        })
    );
    let cut = run(&records(30), &checkpoints());
    assert_eq!(
        cut,
        Err(Difference::Removed { sequence: 30 }.into()),
        "the tail is missing"
    );
}

#[test]
fn an_audit_goes_on_where_the_last_one_ended() {
    let mut first = Auditor::new();
    records(16)
        .into_iter()
        .for_each(|record| first.record(record).unwrap());
    let all = checkpoints();
    first.checkpoint(16, &all[2].root).unwrap();
    let mut second = Auditor::resume(first.tree().clone());
    records(40)
        .into_iter()
        .skip(16)
        .for_each(|record| second.record(record).unwrap());
    second.checkpoint(40, &all[4].root).unwrap();
    assert_eq!(second.tree().size(), 40);
}

#[test]
fn a_stretch_without_checkpoints_is_checked_all_the_same() {
    let root = checkpoints()[4].root;
    let run = |records: Vec<Record>| {
        let mut auditor = Auditor::new().with_window(8);
        for record in records {
            auditor.record(record)?;
        }
        auditor.checkpoint(40, &root)?;
        Ok(auditor.tree().size())
    };
    assert_eq!(run(records(40)), Ok(40));
    let mut changed = records(40);
    changed[3].leaf = Some(leaf(99));
    let named = Finding::Records(Difference::Changed { sequence: 3 });
    assert_eq!(run(changed.clone()), Err(named));
    changed[3].kept = Some(leaf(99));
    assert_eq!(run(changed), Err(Finding::Unlocated { from: 0, to: 40 }));
    let mut cut = records(40);
    cut.truncate(39);
    let removed = Finding::Records(Difference::Removed { sequence: 39 });
    assert_eq!(run(cut), Err(removed));
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Change(usize),
    Remove(usize),
    Insert(usize),
    Swap(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0_usize..40;
    prop_oneof![
        at.clone().prop_map(Act::Change),
        at.clone().prop_map(Act::Remove),
        at.clone().prop_map(Act::Insert),
        (at.clone(), at).prop_filter_map("a swap needs two", |(a, b)| {
            (a != b).then_some(Act::Swap(a.min(b), a.max(b)))
        }),
    ]
}

proptest! {
    #[test]
    fn rows_are_compared_with_what_they_should_be(act in act()) {
        let truth: Vec<NodeHash> = (0..40).map(leaf).collect();
        let mut rows: Vec<(u64, NodeHash)> = (0..).zip(truth.iter().copied()).collect();
        let expected = match act {
            Act::Change(at) => {
                rows[at].1 = leaf(99);
                Difference::Changed { sequence: at as u64 }
            }
            Act::Remove(at) => {
                rows.remove(at);
                Difference::Removed { sequence: at as u64 }
            }
            Act::Insert(at) => {
                rows.insert(at, (at as u64, leaf(99)));
                Difference::Inserted { sequence: at as u64, numbered: at as u64 }
            }
            Act::Swap(a, b) => {
                let (x, y) = (rows[a].1, rows[b].1);
                (rows[a].1, rows[b].1) = (y, x);
                Difference::Moved { sequence: a as u64, numbered: a as u64 }
            }
        };
        prop_assert_eq!(first_difference(0, &truth, &rows), Some(expected));
    }

    #[test]
    fn no_act_passes_and_the_place_is_never_after_the_first_change(act in act()) {
        let mut records = records(45);
        let at = match act {
            Act::Change(at) => {
                records[at].leaf = Some(leaf(99));
                at
            }
            Act::Remove(at) => {
                records.remove(at);
                at
            }
            Act::Insert(at) => {
                records.insert(at, Record { leaf: Some(leaf(99)), ..records[at] });
                at
            }
            Act::Swap(a, b) => {
                records.swap(a, b);
                a
            }
        };
        match run(&records, &checkpoints()).unwrap_err() {
            Finding::Records(
                Difference::Changed { sequence }
                | Difference::Removed { sequence }
                | Difference::Moved { sequence, .. }
                | Difference::Inserted { sequence, .. },
            ) => prop_assert!(sequence as usize <= at + 1, "{sequence} for {at}"),
            other => prop_assert!(false, "{other}"),
        }
    }
}
