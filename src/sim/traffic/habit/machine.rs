//! Callers without people behind them: jobs, pollers, workers, pipelines.

use super::super::calendar::{HOUR, MINUTE, SECOND};
use super::super::caller::{Call, Caller};
use super::super::event::{Fault, TokenKind};
use super::super::operation::Op;
use super::super::random::mix;
use super::super::site::{Site, What};
use super::super::world::World;
use super::{Batch, Season, arrivals, moments};

/// Factor that traps put on a job's size.
fn size(caller: &Caller, site: &Site, at: i64) -> f64 {
    site.changes_of(caller.place, at)
        .map(|what| {
            if let What::Rate(rate) = what {
                *rate
            } else {
                1.0
            }
        })
        .product()
}

/// A job at a fixed hour: lists page by page, then perhaps a look at each customer.
pub(super) fn batch(caller: &mut Caller, world: &mut World, site: &Site, hour: i64, batch: Batch) {
    let local = site.local(hour);
    if local.hour != batch.hour
        || (batch.weekdays_only && (local.is_weekend() || site.is_holiday(hour)))
    {
        return;
    }
    let size = size(caller, site, hour);
    if size <= 0.0 {
        return;
    }
    let mut at = hour + batch.minute * MINUTE + caller.random.below(90_000) as i64;
    let swing = caller.random.range(0.8, 1.25) * if local.weekday == 0 { 1.6 } else { 1.0 };
    let pages = (batch.pages as f64 * swing * size) as u64;
    for op in batch.lists {
        for _ in 0..pages.max(1) {
            let Some((key, later)) = caller.key(world, site, at, 0, TokenKind::Bank) else {
                at += 30 * SECOND;
                continue;
            };
            let from = caller.address(site, later, 0);
            let call = Call::new(*op, TokenKind::Bank, key)
                .with_pii(batch.pii && *op == Op::CustomersList);
            let answer = caller.insist(world, site, later, from, call);
            at = answer.done_at + caller.random.exponential(batch.pause_ms) as i64;
        }
    }
    // Always the same customers, a few of them other ones.
    let customers = (batch.customers as f64 * size) as u64;
    for customer in 0..customers {
        if caller.random.chance(0.03) {
            continue;
        }
        let subject = site.people.subject(customer % site.people.active.max(1));
        let Some((token, later)) = caller.mint(world, site, at, 0, subject) else {
            at += 30 * SECOND;
            continue;
        };
        let from = caller.address(site, later, 0);
        let call = Call::new(Op::AccountsList, TokenKind::Customer, token).about(subject);
        let answer = caller.insist(world, site, later + 20, from, call);
        at = answer.done_at + caller.random.exponential(batch.pause_ms) as i64;
    }
}

/// Pays a roster: a token, a quote and a transfer each.
pub(super) fn pay_day(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    roster: u64,
    at_hour: i64,
    minutes: i64,
) {
    let local = site.local(hour);
    if local.hour != at_hour || !(local.day == 15 || local.is_month_end) {
        return;
    }
    let size = size(caller, site, hour);
    let roster = (roster as f64 * size) as u64;
    let mut at = hour + 2 * MINUTE;
    let pause = (minutes * MINUTE) as f64 / roster.max(1) as f64;
    for person in 0..roster {
        if caller.random.chance(0.02) {
            continue;
        }
        let subject = site.people.paid(person);
        let Some((token, later)) = caller.mint(world, site, at, person, subject) else {
            at += MINUTE;
            continue;
        };
        let from = caller.address(site, later, person);
        let mut then = later + 30;
        for op in [
            Op::AccountsList,
            Op::QuotesCreate,
            Op::TransfersCreate,
            Op::TransfersGet,
        ] {
            let call = Call::new(op, TokenKind::Customer, token).about(subject);
            then = caller.insist(world, site, then, from, call).done_at + 50;
        }
        at += caller.random.exponential(pause) as i64;
    }
}

/// Looks at each object that a webhook names.
pub(super) fn hooks(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    per_day: f64,
    season: Season,
) {
    let count = arrivals(caller, site, hour, per_day, season);
    for at in moments(caller, hour, count) {
        let replica = caller.random.below(caller.replicas);
        let Some((key, at)) = caller.key(world, site, at, replica, TokenKind::Bank) else {
            continue;
        };
        let from = caller.address(site, at, replica);
        let looks: [(Op, u32); 5] = [
            (Op::TransfersGet, 44),
            (Op::TradesGet, 34),
            (Op::IdentityGet, 9),
            (Op::BankAccountsGet, 8),
            (Op::WalletsGet, 5),
        ];
        let op = caller.random.weighted(&looks, Op::TransfersGet);
        // An object is named, not a customer.
        let answer = caller.insist(world, site, at, from, Call::new(op, TokenKind::Bank, key));
        if answer.is_ok() && caller.random.chance(0.2) {
            caller.call(
                world,
                site,
                answer.done_at + 200,
                from,
                Call::new(op, TokenKind::Bank, key),
            );
        }
    }
}

