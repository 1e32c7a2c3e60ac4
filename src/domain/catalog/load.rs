//! Reads a provider file.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use super::base_url::BaseUrl;
use super::fault::Fault;
use super::json_path::JsonPath;
use super::load_operation::{Context, load_operation};
use super::load_rules::{load_error_codes, load_facts, load_rate_limits};
use super::model::{
    EncodedSlash, HttpVersion, Locator, MAX_SERVICES, Provider, QueryKeep, QueryRule, QueryRules,
    Service, ServiceIndex,
};
use super::reader::{At, Faults, Table, quote};
use super::routes::check_routes;
use super::shape::{Shape, Vocabulary, Words};
use crate::types::{CredentialScheme, Environment, UnknownWord};

/// Largest provider file in bytes. OBP's, the largest known, has a tenth.
pub const MAX_FILE: usize = 8 * 1024 * 1024;
/// Most operations of one provider.
pub const MAX_OPERATIONS: usize = 10_000;
/// Longest time limit that a file may set, in seconds.
pub const MAX_TIMEOUT_S: u32 = 3_600;

const PROVIDER_KEYS: &[&str] = &[
    "id",
    "title",
    "credential_scheme",
    "scopes",
    "issuers",
    "versions",
    "shapes",
    "subjects",
    "query",
    "pii_fields",
    "error_code",
    "error_fact",
    "rate_limit",
    "service",
    "operation",
];
const SERVICE_KEYS: &[&str] = &[
    "id",
    "prefix",
    "base_urls",
    "http_version",
    "encoded_slash",
    "timeout_s",
    "token_types",
];

impl Provider {
    /// Reads a provider file. `file_name` is used in faults only.
    ///
    /// # Errors
    /// Every fault of the file, by line.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > MAX_FILE {
            let mut faults = Faults::new(file_name, "");
            faults.add(
                0,
                "the file is too large",
                format!("keep it below {MAX_FILE} bytes"),
            );
            return faults.finish(None);
        }
        let mut faults = Faults::new(file_name, text);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            faults.add_syntax(error);
        }
        // What follows a syntax error is often read wrongly: its faults would mislead.
        if !errors.is_empty() {
            return faults.finish(None);
        }
        let provider = load_provider(Table::new(table.get_ref(), "the file", 0), &mut faults);
        faults.finish(provider)
    }
}

fn load_provider(table: Table<'_>, faults: &mut Faults<'_>) -> Option<Provider> {
    table.check_keys(PROVIDER_KEYS, faults);
    let id = name(table.required("id", faults), faults);
    let title = table.required("title", faults);
    let scheme = table.required("credential_scheme", faults);
    let scheme = scheme.and_then(|text| word::<CredentialScheme>(text, faults));
    let scopes = Words::new(table.texts("scopes", faults).iter().map(|text| text.value));
    let issuers = Words::new(table.texts("issuers", faults).iter().map(|text| text.value));
    let versions: Vec<At<&str>> = table.texts("versions", faults);
    let subjects = load_subjects(table, faults);
    let vocabulary = load_shapes(table, scopes, faults);
    let query = load_query(table, &subjects, &vocabulary, faults);
    let pii_fields = match table.table("pii_fields", "[pii_fields]", faults) {
        Some(table) => table.text_pairs(faults),
        None => Vec::new(),
    };
    let pii_fields = pii_fields
        .into_iter()
        .filter_map(|(field, class)| Some((field.value, word(class, faults)?)))
        .collect();
    let services = load_services(table, faults);

    let mut context = Context {
        versions: versions.iter().map(|text| text.value).collect(),
        vocabulary,
        subjects,
        query,
        pii_fields,
        services,
    };
    let error_codes = load_error_codes(table, &context, faults);
    let error_facts = load_facts(table, "error_fact", "[[error_fact]]", &context, faults);

    let operation_tables = table.tables("operation", "[[operation]]", faults);
    if operation_tables.len() > MAX_OPERATIONS {
        faults.add(
            table.at,
            "too many operations",
            format!("keep at most {MAX_OPERATIONS}"),
        );
        return None;
    }
    let mut operations = Vec::with_capacity(operation_tables.len());
    for table in operation_tables {
        let at = table.at;
        if let Some(operation) = load_operation(table, &context, faults) {
            operations.push(At {
                value: Arc::new(operation),
                at,
            });
        }
    }
    check_routes(&operations, faults);
    let rate_limits = load_rate_limits(table, &operations, faults);

    Some(Provider {
        id: id?.into(),
        title: title?.value.into(),
        scheme: scheme?,
        scopes: std::mem::take(&mut context.vocabulary.scopes),
        issuers,
        services: context
            .services
            .into_iter()
            .map(|(service, _)| service)
            .collect(),
        query: context.query,
        error_codes,
        error_facts,
        rate_limits,
        operations: operations
            .into_iter()
            .map(|operation| operation.value)
            .collect(),
    })
}

