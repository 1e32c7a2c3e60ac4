//! Makes a provider file from an OpenAPI 3 document, as a start for a person to review.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::base_url::BaseUrl;
use super::fault::Fault;
use super::import_fields::{Fields, guess_effect, is_secret, pii_class, resolve};
use super::import_text::{comment, list, query_shape, quoted};
use super::json_path::JsonPath;
use super::model::{Method, Provider};
use super::template::{self, Segment};
use crate::types::PiiClass;

/// Largest document in bytes.
const MAX_DOCUMENT: usize = 16 * 1024 * 1024;
/// Most operations that are taken over.
const MAX_OPERATIONS: usize = 5_000;

/// Why a document could not be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Neither JSON nor YAML, or too large.
    #[error("cannot read the document: {0}; give an OpenAPI 3 document in JSON or YAML")]
    Unreadable(String),
    /// JSON or YAML of another kind.
    #[error("this is not an OpenAPI 3 document: {0}")]
    NotOpenApi(&'static str),
    /// The id is not usable.
    #[error("{0:?} is not an id: write 1 to 40 lower-case letters, digits and -, a letter first")]
    BadId(String),
    /// The file that was made has faults.
    #[error("the document leads to a file with faults: {0:?}")]
    Faults(Vec<Fault>),
}

/// Turns an OpenAPI 3 document, JSON or YAML, into the text of a provider file with this id,
/// served under `/id`. Comments in the file say what was guessed.
///
/// # Errors
/// If the document is not one, or the id is not usable.
pub fn import_openapi(id: &str, text: &str) -> Result<String, ImportError> {
    let good_id = (1..=40).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !good_id {
        return Err(ImportError::BadId(id.to_owned()));
    }
    let document = read(text)?;
    let version = document.get("openapi").and_then(Value::as_str);
    if !version.is_some_and(|version| version.starts_with("3.")) {
        return Err(ImportError::NotOpenApi("it has no `openapi: 3.x`"));
    }
    let Some(paths) = document.get("paths").and_then(Value::as_object) else {
        return Err(ImportError::NotOpenApi("it has no `paths`"));
    };
    let mut file = head(id, &document);
    let mut taken = Taken::default();
    for (path, item) in paths {
        let item = resolve(&document, item);
        for method in Method::ALL.iter().filter(|method| **method != Method::Any) {
            let Some(call) = item.get(method.as_str().to_ascii_lowercase()) else {
                continue;
            };
            if taken.ids.len() < MAX_OPERATIONS {
                let call = Call {
                    document: &document,
                    item,
                    call,
                    method: *method,
                    path,
                };
                call.write(&mut file, &mut taken);
            }
        }
    }
    match Provider::parse(&format!("{id}.toml"), &file) {
        Ok(_) => Ok(file),
        Err(faults) => Err(ImportError::Faults(faults)),
    }
}

fn read(text: &str) -> Result<Value, ImportError> {
    if text.len() > MAX_DOCUMENT {
        return Err(ImportError::Unreadable(format!(
            "it is larger than {MAX_DOCUMENT} bytes"
        )));
    }
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| ImportError::Unreadable(error.to_string()));
    }
    let yaml: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)
        .map_err(|error| ImportError::Unreadable(error.to_string()))?;
    Ok(to_json(yaml))
}

/// YAML as JSON; keys such as the status 200 become texts.
fn to_json(yaml: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => number.as_i64().map_or(Value::Null, Value::from),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(to_json).collect()),
        Yaml::Mapping(pairs) => Value::Object(
            pairs
                .into_iter()
                .filter_map(|(key, value)| {
                    let key = match key {
                        Yaml::String(text) => text,
                        Yaml::Number(number) => number.to_string(),
                        Yaml::Bool(flag) => flag.to_string(),
                        _ => return None,
                    };
                    Some((key, to_json(value)))
                })
                .collect(),
        ),
        Yaml::Tagged(tagged) => to_json(tagged.value),
    }
}

/// What is in the file already.
#[derive(Default)]
struct Taken {
    ids: HashSet<String>,
    routes: HashSet<String>,
}

