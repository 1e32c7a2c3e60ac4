//! What is recorded of the attempts of a call that needed more than one.

use std::fmt;
use std::time::Duration;

use super::Fact;
use crate::domain::resilience::Failure;

/// Name of the facts: one for each attempt, in their order.
pub const ATTEMPT: &str = "attempt";

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It failed, or its answer was not passed on.
    Failed(Failure),
    /// Its answer, with this status, went to the caller.
    Answered(u16),
    /// The caller left, or broke the request off.
    Left,
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => failure.fmt(f),
            Self::Answered(status) => write!(f, "status_{status}"),
            Self::Left => f.write_str("caller_left"),
        }
    }
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// How it ended.
    pub end: AttemptEnd,
    /// When it began, after the call was received.
    pub began: Duration,
    /// How long it took, to the header of its answer or to its failure.
    pub took: Duration,
}

impl Attempt {
    /// As a fact: number, end, when it began and how long it took, both in milliseconds, as in
    /// `2 status_503 131 24`.
    pub fn fact(&self) -> Fact {
        let (began, took) = (self.began.as_millis(), self.took.as_millis());
        Fact {
            name: ATTEMPT.into(),
            value: format!("{} {} {began} {took}", self.number, self.end).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_four_words() {
        let attempt = Attempt {
            number: 2,
            end: AttemptEnd::Failed(Failure::ServerError(503)),
            began: Duration::from_micros(131_900),
            took: Duration::from_millis(24),
        };
        assert_eq!(&*attempt.fact().value, "2 status_503 131 24");
        let ends = [
            AttemptEnd::Failed(Failure::NotConnected),
            AttemptEnd::Answered(200),
            AttemptEnd::Left,
        ];
        assert_eq!(
            ends.map(|end| end.to_string()),
            ["not_connected", "status_200", "caller_left"]
        );
    }
}
