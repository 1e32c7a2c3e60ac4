use proptest::prelude::*;

use super::*;
use crate::domain::detect::Sensitivity;
use crate::domain::incident::{Book, Category, Settings as BookSettings};

fn sign(rule: &str, baseline: Option<Baseline>) -> Sign {
    Sign {
        at: Micros::from_secs(1_795_305_600),
        since: Micros::from_secs(1_795_305_000),
        rule: rule.to_owned(),
        category: Category::MintUnused,
        severity: Severity::High,
        cause: Some(1),
        environment: "production".to_owned(),
        caller: "payments".to_owned(),
        ip: "192.0.2.7".to_owned(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline,
        calls: vec!["019a2b3c-4d5e-7f60-8123-456789abcdef".to_owned()],
        sentence: "payments minted tokens.".to_owned(),
    }
}

fn counted(count: f64, expected: f64, threshold: f64) -> Baseline {
    Baseline {
        count,
        expected,
        window_s: 600,
        score: surprise(count, expected),
        threshold,
    }
}

fn explained(sign: &Sign, settings: &Settings) -> (Explanation, String) {
    let mut book = Book::new(BookSettings::default());
    book.take(sign);
    let explanation = explain(book.cases().next().unwrap(), settings);
    let mut text = String::new();
    write(&mut text, &explanation).unwrap();
    (explanation, text)
}

#[test]
fn a_count_is_explained_with_its_numbers() {
    let (explanation, text) = explained(
        &sign("thin-mints", Some(counted(40.0, 2.0, 14.0))),
        &Settings::default(),
    );
    let why = &explanation.why[0];
    let measured = why.measured.as_ref().unwrap();
    assert_eq!(
        measured.formula,
        "n ln(n/L) - n + L = 40 ln(40/2) - 40 + 2 = 81.83 nats"
    );
    assert_eq!(why.quiet[0], "13 or fewer in 600 seconds instead of 40");
    assert!(surprise(13.0, 2.0) < 14.0 && surprise(14.0, 2.0) >= 14.0);
    assert!(
        why.settings[0]
            .does
            .starts_with("would have told it all the same: from 20 nats on"),
        "{:?}",
        why.settings
    );
    for part in [
        "thin-mints, high",
        "40 in 600 seconds",
        "81.83 nats; told from 14 on",
        "quiet",
        "max_severity",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 140),
        "{text}"
    );
}

#[test]
fn a_milder_setting_is_said_to_help_where_it_does() {
    let mut settings = Settings::default();
    let told = sign("thin-mints", Some(counted(15.0, 2.0, 14.0)));
    let score = surprise(15.0, 2.0);
    assert!((14.0..20.0).contains(&score), "{score}");
    let (explanation, _) = explained(&told, &settings);
    assert!(
        explanation.why[0].settings[0]
            .does
            .starts_with("would have kept it quiet")
    );
    settings.sensitivity = Sensitivity::Low;
    let (explanation, _) = explained(&told, &settings);
    assert!(
        explanation.why[0].settings[0]
            .does
            .starts_with("is in force")
    );
}

#[test]
fn what_is_new_is_explained_by_what_would_make_it_known() {
    let (explanation, text) = explained(&sign("new-origin", None), &Settings::default());
    let why = &explanation.why[0];
    assert_eq!(why.measured, None);
    assert!(
        why.settings
            .iter()
            .any(|setting| setting.write == "[detect] own_networks = [\"192.0.2.7/32\"]")
    );
    assert!(
        text.contains("if the caller had called from there before"),
        "{text}"
    );
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["why"][0]["rule"], "new-origin");
    assert_eq!(json["why"][0]["calls"][0], why.calls[0].as_str());
}

proptest! {
    /// The limits that are named are limits: quiet on one side, told on the other.
    #[test]
    fn the_limits_named_are_true(count in 2.0..100_000.0_f64, expected in 0.3..1_000.0_f64, threshold in 1.0..50.0_f64) {
        let count = count.floor();
        let baseline = counted(count, expected, threshold);
        prop_assume!(baseline.score >= threshold);
        let lines = quiet::numbers(&baseline);
        let first = |line: &str| line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).unwrap();
        let most = first(&lines[0]);
        prop_assert!(surprise(most, expected) < threshold);
        prop_assert!(surprise(most + 1.0, expected) >= threshold - 1e-6);
        let usual = first(&lines[1]);
        prop_assert!(surprise(count, usual) < threshold + 1e-6);
    }
}
