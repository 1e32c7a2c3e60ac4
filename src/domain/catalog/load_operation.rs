//! Reads one `[[operation]]` of a provider file.

use std::collections::HashMap;
use std::sync::Arc;

use super::json_path::JsonPath;
use super::load::{choice, json_path, locator, name, query_keep, service_index, timeout, word};
use super::load_rules::load_facts;
use super::model::{
    FactRule, Locator, Method, MintEncoding, MintRule, Operation, OperationFlag, ParamKeep,
    PathParam, PiiRule, QueryKeep, QueryRule, QueryRules, ReplayGuard, Service,
};
use super::reader::{At, Faults, Table, quote};
use super::shape::Vocabulary;
use super::template::{self, Segment, VERSION};
use crate::types::{Effect, PiiClass, RetryClass, TokenType};

/// Most facts of a request or an answer, and most query parameters: what a record can hold.
const MAX_FACTS: usize = 24;
const MAX_QUERY: usize = 64;

const KEYS: &[&str] = &[
    "id",
    "service",
    "method",
    "path",
    "versions",
    "summary",
    "effect",
    "access",
    "token_types",
    "timeout_s",
    "retry",
    "replay_guard",
    "scopes_required",
    "scopes_optional",
    "flags",
    "min_accept_version",
    "query",
    "query_shapes",
    "pii_params",
    "secret_params",
    "pii_fields",
    "request_pii",
    "response_pii",
    "response_pii_when",
    "response_pii_always",
    "request_secrets",
    "response_secrets",
    "mint",
    "request_facts",
    "response_facts",
    "recorded_as",
];

/// What the top of the file says and operations refer to.
pub struct Context<'t> {
    /// Values of `{version}`, oldest first.
    pub versions: Vec<&'t str>,
    /// What shapes can refer to.
    pub vocabulary: Vocabulary,
    /// Fields and parameters that identify someone or something, with their kind.
    pub subjects: HashMap<&'t str, Arc<str>>,
    /// Query rules for every operation.
    pub query: QueryRules,
    /// Field names that hold personal data wherever they occur.
    pub pii_fields: HashMap<&'t str, PiiClass>,
    /// The services with the token types of their operations.
    pub services: Vec<(Service, Vec<TokenType>)>,
}

/// Reads an operation; `None` if something that it cannot do without is wrong.
pub fn load_operation(
    table: Table<'_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<Operation> {
    table.check_keys(KEYS, faults);
    let id = name(table.required("id", faults), faults);
    let service = match (table.text("service", faults), context.services.len()) {
        (Some(text), _) => service_index(text, context, faults),
        (None, 1) => Some(super::model::ServiceIndex(0)),
        (None, _) => {
            table.missing("service", faults);
            None
        }
    };
    let method = table
        .required("method", faults)
        .and_then(|text| load_method(text, faults));
    let path = table.required("path", faults);
    let segments = path.and_then(|text| load_template(text, faults));
    let versions = load_versions(table, path, segments.as_deref(), context, faults);
    let effect = table
        .required("effect", faults)
        .and_then(|text| word::<Effect>(text, faults));
    let params = segments.map(|segments| load_params(table, &segments, context, faults));

    let retry = match table.text("retry", faults) {
        Some(text) => word::<RetryClass>(text, faults),
        None if matches!(method, Some(Method::Get | Method::Head)) => Some(RetryClass::Read),
        None => Some(RetryClass::Unsent),
    };
    let flags: Vec<OperationFlag> = table
        .texts("flags", faults)
        .into_iter()
        .filter_map(|text| choice(text, "flag", OperationFlag::ALL, faults))
        .collect();
    let (request_pii, response_pii) = load_pii(table, context, faults);
    let request_facts = load_facts(table, "request_facts", "request_facts", context, faults);
    let response_facts = load_facts(table, "response_facts", "response_facts", context, faults);
    check_facts(
        table,
        &request_facts,
        &response_facts,
        params.as_deref(),
        faults,
    );

    let defaults = service.and_then(|index| context.services.get(usize::from(index.0)));
    let token_types = match table.has("token_types") {
        true => {
            let texts = table.texts("token_types", faults);
            texts
                .into_iter()
                .filter_map(|text| word(text, faults))
                .collect()
        }
        false => defaults.map(|(_, types)| types.clone()).unwrap_or_default(),
    };
    let timeout = timeout(table, faults).or(defaults.and_then(|(service, _)| service.timeout));

    Some(Operation {
        summary: table.text("summary", faults).map(|text| text.value.into()),
        access: name(table.text("access", faults), faults).map(Arc::from),
        token_types,
        replay_guard: load_replay_guard(table, faults),
        scopes_required: names(table, "scopes_required", faults),
        scopes_optional: names(table, "scopes_optional", faults),
        flags,
        min_accept_version: name(table.text("min_accept_version", faults), faults).map(Arc::from),
        query: load_query(table, context, faults),
        request_pii,
        response_pii,
        request_secrets: locators(table, "request_secrets", faults),
        response_secrets: json_paths(table, "response_secrets", faults),
        mint: load_mint(table, faults),
        request_facts,
        response_facts,
        recorded_as: name(table.text("recorded_as", faults), faults).map(Arc::from),
        id: id?.into(),
        service: service?,
        method: method?,
        template: path?.value.into(),
        versions: versions?,
        params: params?,
        effect: effect?,
        timeout,
        retry: retry?,
    })
}

