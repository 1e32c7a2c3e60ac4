//! What answers and bodies look like. The document at `/api/v1/openapi.json` is made of these.

mod calls;
mod free;
mod now;
mod setup;

pub use calls::{
    CallDetail, Calls, Checkpoint, Evidence, LineageOfCall, MintSeries, Mints, Problem,
    ProofStatus, ReportShown, Reports, Term, Terms, TermsBody, TimelineStep, Total, Verified,
};
pub use free::{Call, Document, Incident};
pub use now::{
    Breaker, Breakers, Budget, BudgetHistory, Budgets, Check, EvidenceNow, Health, History,
    JournalNow, KeyBody, LedgerNow, Me, Now, OidcWay, OpenIncidents, ProviderHistory, ProviderNow,
    Version, Ways,
};
pub use setup::{
    Caller, CallerKey, Callers, ConfigShown, ConfigValue, EmptyBody, Incidents, Lock, LockBody,
    Locks, LogFilter, Policy, Provider, ProviderPolicy, Providers, ReasonBody, Service, Silence,
    SilenceBody, Silences,
};
