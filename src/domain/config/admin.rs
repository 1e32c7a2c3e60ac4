//! The admin listener and who may use it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::model::{ListenAddress, ListenerTls};
use crate::domain::access::jwt::TokenRules;
use crate::domain::access::{Roles, SessionSettings};
use crate::domain::catalog::BaseUrl;

/// Where it is told how the gateway is, when that is bad, and who may ask for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where to listen; `None` if nobody is told anything.
    pub address: Option<ListenAddress>,
    /// TLS; always where others than this machine can reach the address.
    pub tls: Option<ListenerTls>,
    /// File with the admin keys' hashes, kept by `egret admin key`.
    pub keys_file: PathBuf,
    /// Host names that it is reached by, in small letters, without ports.
    pub hosts: Vec<String>,
    /// How long sessions last.
    pub sessions: SessionSettings,
    /// Whether `/metrics` asks nobody who they are.
    pub open_metrics: bool,
    /// Roles of client certificates, by what they say: SPIFFE id, DNS name or common name.
    pub certificates: BTreeMap<String, Roles>,
    /// The identity provider.
    pub oidc: Option<Oidc>,
    /// How long the oldest record may wait for the ledger before readiness is red.
    pub max_ledger_lag: Duration,
}

/// An identity provider that speaks OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// Where it is. Its documents are found from there (OpenID Connect Discovery 1.0, section 4).
    pub issuer: BaseUrl,
    /// How its tokens are judged.
    pub rules: TokenRules,
    /// File with the secret of this client; `None` for a public one.
    pub client_secret_file: Option<PathBuf>,
    /// Where browsers come back to; `None` if only tokens are taken.
    pub redirect: Option<BaseUrl>,
    /// What is asked for.
    pub scopes: String,
}
