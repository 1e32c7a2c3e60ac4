use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn bulkhead(in_flight: usize, in_flight_per_caller: usize, queue: usize) -> Bulkhead {
    Bulkhead::new(BulkheadSettings {
        in_flight,
        in_flight_per_caller,
        queue,
        max_wait: MINUTE,
        adaptive: None,
    })
}

fn names() -> [Arc<str>; 3] {
    ["a".into(), "b".into(), "c".into()]
}

fn waits(entry: Entry) -> Ticket {
    match entry {
        Entry::Waits(ticket) => ticket,
        entry => panic!("{entry:?}"),
    }
}

fn shed(entry: Entry) -> Crowd {
    match entry {
        Entry::Shed { crowd, .. } => crowd,
        entry => panic!("{entry:?}"),
    }
}

#[test]
fn places_are_bounded_for_each_and_for_all() {
    let mut bulkhead = bulkhead(3, 2, 0);
    let [a, b, c] = names();
    for caller in [&a, &a, &b] {
        assert_eq!(bulkhead.enter(caller, MINUTE), Entry::Entered);
    }
    assert_eq!(shed(bulkhead.enter(&a, MINUTE)), Crowd::Caller);
    assert_eq!(shed(bulkhead.enter(&c, MINUTE)), Crowd::Group);
    assert_eq!(bulkhead.leave(&c), []);
    assert_eq!(bulkhead.in_flight(), 3);
    bulkhead.leave(&a);
    assert_eq!(bulkhead.enter(&c, MINUTE), Entry::Entered);
    for caller in [&a, &b, &c] {
        bulkhead.leave(caller);
    }
    assert_eq!(bulkhead.in_flight(), 0);
    assert!(bulkhead.callers.is_empty());
}

#[test]
fn free_places_go_round_the_callers_that_wait() {
    let mut bulkhead = bulkhead(1, 1, 10);
    let [a, b, c] = names();
    assert_eq!(bulkhead.enter(&a, MINUTE), Entry::Entered);
    let first = waits(bulkhead.enter(&b, MINUTE));
    let second = waits(bulkhead.enter(&b, MINUTE));
    let third = waits(bulkhead.enter(&c, MINUTE));
    assert_eq!(bulkhead.leave(&a), [first]);
    assert_eq!(bulkhead.leave(&b), [third]);
    assert_eq!(bulkhead.leave(&c), [second]);
    assert_eq!(bulkhead.leave(&b), []);
    assert!(bulkhead.callers.is_empty() && bulkhead.round.is_empty());
}

#[test]
fn a_caller_at_its_own_bound_does_not_hold_up_the_others() {
    let mut bulkhead = bulkhead(3, 2, 10);
    let [a, b, _] = names();
    for caller in [&a, &a, &b] {
        bulkhead.enter(caller, MINUTE);
    }
    let of_a = waits(bulkhead.enter(&a, MINUTE));
    let of_b = waits(bulkhead.enter(&b, MINUTE));
    // The place of b is for b, although a has waited longer.
    assert_eq!(bulkhead.leave(&b), [of_b]);
    assert_eq!(bulkhead.leave(&a), [of_a]);
}

#[test]
fn nobody_waits_who_cannot_be_in_time() {
    let mut bulkhead = bulkhead(1, 1, 10);
    let [a, b, c] = names();
    bulkhead.learn(Duration::from_secs(10), false, Micros(1));
    bulkhead.enter(&a, MINUTE);
    assert_eq!(
        bulkhead.enter(&b, Duration::from_secs(9)),
        Entry::Shed {
            crowd: Crowd::Group,
            wait: Duration::from_secs(10)
        }
    );
    waits(bulkhead.enter(&b, Duration::from_secs(11)));
    assert_eq!(
        shed(bulkhead.enter(&c, Duration::from_secs(19))),
        Crowd::Group
    );
    waits(bulkhead.enter(&c, Duration::from_secs(21)));
}

#[test]
fn who_gives_up_leaves_the_queue_or_has_a_place_to_give_back() {
    let mut bulkhead = bulkhead(1, 1, 10);
    let [a, b, c] = names();
    bulkhead.enter(&a, MINUTE);
    let of_b = waits(bulkhead.enter(&b, MINUTE));
    let of_c = waits(bulkhead.enter(&c, MINUTE));
    assert!(bulkhead.give_up(&b, of_b));
    assert!(!bulkhead.give_up(&b, of_b));
    assert_eq!(bulkhead.leave(&a), [of_c]);
    assert!(!bulkhead.give_up(&c, of_c));
    bulkhead.leave(&c);
    assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
    assert!(bulkhead.callers.is_empty() && bulkhead.round.is_empty());
}

