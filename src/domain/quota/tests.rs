//! The promises of a budget, over many random histories.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::types::{Micros, Priority};

const SPAN: Duration = Duration::from_secs(300);

fn settings(limit: u32) -> BudgetSettings {
    BudgetSettings {
        limit,
        span: SPAN,
        kept_for_money: limit / 50,
        room: RoomSettings {
            waiting: 1_000,
            waiting_per_caller: 200,
            shares: Shares::default(),
        },
        shadow: false,
    }
}

fn ask(caller: &str, priority: Priority, deadline: Micros) -> Ask {
    Ask {
        caller: caller.into(),
        priority,
        deadline,
    }
}

/// A bank that counts arrivals in a sliding window, which is the strictest way to count.
#[derive(Default)]
struct Bank {
    arrivals: VecDeque<Micros>,
    refused: u32,
}

impl Bank {
    fn arrive(&mut self, limit: u32, at: Micros) {
        while self
            .arrivals
            .front()
            .is_some_and(|first| at.since(*first) >= SPAN)
        {
            self.arrivals.pop_front();
        }
        if self.arrivals.len() >= limit as usize {
            self.refused += 1;
        } else {
            self.arrivals.push_back(at);
        }
    }
}

/// What is used of `settings` at a moment.
fn used(budget: &mut Budget, now: Micros) -> u32 {
    budget.standing(now).used
}

#[test]
fn what_is_used_stays_used_under_other_numbers() {
    let mut budget = Budget::new(settings(4));
    let start = Micros::from_secs(1_000);
    for _ in 0..3 {
        let asked = budget.ask(ask("a", Priority::Money, start), start);
        assert!(matches!(asked, Answer::Go { .. }));
    }
    budget.settle(start);
    budget.settle(start);
    let mut other = settings(2);
    other.span = SPAN * 2;
    budget.retune(other, start);
    assert_eq!(used(&mut budget, start), 3);
    let refused = budget.ask(ask("a", Priority::Money, start), start);
    assert!(matches!(refused, Answer::Refused(_)));
    // They count for the new span from their answers on.
    let later = start.plus(SPAN + SPAN / 2);
    assert_eq!(used(&mut budget, later), 3);
    assert_eq!(used(&mut budget, start.plus(SPAN * 2)), 1);
    budget.retune(settings(10), start);
    let asked = budget.ask(ask("a", Priority::Money, start), start);
    assert!(matches!(asked, Answer::Go { .. }));
}

proptest! {
    /// Whatever the way to the bank and back takes, the bank never counts more than it allows.
    #[test]
    fn the_bank_never_sees_more_than_it_allows(
        limit in 1_u32..40,
        steps in prop::collection::vec((0_u64..40_000, 0_u64..30_000, 0_u64..30_000), 1..400),
    ) {
        let mut budget = Budget::new(settings(limit));
        let mut bank = Bank::default();
        // Arrivals and answers that are under way, by time.
        let mut ahead: Vec<(Micros, bool)> = Vec::new();
        let mut now = Micros(0);
        for (pause, there, back) in steps {
            let next = now.plus(Duration::from_millis(pause));
            ahead.sort();
            while let Some((at, is_answer)) = ahead.first().copied().filter(|(at, _)| *at <= next) {
                ahead.remove(0);
                if is_answer {
                    budget.settle(at);
                } else {
                    bank.arrive(limit, at);
                }
            }
            now = next;
            if let Answer::Go { .. } = budget.ask(ask("a", Priority::Money, now), now) {
                let arrival = now.plus(Duration::from_millis(there));
                ahead.push((arrival, false));
                ahead.push((arrival.plus(Duration::from_millis(back)), true));
            }
        }
        prop_assert_eq!(bank.refused, 0);
    }

    /// A call that waits goes away exactly once: granted, expired or gone.
    #[test]
    fn every_ticket_ends_once(
        limit in 1_u32..5,
        steps in prop::collection::vec((0_u8..6, 0_usize..4, 0_u64..200_000), 1..300),
    ) {
        let mut budget = Budget::new(settings(limit));
        let mut waiting: Vec<Ticket> = Vec::new();
        let mut open = 0;
        let mut now = Micros(0);
        for (what, which, pause) in steps {
            now = now.plus(Duration::from_millis(pause));
            match what {
                0..=2 => {
                    let deadline = now.plus(Duration::from_secs(700));
                    let caller = ["a", "b", "c", "d"][which];
                    match budget.ask(ask(caller, Priority::ALL[which], deadline), now) {
                        Answer::Go { .. } => open += 1,
                        Answer::Wait(ticket) => waiting.push(ticket),
                        Answer::Refused(refused) => prop_assert!(refused.retry_after > Duration::ZERO),
                    }
                }
                3 if open > 0 => {
                    open -= 1;
                    budget.settle(now);
                }
                4 if !waiting.is_empty() => {
                    let ticket = waiting.swap_remove(which % waiting.len());
                    prop_assert!(budget.leave(ticket));
                    prop_assert!(!budget.leave(ticket));
                }
                _ => {}
            }
            for ticket in budget.expire(now) {
                let at = waiting.iter().position(|of| *of == ticket);
                prop_assert!(at.is_some());
                waiting.remove(at.unwrap());
            }
            while let Some(granted) = budget.grant(now) {
                let at = waiting.iter().position(|of| *of == granted.ticket);
                prop_assert!(at.is_some());
                waiting.remove(at.unwrap());
                open += 1;
            }
            let standing = budget.standing(now);
            prop_assert!(standing.used <= standing.limit);
            prop_assert_eq!(standing.waiting, waiting.len());
            prop_assert_eq!(budget.wake_at(now).is_some(), !waiting.is_empty());
        }
    }
}