fn head(id: &str, document: &Value) -> String {
    let title = document
        .pointer("/info/title")
        .and_then(Value::as_str)
        .unwrap_or(id);
    let mut file = String::new();
    let _ = writeln!(
        file,
        "# {}, imported from an OpenAPI document. The format is described in docs/catalog.md.\n\
         #\n\
         # Review before use:\n\
         # - effect: guessed from the method and, where a comment says so, from a word of the path.\n\
         # - PII and secrets: guessed from field names. Add what has another name.\n\
         # - token_types, facts, mints, error codes and rate limits: no document says them; add yours.\n\
         # - [subjects]: add the parameters that identify customers and accounts.\n",
        comment(title)
    );
    let _ = writeln!(
        file,
        "id = {}\ntitle = {}\ncredential_scheme = \"bearer\"",
        quoted(id),
        quoted(&comment(title))
    );
    for (name, scheme) in objects(document, "/components/securitySchemes") {
        let scheme = resolve(document, scheme);
        let kind = scheme.get("type").and_then(Value::as_str).unwrap_or("");
        let bearer = scheme.get("scheme").and_then(Value::as_str) == Some("bearer");
        if !(bearer || matches!(kind, "oauth2" | "openIdConnect")) {
            let _ = writeln!(
                file,
                "# Review: the security scheme {:?} ({}) is not a bearer token; its header is dropped from records.",
                comment(name),
                comment(kind)
            );
        }
    }
    let scopes = scopes(document);
    if !scopes.is_empty() {
        let _ = writeln!(file, "scopes = {}", list(scopes.iter().map(String::as_str)));
    }
    file.push_str("\n[[service]]\nid = \"api\"\n");
    let _ = writeln!(file, "prefix = {}", quoted(&format!("/{id}")));
    let (urls, left_out) = base_urls(document);
    for what in left_out {
        let _ = writeln!(file, "# Review: left out the server {what}");
    }
    if urls.is_empty() {
        file.push_str("# Review: the document names no usable server; set base URLs here or in the configuration.\n");
    } else {
        file.push_str("\n[service.base_urls]\n");
        for (environment, url) in urls {
            let _ = writeln!(file, "{environment} = {}", quoted(&url.to_string()));
        }
    }
    file
}

