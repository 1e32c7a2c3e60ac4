//! Which providers are served, and where their services are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::{Files, Pem};
use super::listeners::ReadListener;
use super::resilience;
use super::upstream::{BaseUrl, danger, parse_url};
use super::{CALLER_FORM, KnownProvider, KnownService, Surroundings, budgets, is_caller_name};
use crate::domain::catalog::HttpVersion;
use crate::domain::config::fault::nearest;
use crate::domain::config::model::{
    ErrorBodies, ListenAddress, Provider, UnknownOperations, Upstream,
};
use crate::domain::config::reader::{
    Document, Either, FilePath, Flag, Found, Names, OneOf, Place, Problem, Table,
};
use crate::domain::resilience::Resilience;
use crate::types::Environment;

/// Most providers; every one is loaded into memory.
const MAX_PROVIDERS: usize = 256;
/// Longest provider id: it stands in every path and every record.
const MAX_ID: usize = 32;

const CALLERS: Names = Names {
    max: 1000,
    valid: is_caller_name,
    what: CALLER_FORM,
};

const ERROR_BODIES: OneOf<ErrorBodies> =
    OneOf(&[("pass", ErrorBodies::Pass), ("map", ErrorBodies::Map)]);

type BaseUrls = BTreeMap<(Arc<str>, Environment), Upstream>;

/// A provider, and where its URLs stand.
pub(super) struct ReadProvider {
    pub(super) id: Arc<str>,
    pub(super) provider: Provider,
    /// Ids of its operations; `None` if its provider file has faults.
    pub(super) operations: Option<Vec<Arc<str>>>,
    places: BTreeMap<(Arc<str>, Environment), Place>,
}

/// Reads `[providers.*]`.
pub(super) fn read(
    top: &Table<'_>,
    files: &mut Files<'_>,
    document: &Document<'_>,
    surroundings: &dyn Surroundings,
    calm: &Resilience,
) -> Vec<ReadProvider> {
    let table = top.table("providers");
    let entries = table.entries();
    if entries.is_empty() {
        let built_in = surroundings.built_in_providers().join(", ");
        let hint = format!("write [providers.cybrid], for example; built in: {built_in}");
        table.fault(
            &top.place_of("providers"),
            Problem::new("no provider is configured", hint),
        );
    }
    if entries.len() > MAX_PROVIDERS {
        let hint = format!("use at most {MAX_PROVIDERS}");
        table.fault(table.place(), Problem::new("too many providers", hint));
    }
    entries
        .iter()
        .take(MAX_PROVIDERS)
        .map(|entry| {
            let id_is_good = (1..=MAX_ID).contains(&entry.name.len())
                && entry.name.bytes().all(|byte| {
                    byte.is_ascii_lowercase()
                        || byte.is_ascii_digit()
                        || matches!(byte, b'-' | b'_')
                });
            if !id_is_good {
                let hint =
                    format!("use 1 to {MAX_ID} small letters, digits, hyphens and underscores");
                table.fault(&entry.place, Problem::new("not a provider id", hint));
            }
            let provider = entry.table("<id>");
            read_one(
                entry.name,
                &entry.place,
                &provider,
                files,
                document,
                surroundings,
                calm,
            )
        })
        .collect()
}

