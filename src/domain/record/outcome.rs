//! How a call ended. The one question that matters to a caller who moved money: did it happen?

use crate::types::{Effect, Outcome};

/// What is known when the exchange is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// A byte of the request may have reached the bank.
    pub sent: bool,
    /// Status of the bank's answer, if its header arrived.
    pub status: Option<u16>,
    /// The whole answer was passed on to the caller.
    pub complete: bool,
    /// The caller went away.
    pub caller_left: bool,
}

/// Judges the outcome of a call that was to be forwarded.
///
/// - Never sent: `failure`, for nothing can have happened.
/// - Sent, no answer: `unknown`, also when the caller left meanwhile.
/// - Answered 408, 502 or 504 to anything but a read: `unknown`. These say that somebody before
///   or behind the bank's application gave up waiting (OBP answers 408 `OBP-01000` when its
///   backend is late), so the effect may have happened.
/// - Answered and the caller left before the end: `cancelled`.
/// - Answered otherwise: by status.
pub fn judge(effect: Option<Effect>, answer: Answer) -> Outcome {
    let Some(status) = answer.status else {
        return match (answer.sent, answer.caller_left) {
            (true, _) => Outcome::Unknown,
            (false, true) => Outcome::Cancelled,
            (false, false) => Outcome::Failure,
        };
    };
    let gave_up_waiting = matches!(status, 408 | 502 | 504);
    if gave_up_waiting && effect != Some(Effect::Read) {
        return Outcome::Unknown;
    }
    if status >= 400 {
        return Outcome::Failure;
    }
    if answer.complete {
        return Outcome::Success;
    }
    if answer.caller_left {
        Outcome::Cancelled
    } else {
        Outcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let done = Answer {
            sent: true,
            status: Some(200),
            complete: true,
            caller_left: false,
        };
        let table = [
            ("ok", Some(Effect::Read), done, Outcome::Success),
            (
                "redirect",
                None,
                Answer {
                    status: Some(302),
                    ..done
                },
                Outcome::Success,
            ),
            (
                "refused by the bank",
                Some(Effect::Money),
                Answer {
                    status: Some(422),
                    ..done
                },
                Outcome::Failure,
            ),
            (
                "bank broke",
                Some(Effect::Money),
                Answer {
                    status: Some(500),
                    ..done
                },
                Outcome::Failure,
            ),
            (
                "backend late on a write",
                Some(Effect::Write),
                Answer {
                    status: Some(504),
                    ..done
                },
                Outcome::Unknown,
            ),
            (
                "backend late on an unknown operation",
                None,
                Answer {
                    status: Some(408),
                    ..done
                },
                Outcome::Unknown,
            ),
            (
                "backend late on a read",
                Some(Effect::Read),
                Answer {
                    status: Some(504),
                    ..done
                },
                Outcome::Failure,
            ),
            (
                "no answer",
                Some(Effect::Money),
                Answer {
                    status: None,
                    complete: false,
                    ..done
                },
                Outcome::Unknown,
            ),
            (
                "no answer and caller gone",
                Some(Effect::Money),
                Answer {
                    status: None,
                    complete: false,
                    caller_left: true,
                    ..done
                },
                Outcome::Unknown,
            ),
            (
                "no connection",
                Some(Effect::Money),
                Answer {
                    sent: false,
                    status: None,
                    complete: false,
                    caller_left: false,
                },
                Outcome::Failure,
            ),
            (
                "gone before sending",
                Some(Effect::Money),
                Answer {
                    sent: false,
                    status: None,
                    complete: false,
                    caller_left: true,
                },
                Outcome::Cancelled,
            ),
            (
                "answer cut by the bank",
                Some(Effect::Read),
                Answer {
                    complete: false,
                    ..done
                },
                Outcome::Unknown,
            ),
            (
                "answer not awaited",
                Some(Effect::Read),
                Answer {
                    complete: false,
                    caller_left: true,
                    ..done
                },
                Outcome::Cancelled,
            ),
        ];
        for (name, effect, answer, expected) in table {
            assert_eq!(judge(effect, answer), expected, "{name}");
        }
    }
}
