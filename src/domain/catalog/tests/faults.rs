//! What a person sees who writes a wrong provider file.

use super::super::Provider;

const GOOD: &str = r#"id = "acme"
title = "Acme"
credential_scheme = "bearer"
versions = ["v1", "v2"]
scopes = ["read"]

[[service]]
id = "api"
prefix = "/acme"

[[operation]]
id = "one"
method = "GET"
path = "/{version}/things/{ID}"
versions = ["v1..v2"]
effect = "read"
query = ["page"]
query_shapes = { page = "int" }
response_facts = [{ name = "state", shape = "enum(a, b)" }]
"#;

fn faults(text: &str) -> Vec<String> {
    match Provider::parse("acme.toml", text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(faults(GOOD), Vec::<String>::new());
}

#[test]
fn each_fault_has_its_line_and_what_to_write() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "id = \"one\"",
            "id = 5",
            "acme.toml:12: \"id\" of [[operation]] is integer; write a text in quotes",
        ),
        (
            "effect = \"read\"",
            "effect = \"reed\"",
            "acme.toml:16: unknown effect \"reed\"; use one of: read, write, money, mint, access-change",
        ),
        (
            "effect = \"read\"",
            "efect = \"read\"",
            "acme.toml:16: unknown key \"efect\" in [[operation]]; write \"effect\"",
        ),
        (
            "effect = \"read\"",
            "",
            "acme.toml:11: [[operation]] has no \"effect\"; add effect = ...",
        ),
        (
            "method = \"GET\"",
            "method = \"get\"",
            "acme.toml:13: unknown method \"get\"; use one of: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, *",
        ),
        (
            "/{version}/things/{ID}",
            "/{version}/things{ID}",
            "acme.toml:14: bad path \"/{version}/things{ID}\"; write whole segments",
        ),
        (
            "/{version}/things/{ID}",
            "/things/{ID}",
            "acme.toml:14: path and versions do not go together; write {version} in the path",
        ),
        (
            "v1..v2",
            "v1..v3",
            "acme.toml:15: unknown version \"v1..v3\"; write a version of the file's `versions`",
        ),
        (
            "page = \"int\"",
            "page = \"uuid\"",
            "acme.toml:18: \"uuid\" could carry a secret in a query; use int, bool",
        ),
        (
            "enum(a, b)",
            "enumm",
            "acme.toml:19: unknown shape \"enumm\"; use one of: int",
        ),
        (
            "prefix = \"/acme\"",
            "prefix = \"acme/\"",
            "acme.toml:9: \"acme/\" is not a prefix; write /name",
        ),
        (
            "prefix = \"/acme\"",
            "prefix = \"/acme\"\nbase_urls = { production = \"http://u:hunter2@x\" }",
            "acme.toml:10: this is not a base URL; write a base URL without user name",
        ),
        (
            "title = \"Acme\"",
            "",
            "acme.toml:1: the file has no \"title\"; add title = ...",
        ),
        ("id = \"acme\"", "id = \"acme", "acme.toml:1: not TOML"),
        (
            "shape = \"enum(a, b)\"",
            "shape = \"int\", present = true",
            "acme.toml:19: fact \"state\" does not say what to keep",
        ),
        (
            "name = \"state\"",
            "name = \"state\", at = \"a..b\"",
            "acme.toml:19: \"a..b\" is not a JSON path; write field names joined by dots",
        ),
        (
            "name = \"state\"",
            "name = \"state\", at = \"path:ID\"",
            "acme.toml:11: response fact \"state\" is not in the body; write a JSON path",
        ),
    ];
    for (from, to, expected) in cases {
        let found = faults(&GOOD.replacen(from, to, 1));
        assert!(
            found.iter().any(|fault| fault.starts_with(expected)),
            "{to:?}\nexpected {expected:?}\nfound {found:#?}"
        );
        assert!(
            found.iter().all(|fault| !fault.contains("hunter2")),
            "{found:?}"
        );
    }
}

#[test]
fn operations_that_cannot_be_told_apart_are_reported() {
    let twice = format!(
        "{GOOD}\n[[operation]]\nid = \"two\"\nmethod = \"GET\"\npath = \"/v2/things/{{OTHER}}\"\neffect = \"read\"\n"
    );
    assert_eq!(
        faults(&twice),
        [
            "acme.toml:21: GET /v2/things/{OTHER} is also the route of \"one\" on line 11; change method, path or versions, or write recorded_as = the other id"
        ]
    );
    let same_id = twice.replace("\"two\"", "\"one\"").replace("/v2/", "/v9/");
    assert_eq!(
        faults(&same_id),
        ["acme.toml:21: a second operation \"one\", first on line 11; give it another id"]
    );
    let recorded = twice.replace("id = \"two\"", "id = \"two\"\nrecorded_as = \"one\"");
    assert_eq!(faults(&recorded), Vec::<String>::new());
    let nowhere = twice.replace("id = \"two\"", "id = \"two\"\nrecorded_as = \"three\"");
    assert!(faults(&nowhere)[0].contains("recorded_as names \"three\""));
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = GOOD
        .replace("read\"", "reed\"")
        .replace("GET", "FETCH")
        .replace("title", "titel");
    let found = faults(&text);
    assert!(found.len() >= 4, "{found:#?}");
    let lines: Vec<u32> = found
        .iter()
        .map(|fault| fault.split(':').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn a_file_of_another_kind_gives_few_faults() {
    let text: String = (0..5_000).map(|i| format!("key{i} = {i}\n")).collect();
    assert_eq!(faults(&text).len(), 200);
    assert_eq!(faults("").len(), 4, "{:?}", faults(""));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(at in 0..400_usize, noise in "\\PC{0,12}") {
        let mut text = GOOD.to_owned();
        let at = at.min(text.len());
        text.insert_str(at, &noise);
        let _ = faults(&text);
    }
}
