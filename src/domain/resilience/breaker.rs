//! Leaves an endpoint group alone that fails, and finds out when it is well again.

use std::time::Duration;

use crate::types::Micros;

/// Pieces of the sliding window: the oldest tenth is forgotten at once.
const PIECES: usize = 10;

/// How a breaker judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// So many hard failures in a row open it.
    pub consecutive: u32,
    /// Length of the window over which shares are counted.
    pub window: Duration,
    /// Calls in the window below which shares say nothing.
    pub min_calls: u32,
    /// Percent of hard failures in the window that open it.
    pub failure_percent: u32,
    /// Percent of slow calls in the window that open it.
    pub slow_percent: u32,
    /// First pause after it has opened; doubled each time that the probes fail.
    pub pause: Duration,
    /// Longest pause.
    pub max_pause: Duration,
    /// Probes that must succeed before it closes; no more calls than these go until then.
    pub probes: u32,
}

impl Default for BreakerSettings {
    /// 5 in a row, or half of at least 20 calls in 30 s; pauses from 1 s to 1 min; 3 probes.
    fn default() -> Self {
        Self {
            consecutive: 5,
            window: Duration::from_secs(30),
            min_calls: 20,
            failure_percent: 50,
            slow_percent: 80,
            pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(60),
            probes: 3,
        }
    }
}

/// What an answer says of the bank's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works. That includes every answer that blames the request: 401, 403, 404, 422.
    Well,
    /// It works, but it took longer than it may.
    Slow,
    /// It does not: no connection, no answer, 500 and above, or a code that says so under another
    /// status.
    Failed,
    /// It is there but has enough of us (429): a probe that gets this has failed, an ordinary call
    /// says nothing.
    Throttled,
    /// Nothing is known: the caller went away, or the call was not sent.
    Unknown,
}

/// Whether a call may go.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may; its [`Pass`] comes back with the verdict.
    Go(Pass),
    /// It may not; ask again after so long.
    Stop {
        /// When the next probe may go.
        retry_after: Duration,
    },
}

/// Leave of a breaker for one call. It must come back ([`Breaker::tell`]): a probe that never does
/// keeps its place for the longest pause.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a pass that does not come back keeps a place"]
pub struct Pass {
    /// Changes of the breaker before it was given: the verdict of a call that was sent in another
    /// time says nothing of this one.
    epoch: u32,
    is_probe: bool,
}

impl Pass {
    /// Whether much depends on the call.
    pub const fn is_probe(&self) -> bool {
        self.is_probe
    }
}

/// What a breaker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go.
    Closed,
    /// Calls do not go.
    Open,
    /// A few calls go, to see.
    HalfOpen,
}

impl BreakerState {
    /// How it is spelled.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A breaker has changed; worth a record, a metric and a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: BreakerState,
    /// What it is.
    pub to: BreakerState,
    /// Calls in the window.
    pub calls: u32,
    /// Hard failures among them.
    pub failures: u32,
    /// Slow ones.
    pub slow: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    /// Which piece of time it counts.
    number: i64,
    calls: u32,
    failures: u32,
    slow: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open {
        until: Micros,
    },
    HalfOpen {
        in_flight: u32,
        succeeded: u32,
        until: Micros,
    },
}

