//! A row of the ledger as an event of the Open Cybersecurity Schema Framework: class API Activity
//! (6003), schema 1.8.0 (<https://schema.ocsf.io/1.8.0/classes/api_activity>). `docs/export.md` has
//! the table. Nothing is made up: an attribute is there if the row has it, and what the schema has no
//! place for is in `unmapped` under the name of its column.

use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// Version of the schema.
pub const VERSION: &str = "1.8.0";

const CATEGORY: u32 = 6;
const CLASS: u32 = 6003;

/// Columns that [`event`] has a place for; the others go to `unmapped`. The texts of times say the
/// same as the times.
const MAPPED: &[&str] = &[
    "seq",
    "call_id",
    "received",
    "forwarded",
    "first_byte",
    "completed",
    "received_at",
    "upstream_us",
    "caller",
    "caller_key_id",
    "caller_address",
    "provider",
    "service",
    "environment",
    "operation",
    "method",
    "path_template",
    "query",
    "accept_version",
    "token_fingerprint",
    "token_jti",
    "token_expires",
    "token_expires_at",
    "token_issuer",
    "subjects",
    "minted_expires",
    "outcome",
    "status",
    "error_code",
    "request_bytes",
    "response_bytes",
    "upstream_address",
    "trace_id",
    "node",
    "gateway_version",
];

/// What the schema calls `http_method`.
const METHODS: &[&str] = &[
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// A row of the ledger, by the names of the columns as `docs/audit-schema.md` has them.
pub trait Row {
    /// The value of a column; null if it has none.
    fn value(&self, column: &str) -> Value;

    /// Every column that has a value, with it.
    fn values(&self) -> impl Iterator<Item = (&'static str, Value)>;
}

/// Turns a row into an event.
pub fn event(row: &impl Row) -> Value {
    let row = Fields(row);
    let activity = activity(&row);
    let mut event = json!({
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity.id,
        "activity_name": activity.name,
        "type_uid": CLASS * 100 + activity.id,
        "type_name": format!("API Activity: {}", activity.caption),
        "time": row.millis("received_at"),
        "timezone_offset": 0,
        "message": message(&row),
        "metadata": metadata(&row),
        "actor": actor(&row),
        "api": api(&row),
        "src_endpoint": source(&row),
    });
    let Some(map) = event.as_object_mut() else {
        return event;
    };
    let (severity_id, severity) = severity(&row);
    map.insert("severity_id".into(), severity_id.into());
    map.insert("severity".into(), severity.into());
    let (status_id, status) = status(&row);
    map.insert("status_id".into(), status_id.into());
    map.insert("status".into(), status.into());
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            map.insert(name.into(), value);
        }
    };
    put(
        "status_code",
        row.integer("status")
            .map_or(Value::Null, |status| status.to_string().into()),
    );
    put("status_detail", row.first(&["reason", "error_code"]));
    put("dst_endpoint", destination(&row));
    put("http_request", http_request(&row));
    put("http_response", http_response(&row));
    put("resources", resources(&row));
    put("observables", observables(&row));
    if let Some(trace) = row.text("trace_id") {
        put("trace", json!({ "uid": trace }));
    }
    put("unmapped", unmapped(&row));
    event
}

/// A row, asked for what an attribute needs.
struct Fields<'a, R>(&'a R);

