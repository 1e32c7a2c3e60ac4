//! Whether a failed attempt may be repeated.

use std::time::Duration;

use crate::types::RetryClass;

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
    /// The connection broke, or the time was over, after the request was sent.
    Broken,
    /// The bank's front refused it for want of allowance, before its application saw it.
    Throttled,
    /// The bank answered with an error of its own: 500 and above.
    ServerError,
}

/// What is known of a call when an attempt has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// What the catalog says of the operation; `None` for calls that match none.
    pub class: Option<RetryClass>,
    /// The method changes nothing by its definition (RFC 9110, section 9.2.1).
    pub is_safe_method: bool,
    /// It makes a token: each repetition could leave one behind that nobody knows of.
    pub is_mint: bool,
    /// The request carries what the bank recognises a repetition by, and answers with a conflict:
    /// the catalog's replay guard, or an idempotency key that the server honours.
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
    let reads = replay.class == Some(RetryClass::Read);
    match failure {
        // Whatever the call does, it has not done it.
        Failure::NotConnected | Failure::NotProcessed => true,
        Failure::Throttled if replay.is_mint => false,
        Failure::Throttled => match replay.class {
            // A one-time code or a reservation may be spent even by a refused call.
            Some(RetryClass::Never) => false,
            Some(_) => true,
            None => replay.is_safe_method,
        },
        // A GET that the catalog does not know may change something: banks have such.
        Failure::ReusedClosed | Failure::Broken | Failure::ServerError => {
            let is_guarded = replay.is_guarded && replay.class == Some(RetryClass::Unsent);
            reads || (is_guarded && !replay.is_mint)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Replay = Replay {
        class: Some(RetryClass::Read),
        is_safe_method: true,
        is_mint: false,
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
        is_safe_method: false,
        ..READ
    };
    const TRADE: Replay = Replay {
        is_guarded: true,
        ..WRITE
    };
    const MINT: Replay = Replay {
        is_mint: true,
        ..WRITE
    };
    const CONFIRM: Replay = Replay {
        class: Some(RetryClass::Never),
        ..WRITE
    };
    const UNKNOWN_GET: Replay = Replay {
        class: None,
        ..READ
    };
    const UNKNOWN_POST: Replay = Replay {
        class: None,
        ..WRITE
    };

    #[test]
    fn nothing_is_sent_twice_that_could_happen_twice() {
        use Failure::{Broken, NotConnected, NotProcessed, ReusedClosed, ServerError, Throttled};
        let failures = [
            NotConnected,
            NotProcessed,
            Throttled,
            ReusedClosed,
            Broken,
            ServerError,
        ];
        for (name, replay, expected) in [
            ("read", READ, [true; 6]),
            ("write", WRITE, [true, true, true, false, false, false]),
            ("guarded trade", TRADE, [true; 6]),
            ("mint", MINT, [true, true, false, false, false, false]),
            ("confirm", CONFIRM, [true, true, false, false, false, false]),
            (
                "unknown GET",
                UNKNOWN_GET,
                [true, true, true, false, false, false],
            ),
            (
                "unknown POST",
                UNKNOWN_POST,
                [true, true, false, false, false, false],
            ),
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
        assert_eq!(decide(Broken, &guarded_mint), Err(Refusal::Unsafe));
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
}
