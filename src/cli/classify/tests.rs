use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ClassifyArgs,
}

const NOW: Micros = Micros::from_secs(1_795_305_338);
const GUID: &str = "3f1c6b0e8f554f0ea6a53e4f3a0f9c11";
/// `{"alg":"RS512"}`.`{"sub":..., "sub_type":"bank", "scope":["customers:read","x:y"], ...}`.
const HEADER: &str = r#"{"alg":"RS512"}"#;

fn token() -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = format!(
        r#"{{"iss":"https://id.sandbox.cybrid.app","sub":"{GUID}","sub_type":"bank",
        "scope":["customers:read","secret:scope"],"exp":1795309000,
        "jti":"0e5ccd3c-1a55-4e7a-8a8d-6d2b9d0ffb10"}}"#
    );
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(HEADER), part(&claims), part("signature"))
}

fn classify(line: &str, request: &str) -> String {
    let words = std::iter::once("classify").chain(line.split_whitespace());
    let args = Line::try_parse_from(words).unwrap().args;
    let providers = Providers::open(&args.providers).unwrap();
    let mut out = Vec::new();
    answer(
        &args,
        request.as_bytes(),
        &providers,
        NOW,
        &[7; 32],
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

fn as_json(line: &str, request: &str) -> serde_json::Value {
    serde_json::from_str(&classify(&format!("{line} --format json"), request)).unwrap()
}

fn bank_request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\nHost: 127.0.0.1:8080\nAuthorization: Bearer {}\n\n",
        token()
    )
}

#[test]
fn a_request_is_said_in_the_words_of_the_ledger() {
    let path = format!("/cybrid/bank/api/customers/{GUID}?include_pii=true&nonsense=hunter2");
    let said = as_json("--caller payments", &bank_request(&path));
    let record = &said["record"];
    assert_eq!(said["problem"], serde_json::Value::Null);
    assert_eq!(record["decision"], "forwarded");
    assert_eq!(record["operation"], "bank.get_customer");
    assert_eq!(record["caller"], "payments");
    assert_eq!(record["token_type"], "bank");
    assert_eq!(
        record["token_scopes"],
        serde_json::json!(["customers:read"])
    );
    assert_eq!(record["token_scopes_unlisted"], 1);
    assert_eq!(record["token_jti"], "0e5ccd3c-1a55-4e7a-8a8d-6d2b9d0ffb10");
    let keyring = Keyring::new(&[7; 32]);
    assert_eq!(
        record["token_fingerprint"],
        keyring.fingerprint(token().as_bytes()).to_string()
    );
    let customer = keyring.pseudonym("customer", GUID.as_bytes()).to_string();
    assert!(record["subjects"].to_string().contains(&customer), "{said}");
    assert!(record["pii"].to_string().contains("person_name"), "{said}");
}

#[test]
fn nothing_of_the_request_is_said_back() {
    let path = format!("/cybrid/bank/api/customers/{GUID}?include_pii=true&hunter2=hunter3");
    for format in ["text", "json"] {
        let said = classify(&format!("--format {format}"), &bank_request(&path));
        for secret in [GUID, "hunter2", "hunter3", "secret:scope", &token()[..24]] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
        assert!(said.contains("include_pii=true"), "{said}");
        assert!(said.contains("key that is thrown away"), "{said}");
    }
}

#[test]
fn a_body_shows_its_facts_and_its_secret() {
    let quote = format!(
        "POST /cybrid/bank/api/trades HTTP/1.1\nHost: x\nContent-Type: application/json\n\
         Content-Length: 60\nAuthorization: Bearer {}\n\n{{\"quote_guid\":\"{GUID}\"}}",
        token()
    );
    let said = as_json("", &quote);
    assert_eq!(said["record"]["effect"], "money");
    assert_eq!(said["record"]["facts"]["quote_guid"], GUID);
    let session = "POST /wyre/v2/sessions/auth/key HTTP/1.1\nHost: x\n\
                   Content-Type: application/json\n\n{\"secretKey\":\"hunter2-hunter2-hunter2-x\"}";
    let said = as_json("", session);
    let expected = Keyring::new(&[7; 32])
        .fingerprint(b"hunter2-hunter2-hunter2-x")
        .to_string();
    assert_eq!(said["record"]["token_fingerprint"], expected, "{said}");
    assert!(said["notes"].to_string().contains("no Content-Length"));
}

#[test]
fn refusals_are_explained() {
    for (request, line, status, code) in [
        (
            "GET /cybrid/bank/api/banks HTTP/1.1\nHost: x\nContent-Length: 1\nContent-Length: 2\n\n",
            "",
            400,
            "conflicting_length",
        ),
        ("GET / HTTP/1.1\nHost: x\n\n", "--exact", 400, "bare_lf"),
        (
            "GET /cybrid/bank/api/../x HTTP/1.1\nHost: x\n\n",
            "",
            400,
            "dot_segment",
        ),
        (
            "GET /nowhere HTTP/1.1\nHost: x\n\n",
            "",
            404,
            "no_such_provider",
        ),
        (
            "GET /obp/obp/v4.0.0/users/current HTTP/1.1\nHost: x\nDAuth: e30.e30.e30\n\n",
            "",
            403,
            "scheme_not_allowed",
        ),
    ] {
        let said = as_json(line, request);
        assert_eq!(said["problem"]["status"], status, "{said}");
        assert_eq!(said["problem"]["code"], code, "{said}");
        let text = classify(line, request);
        assert!(
            text.contains("would not forward") && text.contains(code),
            "{text}"
        );
    }
}

#[test]
fn a_configuration_brings_callers_rules_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("egret.toml");
    std::fs::write(
        &path,
        "data_dir = \".\"\n[providers.cybrid]\nunknown_operations = \"deny\"\n",
    )
    .unwrap();
    let config = format!("-c {}", path.display());
    let said = as_json(&config, &bank_request("/cybrid/bank/api/nothing"));
    assert_eq!(said["problem"]["status"], 407, "{said}");
    assert_eq!(said["record"]["reason"], "caller_missing");
    let line = format!("{config} --caller payments");
    let said = as_json(&line, &bank_request("/cybrid/bank/api/nothing"));
    assert_eq!(said["problem"]["code"], "unknown_operation", "{said}");
}

#[test]
fn no_request_is_a_mistake() {
    let args = Line::try_parse_from(["classify"]).unwrap().args;
    let providers = Providers::open(&args.providers).unwrap();
    let failure = answer(&args, b" \n", &providers, NOW, &[7; 32], &mut Vec::new()).unwrap_err();
    assert_eq!(failure.code, 2);
}