impl<R: Row> Fields<'_, R> {
    fn text(&self, column: &str) -> Option<String> {
        match self.0.value(column) {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn integer(&self, column: &str) -> Option<i64> {
        self.0.value(column).as_i64()
    }

    /// Microseconds as the schema's milliseconds.
    fn millis(&self, column: &str) -> Option<i64> {
        self.integer(column).map(|micros| micros.div_euclid(1_000))
    }

    /// The first of several columns that has a value.
    fn first(&self, columns: &[&str]) -> Value {
        let mut values = columns.iter().map(|column| self.0.value(column));
        values.find(|value| !value.is_null()).unwrap_or_default()
    }
}

/// An object without the members that are null; null if there are no others.
fn object(members: Value) -> Value {
    let Value::Object(mut members) = members else {
        return Value::Null;
    };
    members.retain(|_, value| !value.is_null());
    match members.is_empty() {
        true => Value::Null,
        false => Value::Object(members),
    }
}

/// What the call did, in the schema's four words.
struct Activity {
    id: u32,
    caption: &'static str,
    name: String,
}

fn activity(row: &Fields<'_, impl Row>) -> Activity {
    let effect = row.text("effect");
    let method = row.text("method");
    let (id, caption) = match (effect.as_deref(), method.as_deref()) {
        (None, _) => (0, "Unknown"),
        (Some("read"), _) => (2, "Read"),
        (Some("mint"), _) | (_, Some("POST")) => (1, "Create"),
        (_, Some("PUT" | "PATCH")) => (3, "Update"),
        (_, Some("DELETE")) => (4, "Delete"),
        _ => (99, "Other"),
    };
    let name = match id {
        // The schema wants the source's own word here.
        99 => effect.unwrap_or_default(),
        _ => caption.to_owned(),
    };
    Activity { id, caption, name }
}

fn status(row: &Fields<'_, impl Row>) -> (u32, &'static str) {
    match row.text("outcome").as_deref() {
        Some("success") => (1, "Success"),
        Some("failure") => (2, "Failure"),
        Some("cancelled") => (99, "cancelled"),
        _ => (0, "Unknown"),
    }
}

/// How much somebody should look at it: what was denied, and what may have changed something at the
/// bank although nobody knows, wants a look; what merely failed less so.
fn severity(row: &Fields<'_, impl Row>) -> (u32, &'static str) {
    let changes = row.text("effect").is_none_or(|effect| effect != "read");
    match (
        row.text("decision").as_deref(),
        row.text("outcome").as_deref(),
    ) {
        (Some("denied"), _) => (3, "Medium"),
        (_, Some("unknown")) if changes => (3, "Medium"),
        (_, Some("success" | "cancelled")) => (1, "Informational"),
        _ => (2, "Low"),
    }
}

fn message(row: &Fields<'_, impl Row>) -> String {
    let text = |column, absent: &str| row.text(column).unwrap_or_else(|| absent.to_owned());
    format!(
        "{} called {} of {}: {}",
        text("caller", "somebody"),
        text("operation", "unknown"),
        text("provider", "nobody"),
        text("outcome", "unknown"),
    )
}

fn metadata(row: &Fields<'_, impl Row>) -> Value {
    let profiles = row.text("trace_id").map(|_| ["trace"]);
    object(json!({
        "version": VERSION,
        "product": object(json!({
            "name": "Egret",
            "vendor_name": "Egret",
            "version": row.text("gateway_version"),
        })),
        "uid": row.text("call_id"),
        "log_name": "calls",
        "log_provider": row.text("node"),
        "original_time": row.text("received"),
        "sequence": row.integer("seq"),
        "correlation_uid": row.text("trace_id"),
        "profiles": profiles,
    }))
}

/// Who: the caller, and the token that it called with.
fn actor(row: &Fields<'_, impl Row>) -> Value {
    let session = object(json!({
        "uid": row.text("token_fingerprint"),
        "uuid": row.text("token_jti"),
        "issuer": row.text("token_issuer"),
        "expiration_time": row.millis("token_expires_at"),
    }));
    let name = row.text("caller");
    let is_person = row.text("caller_via").as_deref() == Some("user");
    object(json!({
        // The schema wants one of these in any case.
        "app_name": match is_person {
            true => Some("egret".to_owned()),
            false => name.clone().or_else(|| Some("unidentified".to_owned())),
        },
        "app_uid": row.text("caller_key_id"),
        "user": name.filter(|_| is_person).map(|name| json!({
            "name": name,
            "type_id": 1,
            "type": "User",
        })),
        "session": session,
    }))
}

fn service_name(row: &Fields<'_, impl Row>) -> Option<String> {
    let provider = row.text("provider")?;
    Some(match row.text("service") {
        Some(service) => format!("{provider}/{service}"),
        None => provider,
    })
}

fn api(row: &Fields<'_, impl Row>) -> Value {
    let environment = row.text("environment");
    let service = service_name(row).map(|name| {
        object(json!({
            "name": name,
            "labels": environment.map(|environment| [environment]),
        }))
    });
    let response = object(json!({
        "code": row.integer("status"),
        "error": row.text("error_code"),
    }));
    object(json!({
        "operation": row.text("operation").unwrap_or_else(|| "unknown".to_owned()),
        "version": row.text("accept_version"),
        "service": service,
        "request": row.text("call_id").map(|id| json!({ "uid": id })),
        "response": response,
    }))
}

/// Address and port of an endpoint, as far as there are any.
fn endpoint(address: Option<String>) -> Map<String, Value> {
    let mut endpoint = Map::new();
    let parsed = address.and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    if let Some(address) = parsed {
        endpoint.insert("ip".into(), address.ip().to_string().into());
        endpoint.insert("port".into(), address.port().into());
    }
    endpoint
}

fn source(row: &Fields<'_, impl Row>) -> Value {
    let mut source = endpoint(row.text("caller_address"));
    if source.is_empty() {
        // A Unix socket or a command: on the machine of the gateway.
        let name = row.text("node").unwrap_or_else(|| "local".to_owned());
        source.insert("name".into(), name.into());
    }
    Value::Object(source)
}

fn destination(row: &Fields<'_, impl Row>) -> Value {
    let mut destination = endpoint(row.text("upstream_address"));
    if let Some(name) = service_name(row) {
        destination.insert("svc_name".into(), name.into());
    }
    object(Value::Object(destination))
}

fn http_request(row: &Fields<'_, impl Row>) -> Value {
    let Some(method) = row.text("method").filter(|m| METHODS.contains(&&**m)) else {
        return Value::Null;
    };
    let url = row.text("path_template").map(|path| {
        object(json!({
            "path": path,
            "query_string": row.text("query"),
        }))
    });
    object(json!({
        "http_method": method,
        "url": url,
        "body_length": row.integer("request_bytes"),
    }))
}

fn http_response(row: &Fields<'_, impl Row>) -> Value {
    let Some(status) = row.integer("status") else {
        return Value::Null;
    };
    object(json!({
        "code": status,
        "body_length": row.integer("response_bytes"),
        "latency": row.integer("upstream_us").map(|micros| micros.div_euclid(1_000)),
    }))
}

/// Kind, role and pseudonym of each subject that has not been erased.
fn subjects(row: &Fields<'_, impl Row>) -> Vec<(String, String, String)> {
    let Value::Array(subjects) = row.0.value("subjects") else {
        return Vec::new();
    };
    let text = |subject: &Value, name| Some(subject.get(name)?.as_str()?.to_owned());
    let read = |subject: &Value| {
        Some((
            text(subject, "kind")?,
            text(subject, "role")?,
            text(subject, "subject")?,
        ))
    };
    subjects.iter().filter_map(read).collect()
}

/// Whom it concerns.
fn resources(row: &Fields<'_, impl Row>) -> Value {
    let resources: Vec<Value> = subjects(row)
        .into_iter()
        .map(|(kind, role, pseudonym)| {
            let (role_id, caption) = match &*role {
                "token" => (2, "Actor"),
                _ => (1, "Target"),
            };
            json!({
                "uid": pseudonym,
                "type": kind,
                "role_id": role_id,
                "role": caption,
                "labels": [role],
            })
        })
        .collect();
    match resources.is_empty() {
        true => Value::Null,
        false => resources.into(),
    }
}

/// What one looks for over many events, and where it stands in this one.
fn observables(row: &Fields<'_, impl Row>) -> Value {
    const IP: (u32, &str) = (2, "IP Address");
    const RESOURCE: (u32, &str) = (10, "Resource UID");
    let mut found = Vec::new();
    let mut add = |name: &str, (id, caption): (u32, &str), value: Value| {
        found.push(json!({ "name": name, "type_id": id, "type": caption, "value": value }));
    };
    for (name, column) in [
        ("src_endpoint.ip", "caller_address"),
        ("dst_endpoint.ip", "upstream_address"),
    ] {
        if let Some(ip) = endpoint(row.text(column)).remove("ip") {
            add(name, IP, ip);
        }
    }
    for (_, _, pseudonym) in subjects(row) {
        add("resources[].uid", RESOURCE, pseudonym.into());
    }
    match found.is_empty() {
        true => Value::Null,
        false => found.into(),
    }
}

fn unmapped(row: &Fields<'_, impl Row>) -> Value {
    let rest = row
        .0
        .values()
        .filter(|(column, value)| !MAPPED.contains(column) && !value.is_null());
    let rest: Map<String, Value> = rest
        .map(|(column, value)| (column.to_owned(), value))
        .collect();
    object(Value::Object(rest))
}
