//! Whether a failed attempt may be repeated.

use std::time::Duration;

use super::{Backoff, RetryAllowance};
use crate::types::{Effect, RetryClass};

/// How calls are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Attempts of one call, the first included; 1 repeats nothing.
    pub attempts: u32,
    /// Pauses before repetitions.
    pub backoff: Backoff,
    /// How many repetitions there may be.
    pub allowance: RetryAllowance,
    /// A call with a larger body is sent once, unless nothing of it was sent.
    pub body_bytes: u64,
    /// Whether calls with a documented replay guard are repeated after they may have reached the
    /// bank.
    pub guarded: bool,
    /// The header by which the bank recognises a repetition, in small letters; a request that
    /// carries it is guarded.
    pub idempotency_header: Option<Box<str>>,
}

/// The most that Pingora keeps of a request's body for another attempt, in bytes.
pub const MAX_REPLAY_BYTES: u64 = 64 * 1024;

impl Default for RetrySettings {
    /// Three attempts, bodies up to 64 KiB, nothing that may have reached the bank but reads.
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::default(),
            allowance: RetryAllowance::default(),
            body_bytes: MAX_REPLAY_BYTES,
            guarded: false,
            idempotency_header: None,
        }
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: not a byte reached the bank.
    NotConnected,
    /// The bank said that it did not look at the request: HTTP/2 `REFUSED_STREAM`, or a `GOAWAY`
    /// whose last stream is before this one (RFC 9113, section 8.7).
    NotProcessed,
    /// A kept connection was closed before any byte of an answer came. The bank may or may not have
    /// seen the request (RFC 9112, section 9.3.1).
    ReusedClosed,
    /// The connection broke after the request was sent.
    Broken,
    /// The time was over after the request was sent.
    Late,
    /// The bank's front refused it for want of allowance, before its application saw it.
    Throttled(u16),
    /// The bank answered that it, or somebody before it, cannot serve it now.
    ServerError(u16),
}

impl Failure {
    /// What an answer's status says. A 429 without `Retry-After` is no invitation: the windows of
    /// the vendors are minutes long, and what is sent meanwhile may count in them.
    pub const fn of_status(status: u16, has_retry_after: bool) -> Option<Self> {
        match status {
            429 if has_retry_after => Some(Self::Throttled(status)),
            502..=504 => Some(Self::ServerError(status)),
            _ => None,
        }
    }

    /// Whether the bank cannot have acted on the call.
    pub const fn is_unsent(self) -> bool {
        matches!(self, Self::NotConnected | Self::NotProcessed)
    }
}

impl std::fmt::Display for Failure {
    /// The word in records.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not_connected"),
            Self::NotProcessed => f.write_str("not_processed"),
            Self::ReusedClosed => f.write_str("reused_closed"),
            Self::Broken => f.write_str("broken"),
            Self::Late => f.write_str("late"),
            Self::Throttled(status) | Self::ServerError(status) => write!(f, "status_{status}"),
        }
    }
}

/// What is known of a call when an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// What the catalog says of the operation; `None` for calls that match none.
    pub class: Option<RetryClass>,
    /// What the operation can do; `None` for calls that match none.
    pub effect: Option<Effect>,
    /// The method changes nothing by its definition (RFC 9110, section 9.2.1).
    pub is_safe_method: bool,
    /// The request carries what the bank recognises a repetition by, and the configuration says
    /// that this may be relied on.
    pub is_guarded: bool,
    /// All of the body is still at hand.
    pub has_body: bool,
    /// Nothing of an answer has gone to the caller.
    pub is_unanswered: bool,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that there may be.
    pub max_attempts: u32,
    /// What is left of the caller's time.
    pub remaining: Duration,
    /// The pause before the repetition.
    pub pause: Duration,
}

/// Why a call is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It could happen twice.
    Unsafe,
    /// The body is gone.
    BodyGone,
    /// The caller has seen part of an answer.
    Answered,
    /// It was tried often enough.
    Attempts,
    /// The time is over before the repetition could begin.
    Deadline,
}

/// Whether the call may be sent again. That the retry budget has room, too, is asked after this.
///
/// # Errors
/// [`Refusal`].
pub fn decide(failure: Failure, replay: &Replay) -> Result<(), Refusal> {
    if !replay.is_unanswered {
        return Err(Refusal::Answered);
    }
    if !may_repeat(failure, replay) {
        return Err(Refusal::Unsafe);
    }
    if !replay.has_body {
        return Err(Refusal::BodyGone);
    }
    if replay.attempts >= replay.max_attempts {
        return Err(Refusal::Attempts);
    }
    if replay.pause >= replay.remaining {
        return Err(Refusal::Deadline);
    }
    Ok(())
}

