//! Rules of the configuration and of operations, as a user writes them.

use egret::domain::redact::{Action, Context, FieldRules, Redactor, RuleError, Surface, UserRule};

fn rule(name: &str, pattern: &str, good: &[&str], bad: &[&str]) -> UserRule {
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    UserRule {
        name: name.into(),
        pattern: Some(pattern.into()),
        must_match: own(good),
        must_not_match: own(bad),
        ..UserRule::default()
    }
}

fn json(redactor: &Redactor, input: &str, context: Context<'_>) -> String {
    String::from_utf8(
        redactor
            .redact(Surface::Json, input.as_bytes(), context)
            .bytes
            .into_inner(),
    )
    .unwrap()
}

#[test]
fn a_pattern_of_the_user_masks_in_text_and_structure() {
    let redactor = Redactor::builder()
        .rule(rule(
            "member_id",
            r"\bMB-\d{3}\b",
            &["see MB-123"],
            &["MB-12"],
        ))
        .build()
        .unwrap();
    assert_eq!(
        redactor.text("see MB-123, card 4111111111111111").get(),
        "see [redacted:member_id], card [redacted:card]"
    );
    assert_eq!(
        json(
            &redactor,
            r#"{"id":"MB-123","state":"ok"}"#,
            Context::default()
        ),
        r#"{"id":"[redacted:member_id]","state":"ok"}"#
    );
    assert_eq!(
        redactor.text("see [redacted:member_id]").get(),
        "see [redacted:member_id]"
    );
}

#[test]
fn fields_of_the_user_are_masked_or_kept_in_any_spelling() {
    let mask = UserRule {
        name: "crm".into(),
        fields: vec!["crm_ref".into()],
        ..UserRule::default()
    };
    let keep = UserRule {
        name: "shown".into(),
        fields: vec!["frobRef".into()],
        keep: true,
        ..UserRule::default()
    };
    let redactor = Redactor::builder().rule(mask).rule(keep).build().unwrap();
    assert_eq!(
        json(
            &redactor,
            r#"{"crmRef":"completed","frob_ref":"any thing 77","FROB-REF":"4111111111111111"}"#,
            Context::default()
        ),
        r#"{"crmRef":"[redacted:crm]","frob_ref":"any thing 77","FROB-REF":"[redacted:card]"}"#
    );
}

#[test]
fn rules_that_do_not_behave_are_all_reported() {
    let errors = Redactor::builder()
        .rule(rule("a_one", "[", &["x"], &["y"]))
        .rule(rule("b_two", "x+", &["y"], &["xx"]))
        .rule(rule("card", "x", &["x"], &["y"]))
        .rule(rule("No Name", "x", &["x"], &["y"]))
        .rule(rule("c_three", "x*", &["x"], &[]))
        .build()
        .unwrap_err();
    assert!(matches!(&errors[0], RuleError::Pattern { name, .. } if name == "a_one"));
    assert!(errors.contains(&RuleError::Missed {
        name: "b_two".into(),
        at: 1
    }));
    assert!(errors.contains(&RuleError::Matched {
        name: "b_two".into(),
        at: 1
    }));
    assert!(errors.contains(&RuleError::Taken("card".into())));
    assert!(errors.contains(&RuleError::Name("No Name".into())));
    assert!(errors.contains(&RuleError::NoExamples("c_three".into())));
    assert!(errors.contains(&RuleError::EmptyMatch("c_three".into())));
    let unknown = Redactor::builder()
        .rule_sets(["payments"])
        .build()
        .unwrap_err();
    assert!(
        unknown[0]
            .to_string()
            .contains("use one of: payment, identity"),
        "{}",
        unknown[0]
    );
}

#[test]
fn rule_sets_can_be_chosen() {
    let redactor = Redactor::builder().rule_sets(["payment"]).build().unwrap();
    assert_eq!(
        redactor
            .text("card 4111111111111111 of john@example.com")
            .get(),
        "card [redacted:card] of john@example.com"
    );
}

#[test]
fn field_rules_keep_mask_drop_and_pseudonymise_and_mask_the_rest() {
    let rules = FieldRules::compile([
        ("guid", Action::Keep),
        ("objects[].state", Action::Keep),
        ("objects[].name", Action::Pseudonymise),
        ("pii", Action::Drop),
        ("note", Action::Keep),
    ])
    .unwrap();
    let key = egret::types::Secret::new(vec![1; 16]);
    let redactor = Redactor::builder()
        .pseudonym_key(&key)
        .operation("cybrid", "list_customers", rules)
        .build()
        .unwrap();
    let context = Context {
        api: Some("cybrid"),
        operation: Some("list_customers"),
        explain: true,
    };
    let input = r#"{"guid":"any-thing","created_at":"2026-01-02T03:04:05Z","objects":[{"state":"verified","name":"Zyxanthe","x":1}],"pii":{"a":"b","c":[1,2]},"note":"4111111111111111"}"#;
    let out = json(&redactor, input, context);
    assert!(
        out.contains(r#""guid":"any-thing""#) && out.contains(r#""state":"verified""#),
        "{out}"
    );
    assert!(out.contains(r#""name":"[name:h"#), "{out}");
    assert!(
        !out.contains("2026")
            && !out.contains(r#""b""#)
            && !out.contains("[1,2]")
            && !out.contains("4111"),
        "{out}"
    );
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    // Another operation is judged by names.
    assert!(
        json(
            &redactor,
            input,
            Context {
                operation: Some("other"),
                ..context
            }
        )
        .contains("2026-01-02T03:04:05Z")
    );
}

#[test]
fn paths_that_are_not_understood_are_refused() {
    for path in ["", "a..b", "a.", &"a.".repeat(40)] {
        assert!(
            FieldRules::compile([(path, Action::Keep)]).is_err(),
            "{path:?}"
        );
    }
}

#[test]
fn a_stream_holds_one_unit_only() {
    let redactor = Redactor::default();
    let mut stream = redactor.stream(Surface::Json, Context::default());
    stream.push(b"{\"data\":\"");
    let mut out = 0;
    for _ in 0..400 {
        out += stream.push(&[b'A'; 4096]).into_inner().len();
    }
    assert!(out < 100, "a long value is masked once");
    let rest = stream.finish().bytes.into_inner();
    assert!(rest.len() < 100);
}

#[test]
fn reasons_point_at_the_masks() {
    let redactor = Redactor::default();
    let context = Context {
        explain: true,
        ..Context::default()
    };
    let out = redactor.redact(
        Surface::Text,
        b"card 4111111111111111 and {\"ssn\":\"078-05-1120\"} end",
        context,
    );
    let text = String::from_utf8(out.bytes.into_inner()).unwrap();
    assert_eq!(out.hits.len(), 2);
    for hit in &out.hits {
        assert!(text[hit.at..].starts_with("[redacted:"), "{text} {hit:?}");
    }
}

#[test]
fn cutting_comes_after_redaction_and_never_cuts_a_mask() {
    let redactor = Redactor::default();
    let text = redactor.text("card 4111111111111111 declined");
    assert_eq!(text.clone().truncate(12).get(), "card …");
    assert_eq!(text.truncate(100).get(), "card [redacted:card] declined");
}
