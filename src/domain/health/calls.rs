//! What is counted of calls.
//!
//! Nothing here can take more values than this program and the catalog have: a place is a service of
//! a provider, an operation is one of its file, a reason one of `domain::problem`. What a caller or a
//! bank says is in none of it.

use std::sync::Arc;

use super::histogram::{Histogram, Latency};
use super::redactions::RedactionSeries;
use crate::types::{Decision, Environment, Outcome, TokenType};

/// Where calls go: a service of a provider in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallPlace {
    /// The provider.
    pub provider: Arc<str>,
    /// The environment.
    pub environment: Environment,
    /// Its service.
    pub service: Arc<str>,
    /// Host name or address of the bank's server, as configured.
    pub host: Arc<str>,
    /// Port of the bank's server.
    pub port: u16,
}

/// Where a series of calls went; `None` for requests that led to no provider.
pub type MaybePlace = Option<Arc<CallPlace>>;

/// Calls since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallVitals {
    /// By place, in the order of the configuration. Only the places that had a call, and first, if
    /// there were such, the requests that led to none.
    pub places: Vec<PlaceVitals>,
    /// How long calls took, from their header to their end.
    pub server: Vec<ServerSeries>,
    /// How long attempts took, to the header of the bank's answer or to their failure.
    pub client: Vec<ClientSeries>,
    /// Calls.
    pub calls: Vec<CallSeries>,
    /// Calls that were not passed on, by reason.
    pub denials: Vec<DenialSeries>,
    /// Calls by the credential that they carried.
    pub credentials: Vec<CredentialSeries>,
    /// Tokens and secrets that answers handed out.
    pub mints: Vec<MintSeries>,
    /// Attempts that repeated others.
    pub resends: Vec<ResendSeries>,
    /// Values that did not get into the records.
    pub redactions: Vec<RedactionSeries>,
    /// Calls that are in none of the series above, since there were too many of those: only
    /// [`Self::places`] has them.
    pub unlisted: u64,
}

/// Calls to one place, in short: for who looks at the gateway as it is now. Looks at two times can be
/// taken from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceVitals {
    /// The place.
    pub place: MaybePlace,
    /// Calls that are over.
    pub calls: u64,
    /// Those of them that failed at the bank or did not reach it: outcome `failure` or `unknown`, less
    /// those that were denied, limited or refused.
    pub failed: u64,
    /// Those of them that the gateway denied, limited or refused.
    pub denied: u64,
    /// Attempts; more than calls where some were repeated.
    pub attempts: u64,
    /// Tokens and secrets that answers handed out.
    pub mints: u64,
    /// How long the calls took.
    pub latency: Latency,
    /// How long the bank took for attempts that it answered, to the header of its answer.
    pub bank: Latency,
}

impl PlaceVitals {
    /// Without a call.
    pub fn new(place: MaybePlace) -> Self {
        Self {
            place,
            calls: 0,
            failed: 0,
            denied: 0,
            attempts: 0,
            mints: 0,
            latency: Latency::default(),
            bank: Latency::default(),
        }
    }

    /// Adds those of another place.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.denied += other.denied;
        self.attempts += other.attempts;
        self.mints += other.mints;
        self.latency.add(&other.latency);
        self.bank.add(&other.bank);
    }

    /// What has come since an earlier look at the same place.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            place: self.place.clone(),
            calls: self.calls.saturating_sub(earlier.calls),
            failed: self.failed.saturating_sub(earlier.failed),
            denied: self.denied.saturating_sub(earlier.denied),
            attempts: self.attempts.saturating_sub(earlier.attempts),
            mints: self.mints.saturating_sub(earlier.mints),
            latency: self.latency.since(&earlier.latency),
            bank: self.bank.since(&earlier.bank),
        }
    }
}

/// How long calls took.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSeries {
    /// Where they went.
    pub place: MaybePlace,
    /// Their method, `other` for what is no standard one.
    pub method: &'static str,
    /// Whether the caller was spoken to inside TLS.
    pub is_https: bool,
    /// What the caller got; `None` if it got nothing.
    pub status: Option<u16>,
    /// The problem that was answered, or the caller's leaving.
    pub error: Option<&'static str>,
    /// The durations, in seconds.
    pub durations: Histogram,
}

/// How long attempts took.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSeries {
    /// Where they went.
    pub place: MaybePlace,
    /// Their method.
    pub method: &'static str,
    /// What the bank answered.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub error: Option<&'static str>,
    /// The durations, in seconds.
    pub durations: Histogram,
}

/// A count of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSeries {
    /// Where they went.
    pub place: MaybePlace,
    /// The operation; `None` for those that match none.
    pub operation: Option<Arc<str>>,
    /// What the gateway did.
    pub decision: Decision,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

/// Calls that were not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialSeries {
    /// Where they were to go.
    pub place: MaybePlace,
    /// What the gateway did.
    pub decision: Decision,
    /// Why: the code of a problem.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// Calls with one kind of credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSeries {
    /// Where they went.
    pub place: MaybePlace,
    /// The credential that the provider used.
    pub token_type: TokenType,
    /// How many.
    pub count: u64,
}

/// Tokens and secrets handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintSeries {
    /// By whom.
    pub place: MaybePlace,
    /// What was handed out, a word of the catalog such as `customer_access_token`.
    pub kind: Arc<str>,
    /// The credential that it was asked for with.
    pub token_type: TokenType,
    /// How many.
    pub count: u64,
}

/// Repeated attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResendSeries {
    /// Where they went.
    pub place: MaybePlace,
    /// How the attempt before failed.
    pub cause: &'static str,
    /// How many.
    pub count: u64,
}
