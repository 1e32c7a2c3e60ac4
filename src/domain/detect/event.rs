//! One call as detection sees it: who called what with which credential for whom, from where,
//! and what came of it. There is no field for a secret, a body or a personal value.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Where the call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Environment {
    /// Real money, real customers. Also whatever is not known to be something less.
    Production,
    /// The bank's sandbox.
    Sandbox,
}

/// The kind of credential that the call carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TokenKind {
    /// Client credentials or a login: nothing that was minted before.
    None,
    /// Acts for one customer.
    Customer,
    /// Acts for one user of a bank.
    DirectLogin,
    /// A long-lived key that may act for several accounts.
    ApiKey,
    /// Acts for a whole bank.
    Bank,
    /// Acts for all banks of an organization.
    Organization,
    /// A kind without a meaning here.
    Other,
}

impl TokenKind {
    /// The kind that a word of the neutral format, or of the ledger, means.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            ""
            | "none"
            | "client_credentials"
            | "direct_login_credentials"
            | "anonymous"
            | "basic_client"
            | "wyre_session_mint" => Self::None,
            "customer" => Self::Customer,
            "direct_login"
            | "oauth1"
            | "oauth2_bearer"
            | "gateway_login"
            | "dauth"
            | "consent_jwt"
            | "consent_id"
            | "berlin_group_consent" => Self::DirectLogin,
            "api_key" | "wyre_signature" | "wyre_session_token" => Self::ApiKey,
            "bank" => Self::Bank,
            "org" | "organization" => Self::Organization,
            _ => Self::Other,
        }
    }

    /// Whether it reaches more than one customer's data.
    #[must_use]
    pub fn is_broad(self) -> bool {
        matches!(self, Self::Bank | Self::Organization)
    }

    /// How it is called in alerts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "no token",
            Self::Customer => "a customer token",
            Self::DirectLogin => "a login token",
            Self::ApiKey => "an API key",
            Self::Bank => "a bank token",
            Self::Organization => "an organization token",
            Self::Other => "another token",
        }
    }
}

/// Why a call did not succeed, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None, or not told.
    None,
    /// The gateway's breaker was open.
    CircuitOpen,
    /// The bank failed.
    Upstream,
    /// No answer in time.
    Timeout,
    /// A limit on calls.
    RateLimited,
    /// A limit on minting.
    TokenRateLimit,
    /// The token's time was over.
    TokenExpired,
    /// The token was refused.
    InvalidToken,
    /// The client's secret was refused.
    InvalidClient,
    /// A user's password was refused.
    InvalidCredentials,
    /// Something else.
    Other,
}

impl Fault {
    /// The fault that a word of the neutral format means.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "" => Self::None,
            "circuit_open" => Self::CircuitOpen,
            "upstream_5xx" => Self::Upstream,
            "timeout" => Self::Timeout,
            "rate_limited" => Self::RateLimited,
            "token_rate_limit" => Self::TokenRateLimit,
            "token_expired" => Self::TokenExpired,
            "invalid_token" => Self::InvalidToken,
            "invalid_client" => Self::InvalidClient,
            "invalid_credentials" => Self::InvalidCredentials,
            _ => Self::Other,
        }
    }
}

/// A token that the answer handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mint<'a> {
    /// Its kind.
    pub kind: TokenKind,
    /// Its fingerprint; empty if it is not known.
    pub token: &'a str,
    /// How long it lives, in seconds; 0 if that is not known.
    pub ttl: u32,
}

/// One call. Empty texts mean "not applicable".
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Its record: a position in a feed, or the call's UUID as a number.
    pub id: u128,
    /// Milliseconds since 1970, UTC, at which the request arrived.
    pub at: i64,
    /// Where it went.
    pub environment: Environment,
    /// Provider id.
    pub provider: &'a str,
    /// Operation name.
    pub operation: &'a str,
    /// What the catalog says that the operation does (`read`, `write`, `money`, `mint`,
    /// `access-change`); empty if only its name is known.
    pub effect: &'a str,
    /// The service that called.
    pub caller: &'a str,
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Country of the address, as the feed says.
    pub country: &'a str,
    /// Autonomous system of the address, as the feed says; 0 if it does not.
    pub asn: u32,
    /// Kind of credential.
    pub token_kind: TokenKind,
    /// Fingerprint of the bearer token.
    pub token: &'a str,
    /// Pseudonym of the customer or account.
    pub subject: &'a str,
    /// Scopes asked for.
    pub scopes: &'a [Cow<'a, str>],
    /// What was minted.
    pub mint: Option<Mint<'a>>,
    /// Grantee of a view, or `NETWORK/0xADDRESS` of a DAuth user.
    pub target: &'a str,
    /// View granted or revoked.
    pub view: &'a str,
    /// Whether personal data was asked for.
    pub pii: bool,
    /// Status that the caller got; 0 if none.
    pub status: u16,
    /// Whether the proxy itself answered.
    pub by_proxy: bool,
    /// Why it failed.
    pub fault: Fault,
    /// Whether the operator has marked it as part of a load test.
    pub load_test: bool,
}

/// What an answer means for detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The bank did it.
    Success,
    /// Says nothing about the caller: the bank or the gateway was busy, limited or broken.
    Trouble,
    /// The credential was refused (401).
    Unauthenticated,
    /// The credential was good for something else (403), or the minting limit was met.
    Forbidden,
    /// No such thing (404), or no such customer (422 at a mint is the same).
    Missing,
    /// Another error of the request.
    Refused,
}

impl Event<'_> {
    pub(super) fn answer(&self) -> Answer {
        use Fault as F;
        if matches!(
            self.fault,
            F::CircuitOpen | F::Upstream | F::Timeout | F::RateLimited
        ) {
            return Answer::Trouble;
        }
        if self.by_proxy && !(200..400).contains(&self.status) {
            return Answer::Trouble;
        }
        match self.status {
            200..=399 => Answer::Success,
            401 => Answer::Unauthenticated,
            403 => Answer::Forbidden,
            404 => Answer::Missing,
            0 | 408 | 425 | 429 | 500.. => Answer::Trouble,
            // OBP answers bad logins of old versions with 400.
            400 if matches!(self.fault, F::InvalidCredentials | F::InvalidClient) => {
                Answer::Unauthenticated
            }
            _ => Answer::Refused,
        }
    }
}
