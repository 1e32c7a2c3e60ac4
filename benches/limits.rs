//! What the banks' limits cost: a decision, a decision while another thread decides, and the memory
//! of many budgets.
//!
//! `cargo bench --bench limits`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench talks to whoever runs it, and may stop"
)]

use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use egret::adapters::limits::{Gate, Limits, MAX_PARTS};
use egret::domain::config::{BudgetKey, Budgets, Patience};
use egret::domain::quota::{Answer, Ask, Budget, BudgetSettings, Part, Plan, RoomSettings, Shares};
use egret::types::{Environment, Micros, Priority};

fn main() {
    memory();
    divan::main();
}

fn settings(limit: u32) -> BudgetSettings {
    BudgetSettings {
        limit,
        span: Duration::from_secs(300),
        kept_for_money: 0,
        room: RoomSettings {
            waiting: 1_000,
            waiting_per_caller: 200,
            shares: Shares::default(),
        },
        shadow: false,
    }
}

fn limits(limit: u32, per: BudgetKey) -> (Limits, Arc<Plan>) {
    let plan = Arc::new(Plan {
        name: "cybrid.general".into(),
        per,
        settings: settings(limit),
        status: 429,
        operations: Vec::new(),
        anonymous_only: false,
        longest_call: Duration::from_secs(30),
    });
    let budgets = Budgets {
        shadow: false,
        waiting: 1_000,
        waiting_per_caller: 200,
        shares: Shares::default(),
        patience: Patience {
            usual: [Duration::from_secs(20); 4],
            most: Duration::from_secs(60),
        },
        priorities: Default::default(),
        shared: None,
        replicas: 1,
        egress: "default".into(),
        coalesce: false,
        coalesce_keep: Duration::ZERO,
    };
    let limits = Limits::new(&budgets, [Arc::clone(&plan)], "bench".to_owned());
    (limits, plan)
}

/// Asks and gives back: the place of a call that was not sent. The limit is never reached.
#[divan::bench]
fn ask_the_state_machine(bencher: Bencher<'_, '_>) {
    let mut budget = Budget::new(settings(1_000_000));
    let caller: Arc<str> = "payments".into();
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1;
        let ask = Ask {
            caller: Arc::clone(&caller),
            priority: Priority::Money,
            deadline: Micros(now + 1_000_000),
        };
        let answer = budget.ask(ask, Micros(now));
        assert_eq!(answer, Answer::Go { over: false });
        budget.give_back();
    });
}

/// A budget of which a hundred calls count, as Cybrid's does when it is busy.
#[divan::bench]
fn ask_and_settle_in_a_full_window(bencher: Bencher<'_, '_>) {
    let mut budget = Budget::new(BudgetSettings {
        span: Duration::from_micros(100),
        ..settings(100)
    });
    let caller: Arc<str> = "payments".into();
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1;
        let ask = Ask {
            caller: Arc::clone(&caller),
            priority: Priority::Money,
            deadline: Micros(now),
        };
        if let Answer::Go { .. } = black_box(budget.ask(ask, Micros(now))) {
            budget.settle(Micros(now));
        }
    });
}

fn pass(gate: &Arc<Gate>, caller: &Arc<str>) {
    let place = gate.admit(Arc::clone(caller), Priority::Money, Duration::ZERO);
    // Ready at once, since there is a place.
    let place = std::pin::pin!(place);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(place.poll(&mut context).is_ready());
}

/// What a call pays: the clock, the lock, the decision, and giving the place back. With two threads
/// both want the same budget.
#[divan::bench(threads = [1, 2])]
fn admit_a_call(bencher: Bencher<'_, '_>) {
    let (limits, plan) = limits(1_000_000, BudgetKey::Address);
    let gate = limits.gate(&plan, Environment::Sandbox, Part::All).unwrap();
    let caller: Arc<str> = "payments".into();
    bencher.bench(|| pass(&gate, &caller));
}

/// To find the budget of a token among a hundred thousand, and to pass.
#[divan::bench(threads = [1, 2])]
fn find_the_budget_of_a_token_and_admit(bencher: Bencher<'_, '_>) {
    let (limits, plan) = limits(1_000, BudgetKey::Token);
    for number in 0..MAX_PARTS {
        limits.gate(&plan, Environment::Sandbox, part(number));
    }
    let caller: Arc<str> = "payments".into();
    let number = std::sync::atomic::AtomicUsize::new(0);
    bencher.bench(|| {
        let number = number.fetch_add(7_919, std::sync::atomic::Ordering::Relaxed);
        let gate = limits.gate(&plan, Environment::Sandbox, part(number % MAX_PARTS));
        pass(&gate.unwrap(), &caller);
    });
}

fn part(number: usize) -> Part {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    Part::Of(hash)
}

/// Tells what a hundred thousand budgets take, from what the system says of the process.
fn memory() {
    let before = resident();
    let (limits, plan) = limits(100, BudgetKey::Token);
    let mut count = 0;
    for number in 0..MAX_PARTS {
        let gate = limits.gate(&plan, Environment::Sandbox, part(number));
        count += usize::from(gate.is_some());
    }
    let taken = resident().saturating_sub(before);
    println!(
        "{count} budgets take {} KiB, {} B each",
        taken >> 10,
        taken / count.max(1)
    );
    drop(limits);
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}
