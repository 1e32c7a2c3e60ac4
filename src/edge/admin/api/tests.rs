//! The table of routes: that its parts fit, without a socket.

use std::collections::HashSet;

use super::asked::Asked;
use super::route::{By, Kind, Place, Route};
use super::{openapi, routes};
use crate::edge::admin::desk::{Ask, Fault};

fn route(id: &str) -> Route {
    let mut all = routes::all().into_iter();
    all.find(|route| route.id == id).unwrap()
}

fn ask(id: &str, path: &[(&str, &str)], query: &str, body: &str) -> Result<Ask, Fault> {
    let route = route(id);
    let path = path
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let asked = Asked::read(&route, path, query, body.as_bytes().to_vec())?;
    match route.by {
        By::Desk(ask) => ask(&asked),
        By::Itself(_) => panic!("the router answers {id} itself"),
    }
}

#[test]
fn paths_name_their_parameters_and_ids_are_unique() {
    let mut seen = HashSet::new();
    for route in routes::all() {
        assert!(seen.insert(route.id), "{}", route.id);
        let in_path: HashSet<_> = route
            .path
            .split('/')
            .filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let named: HashSet<_> = route
            .params
            .iter()
            .filter(|param| param.place == Place::Path)
            .map(|param| param.name)
            .collect();
        assert_eq!(in_path, named, "{}", route.path);
        if route.method.changes() && route.permission.is_some() {
            assert_eq!(
                route.permission.map(|p| p.as_str()),
                Some(match route.path {
                    // Neither changes anything; both have a body that must not stand in a URL.
                    "/calls/terms" => "calls",
                    "/evidence/verify" => "export",
                    _ => "act",
                }),
                "{}",
                route.path
            );
        }
    }
}

#[test]
fn the_document_refers_to_what_it_has() {
    let document = openapi::document(&routes::all(), "1");
    let text = document.to_string();
    let schemas = &document["components"]["schemas"];
    for piece in text.split("#/components/schemas/").skip(1) {
        let name = piece.split('"').next().unwrap();
        assert!(schemas.get(name).is_some(), "{name}");
    }
    assert_eq!(document["openapi"], "3.1.0");
}

#[test]
fn forms_of_parameters_are_regular_expressions() {
    for route in routes::all() {
        for param in &route.params {
            if let Kind::Form(pattern) = &param.kind {
                // JSON Schema's dialect writes this escape with a leading x, as this crate does.
                assert!(regex::Regex::new(pattern).is_ok(), "{pattern}");
            }
        }
    }
}

#[test]
fn what_is_wrong_names_its_parameter() {
    for (query, parameter) in [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1&limit=2", "limit"),
        ("failed=yes", "failed"),
        ("outcome=good", "outcome"),
        ("pii=a", "pii"),
        ("from=yesterday", "from"),
        ("fingerprint=abc", "fingerprint"),
        ("outcome=hunter2", "outcome"),
        ("subject=abc", "subject"),
        ("after=xyz", "after"),
        ("caller=", "caller"),
        ("caller=%0a", "caller"),
        ("caller=%ff", "query"),
        ("colour=red", "colour"),
        // What may be a secret is not repeated.
        ("hunter2=1", "query"),
        ("5bd1e3c0a1f24c6d8e9f00112233aabb=1", "query"),
    ] {
        match ask("calls", &[], query, "") {
            Err(Fault::BadParameter(name, why)) => {
                assert_eq!(name, parameter, "{query}");
                assert!(!why.contains("hunter2"), "{why}");
            }
            other => panic!("{query}: {other:?}"),
        }
    }
    let both =
        "after=019a2b3c-4d5e-7f60-8123-456789abcdef&before=019a2b3c-4d5e-7f60-8123-456789abcdef";
    assert!(ask("calls", &[], both, "").is_err());
}

#[test]
fn questions_are_read_as_they_are_meant() {
    let query = "provider=cybrid&status=4xx&pii=email&pii=bank_account&failed=true&q=a+b%20c&limit=7&order=oldest";
    let Ok(Ask::Calls(asked)) = ask("calls", &[], query, "") else {
        panic!("not understood");
    };
    assert_eq!(asked.question.provider.as_deref(), Some("cybrid"));
    assert_eq!(asked.question.pii.len(), 2);
    assert!(asked.question.failed && !asked.question.mints);
    assert_eq!(asked.limit, 7);
    assert_eq!(asked.q.unwrap().expose(), "a b c");
}

#[test]
fn bodies_are_read_strictly_and_never_quoted() {
    let good = "{\"target\":\"all\",\"reason\":\"drill\",\"for\":\"2h\"}";
    assert!(matches!(ask("lock", &[], "", good), Ok(Ask::Lock { .. })));
    for bad in [
        "",
        "[]",
        "{}",
        "null",
        "{\"target\":\"all\"}",
        "{\"target\":\"all\",\"reason\":\"\"}",
        "{\"target\":\"all\",\"reason\":\"a\\nb\"}",
        "{\"target\":\"all\",\"reason\":\"x\",\"for\":\"0s\"}",
        "{\"target\":\"all\",\"reason\":\"x\",\"hunter2\":1}",
    ] {
        match ask("lock", &[], "", bad) {
            Err(Fault::BadBody(why)) => assert!(!why.contains("hunter2"), "{why}"),
            other => panic!("{bad}: {other:?}"),
        }
    }
}
