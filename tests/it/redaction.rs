//! Redaction, measured: an own labelled set of cases over all kinds and surfaces, a scorer with
//! thresholds, and properties over random structure, encoding and chunking.

#![allow(clippy::print_stdout, reason = "the measured shares are shown")]

mod contexts;
mod disguises;
mod generate;
mod negatives;
mod plans;
mod properties;
mod rules;
mod score;
mod values;

use egret::domain::redact::{Context, KINDS, RULE_SETS, Redactor};

/// Cases of the labelled set; the seed is fixed so that a failure can be looked at.
const SEED: u64 = 0x5eed_2026;

#[test]
fn the_labelled_set_is_redacted_within_the_thresholds() {
    let cases = generate::cases(SEED);
    assert!(cases.len() >= 1_500, "{} cases", cases.len());
    let redactor = Redactor::default();
    let report = score::score(&cases, |case| {
        redactor
            .redact(case.surface, &case.input, Context::default())
            .bytes
            .into_inner()
    });
    println!("{report}");
    report.assert_thresholds();
}

#[test]
fn other_seeds_give_the_same_picture() {
    let redactor = Redactor::default();
    for seed in 1..4 {
        let cases = generate::cases(seed);
        let report = score::score(&cases, |case| {
            redactor
                .redact(case.surface, &case.input, Context::default())
                .bytes
                .into_inner()
        });
        report.assert_thresholds();
    }
}

#[test]
fn the_scorer_sees_leaks_and_losses() {
    let cases = generate::cases(SEED);
    let leaky = score::score(&cases, |case| case.input.clone());
    assert!(
        leaky.leaks() * 10 >= leaky.planted() * 9,
        "raw text must count as a leak"
    );
    let mute = score::score(&cases, |_| Vec::new());
    assert_eq!(mute.leaks(), 0);
    assert!(
        mute.lost() == mute.useful() && mute.useful() > 3_000,
        "nothing kept must count as lost"
    );
}

/// `docs/redaction.md` holds a table made from the code. `EGRET_REGENERATE=1 cargo test` writes it.
#[test]
fn the_list_of_recognisers_in_the_documents_is_the_one_in_the_code() {
    const BEGIN: &str = "<!-- recognisers: made from the code, see tests/it/redaction.rs -->\n";
    const END: &str = "<!-- end of recognisers -->\n";
    let mut table = String::new();
    for (set, about) in RULE_SETS {
        table.push_str(&format!("\n### Rule set `{set}`: {about}\n\n| kind | source | validation |\n| --- | --- | --- |\n"));
        for row in KINDS.iter().filter(|row| row.set == *set) {
            table.push_str(&format!(
                "| `{}` | {} | {} |\n",
                row.name, row.source, row.check
            ));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/redaction.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text
        .split_once(BEGIN)
        .expect("docs/redaction.md has the begin mark");
    let (_, tail) = rest
        .split_once(END)
        .expect("docs/redaction.md has the end mark");
    let fresh = format!("{head}{BEGIN}{table}\n{END}{tail}");
    if std::env::var_os("EGRET_REGENERATE").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    assert!(
        fresh == text || std::env::var_os("EGRET_REGENERATE").is_some(),
        "docs/redaction.md is not up to date: run with EGRET_REGENERATE=1"
    );
}
