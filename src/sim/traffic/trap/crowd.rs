//! More visitors than usual, and fewer.

use super::super::calendar::{DAY, HOUR, MINUTE};
use super::super::caller::Call;
use super::super::event::TokenKind;
use super::super::habit::Habit;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};
use super::super::site::What;

pub(super) const SCENES: &[Scenario] = &[
    Scenario::trap("campaign", &["web", "mobile"], When::Work, 8, campaign),
    Scenario::trap(
        "push_message",
        &["mobile", "web"],
        When::Work,
        2,
        push_message,
    ),
    Scenario::trap("market_rush", &["web", "mobile"], When::Any, 6, market_rush),
    Scenario::trap(
        "monday_after_holiday",
        &["web"],
        When::WorkMorning,
        10,
        monday,
    ),
    Scenario::trap("holiday", &["web"], When::WorkMorning, 24, holiday),
    Scenario::trap(
        "dormant_customers_invited",
        &["web", "mobile"],
        When::Work,
        30,
        invited,
    ),
    Scenario::trap("sign_up_wave", &["signup"], When::Work, 10, sign_ups),
    Scenario::trap("extra_pay_run", &["payroll"], When::Work, 2, pay_run),
    Scenario::trap(
        "extra_statements",
        &["statements"],
        When::Night,
        6,
        statements,
    ),
    Scenario::trap("reconciliation_again", &["recon"], When::Work, 3, again),
    Scenario::trap("backlog_of_webhooks", &["hooks"], When::Work, 2, backlog),
    Scenario::trap("migration", &["recon"], When::Night, 5, migration),
    Scenario::trap("clock_change", &["web"], When::Any, 24, clock_change),
];

/// Two to four times the visits for some hours, fading.
fn campaign(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    let peak = scene.random.range(2.0, 4.5);
    for hour in 0..7_i32 {
        let at = from + i64::from(hour) * HOUR;
        let rate = 1.0 + (peak - 1.0) * super::super::random::exp(-f64::from(hour) / 2.5);
        scene.change_all(at, at + HOUR, What::Rate(rate));
    }
    scene.change_all(from, from + 7 * HOUR, What::Comeback(0.05));
    scene.frame(from + 8 * HOUR, true);
}

/// A message to every phone: five times the visits for one hour, shorter ones.
fn push_message(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    scene.change(from, from + HOUR, What::Rate(5.0));
    scene.change(from, from + HOUR, What::Calls(0.7));
    scene.change(from + HOUR, from + 2 * HOUR, What::Rate(1.6));
    scene.frame(from + 2 * HOUR, false);
}

/// Prices move: everybody looks, and for longer.
fn market_rush(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    let rate = scene.random.range(2.0, 3.5);
    scene.change_all(from, from + 4 * HOUR, What::Rate(rate));
    scene.change_all(from, from + 4 * HOUR, What::Calls(1.8));
    scene.frame(from + 6 * HOUR, true);
}

/// All that was left over a long weekend comes at once.
fn monday(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    scene.change_all(from, from + 4 * HOUR, What::Rate(2.2));
    scene.change_all(from + 4 * HOUR, from + 9 * HOUR, What::Rate(1.4));
    scene.frame(from + 10 * HOUR, true);
}

/// A day off: offices are empty.
fn holiday(scene: &mut Scene<'_>) {
    let at = scene.at;
    let day = (at + scene.tenant.site.zone.shift(at)).div_euclid(DAY);
    scene.tenant.site.holidays.push(day);
    let to = scene.end_of_day();
    scene.frame(to, true);
}

/// A letter to customers who stayed away: they come, and do what customers do.
fn invited(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    scene.change(from, from + 8 * HOUR, What::Comeback(0.25));
    scene.change(from + 8 * HOUR, from + 30 * HOUR, What::Comeback(0.08));
    scene.change(from, from + 8 * HOUR, What::Rate(1.3));
    scene.frame(from + 30 * HOUR, false);
}

/// Ten times the sign-ups.
fn sign_ups(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    let rate = scene.random.range(4.0, 10.0);
    scene.change(from, from + 10 * HOUR, What::Rate(rate));
    scene.frame(from + 10 * HOUR, false);
}

/// A bonus: the usual roster is paid on another day.
fn pay_run(scene: &mut Scene<'_>) {
    let Some(Habit::PayDay { roster, .. }) = scene.caller().map(|caller| caller.habit) else {
        return;
    };
    let from = scene.own();
    let mut errand = scene.errand_inside(from).asking_for(5);
    let pause = (40 * MINUTE) as f64 / roster.max(1) as f64;
    for (person, at) in scene.moments(roster, pause).into_iter().enumerate() {
        let subject = scene.tenant.site.people.paid(person as u64);
        let token = errand.mint(scene, at, 100, subject);
        scene.in_turn(
            from,
            token,
            token.from,
            40,
            &[
                Op::AccountsList,
                Op::QuotesCreate,
                Op::TransfersCreate,
                Op::TransfersGet,
            ],
        );
    }
}

/// A correction: statements for a part of the customers are made again at night.
fn statements(scene: &mut Scene<'_>) {
    let from = scene.own();
    let count = scene.tenant.site.people.active / 6;
    let mut errand = scene.errand_inside(from).asking_for(7);
    for (customer, at) in scene.moments(count, 12_000.0).into_iter().enumerate() {
        let subject = scene.tenant.site.people.subject(customer as u64);
        let token = errand.mint(scene, at, 100, subject);
        scene.in_turn(
            from,
            token,
            token.from,
            20,
            &[
                Op::CustomersGet,
                Op::AccountsList,
                Op::TransfersList,
                Op::TradesList,
            ],
        );
    }
}

/// The nightly job failed and runs again by day.
fn again(scene: &mut Scene<'_>) {
    let Some(Habit::Batch(batch)) = scene.caller().map(|caller| caller.habit) else {
        return;
    };
    let from = scene.own();
    let mut errand = scene.errand_inside(from);
    let mut at = scene.at;
    for op in batch.lists {
        for _ in 0..batch.pages {
            let key = errand.key(scene, at);
            let call = Call::new(*op, TokenKind::Bank, key)
                .with_pii(batch.pii && *op == Op::CustomersList);
            at = scene.call(at + 50, from, call) + scene.random.exponential(batch.pause_ms) as i64;
        }
    }
}

/// The bank's webhooks were stuck and all come at once.
fn backlog(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    scene.change(from, from + HOUR, What::Rate(0.1));
    scene.change(from + HOUR, from + 2 * HOUR, What::Rate(2.0));
    scene.frame(from + 2 * HOUR, false);
}

/// Data moves to a new system: the nightly job reads four times its pages, as it always does it.
fn migration(scene: &mut Scene<'_>) {
    let from = (scene.at / DAY) * DAY;
    scene.change(from, from + DAY, What::Rate(3.0));
    scene.frame(from + DAY, false);
}

/// The night with an hour more or less; if the run has none, an ordinary night.
fn clock_change(scene: &mut Scene<'_>) {
    let at = scene.at;
    let change = scene
        .tenant
        .site
        .zone
        .change_between(at - 20 * DAY, at + 20 * DAY);
    scene.at = change.unwrap_or(at).max(at - 20 * DAY);
    let to = scene.at + 20 * HOUR;
    scene.frame(to, true);
    scene.at = at;
}