/// The breaker of one endpoint group.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    phase: Phase,
    in_a_row: u32,
    pieces: [Piece; PIECES],
    /// Times that it has opened without closing in between.
    openings: u32,
    /// Changes so far.
    epoch: u32,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            phase: Phase::Closed,
            in_a_row: 0,
            pieces: [Piece::default(); PIECES],
            openings: 0,
            epoch: 0,
        }
    }

    /// Goes on with other settings: what it does at the moment, and what it has counted, stays. Counts
    /// over another window cannot be compared and begin anew.
    pub fn retune(&mut self, settings: BreakerSettings) {
        if settings.window != self.settings.window {
            self.pieces = [Piece::default(); PIECES];
        }
        self.settings = settings;
    }

    /// What it does at the moment.
    pub const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Somebody knows that the bank is well: calls go again, and what was counted is forgotten.
    pub fn reset(&mut self) {
        *self = Self {
            // Verdicts of calls that were sent before say nothing of this time.
            epoch: self.epoch.wrapping_add(1),
            ..Self::new(self.settings)
        };
    }

    /// A call wants to go.
    pub fn ask(&mut self, now: Micros) -> (Admission, Option<Change>) {
        let mut change = None;
        match self.phase {
            Phase::Open { until } if until <= now => {
                let half_open = Phase::HalfOpen {
                    in_flight: 0,
                    succeeded: 0,
                    until: now.plus(self.settings.max_pause),
                };
                change = Some(self.become_phase(half_open, now));
            }
            Phase::HalfOpen {
                succeeded, until, ..
            } if until <= now => {
                // Probes that never came back do not keep it half-open for ever. What they may still
                // say belongs to another time.
                self.epoch = self.epoch.wrapping_add(1);
                self.phase = Phase::HalfOpen {
                    in_flight: 0,
                    succeeded,
                    until: now.plus(self.settings.max_pause),
                };
            }
            _ => {}
        }
        let pass = |is_probe| {
            Admission::Go(Pass {
                epoch: self.epoch,
                is_probe,
            })
        };
        let admission = match &mut self.phase {
            Phase::Closed => pass(false),
            Phase::Open { until } => Admission::Stop {
                retry_after: until.since(now),
            },
            Phase::HalfOpen {
                in_flight,
                succeeded,
                until,
            } => {
                if *in_flight + *succeeded < self.settings.probes.max(1) {
                    *in_flight += 1;
                    pass(true)
                } else {
                    Admission::Stop {
                        retry_after: until.since(now).min(self.settings.pause),
                    }
                }
            }
        };
        (admission, change)
    }

    /// How a call went that was let through. `random`, uniform over all its values, spreads the pauses
    /// of the nodes of a fleet.
    pub fn tell(
        &mut self,
        pass: Pass,
        verdict: Verdict,
        now: Micros,
        random: u32,
    ) -> Option<Change> {
        if pass.epoch != self.epoch {
            return None;
        }
        match &mut self.phase {
            Phase::Closed => self.count(verdict, now, random),
            Phase::Open { .. } => None,
            Phase::HalfOpen {
                in_flight,
                succeeded,
                ..
            } => {
                *in_flight = in_flight.saturating_sub(1);
                match verdict {
                    Verdict::Unknown => None,
                    Verdict::Well => {
                        *succeeded += 1;
                        if *succeeded < self.settings.probes.max(1) {
                            return None;
                        }
                        let change = self.become_phase(Phase::Closed, now);
                        self.openings = 0;
                        self.in_a_row = 0;
                        self.pieces = [Piece::default(); PIECES];
                        Some(change)
                    }
                    Verdict::Slow | Verdict::Failed | Verdict::Throttled => {
                        Some(self.open(now, random))
                    }
                }
            }
        }
    }

    fn count(&mut self, verdict: Verdict, now: Micros, random: u32) -> Option<Change> {
        let piece = self.piece(now)?;
        match verdict {
            // A bank that throttles answers quickly: it neither fails nor proves health.
            Verdict::Unknown | Verdict::Throttled => return None,
            Verdict::Well | Verdict::Slow | Verdict::Failed => piece.calls += 1,
        }
        match verdict {
            Verdict::Failed => {
                piece.failures += 1;
                self.in_a_row += 1;
            }
            Verdict::Slow => {
                piece.slow += 1;
                self.in_a_row = 0;
            }
            _ => self.in_a_row = 0,
        }
        let (calls, failures, slow) = self.sums(now);
        let share = |part: u32, percent: u32| {
            u64::from(part) * 100 >= u64::from(calls) * u64::from(percent.max(1))
        };
        let settings = &self.settings;
        let trips = self.in_a_row >= settings.consecutive.max(1)
            || (calls >= settings.min_calls.max(1)
                && (share(failures, settings.failure_percent)
                    || share(slow, settings.slow_percent)));
        trips.then(|| self.open(now, random))
    }

    fn open(&mut self, now: Micros, random: u32) -> Change {
        let until = now.plus(self.pause(random));
        self.openings = self.openings.saturating_add(1);
        self.become_phase(Phase::Open { until }, now)
    }

    /// The pause after so many openings: it doubles, and a random tenth more or less keeps nodes
    /// from probing at the same moment.
    fn pause(&self, random: u32) -> Duration {
        let doubled = 1_u32.checked_shl(self.openings).unwrap_or(u32::MAX);
        let pause = self.settings.pause.saturating_mul(doubled);
        let pause = pause.min(self.settings.max_pause);
        let tenth = pause / 10;
        let part = u128::from(random) * 2 * tenth.as_micros() / u128::from(u32::MAX);
        let part = Duration::from_micros(u64::try_from(part).unwrap_or(0));
        (pause - tenth + part).min(self.settings.max_pause)
    }

    fn become_phase(&mut self, phase: Phase, now: Micros) -> Change {
        let from = self.state();
        let (calls, failures, slow) = self.sums(now);
        self.phase = phase;
        self.epoch = self.epoch.wrapping_add(1);
        Change {
            from,
            to: self.state(),
            calls,
            failures,
            slow,
        }
    }

    fn number(&self, now: Micros) -> i64 {
        let length = self.settings.window.as_micros() / PIECES as u128;
        let length = i64::try_from(length).unwrap_or(i64::MAX).max(1);
        now.0.div_euclid(length)
    }

    /// The piece of the window for this moment.
    fn piece(&mut self, now: Micros) -> Option<&mut Piece> {
        let number = self.number(now);
        let at = usize::try_from(number.rem_euclid(PIECES as i64)).ok()?;
        let piece = self.pieces.get_mut(at)?;
        if piece.number != number {
            *piece = Piece {
                number,
                ..Piece::default()
            };
        }
        Some(piece)
    }

    fn sums(&self, now: Micros) -> (u32, u32, u32) {
        let newest = self.number(now);
        let valid = (newest - PIECES as i64 + 1)..=newest;
        let pieces = self.pieces.iter().filter(|p| valid.contains(&p.number));
        pieces.fold((0, 0, 0), |(calls, failures, slow), piece| {
            (
                calls + piece.calls,
                failures + piece.failures,
                slow + piece.slow,
            )
        })
    }
}

#[cfg(test)]
mod tests;
