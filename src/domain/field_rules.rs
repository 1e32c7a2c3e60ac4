//! Which fields of an operation's bodies may be shown: the provider file's rules, as the redactor
//! wants them.
//!
//! What the provider file allows to be recorded is shown if it has the shape that its name promises
//! (a strange value in a known field may be a secret that a bank quotes), what identifies somebody is replaced by
//! a pseudonym, what it calls personal or secret is masked, and so is every field that it does
//! not name. Where rules meet, the stricter one wins: a fact below a personal field stays hidden.
//! Requests and answers of one operation share their rules, since a redactor that is handed a body
//! does not always know which of the two it is.

use super::catalog::{
    Catalog, FactKeep, FactRule, Locator, Operation, ParamKeep, Provider, QueryKeep, Segment,
    Shape, parse_template,
};
use super::redact::{Action, FieldRules, PathStep, RedactorBuilder};

/// The rules of one operation, its answers of 400 and above included.
pub fn field_rules(provider: &Provider, operation: &Operation) -> FieldRules {
    let hidden = hidden(operation);
    let mut rules: Vec<(&str, Action)> = Vec::new();
    let facts = operation
        .request_facts
        .iter()
        .chain(&operation.response_facts)
        .chain(&provider.error_facts);
    rules.extend(facts.filter_map(shown));
    for rule in &provider.error_codes {
        // An OBP message begins with its code and goes on with a sentence about somebody.
        if !matches!(rule.shape, Shape::ObpCode) {
            rules.push((rule.at.as_str(), Action::Judge));
        }
    }
    for rule in operation.query.iter() {
        match &rule.keep {
            QueryKeep::Value(_) => rules.push((&rule.name, Action::Judge)),
            QueryKeep::Subject(_) => rules.push((&rule.name, Action::Pseudonymise)),
            QueryKeep::Mask => {}
        }
    }
    // The redactor has no path for "at any depth"; such a field stays masked.
    rules.retain(|(path, _)| !path.starts_with("**.") && !hidden.covers(path));
    let masked = hidden.paths.iter().map(|path| (*path, Action::Mask));
    let dropped = hidden.secrets.iter().map(|path| (*path, Action::Drop));
    let all = rules.into_iter().chain(masked).chain(dropped);
    // A path that the redactor does not understand: without rules every field is masked.
    FieldRules::compile(all)
        .unwrap_or_default()
        .with_path(steps(operation))
}

/// The segments of the operation's path. The redactor has no pseudonym for what is only dropped
/// from the record, so that is masked.
fn steps(operation: &Operation) -> Vec<PathStep> {
    let action = |name: &str| {
        let facts = operation.request_facts.iter();
        let mut facts = facts.filter(|rule| matches!(&rule.at, Locator::Path(at) if **at == *name));
        if let Some(fact) = facts.next() {
            return match fact.keep {
                FactKeep::Value(_) => Action::Judge,
                FactKeep::Subject(_) => Action::Pseudonymise,
                FactKeep::Present => Action::Mask,
            };
        }
        // `{version}` is no parameter.
        match operation.params.iter().find(|param| *param.name == *name) {
            None => Action::Judge,
            Some(param) => match param.keep {
                ParamKeep::Subject(_) => Action::Pseudonymise,
                ParamKeep::Drop | ParamKeep::Pii(_) | ParamKeep::Secret => Action::Mask,
            },
        }
    };
    let Ok(segments) = parse_template(&operation.template) else {
        return Vec::new();
    };
    segments
        .into_iter()
        .map(|segment| match segment {
            Segment::Literal(text) => PathStep::Literal(text.to_owned()),
            Segment::Param(name) => PathStep::Param(action(name)),
            Segment::Tail(name) => PathStep::Rest(action(name)),
        })
        .collect()
}

/// Gives a redactor the rules of every operation of a catalog. Operations are also known by the
/// part of their id behind the service, where only one has it.
#[must_use]
pub fn add_all(mut builder: RedactorBuilder, catalog: &Catalog) -> RedactorBuilder {
    for entry in catalog.entries() {
        let provider = &entry.provider;
        for operation in &provider.operations {
            let rules = field_rules(provider, operation);
            if let Some(short) = short_name(provider, operation) {
                builder = builder.operation(&provider.id, short, rules.clone());
            }
            builder = builder.operation(&provider.id, &operation.id, rules);
        }
    }
    builder
}

