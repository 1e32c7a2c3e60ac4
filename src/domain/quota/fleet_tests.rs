//! Three gateways, one budget, and a store that goes away, comes back and forgets: the bank never
//! counts more than it allows. The store here counts as `share.lua` does, without its priorities.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::types::{Micros, Priority};

const SPAN: Duration = Duration::from_secs(3);
const LONGEST: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(10);
const NODES: usize = 3;
const LIMIT: u32 = 100;

/// Gives out places, and forgets everything when it is made anew.
struct Store {
    epoch: u64,
    born: Micros,
    held: [BTreeMap<(bool, u64), Micros>; NODES],
    seen: [Option<Micros>; NODES],
    heard: Micros,
}

impl Store {
    fn new(now: Micros) -> Self {
        Self {
            epoch: u64::try_from(now.0).unwrap() + 1,
            born: now,
            held: Default::default(),
            seen: [None; NODES],
            heard: now,
        }
    }

    fn hear(&mut self, node: usize, message: Message, fleet: &Fleet, now: Micros) -> Reply {
        let (bound, round, floor) = (fleet.bound(), fleet.round(), fleet.floor());
        let mut reply = Reply {
            epoch: self.epoch,
            knows: true,
            granted: 0,
            total: 0,
            next_in: round,
            live: 1,
        };
        let (mut adopted, mut from_round, mut left) = (0, None, false);
        match message {
            Message::Adopt {
                from,
                open,
                counted,
            } => {
                self.held[node].clear();
                for id in from..from + u64::from(open) {
                    self.held[node].insert((false, id), now.plus(bound));
                }
                for (id, left) in (0..).zip(counted) {
                    self.held[node].insert((true, id), now.plus(left));
                }
                adopted = open;
            }
            Message::Round { epoch, .. } if epoch != self.epoch => {
                reply.knows = false;
                return reply;
            }
            Message::Round {
                from,
                settled,
                returned,
                ceiling,
                waiting,
                leaves,
                wanted,
                ..
            } => {
                left = leaves;
                for (id, age) in settled {
                    let age = i64::try_from(age.as_micros()).unwrap();
                    let at = Micros(now.0 - age).plus(SPAN);
                    if let Some(held) = self.held[node].get_mut(&(false, id)) {
                        *held = at;
                    }
                }
                for id in returned {
                    self.held[node].remove(&(false, id));
                }
                from_round = Some((from, ceiling, waiting.iter().sum::<u32>(), wanted));
            }
        }
        let gap = now.since(self.heard);
        if gap >= round * 4 {
            // Nobody was heard: it was the store that was away, and they may all be there.
            for seen in self.seen.iter_mut().flatten() {
                let silent = i64::try_from((round * 4).as_micros()).unwrap();
                *seen = seen.plus(gap).min(Micros(now.0 - silent));
            }
        }
        self.heard = now;
        self.seen[node] = (!left).then_some(now);
        let (mut total, mut reserve, mut silent) = (0, 0, Vec::new());
        for other in 0..NODES {
            self.held[other].retain(|_, until| *until > now);
            let count = u32::try_from(self.held[other].len()).unwrap();
            let quiet = self.seen[other].map(|seen| now.since(seen));
            match quiet {
                _ if other == node => total += count,
                Some(quiet) if quiet < round * 4 => {
                    reply.live += 1;
                    total += count;
                    reserve += floor.saturating_sub(count);
                }
                Some(quiet) if quiet < bound => silent.push(count),
                _ => total += count,
            }
        }
        let all = reply.live + u32::try_from(silent.len()).unwrap();
        let share = (LIMIT / all.max(NODES as u32)).max(1);
        total += silent.iter().map(|count| (*count).max(share)).sum::<u32>();
        if let Some((from, ceiling, waiting, wanted)) = from_round {
            let is_young = now < self.born.plus(bound);
            let own = u32::try_from(self.held[node].len()).unwrap();
            let most = if is_young {
                ceiling.saturating_sub(own)
            } else {
                LIMIT
            };
            let free = LIMIT.saturating_sub(total + reserve);
            let mut count = waiting.min(free).min(most);
            let roomy = (LIMIT / 2).saturating_sub(total + reserve + count);
            count += wanted.min(roomy / (2 * reply.live)).min(most - count);
            for id in from..from + u64::from(count) {
                self.held[node].insert((false, id), now.plus(bound));
            }
            total += count;
            reply.granted = count;
        }
        reply.granted += adopted;
        reply.total = total;
        reply
    }
}

/// What is under way for a gateway.
#[derive(Default)]
struct Way {
    /// A message, and when it is at the store.
    asked: Option<(Micros, Message)>,
    /// An answer, and when it is here.
    said: Option<(Micros, Reply)>,
    lost_at: Option<Micros>,
}

#[derive(Clone, Copy, Debug)]
struct Outage {
    from: u64,
    time: u64,
    forgets: bool,
}

