//! Vendor simulators: Cybrid, Open Bank Project and Wyre as their documents describe them, for
//! trying an integration offline, for Egret's own tests and for the demo. Beside them, [`traffic`]
//! makes weeks of labelled calls for the trial of detectors.
//!
//! They listen on loopback only, keep all state in memory, repeat themselves under a seed and
//! hold no real credential. They check what the vendors check (tokens, scopes, signatures, rate
//! limits) but prove nothing: the signatures of their tokens are random bytes.
//!
//! # Credentials of the fakes
//!
//! | vendor | what | value |
//! | --- | --- | --- |
//! | Cybrid | organization key | `sim-org-id` / `sim-org-secret` |
//! | Cybrid | bank key | `sim-bank-id` / `sim-bank-secret` |
//! | Cybrid | Partner Portal (organization token with the portal-only scopes) | `sim-portal-id` / `sim-portal-secret` |
//! | Cybrid | organization and bank guid | `0a` sixteen times, `0b` sixteen times |
//! | OBP | account holder, user id `5d1d0000-0000-4000-8000-000000000001` | `sim-user` / `sim-password-1` |
//! | OBP | another user, user id `5d1d0000-0000-4000-8000-000000000002` | `sim-auditor` / `sim-password-2` |
//! | OBP | consumer key | `simconsumerkey` and 26 zeros |
//! | OBP | consent challenge, payment challenge | `123456`, `123` |
//! | OBP | OIDC authorization code of `sim-user` | `sim-code` |
//! | OBP | bank, accounts of `sim-user` | `sim.bank`, `acc-1` and `acc-2` |
//! | OBP | OIDC client | `sim-oidc-client` / `sim-oidc-secret` |
//! | Wyre | API key and secret of the master account `AC_SIMMASTER01` | `AK-SIM-MASTER-0001` / `SK-SIM-MASTER-SECRET-00000001` |
//! | Wyre | child account, for `masqueradeAs` | `AC_SIMCHILD001` |
//! | Wyre | one-time card code | `000000` |
//!
//! Any string of 25 to 35 characters can be minted into a Wyre session. Any GatewayLogin or
//! DAuth token with the claims that OBP requires is taken; its signature is not checked.
//!
//! # Control
//!
//! Each simulator answers these besides the vendor's paths; they are not logged or counted:
//!
//! | path | does |
//! | --- | --- |
//! | `GET /__sim/requests[?full=1][&after=N]` | what the vendor saw: sequence, method, path, header names in the case received, lengths of values and body, status; values too with `full=1` |
//! | `GET /__sim/stats` | counters |
//! | `GET`, `POST /__sim/faults` | shows, replaces the switches of [`Faults`] |
//! | `POST /__sim/reset` | forgets all state: resources, tokens, limits, log |

mod answer;
mod control;
mod cybrid;
mod entropy;
mod faults;
mod jwt;
mod limits;
mod message;
mod obp;
mod server;
mod tap;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod traffic;
mod wyre;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::types::{Micros, UnknownWord};

pub use control::Seen;
pub use entropy::Entropy;
pub use faults::Faults;
pub use message::Request;
pub use server::Simulator;

/// Which vendor is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Identity, bank and organization services on one address; their paths do not collide.
    Cybrid,
    /// Open Bank Project.
    Obp,
    /// Wyre v2 and v3.
    Wyre,
}

impl Vendor {
    /// The one spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cybrid => "cybrid",
            Self::Obp => "obp",
            Self::Wyre => "wyre",
        }
    }
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Vendor {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cybrid" => Ok(Self::Cybrid),
            "obp" => Ok(Self::Obp),
            "wyre" => Ok(Self::Wyre),
            _ => Err(UnknownWord {
                kind: "vendor",
                found: text.to_owned(),
                allowed: "cybrid, obp, wyre".to_owned(),
            }),
        }
    }
}

/// Tells the time. Injected, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// How a simulator behaves.
#[derive(Clone)]
pub struct SimOptions {
    /// Which vendor.
    pub vendor: Vendor,
    /// The same seed and the same calls give the same identifiers and tokens.
    pub seed: u64,
    /// Whether the documented rate limits are on.
    pub limits: bool,
    /// Windows of rate limits are divided by this; 1 is as documented.
    pub limit_scale: u32,
    /// Tells the time: of tokens, quotes, timestamps and rate limits.
    pub clock: Clock,
    /// What goes wrong at the start; changeable later.
    pub faults: Faults,
    /// Whether requests are remembered for `/__sim/requests`. They are counted anyway.
    pub log: bool,
    /// Wyre: the scheme and host that clients sign, as in `https://api.wyre.example`. `None`
    /// means `http://` and the `Host` header, which a gateway rewrites.
    pub public_url: Option<String>,
}

impl SimOptions {
    /// A well-behaved vendor: seed 1, no rate limits, no faults, requests remembered.
    pub fn new(vendor: Vendor, clock: Clock) -> Self {
        Self {
            vendor,
            seed: 1,
            limits: false,
            limit_scale: 1,
            clock,
            faults: Faults::default(),
            log: true,
            public_url: None,
        }
    }
}

impl fmt::Debug for SimOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimOptions")
            .field("vendor", &self.vendor)
            .field("seed", &self.seed)
            .field("limits", &self.limits)
            .field("limit_scale", &self.limit_scale)
            .field("faults", &self.faults)
            .field("log", &self.log)
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// It would be reachable from other machines.
    #[error(
        "the simulators serve loopback only and {address} is not a loopback address; \
         bind 127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// Where the listener is bound.
        address: SocketAddr,
    },
    /// The listener does not know its address.
    #[error("cannot read the address of the simulator's listener: {0}")]
    Listener(io::Error),
}

/// Serves a simulator until the runtime stops. [`Simulator::start`] gives a handle instead.
///
/// # Errors
/// As [`Simulator::start`].
pub async fn serve(listener: TcpListener, options: SimOptions) -> Result<(), SimError> {
    Simulator::start(listener, options)?.wait().await;
    Ok(())
}