/// The id without its service, if no other operation of the provider is called so.
fn short_name<'o>(provider: &Provider, operation: &'o Operation) -> Option<&'o str> {
    let (_, short) = operation.id.split_once('.')?;
    let others = provider.operations.iter();
    let same = others.filter(|other| {
        *other.id == *short
            || other
                .id
                .split_once('.')
                .is_some_and(|(_, name)| name == short)
    });
    (same.count() == 1).then_some(short)
}

/// Finds an operation by its id, or by the part behind the service.
///
/// # Errors
/// The ids that fit, if they are several; none if there is no such operation.
pub fn find<'p>(provider: &'p Provider, name: &str) -> Result<&'p Operation, Vec<&'p str>> {
    if let Some(operation) = provider.operation(name) {
        return Ok(operation);
    }
    let fits = |id: &str| id.split_once('.').is_some_and(|(_, short)| short == name);
    let found: Vec<&Operation> = provider
        .operations
        .iter()
        .map(|operation| &**operation)
        .filter(|operation| fits(&operation.id))
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        several => Err(several.iter().map(|operation| &*operation.id).collect()),
    }
}

fn shown(rule: &FactRule) -> Option<(&str, Action)> {
    let path = match &rule.at {
        Locator::Body(path) => path.as_str(),
        Locator::Query(name) => name,
        Locator::Path(_) => return None,
    };
    match rule.keep {
        FactKeep::Value(_) => Some((path, Action::Judge)),
        FactKeep::Subject(_) => Some((path, Action::Pseudonymise)),
        // That it is there is seen from its name; what it holds was never promised.
        FactKeep::Present => None,
    }
}

/// What must not be shown.
struct Hidden<'o> {
    paths: Vec<&'o str>,
    secrets: Vec<&'o str>,
    /// Names that are hidden at any depth.
    names: Vec<&'o str>,
}

fn hidden(operation: &Operation) -> Hidden<'_> {
    let pii = operation.request_pii.iter().chain(&operation.response_pii);
    let mut paths: Vec<&str> = pii
        .flat_map(|rule| &rule.at)
        .map(|path| path.as_str())
        .collect();
    let mut secrets: Vec<&str> = Vec::new();
    let minted = operation.mint.iter().flat_map(|mint| &mint.response);
    secrets.extend(
        operation
            .response_secrets
            .iter()
            .chain(minted)
            .map(|path| path.as_str()),
    );
    let sent = operation.mint.iter().flat_map(|mint| &mint.request);
    for locator in operation.request_secrets.iter().chain(sent) {
        match locator {
            Locator::Body(path) => secrets.push(path.as_str()),
            Locator::Query(name) => secrets.push(name),
            Locator::Path(_) => {}
        }
    }
    let mut names = Vec::new();
    for list in [&mut paths, &mut secrets] {
        names.extend(list.iter().filter_map(|path| path.strip_prefix("**.")));
        list.retain(|path| !path.starts_with("**."));
    }
    Hidden {
        paths,
        secrets,
        names,
    }
}