/// Lets three gateways want more than there is for a minute; gives what the bank served and refused.
fn run(seed: u64, outages: &[Outage], busy: [u64; NODES]) -> (u32, u32) {
    let mut dice = super::tests::Dice(seed);
    let settings = BudgetSettings {
        limit: LIMIT,
        span: SPAN,
        kept_for_money: 2,
        room: RoomSettings {
            waiting: 50,
            waiting_per_caller: 50,
            shares: Shares::default(),
        },
        shadow: false,
    };
    let shared = FleetSettings {
        replicas: NODES as u32,
        longest_call: LONGEST,
        is_lasting: seed.is_multiple_of(2),
    };
    let mut budgets = [(); NODES].map(|()| Budget::shared(settings, shared, Micros(0)));
    let mut ways: [Way; NODES] = Default::default();
    let mut store = Some(Store::new(Micros(0)));
    let mut away = None;
    let mut arrived: VecDeque<Micros> = VecDeque::new();
    let (mut served, mut refused) = (0, 0);
    let mut ahead: Vec<(Micros, Option<usize>)> = Vec::new();
    let mut now = Micros(0);
    while now < Micros::from_secs(60) {
        for outage in outages {
            let from = Micros(0).plus(Duration::from_millis(outage.from));
            let until = from.plus(Duration::from_millis(outage.time));
            if now >= from && now < from.plus(TICK) {
                away = store.take().filter(|_| !outage.forgets);
            }
            if now >= until && now < until.plus(TICK) && store.is_none() {
                store = Some(away.take().unwrap_or_else(|| Store::new(now)));
            }
        }
        ahead.sort();
        while let Some((at, answered)) = ahead.first().copied().filter(|(at, _)| *at <= now) {
            ahead.remove(0);
            match answered {
                Some(node) => budgets[node].settle(at),
                None => {
                    let is_over = |first: &Micros| at.since(*first) >= SPAN;
                    while arrived.front().is_some_and(is_over) {
                        arrived.pop_front();
                    }
                    if arrived.len() >= LIMIT as usize {
                        refused += 1;
                    } else {
                        arrived.push_back(at);
                        served += 1;
                    }
                }
            }
        }
        for node in 0..NODES {
            let (budget, way) = (&mut budgets[node], &mut ways[node]);
            if let Some((at, message)) = way.asked.take_if(|(at, _)| *at <= now) {
                match &mut store {
                    Some(store) => {
                        let reply = store.hear(node, message, budget.fleet().unwrap(), at);
                        let back = Duration::from_millis(dice.below(30));
                        way.said = Some((at.plus(back), reply));
                    }
                    None => way.lost_at = Some(now.plus(LONGEST)),
                }
            }
            if let Some((_, reply)) = way.said.take_if(|(at, _)| *at <= now) {
                budget.heard(reply, now);
            }
            if way.lost_at.take_if(|at| *at <= now).is_some() {
                budget.lost(now, now);
            }
            let is_free = way.asked.is_none() && way.said.is_none() && way.lost_at.is_none();
            if is_free && budget.sync_at(now).is_some_and(|at| at <= now) {
                let there = Duration::from_millis(dice.below(30));
                way.asked = budget
                    .message(now)
                    .map(|message| (now.plus(there), message));
            }
            let mut gone = 0;
            if dice.below(100) < busy[node] {
                let ask = Ask {
                    caller: "a".into(),
                    priority: Priority::ALL[dice.below(4) as usize],
                    deadline: now.plus(SPAN),
                };
                gone += u32::from(matches!(budget.ask(ask, now), Answer::Go { .. }));
            }
            budget.expire(now);
            while budget.grant(now).is_some() {
                gone += 1;
            }
            for _ in 0..gone {
                if dice.below(20) == 0 {
                    budget.give_back();
                    continue;
                }
                let arrival = now.plus(Duration::from_millis(dice.below(250)));
                let answer = arrival.plus(Duration::from_millis(dice.below(250)));
                ahead.extend([(arrival, None), (answer, Some(node))]);
            }
        }
        now = now.plus(TICK);
    }
    (served, refused)
}

#[test]
fn what_is_shared_is_used() {
    for seed in 0..4 {
        // A call each 10 ms is what the bank allows thrice.
        let (served, refused) = run(seed, &[], [100, 60, 30]);
        assert_eq!(refused, 0);
        // A hundred in 3 s and the time of a call, after the first nine seconds, in which nobody
        // knows that there was nobody before.
        assert!(served >= 1_500, "{served} of 1770, seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_bank_never_sees_more_than_it_allows_whatever_the_store_does(
        seed in any::<u64>(),
        busy in [0_u64..101, 0_u64..101, 0_u64..101],
        outages in prop::collection::vec(
            (0_u64..50_000, 0_u64..20_000, any::<bool>())
                .prop_map(|(from, time, forgets)| Outage { from, time, forgets }),
            0..4,
        ),
    ) {
        let (served, refused) = run(seed, &outages, busy);
        prop_assert_eq!(refused, 0);
        prop_assert!(served > 0 || busy.iter().sum::<u64>() < 20);
    }
}
