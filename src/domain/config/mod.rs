//! The configuration: what may be written, what it means, and every fault in it at once.
//!
//! [`parse`] is pure: files, environment variables and the built-in providers come through
//! [`Surroundings`], so that `egret check`, `egret serve` and the tests share every decision.
//! It does not open sockets, does not make files and does not know the catalog.

mod alerts;
mod budgets;
mod fault;
mod ledger;
mod model;
mod parse;
pub mod reader;
mod telemetry;
mod units;

pub use alerts::{AlertChannel, Alerts, ChannelKind, MailTls};
pub use budgets::{BudgetKey, BudgetRule, Budgets, Patience, SharedStore};
pub use fault::{Fault, Faults, MAX_FAULTS, echo, nearest};
pub use ledger::{BadUrl, LedgerPlace, PostgresPlace};
pub use model::{
    Admin, Callers, CaptureBodies, CaptureRule, Config, ErrorBodies, Evidence, Journal, Ledger,
    Limits, ListenAddress, Listener, ListenerTls, Lockdown, Log, LogFormat, Provider, Redaction,
    RedactionRule, Timeouts, UnknownOperations, Upstream, WatchedBy,
};
pub use parse::{KnownProvider, KnownService, Surroundings, is_caller_name, parse};
pub use reader::KeyInfo;
pub use telemetry::{OtlpProtocol, Telemetry};
pub use units::{parse_duration, parse_size, show_duration, show_size};

#[cfg(test)]
mod tests;
