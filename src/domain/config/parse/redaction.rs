//! `[redaction]`: which built-in rules are used, and rules of the user's own with the examples
//! that prove them.

use std::sync::Arc;

use crate::domain::config::model::{Redaction, RedactionRule};
use crate::domain::config::reader::{Flag, Found, Hidden, Names, Problem, Table, Text, Texts};
use crate::domain::redact::{RULE_SETS, RULES_MAX, RedactorBuilder, RuleError};

/// Longest pattern and longest example: a pattern that needs more is several rules.
const MAX_PATTERN: usize = 2_000;
/// Most examples and most fields of one rule: they are tried at every start.
const MAX_LIST: usize = 200;

const SETS: Names = Names {
    max: RULE_SETS.len(),
    valid: is_set,
    what: "use payment, identity, contact, chain, credential or structure",
};

const EXAMPLES: Texts = Texts {
    max: MAX_LIST,
    max_bytes: MAX_PATTERN,
};

/// How many examples there are: they can be of real values.
#[expect(clippy::ptr_arg, reason = "a kind shows what it reads")]
fn show_examples(examples: &Vec<String>) -> String {
    match examples.len() {
        0 => "[]".to_owned(),
        count => format!("[\"({count} texts, not shown)\"]"),
    }
}

fn is_set(name: &str) -> bool {
    RULE_SETS.iter().any(|(known, _)| *known == name)
}

/// Reads the section and tries every rule.
pub(super) fn read(top: &Table<'_>) -> Redaction {
    let table = top.table("redaction");
    let rule_sets = table.optional(
        "rule_sets",
        &SETS,
        "all of them",
        "Built-in rule sets in use; leave one out only where its masks get in the way.",
    );
    let pseudonyms = table.value(
        "pseudonyms",
        &Flag,
        false,
        "Whether personal values become keyed pseudonyms (`[email:h3f9...]`), so that two texts \
         about one person can be linked, instead of bare masks.",
    );
    let tables = table.tables("rule");
    if tables.len() > RULES_MAX {
        let problem = Problem::new("too many rules", format!("use at most {RULES_MAX}"));
        table.fault(&table.place_of("rule"), problem);
    }
    let mut rules: Vec<RedactionRule> = Vec::new();
    for one in tables.iter().take(RULES_MAX) {
        let rule = read_rule(one, &rules);
        rules.extend(rule);
    }
    Redaction {
        rule_sets: rule_sets.map(|found: Found<Vec<Arc<str>>>| found.value),
        pseudonyms: pseudonyms.value,
        rules,
    }
}

fn read_rule(table: &Table<'_>, before: &[RedactionRule]) -> Option<RedactionRule> {
    let name = table.required(
        "name",
        &Text {
            max: 32,
            what: "2 to 32 small letters, digits and `_`",
        },
        "The word inside the mask: `[redacted:member_id]`.",
    );
    let pattern = table.optional(
        "pattern",
        &Text {
            max: MAX_PATTERN,
            what: "regular expression in single quotes",
        },
        "none",
        "Regular expression for values in any text; linear time, so without look-around and back \
         references. It needs examples of both kinds.",
    );
    let list = |key, meaning| table.value(key, &EXAMPLES, Vec::new(), meaning).value;
    let hidden = |key, meaning| {
        let kind = Hidden {
            kind: EXAMPLES,
            show: show_examples,
        };
        table.value(key, &kind, Vec::new(), meaning).value
    };
    let rule = RedactionRule {
        name: name?.value,
        pattern: pattern.map(|found| found.value),
        fields: list(
            "fields",
            "Names of fields, headers and parameters, in any spelling, whose values are masked.",
        ),
        keep: table
            .value(
                "keep",
                &Flag,
                false,
                "Shows the fields instead of masking them; card numbers and credentials in them \
                 are masked anyway.",
            )
            .value,
        must_match: hidden(
            "must_match",
            "Texts in which the pattern must find something; tried by `egret check`.",
        ),
        must_not_match: hidden(
            "must_not_match",
            "Texts in which the pattern must find nothing; tried by `egret check`.",
        ),
    };
    let mut faults = Vec::new();
    if before.iter().any(|other| other.name == rule.name) {
        faults.push(RuleError::Taken(rule.name.clone()));
    }
    let tried = RedactorBuilder::default().rule(rule.to_rule()).build();
    faults.extend(tried.err().into_iter().flatten());
    for fault in &faults {
        let place = match key_of(fault) {
            Some(key) => table.place_of(key),
            None => table.place().clone(),
        };
        // The pattern's compiler writes several lines.
        let message = fault.to_string();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        table.fault(&place, Problem::new(message, ""));
    }
    faults.is_empty().then_some(rule)
}

/// The key that a fault is about.
fn key_of(fault: &RuleError) -> Option<&'static str> {
    Some(match fault {
        RuleError::Name(_) | RuleError::Taken(_) => "name",
        RuleError::Pattern { .. } | RuleError::EmptyMatch(_) => "pattern",
        RuleError::NoExamples(_) | RuleError::Missed { .. } => "must_match",
        RuleError::Matched { .. } => "must_not_match",
        _ => return None,
    })
}