#[derive(Clone, Debug)]
enum Event {
    Enter(usize, u64),
    /// One of those in flight leaves.
    Leave(usize),
    /// One of those that wait gives up.
    GiveUp(usize),
    Learn(u64, bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_usize, 0..2_000_u64).prop_map(|(caller, patience)| Event::Enter(caller, patience)),
        3 => any::<prop::sample::Index>().prop_map(|at| Event::Leave(at.index(1_000))),
        1 => any::<prop::sample::Index>().prop_map(|at| Event::GiveUp(at.index(1_000))),
        1 => (0..1_000_u64, any::<bool>()).prop_map(|(took, failed)| Event::Learn(took, failed)),
    ]
}

proptest! {
    /// Against a plain list of who is in flight and who waits: the counts agree at every step, the
    /// bounds hold, nobody waits while there is a place for him, and nothing leaks.
    #[test]
    fn any_sequence_keeps_the_promises(
        in_flight in 1_usize..6,
        per_caller in 1_usize..4,
        queue in 0_usize..6,
        is_adaptive in any::<bool>(),
        events in prop::collection::vec(event(), 0..300),
    ) {
        let mut bulkhead = Bulkhead::new(BulkheadSettings {
            in_flight,
            in_flight_per_caller: per_caller,
            queue,
            max_wait: Duration::from_secs(1),
            adaptive: is_adaptive.then_some(1),
        });
        let callers = names();
        let mut inside: Vec<usize> = Vec::new();
        let mut outside: Vec<(usize, Ticket)> = Vec::new();
        for event in events {
            let called = match event {
                Event::Enter(caller, patience) => {
                    let full = inside.len() >= bulkhead.limit()
                        || inside.iter().filter(|of| **of == caller).count() >= per_caller
                        || outside.iter().any(|(of, _)| *of == caller);
                    match bulkhead.enter(&callers[caller], Duration::from_millis(patience)) {
                        Entry::Entered => {
                            prop_assert!(!full);
                            inside.push(caller);
                        }
                        Entry::Waits(ticket) => {
                            prop_assert!(full && outside.len() < queue);
                            outside.push((caller, ticket));
                        }
                        Entry::Shed { .. } => prop_assert!(full),
                    }
                    Vec::new()
                }
                Event::Leave(at) if !inside.is_empty() => {
                    let caller = inside.swap_remove(at % inside.len());
                    bulkhead.leave(&callers[caller])
                }
                Event::GiveUp(at) if !outside.is_empty() => {
                    let (caller, ticket) = outside.swap_remove(at % outside.len());
                    prop_assert!(bulkhead.give_up(&callers[caller], ticket));
                    Vec::new()
                }
                Event::Learn(took, failed) => {
                    bulkhead.learn(Duration::from_millis(took), failed, Micros(1));
                    Vec::new()
                }
                Event::Leave(_) | Event::GiveUp(_) => Vec::new(),
            };
            for ticket in called {
                let at = outside.iter().position(|(_, waits)| *waits == ticket);
                prop_assert!(at.is_some(), "called one that does not wait");
                inside.push(outside.swap_remove(at.unwrap()).0);
            }
            prop_assert_eq!(bulkhead.in_flight(), inside.len());
            prop_assert_eq!(bulkhead.waiting(), outside.len());
            prop_assert!(inside.len() <= in_flight);
            for caller in 0..3 {
                let count = inside.iter().filter(|of| **of == caller).count();
                prop_assert!(count <= per_caller);
            }
        }
        while let Some(caller) = inside.pop() {
            for ticket in bulkhead.leave(&callers[caller]) {
                let at = outside.iter().position(|(_, waits)| *waits == ticket).unwrap();
                inside.push(outside.swap_remove(at).0);
            }
        }
        // Whoever waited has had his turn by now, unless a limit is what he waits for.
        prop_assert!(outside.is_empty());
        prop_assert!(bulkhead.callers.is_empty() && bulkhead.round.is_empty());
    }
}

#[test]
fn with_more_places_those_who_wait_go_and_with_fewer_nobody_is_put_out() {
    let mut bulkhead = bulkhead(1, 2, 10);
    let [a, b, _] = names();
    assert_eq!(bulkhead.enter(&a, MINUTE), Entry::Entered);
    let ticket = waits(bulkhead.enter(&b, MINUTE));
    let mut settings = bulkhead.settings;
    settings.in_flight = 2;
    assert_eq!(bulkhead.retune(settings), [ticket]);
    settings.in_flight = 1;
    assert_eq!(bulkhead.retune(settings), []);
    assert_eq!((bulkhead.in_flight(), bulkhead.limit()), (2, 1));
    bulkhead.leave(&a);
    let ticket = waits(bulkhead.enter(&a, MINUTE));
    assert_eq!(bulkhead.leave(&b), [ticket]);
}
