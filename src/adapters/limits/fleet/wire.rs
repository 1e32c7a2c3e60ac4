//! Messages to the store and its answers, as the arguments of `share.lua` and what it returns.

use std::time::Duration;

use redis::Pipeline;

use crate::domain::quota::{Budget, Message, Reply, Shares};
use crate::types::{Micros, Priority};

/// What a budget has to say.
pub struct Words {
    limit: u32,
    span: Duration,
    bound: Duration,
    round: Duration,
    kept: u32,
    floor: u32,
    allowed: u32,
    pause: Duration,
    message: Message,
}

/// Takes from a budget what it has to say.
pub fn words(budget: &mut Budget, now: Micros) -> Option<Words> {
    let (allowed, pause) = budget.pressure(now);
    let settings = *budget.settings();
    let fleet = budget.fleet()?;
    let (bound, round, floor) = (fleet.bound(), fleet.round(), fleet.floor());
    Some(Words {
        limit: settings.limit,
        span: settings.span,
        bound,
        round,
        kept: settings.kept_for_money,
        floor,
        allowed,
        pause,
        message: budget.message(now)?,
    })
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

impl Words {
    /// Puts the arguments after the node's into a command.
    pub fn put(self, pipe: &mut Pipeline, replicas: u32, shares: &Shares) {
        let verb = match self.message {
            Message::Adopt { .. } => "adopt",
            Message::Round { .. } => "round",
        };
        pipe.arg(verb)
            .arg(self.limit)
            .arg(micros(self.span))
            .arg(micros(self.bound))
            .arg(micros(self.round))
            .arg(self.kept)
            .arg(self.floor)
            .arg(replicas);
        for priority in Priority::ALL {
            pipe.arg(shares.of(*priority));
        }
        pipe.arg(self.allowed).arg(micros(self.pause));
        match self.message {
            Message::Adopt {
                from,
                open,
                counted,
            } => {
                pipe.arg("").arg(from).arg(open);
                for left in counted {
                    pipe.arg(micros(left));
                }
            }
            Message::Round {
                epoch,
                from,
                settled,
                returned,
                ceiling,
                waiting,
                leaves,
                wanted,
            } => {
                pipe.arg(epoch).arg(from);
                for waiting in waiting {
                    pipe.arg(waiting);
                }
                pipe.arg(u8::from(leaves))
                    .arg(ceiling)
                    .arg(wanted)
                    .arg(settled.len());
                for (place, age) in settled {
                    pipe.arg(place).arg(micros(age));
                }
                for place in returned {
                    pipe.arg(place);
                }
            }
        }
    }
}

/// What the script returns: epoch, whether it knows the gateway, places leased, places taken by
/// all, when to ask again in microseconds, gateways.
#[derive(Debug)]
pub struct Said((String, u32, u32, u32, u64, u32));

impl redis::FromRedisValue for Said {
    fn from_redis_value(value: redis::Value) -> Result<Self, redis::ParsingError> {
        redis::FromRedisValue::from_redis_value(value).map(Self)
    }
}

impl Said {
    /// As the budget wants it.
    pub fn reply(&self) -> Reply {
        let (epoch, knows, granted, total, next_in, live) = &self.0;
        Reply {
            // Made by the script from its clock: digits.
            epoch: epoch.parse().unwrap_or(0),
            knows: *knows == 1,
            granted: *granted,
            total: *total,
            next_in: Duration::from_micros(*next_in),
            live: *live,
        }
    }
}