/// Numbers that look random and are the same each time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What became of the calls of an overload.
#[derive(Default)]
struct Overload {
    bank: Bank,
    served: [u32; 4],
    served_of: [u32; 8],
    asked_money: u32,
    waited: [Vec<Duration>; 4],
}

impl Overload {
    /// Three times the allowed demand from eight callers for fifteen minutes.
    fn run(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut seen = Self::default();
        let limit = 100;
        let mut budget = Budget::new(settings(limit));
        let mut waiting: Vec<(Ticket, Micros, usize)> = Vec::new();
        // Arrivals at the bank, and answers.
        let mut ahead: Vec<(Micros, bool)> = Vec::new();
        let callers: Vec<Arc<str>> = (0..8).map(|n| format!("caller-{n}").into()).collect();
        let (mut now, mut next_call) = (Micros(0), Micros(0));
        while now < Micros::from_secs(900) {
            ahead.sort();
            while let Some((at, is_answer)) = ahead.first().copied().filter(|(at, _)| *at <= now) {
                ahead.remove(0);
                if is_answer {
                    budget.settle(at);
                } else {
                    seen.bank.arrive(limit, at);
                }
            }
            let mut gone = Vec::new();
            if next_call <= now {
                // One a second is three times a hundred in five minutes.
                next_call = next_call.plus(Duration::from_millis(dice.below(2_000)));
                let caller = dice.below(8) as usize;
                let priority = [
                    Priority::Batch,
                    Priority::Read,
                    Priority::Write,
                    Priority::Batch,
                    Priority::Money,
                    Priority::Read,
                ][dice.below(6) as usize];
                seen.asked_money += u32::from(priority == Priority::Money);
                let deadline = now.plus(Duration::from_secs(120));
                match budget.ask(ask(&callers[caller], priority, deadline), now) {
                    Answer::Go { .. } => gone.push((priority, caller, now)),
                    Answer::Wait(ticket) => waiting.push((ticket, now, caller)),
                    Answer::Refused(_) => {}
                }
            }
            for ticket in budget.expire(now) {
                waiting.retain(|(of, _, _)| *of != ticket);
            }
            while let Some(granted) = budget.grant(now) {
                let mut all = waiting.iter();
                let at = all.position(|(of, _, _)| *of == granted.ticket).unwrap();
                let (_, since, caller) = waiting.remove(at);
                gone.push((granted.waiter.priority, caller, since));
            }
            for (priority, caller, since) in gone {
                let slot = Priority::ALL.iter().position(|p| *p == priority).unwrap();
                seen.served[slot] += 1;
                seen.served_of[caller] += 1;
                seen.waited[slot].push(now.since(since));
                let arrival = now.plus(Duration::from_millis(dice.below(400)));
                let answer = arrival.plus(Duration::from_millis(dice.below(400)));
                ahead.extend([(arrival, false), (answer, true)]);
            }
            now = now.plus(Duration::from_millis(50));
        }
        seen
    }

    fn average_wait(&self, slot: usize) -> Duration {
        let waits = &self.waited[slot];
        waits.iter().sum::<Duration>() / u32::try_from(waits.len()).unwrap().max(1)
    }
}

