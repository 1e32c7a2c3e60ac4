use proptest::prelude::*;

use super::*;

fn at(millis: i64) -> Micros {
    Micros(1_000_000_000 + millis * 1_000)
}

fn go(breaker: &mut Breaker, now: Micros) -> Pass {
    match breaker.ask(now).0 {
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
    let (stopped, _) = breaker.ask(at(10));
    let Admission::Stop { retry_after } = stopped else {
        panic!("open");
    };
    assert!(retry_after > Duration::from_millis(880) && retry_after < Duration::from_millis(1_100));
    // Three probes at once and not a fourth.
    let [first, second, third] = [(); 3].map(|()| go(&mut breaker, at(1_100)));
    assert!(first.is_probe() && second.is_probe() && third.is_probe());
    assert!(matches!(breaker.ask(at(1_100)).0, Admission::Stop { .. }));
    // One bad probe is enough.
    let change = breaker
        .tell(first, Verdict::Throttled, at(1_200), 0)
        .unwrap();
    assert_eq!(
        (change.from, change.to),
        (BreakerState::HalfOpen, BreakerState::Open)
    );
    // Verdicts of the others come too late to matter.
    assert_eq!(breaker.tell(second, Verdict::Well, at(1_300), 0), None);
    assert_eq!(breaker.tell(third, Verdict::Failed, at(1_300), 0), None);
    let Admission::Stop { retry_after } = breaker.ask(at(1_300)).0 else {
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
    let lost = [(); 3].map(|()| go(&mut breaker, at(1_100)));
    assert!(matches!(breaker.ask(at(1_100)).0, Admission::Stop { .. }));
    let fresh = [(); 3].map(|()| go(&mut breaker, at(70_000)));
    // What was lost and comes after all frees no place of those that took theirs.
    for pass in lost {
        assert_eq!(breaker.tell(pass, Verdict::Well, at(70_001), 0), None);
    }
    assert!(matches!(breaker.ask(at(70_002)).0, Admission::Stop { .. }));
    for pass in fresh {
        breaker.tell(pass, Verdict::Well, at(70_003), 0);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn no_more_calls_probe_than_are_needed() {
    let mut breaker = opened();
    call(&mut breaker, Verdict::Well, at(1_100));
    let last = [(); 2].map(|()| go(&mut breaker, at(1_101)));
    assert!(matches!(breaker.ask(at(1_101)).0, Admission::Stop { .. }));
    let [gone, good] = last;
    // A caller that went away says nothing, and its place is free again.
    assert_eq!(breaker.tell(gone, Verdict::Unknown, at(1_102), 0), None);
    assert_eq!(breaker.tell(good, Verdict::Well, at(1_102), 0), None);
    let change = call(&mut breaker, Verdict::Well, at(1_103)).unwrap();
    assert_eq!(change.to, BreakerState::Closed);
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
            if let (Admission::Go(pass), _) = breaker.ask(at(millis)) {
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

/// What may happen to a breaker.
#[derive(Clone, Debug)]
enum Event {
    Ask,
    /// The oldest or newest call in flight ends.
    Tell(bool, Verdict),
    /// The oldest call in flight is never heard of again.
    Lose,
    Pass(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop::sample::select(vec![
        Verdict::Well,
        Verdict::Slow,
        Verdict::Failed,
        Verdict::Failed,
        Verdict::Throttled,
        Verdict::Unknown,
    ]);
    prop_oneof![
        4 => Just(Event::Ask),
        4 => (any::<bool>(), verdict).prop_map(|(oldest, verdict)| Event::Tell(oldest, verdict)),
        1 => Just(Event::Lose),
        2 => (0_i64..90_000).prop_map(Event::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no more probes than there may be, an open breaker lets
    /// nobody through before its time, every change is told once, and it is never locked.
    #[test]
    fn any_sequence_keeps_the_promises(events in prop::collection::vec((event(), any::<u32>()), 1..400)) {
        let settings = BreakerSettings::default();
        let mut breaker = Breaker::new(settings);
        let mut in_flight: Vec<Pass> = Vec::new();
        let mut now = 0_i64;
        let mut stopped_until = None;
        for (event, random) in events {
            let before = breaker.state();
            let change = match event {
                Event::Pass(millis) => {
                    now += millis;
                    None
                }
                Event::Lose => {
                    if !in_flight.is_empty() {
                        drop(in_flight.remove(0));
                    }
                    None
                }
                Event::Ask => {
                    let (admission, change) = breaker.ask(at(now));
                    match admission {
                        Admission::Go(pass) => {
                            prop_assert!(stopped_until.is_none_or(|until| until <= at(now)));
                            prop_assert_eq!(pass.is_probe, breaker.state() == BreakerState::HalfOpen);
                            in_flight.push(pass);
                        }
                        Admission::Stop { retry_after } => {
                            prop_assert!(retry_after <= settings.max_pause);
                            prop_assert!(breaker.state() != BreakerState::Closed);
                        }
                    }
                    change
                }
                Event::Tell(oldest, verdict) => match (in_flight.is_empty(), oldest) {
                    (true, _) => None,
                    (false, true) => breaker.tell(in_flight.remove(0), verdict, at(now), random),
                    (false, false) => {
                        let pass = in_flight.pop().expect("not empty");
                        breaker.tell(pass, verdict, at(now), random)
                    }
                },
            };
            prop_assert_eq!(change.map(|c| (c.from, c.to)),
                (before != breaker.state()).then(|| (before, breaker.state())));
            stopped_until = match breaker.phase {
                Phase::Open { until } => {
                    let pause = until.since(at(now));
                    prop_assert!(pause <= settings.max_pause);
                    Some(until)
                }
                _ => None,
            };
            let probes = in_flight.iter().filter(|p| p.is_probe && p.epoch == breaker.epoch);
            prop_assert!(probes.count() <= settings.probes as usize);
            if let Phase::HalfOpen { in_flight, succeeded, .. } = breaker.phase {
                prop_assert!(in_flight + succeeded <= settings.probes);
            }
        }
        // Left alone for the longest pause, it lets somebody through whatever came before.
        now += 61_000;
        prop_assert!(matches!(breaker.ask(at(now)).0, Admission::Go(_)));
    }
}

#[test]
fn an_open_breaker_stays_open_under_other_settings() {
    let mut breaker = opened();
    let (admission, _) = breaker.ask(at(1));
    assert!(matches!(admission, Admission::Stop { .. }));
    breaker.retune(BreakerSettings {
        consecutive: 100,
        window: Duration::from_secs(7),
        ..BreakerSettings::default()
    });
    assert_eq!(breaker.state(), BreakerState::Open);
    let (admission, _) = breaker.ask(at(1));
    assert!(matches!(admission, Admission::Stop { .. }));
}
