use super::*;

/// What the schema says, as `tests/data/ocsf_api_activity.json` has it from the source that it names.
fn schema() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/ocsf_api_activity.json")).unwrap()
}

struct Made(Vec<(&'static str, Value)>);

impl Row for Made {
    fn value(&self, column: &str) -> Value {
        let found = self.0.iter().find(|(name, _)| *name == column);
        found.map_or(Value::Null, |(_, value)| value.clone())
    }

    fn values(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.0.iter().cloned()
    }
}

fn full() -> Made {
    Made(vec![
        ("seq", 7.into()),
        ("call_id", "019a2b3c-4d5e-7f60-8123-456789abcdef".into()),
        ("received", "2026-11-22T05:00:00.123456Z".into()),
        ("received_at", 1_795_323_600_123_456_i64.into()),
        ("gateway_us", 400.into()),
        ("upstream_us", 12_345.into()),
        ("total_us", 13_000.into()),
        ("caller", "billing".into()),
        ("caller_via", "key".into()),
        ("caller_key_id", "k1".into()),
        ("caller_address", "[::1]:4711".into()),
        ("provider", "cybrid".into()),
        ("service", "bank".into()),
        ("environment", "sandbox".into()),
        ("operation", "bank.create_trade".into()),
        ("effect", "money".into()),
        ("method", "POST".into()),
        ("path_template", "/api/trades".into()),
        ("query", "page=0".into()),
        ("accept_version", "2024-01-01".into()),
        ("token_type", "customer".into()),
        ("tokens_present", json!(["customer"])),
        ("token_fingerprint", "aa".repeat(16).into()),
        ("token_jti", "0f0f".into()),
        ("token_expires_at", 1_795_323_700_000_000_i64.into()),
        ("token_issuer", "issuer".into()),
        (
            "subjects",
            json!([
                { "kind": "customer", "role": "token", "subject": "cc".repeat(16) },
                { "kind": "account", "role": "request", "subject": "dd".repeat(16) },
                { "kind": "account", "role": "request", "subject": null },
            ]),
        ),
        ("facts", json!({ "quote_guid": "9f3c" })),
        ("pii", json!(["email"])),
        ("decision", "forwarded".into()),
        ("outcome", "failure".into()),
        ("status", 422.into()),
        ("error_code", "quote_expired".into()),
        ("attempts", 1.into()),
        ("request_bytes", 120.into()),
        ("response_bytes", 60.into()),
        ("upstream_address", "203.0.113.7:443".into()),
        ("tls_version", "TLSv1.3".into()),
        ("trace_id", "ab".repeat(16).into()),
        ("node", "node-1".into()),
        ("gateway_version", "0.1.0".into()),
        ("config_hash", "0123456789abcdef".into()),
    ])
}

fn with(mut row: Made, changes: &[(&'static str, Value)]) -> Made {
    for (column, value) in changes {
        row.0.retain(|(name, _)| name != column);
        row.0.push((column, value.clone()));
    }
    row
}

/// Nothing but what every row has.
fn bare() -> Made {
    Made(vec![
        ("seq", 1.into()),
        ("call_id", "019a2b3c-4d5e-7f60-8123-456789abcdef".into()),
        ("received", "2026-11-22T05:00:00.123456Z".into()),
        ("received_at", 1_795_323_600_123_456_i64.into()),
        ("caller_via", "none".into()),
        ("operation", "unknown".into()),
        ("method", "other".into()),
        ("decision", "refused".into()),
        ("outcome", "failure".into()),
    ])
}

/// Checks an object against the schema: names, types, words, what must be there.
fn check(place: &str, object: &Value, definition: &Value, schema: &Value) {
    let attributes = definition["attributes"].as_object().unwrap();
    let members = object
        .as_object()
        .unwrap_or_else(|| panic!("{place}: {object}"));
    for (name, value) in members {
        let attribute = attributes
            .get(name)
            .unwrap_or_else(|| panic!("{place}.{name} is not in the schema"));
        let place = format!("{place}.{name}");
        if attribute["array"] == true {
            let values = value
                .as_array()
                .unwrap_or_else(|| panic!("{place}: {value}"));
            assert!(!values.is_empty(), "{place}");
            for value in values {
                check_value(&place, value, attribute, schema);
            }
        } else {
            check_value(&place, value, attribute, schema);
        }
    }
    for (name, attribute) in attributes {
        let is_there = members.contains_key(name);
        assert!(is_there || attribute["required"] != true, "{place}.{name}");
    }
    if let Some(any) = definition["constraints"]["at_least_one"].as_array() {
        let has_one = any
            .iter()
            .any(|name| members.contains_key(name.as_str().unwrap()));
        assert!(has_one, "{place} needs one of {any:?}: {object}");
    }
}

fn check_value(place: &str, value: &Value, attribute: &Value, schema: &Value) {
    let kind = attribute["type"].as_str().unwrap();
    match kind {
        "string_t" => assert!(value.is_string(), "{place}: {value}"),
        "integer_t" | "long_t" => assert!(value.is_i64(), "{place}: {value}"),
        "boolean_t" => assert!(value.is_boolean(), "{place}: {value}"),
        // Free, as `unmapped`.
        "object" => assert!(value.is_object(), "{place}: {value}"),
        other => {
            let definition = &schema["objects"][other];
            assert!(definition.is_object(), "{place} is {other}");
            check(place, value, definition, schema);
        }
    }
    if let Some(words) = attribute["enum"].as_object() {
        let word = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        assert!(words.contains_key(&word), "{place}: {word} is no word");
    }
    match attribute["is"].as_str() {
        Some("ip_t") => {
            let ip = value.as_str().unwrap();
            assert!(ip.parse::<std::net::IpAddr>().is_ok(), "{place}: {ip}");
        }
        Some("timestamp_t") => {
            // Milliseconds of this century, not seconds or microseconds.
            let millis = value.as_i64().unwrap();
            assert!((946_684_800_000..4_102_444_800_000).contains(&millis));
        }
        _ => {}
    }
}

/// That a caption beside an id is the one that the schema has for it.
fn check_caption(schema: &Value, event: &Value, id: &str, caption: &str) {
    let words = &schema["event"]["attributes"][id]["enum"];
    let number = event[id].to_string();
    if number != "99" {
        assert_eq!(event[caption], words[&number], "{id}");
    }
}

fn validate(row: &Made) -> Value {
    let schema = schema();
    let event = event(row);
    check("event", &event, &schema["event"], &schema);
    assert_eq!(event["metadata"]["version"], schema["version"]);
    assert_eq!(event["category_uid"], schema["category"]["uid"]);
    assert_eq!(event["category_name"], schema["category"]["caption"]);
    assert_eq!(event["class_uid"], schema["class_uid"]);
    let type_uid = event["class_uid"].as_i64().unwrap() * 100;
    assert_eq!(
        event["type_uid"],
        type_uid + event["activity_id"].as_i64().unwrap()
    );
    check_caption(&schema, &event, "activity_id", "activity_name");
    check_caption(&schema, &event, "severity_id", "severity");
    check_caption(&schema, &event, "status_id", "status");
    event
}

#[test]
fn a_full_row_is_a_valid_event_and_nothing_is_lost() {
    let event = validate(&full());
    assert_eq!(event["time"], 1_795_323_600_123_i64);
    assert_eq!(event["activity_name"], "Create");
    assert_eq!(event["actor"]["app_name"], "billing");
    assert_eq!(event["actor"]["session"]["uid"], "aa".repeat(16));
    assert_eq!(event["api"]["service"]["name"], "cybrid/bank");
    assert_eq!(event["src_endpoint"], json!({ "ip": "::1", "port": 4711 }));
    assert_eq!(event["http_request"]["url"]["path"], "/api/trades");
    assert_eq!(event["http_response"]["latency"], 12);
    assert_eq!(event["resources"].as_array().unwrap().len(), 2);
    assert_eq!(event["observables"].as_array().unwrap().len(), 4);
    assert_eq!(event["unmapped"]["facts"]["quote_guid"], "9f3c");
    assert_eq!(event["unmapped"]["effect"], "money");
    let text = event.to_string();
    for (column, value) in full().0 {
        let shown = match value {
            Value::Number(_) if column.ends_with("_at") || column == "upstream_us" => continue,
            Value::String(address) if column.ends_with("_address") => {
                let address: std::net::SocketAddr = address.parse().unwrap();
                format!("\"{}\"", address.ip())
            }
            Value::Array(_) if column == "subjects" => continue,
            // In the word of the schema.
            Value::String(_) if column == "outcome" => "\"status\":\"Failure\"".to_owned(),
            // Together they name the service.
            Value::String(text) if column == "provider" => format!("\"{text}/"),
            Value::String(text) if column == "service" => format!("/{text}\""),
            other => other.to_string(),
        };
        assert!(text.contains(&shown), "{column}: {shown} is not in {text}");
    }
}

#[test]
fn a_row_that_knows_next_to_nothing_is_valid_too() {
    let event = validate(&bare());
    assert_eq!(event["activity_id"], 0);
    assert_eq!(event["actor"]["app_name"], "unidentified");
    assert!(event.get("http_request").is_none());
    assert!(event.get("dst_endpoint").is_none());
}

#[test]
fn what_was_done_is_said_in_the_words_of_the_schema() {
    for (effect, method, activity) in [
        ("read", "GET", 2),
        // A search by POST reads all the same.
        ("read", "POST", 2),
        ("mint", "PUT", 1),
        ("write", "POST", 1),
        ("money", "PATCH", 3),
        ("write", "PUT", 3),
        ("access-change", "DELETE", 4),
        ("write", "other", 99),
    ] {
        let row = with(
            full(),
            &[("effect", effect.into()), ("method", method.into())],
        );
        assert_eq!(validate(&row)["activity_id"], activity, "{effect} {method}");
    }
}

#[test]
fn how_it_ended_and_how_much_that_matters() {
    for (effect, decision, outcome, status, severity) in [
        ("read", "forwarded", "success", 1, 1),
        ("read", "forwarded", "failure", 2, 2),
        ("read", "forwarded", "cancelled", 99, 1),
        ("read", "forwarded", "unknown", 0, 2),
        ("money", "forwarded", "unknown", 0, 3),
        ("read", "denied", "failure", 2, 3),
    ] {
        let row = with(
            full(),
            &[
                ("effect", effect.into()),
                ("decision", decision.into()),
                ("outcome", outcome.into()),
            ],
        );
        let event = validate(&row);
        assert_eq!(event["status_id"], status, "{effect} {outcome}");
        assert_eq!(event["severity_id"], severity, "{effect} {outcome}");
    }
}

#[test]
fn a_command_is_done_by_a_person() {
    let row = with(
        bare(),
        &[
            ("caller", "ann".into()),
            ("caller_via", "user".into()),
            ("provider", "egret".into()),
            ("operation", "audit.query".into()),
            ("effect", "read".into()),
            ("node", "node-1/cli".into()),
        ],
    );
    let event = validate(&row);
    assert_eq!(event["actor"]["user"]["name"], "ann");
    assert_eq!(event["src_endpoint"]["name"], "node-1/cli");
}
