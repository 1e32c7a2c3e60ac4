use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: CatalogArgs,
}

fn catalog(words: &[&str]) -> Result<String, String> {
    let words = std::iter::once("catalog").chain(words.iter().copied());
    let args = Line::try_parse_from(words)
        .map_err(|error| error.to_string())?
        .args;
    let mut out = Vec::new();
    run(&args, &mut out).map_err(|failure| failure.message)?;
    Ok(String::from_utf8(out).unwrap())
}

fn in_words(line: &str) -> Result<String, String> {
    catalog(&line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn operations_are_listed_by_what_they_do() {
    let table = in_words("list --provider cybrid --effect money").unwrap();
    assert!(table.contains("bank.create_trade"), "{table}");
    assert!(table.contains("/api/trades"), "{table}");
    assert!(!table.contains("bank.list_trades"), "{table}");
    let csv = in_words("list --provider cybrid --service identity --format csv").unwrap();
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("provider,operation,service,effect,method,path_template")
    );
    assert!(lines.all(|line| line.contains(",identity,")), "{csv}");
    let json = in_words("list --format json").unwrap();
    assert!(json.lines().count() > 1_000);
    for line in json.lines().take(5) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["provider"], "cybrid", "{row}");
    }
    assert_eq!(
        in_words("list --provider wyre --service nothing").unwrap(),
        "no operations match\n"
    );
}

#[test]
fn an_operation_is_shown_with_what_is_kept_of_it() {
    let text = in_words("show cybrid bank.get_customer").unwrap();
    for part in [
        "GET /cybrid/bank/api/customers/{customer_guid}",
        "pseudonym (customer)",
        "include_pii",
        "person_name",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = in_words("show cybrid bank.create_trade --format json").unwrap();
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(shown["effect"], "money");
    assert!(shown["request_facts"].to_string().contains("quote_guid"));
}

#[test]
fn a_request_is_matched_as_the_gateway_does() {
    let guid = "3f1c6b0e8f554f0ea6a53e4f3a0f9c11";
    let path = format!("/api/customers/{guid}?include_pii=true&hunter2=1");
    let by_prefix = catalog(&["match", "get", &format!("/cybrid/bank{path}")]).unwrap();
    let url = format!("https://bank.production.cybrid.app{path}");
    let by_host = catalog(&["match", "GET", &url]).unwrap();
    let header = catalog(&[
        "match",
        "GET",
        &path,
        "--host",
        "bank.production.cybrid.app",
    ])
    .unwrap();
    assert_eq!(by_host, header);
    assert_eq!(by_prefix.replace("sandbox", "production"), by_host);
    for part in [
        "bank.get_customer",
        "/api/customers/{customer_guid}",
        "include_pii=true",
        "customer_guid: pseudonym (customer)",
        "person_name",
    ] {
        assert!(by_prefix.contains(part), "{part} in {by_prefix}");
    }
    assert!(!by_prefix.contains(guid) && !by_prefix.contains("hunter2"));
    let url = format!("http://127.0.0.1:8080/cybrid/bank{path}");
    assert_eq!(catalog(&["match", "GET", &url]).unwrap(), by_prefix);
    let json = catalog(&["match", "GET", &url, "--format", "json"]).unwrap();
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["operation"], "bank.get_customer");
    let unknown = in_words("match GET /cybrid/bank/api/nothing").unwrap();
    assert!(unknown.contains("operation        unknown"), "{unknown}");
}

#[test]
fn mistakes_get_an_answer_that_helps() {
    for (line, part) in [
        ("list --provider cybird", "there are cybrid, obp, wyre"),
        ("show cybrid create_trade", "did you mean bank.create_trade"),
        (
            "show cybrid nonsense",
            "egret catalog list --provider cybrid",
        ),
        ("match GET /api/trades", "/cybrid/bank"),
        ("match GET /cybrid/bank/../x", "dot_segment"),
        ("match GET https://a:b@x/", "leave the user name out"),
        ("list --effect everything", "possible values"),
    ] {
        let error = in_words(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

const DOCUMENT: &str = r#"{"openapi":"3.0.3","info":{"title":"Acme","version":"1"},
"servers":[{"url":"https://api.acme.example"}],
"paths":{"/accounts/{id}":{"get":{"operationId":"getAccount","responses":{"200":{"description":"ok"}}}}}}"#;

#[test]
fn an_imported_file_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let document = directory.path().join("openapi.json");
    let made = directory.path().join("acme.toml");
    std::fs::write(&document, DOCUMENT).unwrap();
    let line = format!(
        "import {} --id acme --prefix /banks/acme -o {}",
        document.display(),
        made.display()
    );
    let said = in_words(&line).unwrap();
    assert!(said.contains("1 operations under /banks/acme"), "{said}");
    assert!(in_words(&line).unwrap_err().contains("cannot write"));
    let config = directory.path().join("egret.toml");
    let (_, told) = said.split_once("configuration:\n").unwrap();
    std::fs::write(&config, told.replace("https://...", "https://acme.example")).unwrap();
    let found = in_words(&format!(
        "match GET /banks/acme/accounts/7 -c {}",
        config.display()
    ))
    .unwrap();
    assert!(found.contains("getAccount"), "{found}");
    let bad = format!("import {} --id acme --prefix acme", document.display());
    assert!(in_words(&bad).is_err());
}
