//! What is remembered of each customer and each token.

use serde::{Deserialize, Serialize};

use super::event::{Environment, TokenKind};
use super::seen::DAY;
use super::table::{Row, Worth};

/// A subject without a call for so long is not active: a token for it is minted "cold".
pub(super) const COLD: u32 = 45 * 60;

/// A subject unused for so long is dormant.
pub(super) const DORMANT: u32 = 7 * DAY;

/// A customer or account: 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    pub key: u64,
    /// Second at which it was first seen.
    pub first: u32,
    /// Second of the last successful call on its own behalf; 0 if there was none.
    pub called: u32,
    /// Second of the last mint for it; 0 if there was none.
    pub minted: u32,
    /// Hour since 1970, modulo 2^16, in which its personal data was last read.
    pub pii_hour: u16,
    /// Hour, modulo 2^16, to which `calls` belongs.
    pub hour: u16,
    /// Calls in that hour.
    pub calls: u16,
    /// Mints in that hour.
    pub mints: u16,
    /// Calls since the mint that is waited for, or was last.
    pub uses: u8,
    /// [`READ`], [`TROUBLED`].
    pub flags: u8,
    /// Sixteen bits of the API key with which it was called first; 0 if there was none.
    pub by_key: u16,
}

/// Personal data was read: `pii_hour` means something.
pub(super) const READ: u8 = 1;
/// A call since that mint met trouble, so that its use says nothing.
pub(super) const TROUBLED: u8 = 2;

/// Seconds after which the use of a minted token has said what it can.
pub(super) const WAIT: u32 = 300;

impl Subject {
    pub(super) fn new(key: u64, now: u32) -> Self {
        Self {
            key,
            first: now,
            ..Self::default()
        }
    }

    /// Whether nobody has used it for 45 minutes.
    pub(super) fn is_cold(&self, now: u32) -> bool {
        now.saturating_sub(self.called) > COLD
    }

    /// Whether the use of a token that is minted for it at `now` is waited for. Further tokens of the
    /// same visit are not: they are part of the use of the first.
    pub(super) fn is_awaited(&self, now: u32) -> bool {
        let waiting = self.minted > 0 && now.saturating_sub(self.minted) < WAIT;
        self.is_cold(now) && !waiting
    }

    /// Whether nobody has used it for a week, though it was used before.
    pub(super) fn is_dormant(&self, now: u32) -> bool {
        let used = self.called.max(self.first);
        now.saturating_sub(used) > DORMANT
    }

    /// Whether its personal data was read in the last six hours.
    pub(super) fn was_read(&self, hour: i64) -> bool {
        let age = (hour as u16).wrapping_sub(self.pii_hour);
        self.flags & READ != 0 && age < 6
    }
}

impl Row for Subject {
    fn key(&self) -> u64 {
        self.key
    }

    fn worth(&self, now: u32) -> Worth {
        let used = self.called.max(self.minted).max(self.first);
        // Rows older than 30 days go first, but only when room is needed.
        let old = now.saturating_sub(used) > 30 * DAY;
        if old || self.called == 0 || self.called == self.first {
            Worth::Once(used)
        } else {
            Worth::Kept(used)
        }
    }
}

/// A token: 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub key: u64,
    /// Network from which it was minted or, if that was not seen, first used; 0 if not known.
    pub network: u64,
    /// Second from which on nothing can be done with it.
    pub ends: u32,
    /// Second of the last use; that of the mint before the first one.
    pub used: u32,
    /// Autonomous system of that network; 0 if not known.
    pub asn: u32,
    /// Country of the last use, two letters in one number; 0 if not known.
    pub country: u16,
    /// The caller that minted it, or used it first.
    pub caller: u16,
    /// Uses, up to 255.
    pub uses: u8,
    /// [`MINTED`], [`SANDBOX`], [`BUSY`].
    pub flags: u8,
}

/// Its mint was seen.
pub(super) const MINTED: u8 = 1;
/// It is a token of the sandbox.
pub(super) const SANDBOX: u8 = 4;
/// A call with it met trouble.
pub(super) const BUSY: u8 = 8;
/// It was refused once: an alarm about it would be old news.
pub(super) const REFUSED: u8 = 16;

/// How long a token lives whose end is not known: the documented lifetimes, in seconds.
pub(super) fn usual_life(kind: TokenKind, environment: Environment) -> u32 {
    match (kind, environment) {
        (TokenKind::ApiKey, _) => 28 * DAY,
        // OBP's default is four weeks.
        (TokenKind::DirectLogin, _) => 28 * DAY,
        (_, Environment::Sandbox) => 28_800,
        (_, Environment::Production) => 1800,
    }
}

impl Token {
    pub(super) fn new(key: u64, now: u32, life: u32) -> Self {
        Self {
            key,
            ends: now.saturating_add(life),
            used: now,
            ..Self::default()
        }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// An ended token is kept for a while, so that its late uses are known for what they are.
const AFTERLIFE: u32 = 1800;

impl Row for Token {
    fn key(&self) -> u64 {
        self.key
    }

    fn worth(&self, now: u32) -> Worth {
        match self {
            token if token.ends.saturating_add(AFTERLIFE) < now => Worth::Nothing,
            token if token.uses < 2 => Worth::Once(token.used),
            token => Worth::Kept(token.used),
        }
    }
}