fn load_method(text: At<&str>, faults: &mut Faults<'_>) -> Option<Method> {
    let method = Method::parse(text.value);
    if method.is_none() {
        let all: Vec<&str> = Method::ALL.iter().map(|method| method.as_str()).collect();
        let what = format!("unknown method {}", quote(text.value));
        faults.add(text.at, what, format!("use one of: {}", all.join(", ")));
    }
    method
}

fn load_template<'t>(text: At<&'t str>, faults: &mut Faults<'_>) -> Option<Vec<Segment<'t>>> {
    match template::parse(text.value) {
        Ok(segments) => Some(segments),
        Err(instead) => {
            faults.add(text.at, format!("bad path {}", quote(text.value)), instead);
            None
        }
    }
}

/// The versions of an operation: names from the file's `versions`, or ranges `v1..v3` of them.
fn load_versions(
    table: Table<'_>,
    path: Option<At<&str>>,
    segments: Option<&[Segment<'_>]>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Option<Vec<Arc<str>>> {
    let at_of = |version: &str| context.versions.iter().position(|known| *known == version);
    let mut chosen = vec![false; context.versions.len()];
    let texts = table.texts("versions", faults);
    for text in &texts {
        let (first, last) = text
            .value
            .split_once("..")
            .unwrap_or((text.value, text.value));
        match (at_of(first), at_of(last)) {
            (Some(first), Some(last)) if first <= last => chosen[first..=last].fill(true),
            _ => faults.add(
                text.at,
                format!("unknown version {}", quote(text.value)),
                "write a version of the file's `versions`, or a range old..new of them",
            ),
        }
    }
    let templated = segments?.contains(&Segment::Param(VERSION));
    if templated == texts.is_empty() {
        let at = path.map_or(table.at, |path| path.at);
        let instead = "write {version} in the path and list `versions`, or neither";
        faults.add(at, "path and versions do not go together", instead);
        return None;
    }
    let versions = context.versions.iter().zip(chosen);
    Some(
        versions
            .filter(|(_, chosen)| *chosen)
            .map(|(version, _)| (*version).into())
            .collect(),
    )
}

fn load_params(
    table: Table<'_>,
    segments: &[Segment<'_>],
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> Vec<PathParam> {
    let secrets = table.texts("secret_params", faults);
    let personal = match table.table("pii_params", "pii_params", faults) {
        Some(table) => table.text_pairs(faults),
        None => Vec::new(),
    };
    let params: Vec<&str> = segments
        .iter()
        .filter_map(|segment| match segment {
            Segment::Param(VERSION) | Segment::Literal(_) => None,
            Segment::Param(name) | Segment::Tail(name) => Some(*name),
        })
        .collect();
    for text in secrets.iter().chain(personal.iter().map(|(name, _)| name)) {
        if !params.contains(&text.value) {
            let what = format!("the path has no parameter {}", quote(text.value));
            faults.add(text.at, what, "write the name of a parameter of the path");
        }
    }
    let classes: HashMap<&str, PiiClass> = personal
        .into_iter()
        .filter_map(|(name, class)| Some((name.value, word(class, faults)?)))
        .collect();
    let keep = |name: &str| {
        if secrets.iter().any(|text| text.value == name) {
            ParamKeep::Secret
        } else if let Some(class) = classes.get(name) {
            ParamKeep::Pii(*class)
        } else if let Some(kind) = context.subjects.get(name) {
            ParamKeep::Subject(Arc::clone(kind))
        } else {
            ParamKeep::Drop
        }
    };
    params
        .into_iter()
        .map(|name| PathParam {
            name: name.into(),
            keep: keep(name),
        })
        .collect()
}

fn load_query(table: Table<'_>, context: &Context<'_>, faults: &mut Faults<'_>) -> QueryRules {
    if !table.has("query") && !table.has("query_shapes") {
        return context.query.clone();
    }
    let mut rules: Vec<QueryRule> = context.query.iter().cloned().collect();
    let names = table.texts("query", faults);
    if names.len() > MAX_QUERY {
        faults.add(
            table.at,
            "too many query parameters",
            format!("name at most {MAX_QUERY}"),
        );
    }
    for text in names {
        if !rules.iter().any(|rule| *rule.name == *text.value) {
            rules.push(QueryRule {
                name: text.value.into(),
                keep: QueryKeep::Mask,
            });
        }
    }
    let shapes = match table.table("query_shapes", "query_shapes", faults) {
        Some(table) => table.text_pairs(faults),
        None => Vec::new(),
    };
    for (name, text) in shapes {
        let keep = query_keep(text, &context.vocabulary, faults);
        rules.extend(keep.map(|keep| QueryRule {
            name: name.value.into(),
            keep,
        }));
    }
    QueryRules::new(rules)
}

/// Personal data of the request and of the answer.
fn load_pii(
    table: Table<'_>,
    context: &Context<'_>,
    faults: &mut Faults<'_>,
) -> (Vec<PiiRule>, Vec<PiiRule>) {
    let when: Option<Arc<str>> =
        name(table.text("response_pii_when", faults), faults).map(Arc::from);
    let mut request = pii_rules(table, "request_pii", None, faults);
    let mut response = pii_rules(table, "response_pii", when, faults);
    response.extend(pii_rules(table, "response_pii_always", None, faults));
    // The sources of `pii_fields` do not say which way the fields go.
    let mut anywhere: Vec<(PiiClass, Vec<JsonPath>)> = Vec::new();
    for text in table.texts("pii_fields", faults) {
        let Some(class) = context.pii_fields.get(text.value) else {
            let what = format!("{} has no PII class", quote(text.value));
            faults.add(
                text.at,
                what,
                "add it to [pii_fields] at the top of the file",
            );
            continue;
        };
        let path = At {
            value: &*format!("**.{}", text.value),
            at: text.at,
        };
        let Some(path) = json_path(path, faults) else {
            continue;
        };
        match anywhere.iter_mut().find(|(known, _)| known == class) {
            Some((_, paths)) => paths.push(path),
            None => anywhere.push((*class, vec![path])),
        }
    }
    for (class, at) in anywhere {
        let rule = PiiRule {
            class,
            at,
            when: None,
        };
        request.push(rule.clone());
        response.push(rule);
    }
    (request, response)
}

fn pii_rules(
    table: Table<'_>,
    key: &'static str,
    when: Option<Arc<str>>,
    faults: &mut Faults<'_>,
) -> Vec<PiiRule> {
    let lists = match table.table(key, key, faults) {
        Some(table) => table.list_pairs(faults),
        None => Vec::new(),
    };
    let mut rules = Vec::new();
    for (class, paths) in lists {
        let class = word(class, faults);
        let at = paths
            .into_iter()
            .filter_map(|path| json_path(path, faults))
            .collect();
        rules.extend(class.map(|class| PiiRule {
            class,
            at,
            when: when.clone(),
        }));
    }
    rules
}

fn load_replay_guard(table: Table<'_>, faults: &mut Faults<'_>) -> Option<ReplayGuard> {
    let table = table.table("replay_guard", "replay_guard", faults)?;
    table.check_keys(&["key", "status", "code"], faults);
    let key = name(table.required("key", faults), faults);
    let status = table.number("status", 599, faults);
    if !table.has("status") {
        table.missing("status", faults);
    }
    let code = name(table.required("code", faults), faults);
    Some(ReplayGuard {
        key: key?.into(),
        status: u16::try_from(status?).ok()?,
        code: code?.into(),
    })
}

fn load_mint(table: Table<'_>, faults: &mut Faults<'_>) -> Option<MintRule> {
    let table = table.table("mint", "mint", faults)?;
    table.check_keys(&["kind", "response", "request", "encoding"], faults);
    let kind = name(table.required("kind", faults), faults);
    let encodings = [(MintEncoding::Json, "json"), (MintEncoding::Form, "form")];
    let encoding = table
        .text("encoding", faults)
        .map_or(Some(MintEncoding::Json), |text| {
            choice(text, "encoding", &encodings, faults)
        });
    Some(MintRule {
        response: json_paths(table, "response", faults),
        request: locators(table, "request", faults),
        kind: kind?.into(),
        encoding: encoding?,
    })
}

/// Facts must point at something that exists, and there must not be too many.
fn check_facts(
    table: Table<'_>,
    request: &[FactRule],
    response: &[FactRule],
    params: Option<&[PathParam]>,
    faults: &mut Faults<'_>,
) {
    if request.len() > MAX_FACTS || response.len() > MAX_FACTS {
        faults.add(
            table.at,
            "too many facts",
            format!("keep at most {MAX_FACTS} each way"),
        );
    }
    for fact in request {
        if let (Locator::Path(name), Some(params)) = (&fact.at, params)
            && !params.iter().any(|param| param.name == *name)
        {
            let what = format!(
                "fact {:?} is at path:{name}, which the path does not have",
                fact.name
            );
            faults.add(table.at, what, "write the name of a parameter of the path");
        }
    }
    for fact in response {
        if !matches!(fact.at, Locator::Body(_)) {
            let what = format!("response fact {:?} is not in the body", fact.name);
            faults.add(table.at, what, "write a JSON path");
        }
    }
}

fn names(table: Table<'_>, key: &str, faults: &mut Faults<'_>) -> Vec<Arc<str>> {
    table
        .texts(key, faults)
        .into_iter()
        .map(|text| text.value.into())
        .collect()
}

fn json_paths(table: Table<'_>, key: &str, faults: &mut Faults<'_>) -> Vec<JsonPath> {
    table
        .texts(key, faults)
        .into_iter()
        .filter_map(|text| json_path(text, faults))
        .collect()
}

fn locators(table: Table<'_>, key: &str, faults: &mut Faults<'_>) -> Vec<Locator> {
    table
        .texts(key, faults)
        .into_iter()
        .filter_map(|text| locator(text, faults))
        .collect()
}
