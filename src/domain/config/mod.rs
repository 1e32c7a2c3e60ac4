//! The configuration: what may be written, what it means, and every fault in it at once.
//!
//! [`parse`] is pure: files, environment variables and the built-in providers come through
//! [`Surroundings`], so that `egret check`, `egret serve` and the tests share every decision.
//! It does not open sockets, does not make files and does not know the catalog.

mod admin;
mod alerts;
mod budgets;
mod change;
mod detect;
mod fault;
mod include;
mod keys;
mod ledger;
mod model;
mod parse;
pub mod reader;
pub mod reload;
pub mod schema;
pub mod settings;
pub mod show;
mod telemetry;
mod units;

pub use admin::{Admin, Oidc};
pub use alerts::{AlertChannel, Alerts, ChannelKind, MailTls};
pub use budgets::{BudgetKey, BudgetRule, Budgets, Patience, SharedStore};
pub use change::{Change, Protections, Topic, compare};
pub use detect::{Action, Detect, Response, Responses};
pub use fault::{Fault, Faults, MAX_FAULTS, echo, nearest};
pub use keys::{KeyBook, keys};
pub use ledger::{BadUrl, LedgerPlace, PostgresPlace};
pub use model::{
    Callers, CaptureBodies, CaptureRule, Config, ErrorBodies, Evidence, Journal, Ledger, Limits,
    ListenAddress, Listener, ListenerTls, Lockdown, Log, LogFormat, Provider, Redaction,
    RedactionRule, Reload, Timeouts, UnknownOperations, Upstream, WatchedBy,
};
pub use parse::{
    KnownProvider, KnownService, Reading, Surroundings, is_caller_name, parse, parse_detect, read,
};
pub use reader::KeyInfo;
pub use reload::check_for_loops;
pub use telemetry::{OtlpProtocol, Telemetry};
pub use units::{parse_duration, parse_size, show_duration, show_size};

#[cfg(test)]
mod tests;
