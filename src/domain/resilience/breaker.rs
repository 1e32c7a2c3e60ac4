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
    /// Probes that must succeed one after the other, and that may be in flight together.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// keeps its place until the pause is over once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Self::HalfOpen => "half-open",
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

    /// What it does at the moment.
    pub const fn state(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// A call wants to go. `random`, uniform over all its values, spreads the pauses of the nodes of
    /// a fleet.
    pub fn ask(&mut self, now: Micros, random: u32) -> (Admission, Option<Change>) {
        let mut change = None;
        if let Phase::Open { until } = self.phase
            && until <= now
        {
            let until = now.plus(self.pause(random));
            change = Some(self.become_phase(
                Phase::HalfOpen {
                    in_flight: 0,
                    succeeded: 0,
                    until,
                },
                now,
            ));
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
                in_flight, until, ..
            } => {
                if *until <= now {
                    // Probes that never came back do not keep it half-open for ever.
                    *in_flight = 0;
                    *until = now.plus(self.settings.max_pause);
                }
                if *in_flight < self.settings.probes.max(1) {
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

    /// How a call went that was let through.
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Micros {
        Micros(1_000_000_000 + millis * 1_000)
    }

    fn go(breaker: &mut Breaker, now: Micros) -> Pass {
        match breaker.ask(now, 0).0 {
            Admission::Go(pass) => pass,
            Admission::Stop { .. } => panic!("stopped"),
        }
    }

    fn call(breaker: &mut Breaker, verdict: Verdict, now: Micros) -> Option<Change> {
        let pass = go(breaker, now);
        breaker.tell(pass, verdict, now, u32::MAX / 2)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..5 {
            call(&mut breaker, Verdict::Failed, at(0));
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_good_answer_between_them_does_not() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..10 {
            for _ in 0..4 {
                assert_eq!(call(&mut breaker, Verdict::Failed, at(0)), None);
            }
            breaker.pieces = [Piece::default(); PIECES];
            assert_eq!(call(&mut breaker, Verdict::Well, at(0)), None);
        }
        opened();
    }

    #[test]
    fn half_of_many_calls_opens_it_and_half_of_few_does_not() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for turn in 0..9 {
            assert_eq!(call(&mut breaker, Verdict::Well, at(turn)), None);
            assert_eq!(call(&mut breaker, Verdict::Failed, at(turn)), None);
        }
        assert_eq!(call(&mut breaker, Verdict::Well, at(10)), None);
        let change = call(&mut breaker, Verdict::Failed, at(11)).unwrap();
        assert_eq!(
            (change.from, change.to),
            (BreakerState::Closed, BreakerState::Open)
        );
        assert_eq!((change.calls, change.failures), (20, 10));
    }

    #[test]
    fn slow_calls_open_it_too() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        let changes = (0..40).find_map(|turn| call(&mut breaker, Verdict::Slow, at(turn)));
        assert_eq!(
            changes.map(|change| (change.to, change.slow)),
            Some((BreakerState::Open, 20))
        );
    }

    #[test]
    fn what_was_long_ago_does_not_count() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for turn in 0..15 {
            call(&mut breaker, Verdict::Failed, at(turn));
            call(&mut breaker, Verdict::Well, at(turn));
            if turn == 7 {
                // Sixteen calls, half of them failed: below the minimum. Half a minute later they
                // are forgotten.
                breaker.in_a_row = 0;
                assert_eq!(breaker.sums(at(30_100)), (0, 0, 0));
            }
            if breaker.state() == BreakerState::Open {
                assert!(turn >= 9);
                return;
            }
        }
        panic!("it never opened");
    }

    #[test]
    fn answers_that_blame_the_request_or_the_rate_do_not_open_it() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for turn in 0..100 {
            let verdict = [Verdict::Well, Verdict::Throttled, Verdict::Unknown][turn % 3];
            assert_eq!(call(&mut breaker, verdict, at(0)), None);
        }
    }

    #[test]
    fn a_few_probes_decide_and_pauses_grow() {
        let mut breaker = opened();
        let (stopped, _) = breaker.ask(at(10), 0);
        let Admission::Stop { retry_after } = stopped else {
            panic!("open");
        };
        assert!(
            retry_after > Duration::from_millis(880) && retry_after < Duration::from_millis(1_100)
        );
        // Three probes at once and not a fourth.
        let probes: Vec<Pass> = (0..3).map(|_| go(&mut breaker, at(1_100))).collect();
        assert!(probes.iter().all(Pass::is_probe));
        assert!(matches!(
            breaker.ask(at(1_100), 0).0,
            Admission::Stop { .. }
        ));
        // One bad probe is enough.
        let change = breaker
            .tell(probes[0], Verdict::Throttled, at(1_200), 0)
            .unwrap();
        assert_eq!(
            (change.from, change.to),
            (BreakerState::HalfOpen, BreakerState::Open)
        );
        // Verdicts of the others come too late to matter.
        assert_eq!(breaker.tell(probes[1], Verdict::Well, at(1_300), 0), None);
        let Admission::Stop { retry_after } = breaker.ask(at(1_300), 0).0 else {
            panic!("open");
        };
        assert!(
            retry_after > Duration::from_millis(1_600),
            "{retry_after:?}"
        );
        // Well again.
        for probe in 0..3 {
            let change = call(&mut breaker, Verdict::Well, at(4_000));
            assert_eq!(change.is_some(), probe == 2);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn probes_that_never_come_back_do_not_lock_it() {
        let mut breaker = opened();
        for _ in 0..3 {
            go(&mut breaker, at(1_100));
        }
        assert!(matches!(
            breaker.ask(at(1_100), 0).0,
            Admission::Stop { .. }
        ));
        assert!(matches!(breaker.ask(at(70_000), 0).0, Admission::Go(_)));
    }

    proptest! {
        /// While the bank fails, however many callers knock, few calls reach it.
        #[test]
        fn an_outage_sees_a_bounded_number_of_calls(
            pauses in prop::collection::vec(0_i64..50, 2_000),
            randoms in prop::collection::vec(any::<u32>(), 2_000),
        ) {
            let mut breaker = Breaker::new(BreakerSettings::default());
            let (mut sent, mut millis) = (0, 0);
            for (pause, random) in pauses.into_iter().zip(randoms) {
                millis += pause;
                if let (Admission::Go(pass), _) = breaker.ask(at(millis), random) {
                    sent += 1;
                    breaker.tell(pass, Verdict::Failed, at(millis), random);
                }
            }
            // Five to open, then one probe for each pause of 1, 2, 4 ... 60 s, a tenth less.
            let mut bound = 5;
            let mut pause = 1_000;
            let mut at = 0;
            while at < millis {
                bound += 1;
                at += pause * 9 / 10;
                pause = (pause * 2).min(60_000);
            }
            prop_assert!(sent <= bound, "{sent} of {bound}");
        }
    }
}