fn load_subjects<'t>(table: Table<'t>, faults: &mut Faults<'_>) -> HashMap<&'t str, Arc<str>> {
    let Some(table) = table.table("subjects", "[subjects]", faults) else {
        return HashMap::new();
    };
    let pairs = table.text_pairs(faults);
    pairs
        .into_iter()
        .filter_map(|(field, kind)| Some((field.value, name(Some(kind), faults)?.into())))
        .collect()
}

/// The shapes that the file names itself.
fn load_shapes(table: Table<'_>, scopes: Words, faults: &mut Faults<'_>) -> Vocabulary {
    let mut vocabulary = Vocabulary {
        scopes,
        named: HashMap::new(),
    };
    let pairs = match table.table("shapes", "[shapes]", faults) {
        Some(table) => table.text_pairs(faults),
        None => Vec::new(),
    };
    let mut named = HashMap::new();
    for (key, text) in pairs {
        if Shape::is_builtin(key.value) {
            let what = format!("the shape {} is built in", quote(key.value));
            faults.add(key.at, what, "give it another name");
        }
        let shape = shape(text, &vocabulary, faults);
        named.extend(shape.map(|shape| (Box::from(key.value), shape)));
    }
    vocabulary.named = named;
    vocabulary
}

/// The rules for every query: `[query]` and the subjects.
fn load_query(
    table: Table<'_>,
    subjects: &HashMap<&str, Arc<str>>,
    vocabulary: &Vocabulary,
    faults: &mut Faults<'_>,
) -> QueryRules {
    let mut rules: Vec<QueryRule> = subjects
        .iter()
        .map(|(field, kind)| QueryRule {
            name: (*field).into(),
            keep: QueryKeep::Subject(Arc::clone(kind)),
        })
        .collect();
    let pairs = match table.table("query", "[query]", faults) {
        Some(table) => table.text_pairs(faults),
        None => Vec::new(),
    };
    for (field, text) in pairs {
        let keep = query_keep(text, vocabulary, faults);
        rules.extend(keep.map(|keep| QueryRule {
            name: field.value.into(),
            keep,
        }));
    }
    QueryRules::new(rules)
}

/// `mask`, or a shape that is safe in a query.
pub fn query_keep(
    text: At<&str>,
    vocabulary: &Vocabulary,
    faults: &mut Faults<'_>,
) -> Option<QueryKeep> {
    if text.value == "mask" {
        return Some(QueryKeep::Mask);
    }
    let shape = shape(text, vocabulary, faults)?;
    if !shape.is_safe_in_query() {
        faults.add(
            text.at,
            format!("{} could carry a secret in a query", quote(text.value)),
            "use int, bool, date, datetime, epoch_ms, enum(...) or mask",
        );
        return None;
    }
    Some(QueryKeep::Value(shape))
}

/// A shape, with a fault if it is none.
pub fn shape(text: At<&str>, vocabulary: &Vocabulary, faults: &mut Faults<'_>) -> Option<Shape> {
    match Shape::parse(text.value, vocabulary) {
        Ok(shape) => Some(shape),
        Err(instead) => {
            faults.add(
                text.at,
                format!("unknown shape {}", quote(text.value)),
                instead,
            );
            None
        }
    }
}

/// A word of a vocabulary, with a fault if it is none.
pub fn word<T: FromStr<Err = UnknownWord>>(text: At<&str>, faults: &mut Faults<'_>) -> Option<T> {
    match text.value.parse() {
        Ok(word) => Some(word),
        Err(UnknownWord { kind, allowed, .. }) => {
            let what = format!("unknown {kind} {}", quote(text.value));
            faults.add(text.at, what, format!("use one of: {allowed}"));
            None
        }
    }
}

/// One of a few spellings, with a fault if it is none.
pub fn choice<T: Copy>(
    text: At<&str>,
    what: &str,
    choices: &[(T, &str)],
    faults: &mut Faults<'_>,
) -> Option<T> {
    let found = choices.iter().find(|(_, spelling)| *spelling == text.value);
    if found.is_none() {
        let spellings: Vec<&str> = choices.iter().map(|(_, spelling)| *spelling).collect();
        let what = format!("unknown {what} {}", quote(text.value));
        faults.add(
            text.at,
            what,
            format!("use one of: {}", spellings.join(", ")),
        );
    }
    found.map(|(value, _)| *value)
}

/// A name that may appear in records and metrics: 1 to 120 letters, digits and `_-.`.
pub fn name<'t>(text: Option<At<&'t str>>, faults: &mut Faults<'_>) -> Option<&'t str> {
    let text = text?;
    let good = (1..=120).contains(&text.value.len())
        && text
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !good {
        let what = format!("{} is not a name", quote(text.value));
        faults.add(text.at, what, "write 1 to 120 letters, digits, _ - and .");
    }
    good.then_some(text.value)
}

/// A JSON path, with a fault if it is none.
pub fn json_path(text: At<&str>, faults: &mut Faults<'_>) -> Option<JsonPath> {
    match JsonPath::parse(text.value) {
        Ok(path) => Some(path),
        Err(instead) => {
            faults.add(
                text.at,
                format!("{} is not a JSON path", quote(text.value)),
                instead,
            );
            None
        }
    }
}

