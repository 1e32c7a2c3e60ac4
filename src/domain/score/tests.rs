use super::*;

const DAY: i64 = 86_400_000;

fn labels() -> Vec<Label> {
    let text = r#"{"type":"tenant","id":"t","kind":"tenant","tenant":"heron","start":0,"end":1728000000,"callers":["heron-web"]}
{"type":"attack","id":"a1","kind":"mint_storm","difficulty":"easy","categories":["mint_volume"],"tenant":"heron","start":1300000000,"end":1300060000,"callers":["heron-web"],"ips":["240.0.0.1"],"subjects":["aa"],"tokens":["bb"],"targets":[]}
{"type":"attack","id":"a2","kind":"mint_drip","difficulty":"hard","categories":["mint_unused"],"tenant":"heron","start":1400000000,"end":1400600000,"callers":["heron-web"],"subjects":["cc"]}
{"type":"trap","id":"b1","kind":"campaign","tenant":"heron","start":1500000000,"end":1500600000,"callers":["heron-web"]}"#;
    read_labels(text).unwrap()
}

fn alerts(lines: &[&str]) -> Vec<Alert> {
    read_alerts(&lines.join("\n")).unwrap()
}

#[test]
fn the_first_page_that_fits_gives_the_delay() {
    let alerts = alerts(&[
        r#"{"ts":1300090000,"rule":"D9","severity":"high","category":"mint_volume","caller":"heron-web"}"#,
        r#"{"ts":1300030000,"rule":"D5","severity":"medium","category":"mint_unused","ip":["240.0.0.1"]}"#,
        r#"{"ts":1300010000,"rule":"D4","severity":"low","category":"scope","caller":"heron-web"}"#,
    ]);
    let score = judge(&labels(), &alerts, Terms::default());
    assert_eq!(score.recall, Share { found: 1, of: 2 });
    assert_eq!(score.by_difficulty["easy"], Share { found: 1, of: 1 });
    assert_eq!(score.by_difficulty["hard"], Share { found: 0, of: 1 });
    let found = &score.attacks[0];
    assert_eq!(
        (found.delay_ms, found.rule.as_deref()),
        (Some(30_000), Some("D5"))
    );
    assert_eq!((found.pages, found.notices), (2, 1));
    assert_eq!(score.median_delay_ms, Some(30_000));
    assert_eq!(score.pages_per_attack, 2.0);
    assert_eq!(score.precision, Share { found: 2, of: 2 });
    // The first page was of another category.
    assert_eq!(score.categories, Share { found: 0, of: 1 });
    let d5 = score.by_rule.iter().find(|rule| rule.rule == "D5").unwrap();
    assert_eq!((d5.first, d5.alone), (1, 0));
}

#[test]
fn time_and_a_shared_name_are_both_needed() {
    let hour = 3_600_000;
    let end = 1_300_060_000;
    for (ts, name, fits) in [
        (end + 2 * hour, r#""subject":"aa""#, true),
        (end + 2 * hour + 1, r#""subject":"aa""#, false),
        (1_299_999_999, r#""subject":"aa""#, false),
        (end, r#""token":["x","bb"]"#, true),
        // A token is no subject, and another caller no fit.
        (end, r#""subject":"bb""#, false),
        (end, r#""caller":"kite-web""#, false),
    ] {
        let line = format!(r#"{{"ts":{ts},"rule":"D1",{name}}}"#);
        let score = judge(&labels(), &alerts(&[&line]), Terms::default());
        assert_eq!(score.recall.found == 1, fits, "{line}");
        assert_eq!(score.precision.found == 1, fits, "{line}");
    }
}

#[test]
fn false_pages_are_told_by_time_rule_and_trap() {
    let alerts = alerts(&[
        r#"{"ts":5000,"rule":"D1","severity":"high","caller":"heron-web"}"#,
        r#"{"ts":1500000001,"rule":"D9","caller":"heron-web"}"#,
        r#"{"ts":1600000000,"rule":"D9","severity":"info","caller":"heron-web"}"#,
    ]);
    let score = judge(&labels(), &alerts, Terms::default());
    assert_eq!((score.false_while_learning, score.false_afterwards), (1, 1));
    assert_eq!(score.learning_days, 14.0);
    assert_eq!(score.days, 6.0);
    assert!((score.false_rate_while_learning - 1.0 / 14.0).abs() < 1e-9);
    assert!((score.false_rate_afterwards - 1.0 / 6.0).abs() < 1e-9);
    assert_eq!(score.notices, 1);
    assert_eq!(score.false_pages, [0, 1]);
    assert_eq!(
        (
            score.by_trap[0].played,
            score.by_trap[0].quiet,
            score.by_trap[0].pages
        ),
        (1, 0, 1)
    );
}

#[test]
fn without_tenants_one_is_watched_from_first_to_last() {
    let labels: Vec<Label> = labels()
        .into_iter()
        .filter(|label| label.label_type != LabelType::Tenant)
        .collect();
    let line = format!(
        r#"{{"ts":{},"rule":"D1","caller":"x"}}"#,
        1_300_000_000 + 20 * DAY
    );
    let score = judge(&labels, &alerts(&[&line]), Terms::default());
    assert_eq!(
        (score.tenants, score.learning_days, score.days),
        (1, 14.0, 6.0)
    );
    assert_eq!(score.false_afterwards, 1);
}

#[test]
fn bad_lines_are_named_and_not_quoted() {
    let fault = read_alerts("{\"ts\":1,\"rule\":\"D1\",\"caller\":\"x\"}\n{\"ts\":\"secret\"}")
        .unwrap_err();
    assert_eq!(fault.line, 2);
    assert!(!fault.to_string().contains("secret"));
    let fault = read_alerts("{\"ts\":1,\"rule\":\"D1\"}").unwrap_err();
    assert!(fault.reason.contains("names no caller"));
    assert!(
        read_alerts("{\"ts\":1,\"rule\":\"D1\",\"caller\":\"x\",\"severity\":\"loud\"}").is_err()
    );
    assert!(read_labels("nonsense").is_err());
    assert!(read_labels("\n\n").unwrap().is_empty());
}

#[test]
fn nothing_at_all_is_no_fault() {
    let score = judge(&[], &[], Terms::default());
    assert_eq!(score.recall.ratio(), 0.0);
    assert_eq!(score.median_delay_ms, None);
}

#[test]
fn the_text_names_what_was_missed() {
    let alerts = alerts(&[
        r#"{"ts":1300030000,"rule":"D5","severity":"medium","category":"mint_unused","ip":["240.0.0.1"]}"#,
    ]);
    let score = judge(&labels(), &alerts, Terms::default());
    let text = render(&score, Detail { missed: true });
    assert!(text.contains("50.0 %  1 of 2"), "{text}");
    assert!(text.contains("30.0 s"), "{text}");
    assert!(text.contains("mint_drip:hard of heron"), "{text}");
    assert!(!text.contains("mint_storm:easy of"), "{text}");
}