impl Hidden<'_> {
    /// Whether a path is one of these or below one.
    fn covers(&self, path: &str) -> bool {
        let is_below = |upper: &&str| {
            let upper = upper.trim_end_matches("[]");
            path.strip_prefix(upper)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let is_named = |step: &str| self.names.contains(&step.trim_end_matches("[]"));
        self.paths.iter().chain(&self.secrets).any(is_below) || path.split('.').any(is_named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::{Provider, builtin};
    use crate::domain::redact::{Context, Redactor, Surface};

    fn catalog() -> Catalog {
        let providers = builtin().map(|(file, text)| Provider::parse(file, text).unwrap());
        Catalog::new(providers.into()).unwrap()
    }

    fn redact(redactor: &Redactor, api: &str, operation: &str, body: &str) -> String {
        let context = Context {
            api: Some(api),
            operation: Some(operation),
            explain: false,
        };
        let redacted = redactor.redact(Surface::Json, body.as_bytes(), context);
        redacted.bytes.into_text().into_inner()
    }

    #[test]
    fn facts_are_shown_and_everything_else_of_an_operation_is_not() {
        let redactor = add_all(Redactor::builder(), &catalog()).build().unwrap();
        let body = r#"{"guid":"0f8fad5bd9cb469fa16570867728950e","side":"buy","labels":["for Ada"],"note":"hello"}"#;
        for name in ["bank.create_trade", "create_trade"] {
            let out = redact(&redactor, "cybrid", name, body);
            assert!(out.contains("0f8fad5bd9cb469fa16570867728950e"), "{out}");
            assert!(out.contains(r#""side":"buy""#), "{out}");
            assert!(!out.contains("Ada") && !out.contains("hello"), "{out}");
        }
    }

    #[test]
    fn a_known_field_with_a_strange_value_is_masked() {
        let redactor = add_all(Redactor::builder(), &catalog()).build().unwrap();
        let body = r#"{"guid":"k3q7b1m9x0c5z2w8h4d6p1t7","state":"k3q7b1m9x0c5z2w8h4d6p1t7","side":"482913570264"}"#;
        let out = redact(&redactor, "cybrid", "create_trade", body);
        assert!(!out.contains("k3q7") && !out.contains("4829"), "{out}");
    }

    #[test]
    fn a_path_is_redacted_by_the_parameters_of_its_operation() {
        let redactor = add_all(Redactor::builder(), &catalog()).build().unwrap();
        let context = |operation| Context {
            api: Some("cybrid"),
            operation,
            explain: false,
        };
        let head = b"GET /api/customers/0f8fad5bd9cb469fa16570867728950e HTTP/1.1\r\n";
        let out = |operation| {
            let redacted = redactor.redact(Surface::Header, head, context(operation));
            redacted.bytes.into_text().into_inner()
        };
        let known = out(Some("get_customer"));
        assert_eq!(known, "GET /api/customers/[redacted:personal] HTTP/1.1\r\n");
        // Of another operation: judged by its form.
        assert!(out(None).contains("0f8fad5bd9cb469fa16570867728950e"));
        assert!(out(Some("create_trade")).contains("0f8fad5bd9cb469fa16570867728950e"));
    }

    #[test]
    fn what_is_minted_is_never_shown() {
        let redactor = add_all(Redactor::builder(), &catalog()).build().unwrap();
        for entry in catalog().entries() {
            for operation in &entry.provider.operations {
                let Some(mint) = &operation.mint else {
                    continue;
                };
                for path in &mint.response {
                    if path.as_str().contains(['.', '[']) {
                        continue;
                    }
                    let body = format!("{{\"{path}\":\"Zq7token9canary\"}}");
                    let out = redact(&redactor, &entry.provider.id, &operation.id, &body);
                    assert!(!out.contains("canary"), "{}: {out}", operation.id);
                }
            }
        }
    }

    #[test]
    fn personal_fields_hide_the_facts_below_them() {
        let hidden = Hidden {
            paths: vec!["counterparty", "objects[].labels[]"],
            secrets: vec![],
            names: vec!["email"],
        };
        for covered in [
            "counterparty",
            "counterparty.type",
            "counterparty[].x",
            "objects[].labels",
            "a.email",
        ] {
            assert!(hidden.covers(covered), "{covered}");
        }
        for free in ["counterparty_guid", "objects[].guid", "a.email_verified"] {
            assert!(!hidden.covers(free), "{free}");
        }
    }

    #[test]
    fn operations_are_found_by_their_short_name_if_it_is_clear() {
        let catalog = catalog();
        let (_, cybrid) = catalog.provider("cybrid").unwrap();
        let found = find(&cybrid.provider, "create_trade").unwrap();
        assert_eq!(&*found.id, "bank.create_trade");
        assert!(find(&cybrid.provider, "nothing").unwrap_err().is_empty());
    }
}
