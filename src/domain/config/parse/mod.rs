//! From text to [`Config`].

mod admin;
mod alerts;
mod budgets;
mod capture;
mod detect;
mod evidence;
mod files;
mod ledger;
mod listeners;
mod lockdown;
mod oidc;
mod providers;
mod redaction;
mod resilience;
mod sections;
mod telemetry;
mod upstream;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};

use super::LedgerPlace;
use super::fault::Faults;
use super::include;
use super::keys::KeyBook;
use super::model::Config;
use super::reader::{Document, FilePath, INCLUDE, IntegerIn, Problem, Source, Table, Text};
use super::settings::Setting;

use crate::domain::catalog::RateLimit;
pub use detect::parse_detect;
use files::Files;

/// Most worker threads: more than the cores of the largest machines for sale.
const MAX_WORKERS: usize = 256;
/// Longest node name, in bytes: the longest host name label is 63 (RFC 1035), a full name 253.
const MAX_NODE: usize = 253;

/// A provider as its provider file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownProvider {
    /// Provider id, such as `cybrid`.
    pub id: Arc<str>,
    /// Its services; at least one.
    pub services: Vec<KnownService>,
    /// Ids of its operations.
    pub operations: Vec<Arc<str>>,
    /// Its documented rate limits.
    pub rate_limits: Vec<RateLimit>,
}

/// A service of a provider, and where it is unless the configuration says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownService {
    /// Name, such as `bank`.
    pub name: Arc<str>,
    /// Base URL of the sandbox, if there is a public one.
    pub sandbox_url: Option<String>,
    /// Base URL of the live installation, if there is a public one.
    pub production_url: Option<String>,
}

/// Everything that a configuration depends on besides its own text.
pub trait Surroundings {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The bytes of a file that the configuration names.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a directory.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// The provider that a provider file describes, given its id in the configuration, or the
    /// built-in one with that id; `None` if there is none.
    ///
    /// # Errors
    /// The faults of the provider file.
    fn provider(
        &self,
        id: &str,
        file: Option<(&Path, &str)>,
    ) -> Result<Option<KnownProvider>, Faults>;

    /// Ids of the built-in providers, for messages.
    fn built_in_providers(&self) -> Vec<String>;

    /// Whether the callers file at the path holds at least one key that can be used.
    fn has_usable_keys(&self, callers_file: &Path) -> bool;

    /// What is wrong with a log filter, if anything.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    fn check_log_filter(&self, filter: &str) -> Result<(), String>;

    /// Name of this machine.
    fn host_name(&self) -> String;

    /// Number of cores that this process may use; at least 1.
    fn cores(&self) -> usize;
}

/// A configuration with every value of it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configuration.
    pub config: Config,
    /// Its values as they may be shown, with where each came from, in the order of the reference.
    pub settings: Vec<Setting>,
}

/// Reads a configuration. Paths in it are relative to the directory of `file`.
///
/// # Errors
/// Every fault of the text and of the files that it includes, of the environment variables that
/// override it, of the provider files that it names and of the certificate files that it names.
pub fn read(file: &Path, text: &str, surroundings: &dyn Surroundings) -> Result<Reading, Faults> {
    let (sources, faults) = include::gather(file, text, surroundings);
    let variables = |variable: &str| surroundings.variable(variable);
    let document = Document::of(&sources, &variables);
    document.adopt(faults);
    let config = document.read(|top| read_all(&top, file, &document, surroundings));
    let reading = config.map(|(mut config, provider_texts)| {
        config.config_hash = hash(
            &sources,
            &document.overrides(),
            &provider_texts,
            &secrets_of(&config),
        );
        Reading {
            config,
            settings: document.settings(),
        }
    });
    document.finish(reading)
}

/// As [`read`], the configuration alone.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &Path, text: &str, surroundings: &dyn Surroundings) -> Result<Config, Faults> {
    read(file, text, surroundings).map(|reading| reading.config)
}

/// The keys that are asked for when a text is read, and the tables that may be written several times;
/// whether the text has faults does not matter.
pub(super) fn describe(text: &str, surroundings: &dyn Surroundings) -> KeyBook {
    let document = Document::new("", text, &super::reader::no_variables);
    document.read(|top| drop(read_all(&top, Path::new(""), &document, surroundings)));
    KeyBook {
        keys: document.keys(),
        lists: document.lists(),
    }
}

