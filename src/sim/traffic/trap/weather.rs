//! Banks, networks and limits that fail.

use super::super::calendar::{HOUR, MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::{Fault, TokenKind};
use super::super::operation::{Op, Provider};
use super::super::scene::{Scenario, Scene, When};
use super::super::site::{Outage, What};

const ANY: &[&str] = &["web"];

pub(super) const SCENES: &[Scenario] = &[
    Scenario::trap("outage_5xx", &["web"], When::Any, 3, outage_5xx),
    Scenario::trap("outage_timeouts", ANY, When::Any, 3, outage_timeouts),
    Scenario::trap("breaker_open", ANY, When::Work, 3, breaker_open),
    Scenario::trap("breaker_flapping", ANY, When::Any, 3, flapping),
    Scenario::trap("obp_outage", &["aisp"], When::Any, 3, obp_outage),
    Scenario::trap("rate_limited", ANY, When::Work, 3, rate_limited),
    Scenario::trap(
        "mint_limit_after_release",
        &["mobile", "web"],
        When::Work,
        3,
        mint_limit,
    ),
    Scenario::trap(
        "catching_up_after_outage",
        &["web"],
        When::Work,
        3,
        catching_up,
    ),
    Scenario::trap(
        "expired_tokens",
        &["mobile", "web"],
        When::WorkMorning,
        3,
        expired,
    ),
    Scenario::trap(
        "secret_rotation_slip",
        &["recon", "hooks", "web"],
        When::Work,
        3,
        rotation_slip,
    ),
];

fn fault(scene: &mut Scene<'_>, provider: Provider, from: i64, to: i64, fault: Fault, share: f64) {
    scene.outage(Outage {
        provider,
        from,
        to,
        fault,
        share,
        mints_only: false,
    });
}

/// The bank answers 5xx for half an hour.
fn outage_5xx(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + scene.random.between(15, 50) * MINUTE;
    fault(scene, Provider::Cybrid, from, to, Fault::Upstream, 0.95);
    scene.frame(to + HOUR, true);
}

/// The bank does not answer, then some of the time.
fn outage_timeouts(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + 20 * MINUTE;
    fault(scene, Provider::Cybrid, from, to, Fault::Timeout, 0.9);
    fault(
        scene,
        Provider::Cybrid,
        to,
        to + 20 * MINUTE,
        Fault::Timeout,
        0.3,
    );
    scene.frame(to + HOUR, true);
}

/// Failures, then the gateway's breaker answers by itself, then probes.
fn breaker_open(scene: &mut Scene<'_>) {
    let from = scene.at;
    let open = from + 2 * MINUTE;
    let to = open + scene.random.between(20, 70) * MINUTE;
    fault(scene, Provider::Cybrid, from, open, Fault::Upstream, 1.0);
    fault(scene, Provider::Cybrid, open, to, Fault::CircuitOpen, 0.99);
    fault(scene, Provider::Cybrid, open, to, Fault::Upstream, 1.0);
    scene.frame(to + HOUR, true);
}

/// Open and closed in turn.
fn flapping(scene: &mut Scene<'_>) {
    let mut at = scene.at;
    for _ in 0..12 {
        fault(
            scene,
            Provider::Cybrid,
            at,
            at + 2 * MINUTE,
            Fault::Upstream,
            0.7,
        );
        fault(
            scene,
            Provider::Cybrid,
            at + 2 * MINUTE,
            at + 5 * MINUTE,
            Fault::CircuitOpen,
            1.0,
        );
        at += scene.random.between(7, 12) * MINUTE;
    }
    scene.frame(at + HOUR, true);
}

fn obp_outage(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + 40 * MINUTE;
    fault(scene, Provider::Obp, from, to, Fault::Upstream, 0.9);
    scene.frame(to + HOUR, true);
}

/// 429 for everybody behind one address.
fn rate_limited(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + 25 * MINUTE;
    fault(scene, Provider::Cybrid, from, to, Fault::RateLimited, 0.4);
    scene.frame(to + HOUR, true);
}

/// Every replica mints at once after a release: the bank refuses for less than four minutes.
fn mint_limit(scene: &mut Scene<'_>) {
    let at = scene.at;
    let who = scene.who;
    scene.tenant.site.deployments.push((who, at));
    scene.outage(Outage {
        provider: Provider::Cybrid,
        from: at + 2 * SECOND,
        to: at + 150 * SECOND,
        fault: Fault::TokenRateLimit,
        share: 0.7,
        mints_only: true,
    });
    scene.frame(at + HOUR, false);
}

/// After an outage everybody comes back: three times the visits for an hour, of the usual shape.
fn catching_up(scene: &mut Scene<'_>) {
    let from = scene.at;
    let to = from + 55 * MINUTE;
    fault(scene, Provider::Cybrid, from, to, Fault::Upstream, 1.0);
    let after = (to / HOUR + 1) * HOUR;
    scene.change_all(after, after + HOUR, What::Rate(2.5));
    scene.change_all(after + HOUR, after + 2 * HOUR, What::Rate(1.5));
    scene.frame(after + 3 * HOUR, true);
}

/// Laptops and phones wake with tokens of yesterday: one refusal each, then a mint.
fn expired(scene: &mut Scene<'_>) {
    let count = scene.random.between(40, 160) as u64;
    for at in scene.moments(count, 9_000.0) {
        let from = scene.own();
        let subject = scene.visitor();
        let old = scene.random.name();
        // A night ago it was minted here; the stream has long gone by.
        scene.fail(
            at,
            from,
            Call::new(Op::AccountsList, TokenKind::Customer, old).about(subject),
            Fault::TokenExpired,
        );
        let key = scene.bank_key(at, from);
        let scopes = scene.scopes();
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let mut then = token.from;
        for _ in 0..2 + scene.random.below(6) {
            let call = token.call(Op::AccountsGet);
            then = scene.call(then + 3_000, from, call);
        }
    }
}

/// A secret was changed at the bank some minutes before the service knew: a handful of refusals
/// from its own address, then all is well.
fn rotation_slip(scene: &mut Scene<'_>) {
    let from = scene.own();
    let at = scene.at;
    let count = scene.random.between(3, 6);
    for n in 0..count {
        let call = Call::new(Op::MintBank, TokenKind::None, 0);
        scene.fail(at + n * 40 * SECOND, from, call, Fault::InvalidClient);
    }
    let who = scene.who;
    scene
        .tenant
        .site
        .deployments
        .push((who, at + (count + 1) * 40 * SECOND));
}
