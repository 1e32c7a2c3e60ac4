//! Who sees which objects and fields, and pages of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::operation::Subject;
use super::store::Object;
use super::tokens::Grant;
use super::{BANK_GUID, Call, Cybrid};
use crate::sim::message::pairs;

/// Documented bounds of `per_page`.
const MAX_PER_PAGE: usize = 100;
/// The default of `per_page` is not documented; this is the one of the examples.
const DEFAULT_PER_PAGE: usize = 10;
/// Filters of guids are at most this long.
const MAX_FILTER_CHARS: usize = 4_096;

/// True if the request asks for personal fields and may.
///
/// # Errors
/// 403 `invalid_scopes` if it asks without the scope.
pub fn wants_private(resource: &str, call: &Call<'_>) -> Result<bool, ApiError> {
    let (flag, scope) = match resource {
        "files" => ("include_download_url", "files:pii:read".to_owned()),
        "customers"
        | "counterparties"
        | "external_bank_accounts"
        | "identity_verifications"
        | "transfers" => ("include_pii", format!("{resource}:pii:read")),
        _ => return Ok(false),
    };
    if !call.request.flag(flag) {
        return Ok(false);
    }
    if let Some(grant) = &call.grant {
        grant.demand(&scope)?;
    }
    Ok(true)
}

/// Customer tokens see the objects of their customer only; the token decides, never a parameter.
pub fn may_see(resource: &str, object: &Object, grant: Option<&Grant>) -> bool {
    let Some(grant) = grant else {
        return true;
    };
    let own = |field, guid: &str| object.text(field) == guid;
    match grant.subject {
        Subject::Organization => true,
        Subject::Bank => match object.public.get("bank_guid").and_then(Value::as_str) {
            Some(bank) => grant.bank.as_deref() == Some(bank),
            None => resource != "banks" || own("guid", grant.bank.as_deref().unwrap_or(BANK_GUID)),
        },
        Subject::Customer => match resource {
            "customers" => own("guid", &grant.guid),
            "assets" | "prices" | "symbols" => true,
            _ => own("customer_guid", &grant.guid),
        },
    }
}

/// The object as this caller sees it under this version.
pub fn render(
    resource: &str,
    object: &Object,
    call: &Call<'_>,
    private: bool,
    single: bool,
) -> Value {
    let mut map = object.public.clone();
    if single {
        map.extend(object.detail.clone());
    }
    if private {
        let shown = object
            .private
            .iter()
            .filter(|(field, _)| !matches!(field.as_str(), "expected_failure" | "fails"));
        map.extend(shown.map(|(field, value)| (field.clone(), value.clone())));
    }
    // Since 2025-10-01 a trade is `executed` where it was `pending`.
    if resource == "trades"
        && map.get("state").is_some_and(|state| state == "pending")
        && call.version() >= "2025-10-01"
    {
        map.insert("state".to_owned(), "executed".into());
    }
    if resource == "external_bank_accounts" && !call.request.flag("include_balances") {
        map.remove("balances");
        map.remove("balance_updated_at");
    }
    Value::Object(map)
}

/// True if the object passes every filter of the query that names a field of it.
fn passes(object: &Object, filters: &[(String, String)]) -> bool {
    filters.iter().all(|(name, wanted)| {
        if let Some(field) = name.strip_suffix("_gte") {
            return object.text(field) >= wanted.as_str();
        }
        if let Some(field) = name.strip_suffix("_lt") {
            return object.text(field) < wanted.as_str();
        }
        if name == "label" {
            return object
                .public
                .get("labels")
                .and_then(Value::as_array)
                .is_some_and(|labels| labels.iter().any(|label| label == wanted.as_str()));
        }
        match object.public.get(name) {
            Some(Value::String(found)) => wanted.split(',').any(|one| one == found),
            Some(Value::Null) => false,
            _ => true,
        }
    })
}

fn number(query: &[(String, String)], name: &str, default: usize) -> Result<usize, ApiError> {
    match query.iter().find(|(found, _)| found == name) {
        None => Ok(default),
        Some((_, value)) => value.parse().map_err(|_| {
            ApiError::new(400, "invalid_parameter", format!("{name} is not a number"))
        }),
    }
}

/// Query parameters that are no filters.
const NO_FILTERS: [&str; 7] = [
    "page",
    "per_page",
    "cursor",
    "include_pii",
    "include_balances",
    "owner",
    "environment",
];

impl Cybrid {
    /// A page of a collection, newest first; prices and symbols are bare arrays.
    pub(super) fn list(&self, resource: &'static str, call: &Call<'_>) -> Result<Value, ApiError> {
        let query: Vec<(String, String)> = pairs(&call.request.query).collect();
        if let Some((name, _)) = query
            .iter()
            .find(|(_, value)| value.len() > MAX_FILTER_CHARS)
        {
            return Err(ApiError::new(
                400,
                "invalid_parameter",
                format!("{name} is longer than {MAX_FILTER_CHARS} characters"),
            ));
        }
        match resource {
            "prices" => return Ok(self.prices(&query, call)),
            "symbols" => return Ok(super::trading::symbols()),
            _ => {}
        }
        let private = wants_private(resource, call)?;
        let per_page = number(&query, "per_page", DEFAULT_PER_PAGE)?;
        let page = number(&query, "page", 0)?;
        if !(1..=MAX_PER_PAGE).contains(&per_page) {
            return Err(ApiError::new(
                400,
                "invalid_parameter",
                format!("per_page is not within 1 and {MAX_PER_PAGE}"),
            ));
        }
        // With a bank or customer token the parameter is ignored; the token decides.
        let decided = call
            .grant
            .as_ref()
            .is_some_and(|grant| grant.bank.is_some());
        let filters: Vec<(String, String)> = query
            .iter()
            .filter(|(name, _)| !(decided && name == "bank_guid"))
            .filter(|(name, _)| !NO_FILTERS.contains(&name.as_str()))
            .cloned()
            .collect();
        let seen = || {
            self.store.newest_first(resource).filter(|object| {
                may_see(resource, object, call.grant.as_ref()) && passes(object, &filters)
            })
        };
        if resource == "transactions" {
            let start = cursor(&query)?;
            return Ok(by_cursor(seen(), start, per_page));
        }
        let objects: Vec<Value> = seen()
            .skip(page.saturating_mul(per_page))
            .take(per_page)
            .map(|object| render(resource, object, call, private, false))
            .collect();
        Ok(json!({
            "total": seen().count(),
            "page": page,
            "per_page": per_page,
            "objects": objects,
        }))
    }
}

fn cursor(query: &[(String, String)]) -> Result<usize, ApiError> {
    let Some((_, cursor)) = query.iter().find(|(name, _)| name == "cursor") else {
        return Ok(0);
    };
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new(400, "invalid_parameter", "cursor is not one of ours"))
}

/// Transactions alone have cursors instead of pages.
fn by_cursor<'o>(
    objects: impl Iterator<Item = &'o Object>,
    start: usize,
    per_page: usize,
) -> Value {
    let mut rest = objects.skip(start);
    let page: Vec<Map<String, Value>> = rest
        .by_ref()
        .take(per_page)
        .map(|object| object.public.clone())
        .collect();
    let next = rest
        .next()
        .map(|_| URL_SAFE_NO_PAD.encode(start.saturating_add(per_page).to_string()));
    json!({"page_info": {"next_cursor": next}, "objects": page})
}