fn may_repeat(failure: Failure, replay: &Replay) -> bool {
    let is_mint = replay.effect == Some(Effect::Mint);
    match failure {
        // Whatever the call does, it has not done it.
        Failure::NotConnected | Failure::NotProcessed => true,
        Failure::Throttled(_) if is_mint => false,
        Failure::Throttled(_) => match replay.class {
            // A one-time code or a reservation may be spent even by a refused call.
            Some(RetryClass::Never) => false,
            Some(RetryClass::Read | RetryClass::Unsent) => true,
            None => replay.is_safe_method,
        },
        Failure::ReusedClosed | Failure::Broken | Failure::Late | Failure::ServerError(_) => {
            changes_nothing(replay)
                || (replay.is_guarded && replay.class == Some(RetryClass::Unsent) && !is_mint)
        }
    }
}

/// Whether the call may happen as often as it likes. A GET that the catalog does not know may change
/// something: banks have such.
pub fn changes_nothing(replay: &Replay) -> bool {
    replay.class == Some(RetryClass::Read) && replay.effect == Some(Effect::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Replay = Replay {
        class: Some(RetryClass::Read),
        effect: Some(Effect::Read),
        is_safe_method: true,
        is_guarded: false,
        has_body: true,
        is_unanswered: true,
        attempts: 1,
        max_attempts: 3,
        remaining: Duration::from_secs(10),
        pause: Duration::from_secs(1),
    };
    const WRITE: Replay = Replay {
        class: Some(RetryClass::Unsent),
        effect: Some(Effect::Write),
        is_safe_method: false,
        ..READ
    };
    const TRADE: Replay = Replay {
        effect: Some(Effect::Money),
        is_guarded: true,
        ..WRITE
    };
    const MINT: Replay = Replay {
        effect: Some(Effect::Mint),
        ..WRITE
    };
    const CONFIRM: Replay = Replay {
        class: Some(RetryClass::Never),
        ..WRITE
    };
    const UNKNOWN_GET: Replay = Replay {
        class: None,
        effect: None,
        ..READ
    };
    const UNKNOWN_POST: Replay = Replay {
        is_safe_method: false,
        ..UNKNOWN_GET
    };
    /// A provider file with a slip: a GET that changes something, left at the default of GETs.
    const WRITING_GET: Replay = Replay {
        effect: Some(Effect::Write),
        ..READ
    };

    #[test]
    fn nothing_is_sent_twice_that_could_happen_twice() {
        let failures = [
            Failure::NotConnected,
            Failure::NotProcessed,
            Failure::Throttled(429),
            Failure::ReusedClosed,
            Failure::Broken,
            Failure::Late,
            Failure::ServerError(503),
        ];
        let [t, f] = [true, false];
        for (name, replay, expected) in [
            ("read", READ, [t; 7]),
            ("write", WRITE, [t, t, t, f, f, f, f]),
            ("guarded trade", TRADE, [t; 7]),
            ("mint", MINT, [t, t, f, f, f, f, f]),
            ("confirm", CONFIRM, [t, t, f, f, f, f, f]),
            ("unknown GET", UNKNOWN_GET, [t, t, t, f, f, f, f]),
            ("unknown POST", UNKNOWN_POST, [t, t, f, f, f, f, f]),
            ("GET that writes", WRITING_GET, [t, t, t, f, f, f, f]),
        ] {
            for (failure, expected) in failures.into_iter().zip(expected) {
                let decided = decide(failure, &replay);
                assert_eq!(decided.is_ok(), expected, "{name} after {failure:?}");
            }
        }
        let guarded_mint = Replay {
            is_guarded: true,
            ..MINT
        };
        assert_eq!(decide(Failure::Broken, &guarded_mint), Err(Refusal::Unsafe));
    }

    #[test]
    fn what_is_safe_still_needs_body_time_and_attempts() {
        let decide = |change: fn(&mut Replay)| {
            let mut replay = READ;
            change(&mut replay);
            super::decide(Failure::Broken, &replay)
        };
        assert_eq!(decide(|_| {}), Ok(()));
        assert_eq!(decide(|r| r.has_body = false), Err(Refusal::BodyGone));
        assert_eq!(decide(|r| r.is_unanswered = false), Err(Refusal::Answered));
        assert_eq!(decide(|r| r.attempts = 3), Err(Refusal::Attempts));
        assert_eq!(decide(|r| r.pause = r.remaining), Err(Refusal::Deadline));
    }

    #[test]
    fn few_statuses_invite_a_repetition() {
        let of = |status| Failure::of_status(status, false);
        for status in [
            200, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 501, 505,
        ] {
            assert_eq!(of(status), None, "{status}");
        }
        for status in [502, 503, 504] {
            assert_eq!(of(status), Some(Failure::ServerError(status)));
        }
        assert_eq!(Failure::of_status(429, true), Some(Failure::Throttled(429)));
        assert_eq!(Failure::ServerError(503).to_string(), "status_503");
    }
}