fn read_one(
    id: &str,
    place: &Place,
    table: &Table<'_>,
    files: &mut Files<'_>,
    document: &Document<'_>,
    surroundings: &dyn Surroundings,
    calm: &Resilience,
) -> ReadProvider {
    const ENVIRONMENTS: OneOf<Environment> = OneOf(&[
        ("sandbox", Environment::Sandbox),
        ("production", Environment::Production),
    ]);
    const VERSIONS: OneOf<HttpVersion> =
        OneOf(&[("1.1", HttpVersion::Http11), ("2", HttpVersion::Http2)]);
    const UNKNOWN: OneOf<UnknownOperations> = OneOf(&[
        ("forward", UnknownOperations::Forward),
        ("deny", UnknownOperations::Deny),
    ]);

    let file = table.optional(
        "file",
        &FilePath,
        "the built-in file",
        "Provider file: operations, services and base URLs.",
    );
    let known = know(id, place, &file, table, files, document, surroundings);
    let environment = table.value(
        "environment",
        &ENVIRONMENTS,
        Environment::Sandbox,
        "Installation that a path prefix leads to; by `Host` both can be reached.",
    );
    let http_version = table.optional(
        "http_version",
        &VERSIONS,
        "as the provider file says",
        "HTTP version to the bank. 1.1 keeps the case of header names, which OBP needs.",
    );
    let unknown_operations = table.value(
        "unknown_operations",
        &UNKNOWN,
        UnknownOperations::Forward,
        "What to do with requests that match no operation: pass on and record as `unknown`, or \
         refuse and record.",
    );
    let error_bodies = table.value(
        "error_bodies",
        &ERROR_BODIES,
        ErrorBodies::Pass,
        "What callers get of the bank's error bodies (400 and above): the body as it is, or a \
         problem with the bank's status and its listed error code and nothing else of it.",
    );
    let forward_caller_address = table.value(
        "forward_caller_address",
        &Flag,
        false,
        "Whether the caller's address goes to the bank in `X-Forwarded-For`.",
    );
    let dauth_callers = table.value(
        "dauth_callers",
        &CALLERS,
        Vec::new(),
        "Callers that may use OBP's DAuth. OBP trusts it by address, so behind the gateway \
         everybody would be trusted.",
    );
    let gateway_login_callers = table.value(
        "gateway_login_callers",
        &CALLERS,
        Vec::new(),
        "Callers that may use OBP's GatewayLogin, for the same reason.",
    );

    let budgets = budgets::read_rules(table, known.as_ref());

    let mut urls = defaults(known.as_ref(), table);
    let mut places = BTreeMap::new();
    let mut service_error_bodies = BTreeMap::new();
    read_services(
        &table.table("services"),
        known.as_ref(),
        files,
        &mut urls,
        &mut places,
        &mut service_error_bodies,
    );
    if let Some(known) = &known
        && !urls.keys().any(|(_, of)| *of == environment.value)
    {
        let service = known
            .services
            .first()
            .map_or("service", |service| &*service.name);
        let problem = Problem::new(
            format!("no base URL for the environment {}", environment.value),
            format!(
                "{id} has no public address: write [{}.services.{service}] with {} = \"https://...\"",
                table.place().key(),
                environment.value
            ),
        );
        table.fault(table.place(), problem);
    }

    ReadProvider {
        id: id.into(),
        provider: Provider {
            file: file.map(|file| files.resolve(&file.value)),
            environment: environment.value,
            base_urls: urls,
            error_bodies: error_bodies.value,
            service_error_bodies,
            http_version: http_version.map(|found| found.value),
            unknown_operations: unknown_operations.value,
            forward_caller_address: forward_caller_address.value,
            dauth_callers: dauth_callers.value,
            gateway_login_callers: gateway_login_callers.value,
            resilience: resilience::read_for_provider(table, calm),
            budgets,
        },
        operations: known.map(|known| known.operations),
        places,
    }
}

/// What the provider file says; `None` was reported.
fn know(
    id: &str,
    place: &Place,
    file: &Option<Found<PathBuf>>,
    table: &Table<'_>,
    files: &mut Files<'_>,
    document: &Document<'_>,
    surroundings: &dyn Surroundings,
) -> Option<KnownProvider> {
    let text = match file {
        Some(file) => Some(files.provider_text(table, file)?),
        None => None,
    };
    let given = text
        .as_ref()
        .map(|(path, text)| (path.as_path(), text.as_str()));
    match surroundings.provider(id, given) {
        Ok(Some(known)) => Some(known),
        Ok(None) => {
            let built_in = surroundings.built_in_providers();
            let meant = nearest(id, built_in.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("did you mean {near:?}? "));
            let problem = Problem::new(
                "there is no built-in provider with this id",
                format!(
                    "{meant}built in: {}; for others name their provider file with file = \"...\"",
                    built_in.join(", ")
                ),
            );
            table.fault(place, problem);
            None
        }
        Err(faults) => {
            document.adopt(faults);
            None
        }
    }
}

/// The base URLs of the provider file. They obey the same rules as those of the configuration.
fn defaults(known: Option<&KnownProvider>, table: &Table<'_>) -> BaseUrls {
    let mut urls = BaseUrls::new();
    for service in known.iter().flat_map(|known| &known.services) {
        for environment in Environment::ALL {
            let Some(url) = default_url(service, *environment) else {
                continue;
            };
            let checked = parse_url(url).and_then(|upstream| match danger(&upstream) {
                Some(problem) => Err(problem),
                None => Ok(upstream),
            });
            match checked {
                Ok(upstream) => {
                    urls.insert((service.name.clone(), *environment), upstream);
                }
                Err(mut problem) => {
                    problem.message = format!(
                        "base URL of {} ({environment}) in the provider file: {}",
                        service.name, problem.message
                    );
                    table.fault(table.place(), problem);
                }
            }
        }
    }
    urls
}

