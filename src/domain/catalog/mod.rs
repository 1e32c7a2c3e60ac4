//! What providers offer: services, operations, and what may be recorded of each call.
//!
//! A provider is a TOML file, described in `docs/catalog.md`. [`Provider::parse`] checks it and
//! reports every fault; [`Matcher`] finds the operation of a request; [`Catalog`] holds all
//! providers. The catalog decides nothing about a request: it only says what the call is.

mod base_url;
mod fault;
mod import;
mod import_fields;
mod import_text;
mod json_path;
mod load;
mod load_operation;
mod load_rules;
mod matcher;
mod model;
mod reader;
mod registry;
mod routes;
mod shape;
mod template;

pub use base_url::BaseUrl;
pub use fault::Fault;
pub use import::{ImportError, import_openapi};
pub use json_path::JsonPath;
pub use matcher::{Match, Matcher, ParamRange, Params, Route, RouteIndex};
pub use model::{
    EncodedSlash, ErrorCodeRule, FactKeep, FactRule, HttpVersion, Locator, MAX_SERVICES, Method,
    MintEncoding, MintRule, Operation, OperationFlag, ParamKeep, PathParam, PiiRule, Provider,
    QueryKeep, QueryRule, QueryRules, RateKey, RateLimit, ReplayGuard, Service, ServiceIndex,
    UNLISTED,
};
pub use registry::{ByHost, ByPrefix, Catalog, Entry, MAX_PROVIDERS, ProviderIndex};
pub use shape::{Shape, Vocabulary, Words};
pub use template::{Segment, parse as parse_template};

/// The provider files that are part of the program, with the names they are stored under.
pub fn builtin() -> [(&'static str, &'static str); 3] {
    [
        (
            "cybrid.toml",
            include_str!("../../../config/providers/cybrid.toml"),
        ),
        (
            "obp.toml",
            include_str!("../../../config/providers/obp.toml"),
        ),
        (
            "wyre.toml",
            include_str!("../../../config/providers/wyre.toml"),
        ),
    ]
}

#[cfg(test)]
mod tests;