/// A place in a request: `path:NAME`, `query:NAME` or a JSON path into the body.
pub fn locator(text: At<&str>, faults: &mut Faults<'_>) -> Option<Locator> {
    let named = |name_text: &str, faults: &mut Faults<'_>| {
        let text = At {
            value: name_text,
            at: text.at,
        };
        name(Some(text), faults).map(Arc::from)
    };
    if let Some(rest) = text.value.strip_prefix("path:") {
        return named(rest, faults).map(Locator::Path);
    }
    if let Some(rest) = text.value.strip_prefix("query:") {
        return named(rest, faults).map(Locator::Query);
    }
    json_path(text, faults).map(Locator::Body)
}

fn load_services(
    table: Table<'_>,
    faults: &mut Faults<'_>,
) -> Vec<(Service, Vec<crate::types::TokenType>)> {
    let tables = table.tables("service", "[[service]]", faults);
    if tables.is_empty() || tables.len() > MAX_SERVICES {
        faults.add(
            table.at,
            format!("{} services", tables.len()),
            format!("write 1 to {MAX_SERVICES} [[service]] tables"),
        );
    }
    let mut services: Vec<(Service, _)> = Vec::new();
    for table in tables.into_iter().take(MAX_SERVICES) {
        let Some(service) = load_service(table, faults) else {
            continue;
        };
        if services.iter().any(|(known, _)| known.id == service.0.id) {
            faults.add(
                table.at,
                format!("a second service {:?}", service.0.id),
                "give it another id",
            );
        }
        if services
            .iter()
            .any(|(known, _)| known.prefix == service.0.prefix)
        {
            let what = format!("a second service with prefix {}", service.0.prefix);
            faults.add(table.at, what, "give it another prefix");
        }
        services.push(service);
    }
    services
}

fn load_service(
    table: Table<'_>,
    faults: &mut Faults<'_>,
) -> Option<(Service, Vec<crate::types::TokenType>)> {
    table.check_keys(SERVICE_KEYS, faults);
    let id = name(table.required("id", faults), faults);
    let prefix = table
        .required("prefix", faults)
        .and_then(|text| prefix(text, faults));
    let pairs = match table.table("base_urls", "base_urls", faults) {
        Some(urls) => urls.text_pairs(faults),
        None => Vec::new(),
    };
    let mut base_urls = Vec::new();
    for (environment, url) in pairs {
        let environment = word::<Environment>(environment, faults);
        match BaseUrl::parse(url.value) {
            // The text is not quoted: it may hold a password.
            Err(instead) => faults.add(url.at, "this is not a base URL", instead),
            Ok(url) => base_urls.extend(environment.map(|environment| (environment, url))),
        }
    }
    let versions = [(HttpVersion::Http11, "1.1"), (HttpVersion::Http2, "2")];
    let http_version = table
        .text("http_version", faults)
        .map_or(Some(HttpVersion::Http11), |text| {
            choice(text, "HTTP version", &versions, faults)
        });
    let rules = [
        (EncodedSlash::Refuse, "refuse"),
        (EncodedSlash::Allow, "allow"),
    ];
    let encoded_slash = table
        .text("encoded_slash", faults)
        .map_or(Some(EncodedSlash::Refuse), |text| {
            choice(text, "rule", &rules, faults)
        });
    let timeout = timeout(table, faults);
    let token_types = table.texts("token_types", faults);
    let token_types = token_types
        .into_iter()
        .filter_map(|text| word(text, faults))
        .collect();
    let service = Service {
        id: id?.into(),
        prefix: prefix?.into(),
        base_urls,
        http_version: http_version?,
        encoded_slash: encoded_slash?,
        timeout,
    };
    Some((service, token_types))
}

/// `timeout_s`, if it is there and not zero.
pub fn timeout(table: Table<'_>, faults: &mut Faults<'_>) -> Option<Duration> {
    let seconds = table.number("timeout_s", MAX_TIMEOUT_S, faults)?;
    if seconds == 0 {
        faults.add(
            table.at,
            "timeout_s is 0",
            "write at least 1: no call may wait for ever",
        );
        return None;
    }
    Some(Duration::from_secs(seconds.into()))
}

fn prefix<'t>(text: At<&'t str>, faults: &mut Faults<'_>) -> Option<&'t str> {
    let good = text.value.len() <= 64
        && text.value.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|step| {
                !step.is_empty()
                    && step
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            })
        });
    if !good {
        let what = format!("{} is not a prefix", quote(text.value));
        faults.add(
            text.at,
            what,
            "write /name or /name/name with letters, digits, _ and -",
        );
    }
    good.then_some(text.value)
}

/// The service with an id.
pub fn service_index(
    text: At<&str>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<ServiceIndex> {
    let found = context
        .services
        .iter()
        .position(|(service, _)| *service.id == *text.value);
    if found.is_none() {
        let ids: Vec<&str> = context
            .services
            .iter()
            .map(|(service, _)| &*service.id)
            .collect();
        let what = format!("unknown service {}", quote(text.value));
        faults.add(text.at, what, format!("use one of: {}", ids.join(", ")));
    }
    found
        .and_then(|index| u8::try_from(index).ok())
        .map(ServiceIndex)
}