fn default_url(service: &KnownService, environment: Environment) -> Option<&str> {
    match environment {
        Environment::Sandbox => service.sandbox_url.as_deref(),
        Environment::Production => service.production_url.as_deref(),
    }
}

fn read_services(
    table: &Table<'_>,
    known: Option<&KnownProvider>,
    files: &Files<'_>,
    urls: &mut BaseUrls,
    places: &mut BTreeMap<(Arc<str>, Environment), Place>,
    error_bodies: &mut BTreeMap<Arc<str>, ErrorBodies>,
) {
    let theirs = urls.clone();
    for entry in table.entries() {
        let names = || {
            known
                .iter()
                .flat_map(|known| &known.services)
                .map(|of| &*of.name)
        };
        if known.is_some() && !names().any(|name| name == entry.name) {
            let hint = match nearest(entry.name, names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("services: {}", names().collect::<Vec<_>>().join(", ")),
            };
            table.fault(
                &entry.place,
                Problem::new("the provider has no such service", hint),
            );
        }
        let service = entry.table("<service>");
        let name: Arc<str> = entry.name.into();
        if let Some(found) = service.optional(
            "error_bodies",
            &ERROR_BODIES,
            "as for the provider",
            "What callers get of this service's error bodies.",
        ) {
            error_bodies.insert(name.clone(), found.value);
        }
        for (environment, meaning) in [
            (
                Environment::Sandbox,
                "Base URL of the provider's test installation.",
            ),
            (
                Environment::Production,
                "Base URL of the live installation.",
            ),
        ] {
            let Some(found) = read_url(&service, environment.as_str(), meaning, files) else {
                continue;
            };
            let mixed_up = theirs.iter().find(|((_, of), upstream)| {
                *of != environment && upstream.host == found.value.host
            });
            let problem = match mixed_up {
                Some(((_, of), upstream)) => Some(Problem::new(
                    format!("{} is the provider's {of} host", upstream.host),
                    format!("write it under {of}, and choose it with environment = \"{of}\""),
                )),
                None => danger(&found.value),
            };
            if let Some(problem) = problem {
                service.fault(&found.place, problem);
            }
            urls.insert((name.clone(), environment), found.value);
            places.insert((name.clone(), environment), found.place);
        }
    }
}

fn read_url(
    service: &Table<'_>,
    key: &'static str,
    meaning: &str,
    files: &Files<'_>,
) -> Option<Found<Upstream>> {
    match service.either(key, "url", &BaseUrl, "as the provider file says", meaning)? {
        Either::Value(found) => Some(found),
        Either::Table(table) => {
            let url = table.required("url", &BaseUrl, "The base URL.");
            let ca = table.optional(
                "ca",
                &FilePath,
                "none",
                "Authorities to trust for this server besides the public ones, PEM.",
            );
            let verify = table.value(
                "verify",
                &Flag,
                true,
                "Whether the server's certificate is verified; `false` on this machine only.",
            );
            let ca = ca.map(|path| files.pem(&table, path, Pem::Certificate));
            let url = url?;
            Some(Found {
                value: Upstream {
                    ca,
                    verify: verify.value,
                    ..url.value
                },
                place: url.place,
            })
        }
    }
}

/// A base URL that leads back to a listener of this gateway would call itself for ever.
pub(super) fn check_loops(providers: &[ReadProvider], listeners: &[ReadListener], top: &Table<'_>) {
    let own = |upstream: &Upstream| {
        listeners.iter().any(|read| match &read.listener.address {
            ListenAddress::Tcp(address) => upstream.leads_to(*address),
            ListenAddress::Unix(_) => false,
        })
    };
    for provider in providers {
        for (key, upstream) in &provider.provider.base_urls {
            if let (true, Some(place)) = (own(upstream), provider.places.get(key)) {
                let hint = "write the address of the bank or of its simulator";
                top.fault(
                    place,
                    Problem::new("this is a listener of this gateway", hint),
                );
            }
        }
    }
}