#[test]
fn an_overload_uses_the_allowance_and_keeps_the_order() {
    for seed in 0..40 {
        let seen = Overload::run(seed);
        let served = seen.served;
        assert_eq!(seen.bank.refused, 0, "seed {seed}");
        let total: u32 = served.iter().sum();
        assert!(total >= 291, "97 % of 300: {served:?}, seed {seed}");
        assert!(served.iter().all(|count| *count > 0), "starved: {served:?}");
        let served_of = seen.served_of;
        assert!(
            served_of.iter().all(|count| *count > 10),
            "starved: {served_of:?}"
        );
        // Money is a sixth of the demand, which is half of the allowance: it waits, where chance
        // brings much of it at once, but hardly any in vain; of batch, five in a hundred are served.
        assert!(
            served[0] * 100 >= seen.asked_money * 85,
            "{} of {}, seed {seed}",
            served[0],
            seen.asked_money
        );
        let waits = [0, 1, 2, 3].map(|slot| seen.average_wait(slot));
        assert!(waits[0] * 2 < waits[3], "{waits:?}, seed {seed}");
    }
}

#[test]
fn who_cannot_be_served_in_time_is_told_at_once_when_to_come_back() {
    let mut budget = Budget::new(settings(1));
    let now = Micros::from_secs(10);
    let money = |deadline| ask("a", Priority::Money, deadline);
    assert_eq!(budget.ask(money(now), now), Answer::Go { over: false });
    budget.settle(Micros::from_secs(11));
    let refused = Refused {
        why: Throttle::TooLate,
        retry_after: Duration::from_secs(299),
    };
    let later = Micros::from_secs(12);
    assert_eq!(
        budget.ask(money(Micros::from_secs(300)), later),
        Answer::Refused(refused)
    );
    let Answer::Wait(ticket) = budget.ask(money(Micros::from_secs(400)), later) else {
        panic!("there is time enough");
    };
    assert_eq!(budget.wake_at(later), Some(Micros::from_secs(311)));
    assert_eq!(budget.grant(Micros::from_secs(310)), None);
    let granted = budget.grant(Micros::from_secs(311)).unwrap();
    assert_eq!(granted.ticket, ticket);
}

#[test]
fn one_caller_cannot_fill_the_room_nor_take_all_turns() {
    let mut budget = Budget::new(BudgetSettings {
        kept_for_money: 0,
        room: RoomSettings {
            waiting: 10,
            waiting_per_caller: 5,
            shares: Shares::default(),
        },
        ..settings(1)
    });
    let now = Micros(0);
    let far = now.plus(SPAN * 100);
    let read = |caller| ask(caller, Priority::Read, far);
    assert_eq!(budget.ask(read("loud"), now), Answer::Go { over: false });
    for _ in 0..5 {
        assert!(matches!(budget.ask(read("loud"), now), Answer::Wait(_)));
    }
    let Answer::Refused(refused) = budget.ask(read("loud"), now) else {
        panic!("five of one caller is the bound");
    };
    assert_eq!(refused.why, Throttle::CallerFull);
    assert!(matches!(budget.ask(read("quiet"), now), Answer::Wait(_)));
    let mut order = Vec::new();
    let mut at = now;
    for _ in 0..3 {
        budget.settle(at);
        at = at.plus(SPAN);
        order.push(budget.grant(at).unwrap().waiter.caller);
    }
    assert_eq!(
        order,
        ["loud".into(), "quiet".into(), Arc::<str>::from("loud")]
    );
}

#[test]
fn what_the_bank_says_is_left_is_believed_when_it_is_less() {
    let mut budget = Budget::new(settings(10));
    let now = Micros::from_secs(50);
    budget.observe(3, Duration::from_secs(40), now);
    assert_eq!(budget.standing(now).remaining(), 3);
    // More than we count: ours is the safe figure.
    budget.observe(8, Duration::from_secs(40), now);
    assert_eq!(budget.standing(now).remaining(), 3);
    assert_eq!(budget.standing(Micros::from_secs(90)).remaining(), 10);
}

#[test]
fn a_shadow_only_counts() {
    let mut budget = Budget::new(BudgetSettings {
        shadow: true,
        ..settings(1)
    });
    let read = || ask("a", Priority::Read, Micros(0));
    assert_eq!(budget.ask(read(), Micros(0)), Answer::Go { over: false });
    assert_eq!(budget.ask(read(), Micros(0)), Answer::Go { over: true });
    assert_eq!(budget.standing(Micros(0)).used, 2);
}