fn read_all(
    top: &Table<'_>,
    file: &Path,
    document: &Document<'_>,
    surroundings: &dyn Surroundings,
) -> (Config, Vec<Vec<u8>>) {
    let mut files = Files::new(file.parent().unwrap_or(Path::new("")), surroundings);
    // The files have been taken in by now.
    top.optional(INCLUDE, &include::PATTERNS, "none", include::MEANING);
    let node = top.optional(
        "node",
        &Text {
            max: MAX_NODE,
            what: "text",
        },
        "name of the machine",
        "Name of this gateway in every record.",
    );
    if node.is_none() {
        top.settle(&surroundings.host_name());
    }
    let data_dir = top.value(
        "data_dir",
        &FilePath,
        PathBuf::from("egret-data"),
        "Directory for the ledger, the keys and the callers; made on first start.",
    );
    let data_dir = files.resolve(&data_dir.value);
    let workers = top.value(
        "workers",
        &IntegerIn(0..=MAX_WORKERS),
        0,
        "Worker threads; 0 for one per core.",
    );
    let workers = match workers.value {
        0 => surroundings.cores().clamp(1, MAX_WORKERS),
        workers => workers,
    };

    let listeners = listeners::read(top, &files);
    let callers = sections::read_callers(top, &files, &data_dir);
    listeners::check_callers(&listeners, &callers, top, surroundings);
    let admin = admin::read(top, &files, &listeners, &data_dir);
    let calm = resilience::read(top);
    let providers = providers::read(top, &mut files, document, surroundings, &calm);
    providers::check_loops(&providers, &listeners, top);
    let reload = sections::read_reload(top);
    let timeouts = sections::read_timeouts(top);
    let (limits, budgets) = sections::read_limits(top);
    let journal = sections::read_journal(top, &files, &data_dir);
    let ledger = ledger::read(top, &files, &data_dir);
    let evidence = evidence::read(top, &files, &data_dir);
    let lockdown = lockdown::read(top, &files, &data_dir);
    let retention = sections::read_retention(top);
    let (fingerprint_key_file, capture_key_file) = sections::read_keys(top, &files, &data_dir);
    let log = sections::read_log(top, surroundings);
    let redaction = redaction::read(top);
    let captures = capture::read(top, &providers);
    let alerts = alerts::read(top, &files, &data_dir);
    let detect = detect::read(top, &files, &data_dir);
    let telemetry = telemetry::read(top, &files, surroundings);

    let config = Config {
        node: node
            .map_or_else(|| surroundings.host_name(), |node| node.value)
            .into(),
        workers,
        listeners: listeners.into_iter().map(|read| read.listener).collect(),
        callers,
        admin,
        providers: providers
            .into_iter()
            .map(|read| (read.id, read.provider))
            .collect(),
        reload,
        timeouts,
        limits,
        budgets,
        journal,
        ledger,
        evidence,
        lockdown,
        retention,
        fingerprint_key_file,
        log,
        redaction,
        captures,
        capture_dir: data_dir.join(capture::DIRECTORY),
        capture_key_file,
        alerts,
        detect,
        telemetry,
        data_dir,
        config_hash: Box::default(),
    };
    (config, files.into_provider_texts())
}

/// Addresses that may hold a password, each with what may be shown of it.
fn secrets_of(config: &Config) -> Vec<(&str, String)> {
    let ledger = match &config.ledger.place {
        LedgerPlace::Sqlite(_) => None,
        place @ LedgerPlace::Postgres(at) => Some((at.url().expose().as_str(), place.to_string())),
    };
    let shared = config.budgets.shared.as_ref();
    let shared = shared.map(|store| (store.url().expose().as_str(), store.to_string()));
    ledger.into_iter().chain(shared).collect()
}

/// First 16 hexadecimal digits of the SHA-256 over all parts, each after its length, so that
/// moving text from one part to the next changes the hash. Of the address of a database only what
/// may be shown goes in: the hash is in every record, and a password could be tried against it.
fn hash(
    sources: &[Source],
    overrides: &[(String, String)],
    provider_texts: &[Vec<u8>],
    addresses: &[(&str, String)],
) -> Box<str> {
    let shown = |text: &str| {
        let hide = |text: String, (address, shown): &(&str, String)| text.replace(address, shown);
        addresses.iter().fold(text.to_owned(), hide)
    };
    let mut context = Context::new(&SHA256);
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    };
    for source in sources {
        add(shown(&source.text).as_bytes());
    }
    add(&(overrides.len() as u64).to_be_bytes());
    for (name, value) in overrides {
        add(name.as_bytes());
        add(shown(value).as_bytes());
    }
    for text in provider_texts {
        add(text);
    }
    let digest = context.finish();
    let mut hex = String::with_capacity(16);
    for byte in digest.as_ref().iter().take(8) {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}

/// Whether a text can name a caller: 1 to 255 printable ASCII characters without blanks, which
/// covers SPIFFE ids and DNS names.
pub fn is_caller_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

const CALLER_FORM: &str = "use 1 to 255 letters, digits and marks without blanks";

/// The name of a caller.
struct CallerName;

impl super::reader::Kind for CallerName {
    type Value = Arc<str>;

    fn read(&self, raw: super::reader::Raw<'_>) -> Result<Arc<str>, Problem> {
        match raw.text() {
            Some(name) if is_caller_name(name) => Ok(name.into()),
            _ => Err(Problem::new("not the name of a caller", CALLER_FORM)),
        }
    }

    fn describe(&self) -> String {
        "name of a caller".to_owned()
    }

    fn show(&self, value: &Arc<str>) -> String {
        super::reader::quoted(value)
    }

    fn shape(&self) -> super::reader::Shape {
        super::reader::Shape::Pattern(vec!["^[!-~]{1,255}$"])
    }
}
