//! What the bank's refusals teach.

use std::time::Duration;

use crate::types::Micros;

/// How much of the limit is left after a refusal, in percent. A refusal means that the bank counts
/// otherwise than we do, or that somebody else uses the same allowance: a fifth less is felt within
/// one window, and three refusals halve the rate.
const TIGHTENED: u32 = 80;

/// Steps in which a tightened limit is given back, one each window without a refusal: slowly, since
/// each refusal may count against us at the bank.
const STEPS: u32 = 10;

/// The first pause after a refusal that names no time, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A limit that follows what the bank answers: tightened at once, relaxed slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    limit: u32,
    allowed: u32,
    /// Nothing is sent before.
    paused_until: Option<Micros>,
    /// Refusals since the last window without one.
    refusals: u32,
    /// When the limit was last changed.
    changed_at: Micros,
}

impl Pressure {
    /// Goes on with another limit: of it the same part is allowed.
    pub fn retune(&mut self, limit: u32) {
        let part = u64::from(self.allowed) * u64::from(limit) / u64::from(self.limit.max(1));
        self.allowed = u32::try_from(part).unwrap_or(limit).clamp(1, limit.max(1));
        self.limit = limit;
    }

    /// No refusals so far.
    pub const fn new(limit: u32) -> Self {
        Self {
            limit,
            allowed: limit,
            paused_until: None,
            refusals: 0,
            changed_at: Micros(0),
        }
    }

    /// How many are allowed for now.
    pub fn allowed(&mut self, span: Duration, now: Micros) -> u32 {
        while self.allowed < self.limit && self.changed_at.plus(span) <= now {
            let step = (self.limit / STEPS).max(1);
            self.allowed = self.allowed.saturating_add(step).min(self.limit);
            self.changed_at = self.changed_at.plus(span);
            self.refusals = 0;
        }
        self.allowed
    }

    /// Until when nothing may be sent, if so.
    pub fn paused_until(&self, now: Micros) -> Option<Micros> {
        self.paused_until.filter(|until| now < *until)
    }

    /// The bank says that nothing is left until then.
    pub fn hold(&mut self, until: Micros) {
        self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
    }

    /// The bank has refused a call for want of allowance. `retry_after` is what it said of when to
    /// come again; a time of zero says nothing (OBP answers so when its own count is confused).
    /// Refusals of calls that were sent before the last one was known teach nothing more; `sent_at`
    /// tells.
    pub fn refused(
        &mut self,
        retry_after: Option<Duration>,
        span: Duration,
        sent_at: Micros,
        now: Micros,
    ) {
        let known = self.refusals > 0 && sent_at <= self.changed_at;
        if !known {
            self.allowed = (self.allowed.saturating_mul(TIGHTENED) / 100).max(1);
            self.refusals = self.refusals.saturating_add(1);
            self.changed_at = now;
        }
        let doublings = self.refusals.saturating_sub(1).min(16);
        let own = FIRST_PAUSE.saturating_mul(1 << doublings);
        let pause = match retry_after {
            Some(said) if !said.is_zero() => said,
            _ => own.min(span),
        };
        self.hold(now.plus(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(300);

    fn at(secs: i64) -> Micros {
        Micros::from_secs(secs)
    }

    #[test]
    fn a_refusal_tightens_at_once_and_is_forgotten_slowly() {
        let mut pressure = Pressure::new(100);
        pressure.refused(None, SPAN, at(9), at(10));
        assert_eq!(pressure.allowed(SPAN, at(10)), 80);
        assert_eq!(pressure.paused_until(at(10)), Some(at(11)));
        assert_eq!(pressure.paused_until(at(11)), None);
        assert_eq!(pressure.allowed(SPAN, at(309)), 80);
        assert_eq!(pressure.allowed(SPAN, at(310)), 90);
        assert_eq!(pressure.allowed(SPAN, at(610)), 100);
        assert_eq!(pressure.allowed(SPAN, at(90_000)), 100);
    }

    #[test]
    fn a_burst_of_refusals_is_one_lesson() {
        let mut pressure = Pressure::new(100);
        for _ in 0..8 {
            pressure.refused(None, SPAN, at(9), at(10));
        }
        assert_eq!(pressure.allowed(SPAN, at(10)), 80);
        pressure.refused(None, SPAN, at(12), at(13));
        assert_eq!(pressure.allowed(SPAN, at(13)), 64);
        assert_eq!(pressure.paused_until(at(13)), Some(at(15)));
    }

    #[test]
    fn what_the_bank_says_of_the_time_counts_unless_it_says_nothing() {
        let mut pressure = Pressure::new(100);
        pressure.refused(Some(Duration::from_secs(42)), SPAN, at(0), at(1));
        assert_eq!(pressure.paused_until(at(1)), Some(at(43)));
        let mut pressure = Pressure::new(100);
        pressure.refused(Some(Duration::ZERO), SPAN, at(0), at(1));
        assert_eq!(pressure.paused_until(at(1)), Some(at(2)));
    }

    #[test]
    fn a_limit_never_falls_to_nothing() {
        let mut pressure = Pressure::new(2);
        for second in 0..100 {
            pressure.refused(None, SPAN, at(second * 2), at(second * 2 + 1));
        }
        assert_eq!(pressure.allowed(SPAN, at(200)), 1);
    }
}