/// The first server of each environment, and the ones that cannot be used.
fn base_urls(document: &Value) -> (Vec<(&'static str, BaseUrl)>, Vec<String>) {
    let mut urls: Vec<(&'static str, BaseUrl)> = Vec::new();
    let mut left_out = Vec::new();
    for server in document
        .get("servers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = server.get("url").and_then(Value::as_str).unwrap_or("");
        let about = server
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or("");
        let hint = format!("{text} {about}").to_ascii_lowercase();
        let test = ["sandbox", "test", "staging", "demo", "dev"]
            .iter()
            .any(|word| hint.contains(word));
        let environment = if test { "sandbox" } else { "production" };
        match BaseUrl::parse(text) {
            Ok(url) if urls.iter().all(|(known, _)| *known != environment) => {
                urls.push((environment, url))
            }
            Ok(url) => left_out.push(format!("{url}: there is one for {environment} already")),
            // The text is not copied: it may hold a password.
            Err(why) => left_out.push(format!("number {}: {why}", left_out.len() + urls.len() + 1)),
        }
    }
    (urls, left_out)
}

fn scopes(document: &Value) -> Vec<String> {
    let mut scopes = Vec::new();
    for (_, scheme) in objects(document, "/components/securitySchemes") {
        for (_, flow) in objects(resolve(document, scheme), "/flows") {
            scopes.extend(objects(flow, "/scopes").map(|(scope, _)| comment(scope)));
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

fn objects<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// One operation of the document.
struct Call<'d> {
    document: &'d Value,
    item: &'d Value,
    call: &'d Value,
    method: Method,
    path: &'d str,
}

impl Call<'_> {
    fn write(&self, file: &mut String, taken: &mut Taken) {
        let segments = match template::parse(self.path) {
            Ok(segments) if !segments.contains(&Segment::Param(template::VERSION)) => segments,
            Ok(_) => return self.leave_out(file, "rename the parameter {version}"),
            Err(why) => return self.leave_out(file, &why),
        };
        let shape: Vec<&str> = segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => text,
                Segment::Param(_) => "{}",
                Segment::Tail(_) => "{+}",
            })
            .collect();
        if !taken
            .routes
            .insert(format!("{} {}", self.method, shape.join("/")))
        {
            return self.leave_out(file, "another operation has the same method and path");
        }
        let id = self.id(taken);
        let (effect, hint) = guess_effect(self.method.as_str(), self.path);
        file.push_str("\n[[operation]]\n");
        let _ = writeln!(
            file,
            "id = {}\nmethod = \"{}\"\npath = {}",
            quoted(&id),
            self.method,
            quoted(self.path)
        );
        if let Some(summary) = self.call.get("summary").and_then(Value::as_str) {
            let _ = writeln!(file, "summary = {}", quoted(&comment(summary)));
        }
        match hint {
            Some(word) => {
                let _ = writeln!(
                    file,
                    "effect = \"{effect}\" # Review: guessed from {word:?}"
                );
            }
            None => {
                let _ = writeln!(file, "effect = \"{effect}\"");
            }
        }
        if self.call.get("callbacks").is_some() {
            file.push_str("flags = [\"sets_callback\"]\n");
        }
        self.write_scopes(file);
        self.write_parameters(file, &segments);
        self.write_fields(file);
    }

    fn leave_out(&self, file: &mut String, why: &str) {
        let _ = writeln!(
            file,
            "\n# Review: left out {} {}: {}",
            self.method,
            comment(self.path),
            comment(why)
        );
    }

    /// The document's operation id, or method and path, with a number if it is taken.
    fn id(&self, taken: &mut Taken) -> String {
        let given = self.call.get("operationId").and_then(Value::as_str);
        let given = given.map_or_else(|| format!("{}{}", self.method, self.path), str::to_owned);
        let mut id: String = given
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .take(70)
            .collect();
        if id.is_empty() {
            id.push('_');
        }
        let base = id.clone();
        let mut number = 2;
        while !taken.ids.insert(id.clone()) {
            id = format!("{base}_{number}");
            number += 1;
        }
        id
    }

    fn write_scopes(&self, file: &mut String) {
        let security = self
            .call
            .get("security")
            .or_else(|| self.document.get("security"));
        let mut scopes: Vec<String> = Vec::new();
        for choice in security.and_then(Value::as_array).into_iter().flatten() {
            for (_, list) in choice.as_object().into_iter().flatten() {
                let list = list
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str);
                scopes.extend(list.map(comment));
            }
        }
        scopes.sort_unstable();
        scopes.dedup();
        if !scopes.is_empty() {
            let _ = writeln!(
                file,
                "scopes_required = {}",
                list(scopes.iter().map(String::as_str))
            );
        }
    }

    fn write_parameters(&self, file: &mut String, segments: &[Segment<'_>]) {
        let mut names = Vec::new();
        let mut shapes = Vec::new();
        let lists = [self.item.get("parameters"), self.call.get("parameters")];
        for parameter in lists
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
        {
            let parameter = resolve(self.document, parameter);
            let name = parameter.get("name").and_then(Value::as_str);
            let Some(name) =
                name.filter(|_| parameter.get("in").and_then(Value::as_str) == Some("query"))
            else {
                continue;
            };
            if names.contains(&name) || names.len() >= 60 {
                continue;
            }
            names.push(name);
            let schema = resolve(
                self.document,
                parameter.get("schema").unwrap_or(&Value::Null),
            );
            let guarded = is_secret(name) || pii_class(name).is_some();
            shapes.extend(
                query_shape(schema)
                    .filter(|_| !guarded)
                    .map(|shape| (name, shape)),
            );
        }
        if !names.is_empty() {
            let _ = writeln!(file, "query = {}", list(names.into_iter()));
        }
        if !shapes.is_empty() {
            let pairs: Vec<String> = shapes
                .iter()
                .map(|(name, shape)| format!("{} = {}", quoted(name), quoted(shape)))
                .collect();
            let _ = writeln!(file, "query_shapes = {{ {} }}", pairs.join(", "));
        }
        let params: Vec<&str> = segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Param(name) | Segment::Tail(name) => Some(*name),
                Segment::Literal(_) => None,
            })
            .collect();
        let secret: Vec<&str> = params
            .iter()
            .copied()
            .filter(|name| is_secret(name))
            .collect();
        if !secret.is_empty() {
            let _ = writeln!(file, "secret_params = {}", list(secret.into_iter()));
        }
        let personal: Vec<String> = params
            .iter()
            .filter(|name| !is_secret(name))
            .filter_map(|name| Some(format!("{} = \"{}\"", quoted(name), pii_class(name)?)))
            .collect();
        if !personal.is_empty() {
            let _ = writeln!(file, "pii_params = {{ {} }}", personal.join(", "));
        }
    }

    fn write_fields(&self, file: &mut String) {
        let mut request = Vec::new();
        let body = resolve(
            self.document,
            self.call.get("requestBody").unwrap_or(&Value::Null),
        );
        request.extend(content_schemas(body));
        let mut response = Vec::new();
        for (status, answer) in objects(self.call, "/responses") {
            if status.starts_with('2') || status == "default" {
                response.extend(content_schemas(resolve(self.document, answer)));
            }
        }
        let request = self.fields(&request);
        let response = self.fields(&response);
        for (key, fields) in [
            ("request_secrets", &request),
            ("response_secrets", &response),
        ] {
            if !fields.secrets.is_empty() {
                let _ = writeln!(
                    file,
                    "{key} = {}",
                    list(fields.secrets.iter().map(String::as_str))
                );
            }
        }
        for (key, fields) in [("request_pii", &request), ("response_pii", &response)] {
            if !fields.pii.is_empty() {
                let _ = writeln!(file, "[operation.{key}]");
                for (class, paths) in &fields.pii {
                    let _ = writeln!(file, "{class} = {}", list(paths.iter().map(String::as_str)));
                }
            }
        }
    }

    /// The personal and secret fields of several schemas, without paths that a file cannot hold.
    fn fields(&self, schemas: &[&Value]) -> Fields {
        let all = Value::Object(
            [(
                "anyOf".to_owned(),
                Value::Array(schemas.iter().map(|schema| (*schema).clone()).collect()),
            )]
            .into_iter()
            .collect(),
        );
        let mut fields = Fields::of(self.document, &all);
        fields.secrets.retain(|path| JsonPath::parse(path).is_ok());
        for (_, paths) in &mut fields.pii {
            paths.retain(|path| JsonPath::parse(path).is_ok());
        }
        fields
            .pii
            .retain(|(_, paths): &(PiiClass, _)| !paths.is_empty());
        fields
    }
}

fn content_schemas(value: &Value) -> impl Iterator<Item = &Value> {
    objects(value, "/content").filter_map(|(_, media)| media.get("schema"))
}