/// Asks the same every so often.
pub(super) fn poll(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    every_s: i64,
    ops: &[Op],
) {
    let size = size(caller, site, hour);
    if size <= 0.0 {
        return;
    }
    let step = ((every_s * SECOND) as f64 / size) as i64;
    let mut at = hour + (mix(u64::from(caller.id), &[1]) % step.max(1) as u64) as i64;
    while at < hour + HOUR {
        let jitter = caller.random.below(400) as i64;
        if let Some((key, then)) = caller.key(world, site, at + jitter, 0, TokenKind::Bank) {
            let from = caller.address(site, then, 0);
            let mut then = then;
            for op in ops {
                let call = Call::new(*op, TokenKind::Bank, key);
                then = caller.insist(world, site, then, from, call).done_at + 10;
            }
        }
        at += step.max(SECOND);
    }
}

/// Trades for the house's own account.
pub(super) fn treasury(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    per_hour: f64,
    season: Season,
) {
    let count = arrivals(caller, site, hour, per_hour * 24.0, season);
    let subject = site.people.subject(2_000_000);
    for at in moments(caller, hour, count) {
        let Some((token, at)) = caller.session(world, site, at, 0, subject, true) else {
            continue;
        };
        let from = caller.address(site, at, 0);
        let mut at = at;
        let ops: &[Op] = if caller.random.chance(0.25) {
            &[Op::QuotesCreate, Op::TradesCreate, Op::TradesGet]
        } else {
            &[Op::QuotesCreate]
        };
        for op in ops {
            let call = Call::new(*op, TokenKind::Customer, token).about(subject);
            at = caller.insist(world, site, at, from, call).done_at + 80;
        }
    }
}

/// Statements: a few customers a day, nearly all at month end.
pub(super) fn statements(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    habit: (i64, f64, bool),
) {
    let (at_hour, share, pii) = habit;
    let local = site.local(hour);
    let spread = if local.is_month_end { 5 } else { 1 };
    if local.hour < at_hour || local.hour >= at_hour + spread {
        return;
    }
    let count = if local.is_month_end {
        site.people.active as f64 * share / f64::from(spread as u32)
    } else {
        6.0
    } * size(caller, site, hour);
    let mut at = hour + 3 * SECOND;
    let pause = (50 * MINUTE) as f64 / count.max(1.0);
    for n in 0..count as u64 {
        let customer = if local.is_month_end {
            (local.hour - at_hour) as u64 * count as u64 + n
        } else {
            site.people.visitor(&mut caller.random)
        };
        let subject = site.people.subject(customer);
        let Some((token, later)) = caller.mint(world, site, at, 0, subject) else {
            at += 20 * SECOND;
            continue;
        };
        let from = caller.address(site, later, 0);
        let mut then = later + 10;
        for op in [
            Op::CustomersGet,
            Op::AccountsList,
            Op::TransfersList,
            Op::TradesList,
        ] {
            let call = Call::new(op, TokenKind::Customer, token)
                .about(subject)
                .with_pii(pii && op == Op::CustomersGet);
            then = caller.insist(world, site, then, from, call).done_at + 20;
        }
        at += caller.random.exponential(pause) as i64;
    }
}

/// Sandbox tests: each run makes customers, mints and trades, some calls fail on purpose.
pub(super) fn pipeline(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    runs_per_day: f64,
) {
    let count = arrivals(caller, site, hour, runs_per_day, Season::Office);
    for at in moments(caller, hour, count) {
        let Some((key, at)) = caller.key(world, site, at, 0, TokenKind::Bank) else {
            continue;
        };
        let replica = caller.random.below(4);
        let from = caller.address(site, at, replica);
        let mut at = at;
        for _ in 0..2 + caller.random.below(4) {
            // Customers of the sandbox are made anew by every run.
            let subject = caller.random.name();
            let create = Call::new(Op::CustomersCreate, TokenKind::Bank, key).about(subject);
            at = caller.call(world, site, at, from, create).done_at + 40;
            let Some((token, later)) = caller.mint(world, site, at, 0, subject) else {
                continue;
            };
            at = later + 20;
            for op in [
                Op::AccountsCreate,
                Op::QuotesCreate,
                Op::TradesCreate,
                Op::TradesGet,
                Op::CustomersGet,
            ] {
                let call = Call::new(op, TokenKind::Customer, token).about(subject);
                at = caller.call(world, site, at, from, call).done_at + 30;
            }
            if caller.random.chance(0.3) {
                // A test that wants to see a refusal.
                let wrong = caller.random.name();
                let mut event = caller.plain(
                    at,
                    from,
                    Call::new(Op::AccountsList, TokenKind::Customer, wrong),
                );
                event.fail(Fault::InvalidToken);
                world.push(event);
                at += 50;
            }
        }
    }
    // Whoever pushes code does so on working days; the nightly run is always at three.
    if site.local(hour).hour == 3 {
        let at = hour + 5 * MINUTE;
        if let Some((key, at)) = caller.key(world, site, at, 0, TokenKind::Bank) {
            let from = caller.address(site, at, 0);
            let mut at = at;
            for op in [
                Op::BanksGet,
                Op::SymbolsList,
                Op::PricesList,
                Op::AccountsList,
            ] {
                at = caller
                    .call(world, site, at, from, Call::new(op, TokenKind::Bank, key))
                    .done_at
                    + 40;
            }
        }
    }
}
