//! Releases, moves and new services.

use super::super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::TokenKind;
use super::super::network::Address;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};
use super::super::site::What;

pub(super) const SCENES: &[Scenario] = &[
    Scenario::trap(
        "release_mints_anew",
        &["mobile", "web"],
        When::Work,
        2,
        release,
    ),
    Scenario::trap("cache_warmed", &["web"], When::Work, 2, cache_warmed),
    Scenario::trap(
        "release_of_everything",
        &["web"],
        When::Work,
        3,
        release_all,
    ),
    Scenario::trap(
        "release_new_addresses",
        &["web", "mobile"],
        When::Work,
        5,
        new_addresses,
    ),
    Scenario::trap(
        "autoscaling",
        &["mobile", "web"],
        When::WorkMorning,
        10,
        autoscaling,
    ),
    Scenario::trap("second_region", &["web"], When::Any, 20, second_region),
    Scenario::trap(
        "office_moves",
        &["support", "console"],
        When::WorkMorning,
        48,
        office_moves,
    ),
    Scenario::trap(
        "staff_travels",
        &["support", "console"],
        When::Work,
        8,
        staff_travels,
    ),
    Scenario::trap(
        "new_provider_line",
        &["support"],
        When::WorkMorning,
        30,
        new_line,
    ),
    Scenario::trap(
        "secret_rotation",
        &["web", "recon"],
        When::Work,
        2,
        rotation,
    ),
    Scenario::trap(
        "feature_launch",
        &["web", "mobile"],
        When::Work,
        72,
        feature_launch,
    ),
    Scenario::trap(
        "scope_added_by_release",
        &["web", "mobile"],
        When::Work,
        72,
        scope_added,
    ),
    Scenario::trap("new_service", &["web"], When::WorkMorning, 48, new_service),
    Scenario::trap("load_test", &["ci"], When::Work, 3, load_test),
    Scenario::trap("maintenance", &["web"], When::Night, 5, maintenance),
];

/// A release: the service forgets its tokens and mints them anew for whoever is there, replica by
/// replica.
fn release(scene: &mut Scene<'_>) {
    let (at, who) = (scene.at, scene.who);
    for n in 0..4 {
        scene
            .tenant
            .site
            .deployments
            .push((who, at + n * 4 * MINUTE));
    }
    warm_up(scene, at);
    scene.frame(at + 2 * HOUR, false);
}

/// A release that mints for a hundred or more customers ahead, whether they are there or not; a
/// page that they left open calls for each within a minute.
fn cache_warmed(scene: &mut Scene<'_>) {
    let at = scene.at;
    let from = scene.own();
    let key = scene.bank_key(at, from);
    let scopes = scene.scopes();
    for n in 0..120 + scene.random.below(80) {
        let subject = scene.visitor();
        let token = scene.mint(at + n as i64 * 150, from, key, subject, scopes);
        let mut then = token.from + scene.random.below(50) as i64 * SECOND;
        for _ in 0..2 + scene.random.below(5) {
            let op = scene.random.pick(
                &[Op::AccountsList, Op::PricesList, Op::TransfersList],
                Op::AccountsList,
            );
            let call = token.call(op);
            then = scene.call(then, from, call) + scene.random.lognormal(5_000.0, 0.8) as i64;
        }
    }
    scene.frame(at + 2 * HOUR, false);
}

/// Whoever had a token in memory gets another one at once, and goes on with what he did.
fn warm_up(scene: &mut Scene<'_>, at: i64) {
    let held: Vec<u64> = scene.caller().map_or_else(Vec::new, |caller| {
        caller
            .recent
            .iter()
            .filter(|token| token.from < at && at < token.to)
            .map(|token| token.subject)
            .collect()
    });
    let from = scene.own();
    let key = scene.bank_key(at, from);
    let scopes = scene.scopes();
    for (n, subject) in held.into_iter().enumerate() {
        let token = scene.mint(at + n as i64 * 60, from, key, subject, scopes);
        let mut then = token.from;
        for _ in 0..2 + scene.random.below(5) {
            then += scene.random.lognormal(5_000.0, 0.8) as i64;
            let op = scene.random.pick(
                &[Op::AccountsList, Op::AccountsGet, Op::TransfersList],
                Op::AccountsList,
            );
            let call = token.call(op);
            then = scene.call(then, from, call);
        }
    }
}

fn release_all(scene: &mut Scene<'_>) {
    let at = scene.at;
    for place in 0..scene.tenant.callers.len() {
        let later = scene.random.below(20 * MINUTE as u64) as i64;
        scene.tenant.site.deployments.push((place, at + later));
    }
    scene.frame(at + 3 * HOUR, true);
}

fn at_home(scene: &mut Scene<'_>, count: u64) -> Vec<Address> {
    let network = scene.random.pick(&scene.tenant.home.clone(), 0);
    (0..count)
        .map(|_| scene.world.map.address(network, &mut scene.random))
        .collect()
}

/// Replicas come back with other addresses of the same networks, for good.
fn new_addresses(scene: &mut Scene<'_>) {
    let (at, who) = (scene.at, scene.who);
    scene.tenant.site.deployments.push((who, at));
    let pool = at_home(scene, 6);
    scene.change(at, i64::MAX, What::Addresses(pool));
    scene.frame(at + 5 * HOUR, false);
}

/// Many more replicas for a working day.
fn autoscaling(scene: &mut Scene<'_>) {
    let at = scene.at;
    let pool = at_home(scene, 40);
    scene.change(at, at + 10 * HOUR, What::Addresses(pool));
    scene.change(at, at + 10 * HOUR, What::Rate(1.5));
    scene.frame(at + 11 * HOUR, false);
}

/// The other region takes over: another country, a network of the house's own.
fn second_region(scene: &mut Scene<'_>) {
    let at = scene.at;
    let country = scene.random.pick(&["IE", "US", "NL", "CA"], "IE");
    let asn = scene.tenant.asn;
    let network = scene.world.map.own_outside(country, asn);
    for place in 0..scene.tenant.callers.len() {
        let is_office = scene
            .tenant
            .callers
            .get(place)
            .and_then(|caller| caller.addresses.first())
            .is_some_and(|address| address.network == scene.tenant.office);
        if is_office {
            continue;
        }
        let pool: Vec<Address> = (0..3)
            .map(|_| scene.world.map.address(network, &mut scene.random))
            .collect();
        let who = std::mem::replace(&mut scene.who, place);
        scene.change(at, at + 18 * HOUR, What::Addresses(pool));
        scene.who = who;
        scene.tenant.site.deployments.push((place, at));
    }
    scene.frame(at + 20 * HOUR, true);
}

/// The office gets another line of the same company, for good; it is in the map as own.
fn office_moves(scene: &mut Scene<'_>) {
    let at = scene.at;
    let country = scene.tenant.site.country;
    let network = scene.world.map.own_outside(country, 65_399);
    let pool: Vec<Address> = (0..8)
        .map(|_| scene.world.map.address(network, &mut scene.random))
        .collect();
    scene.change(at, i64::MAX, What::Addresses(pool));
    scene.frame(at + 2 * DAY, false);
}

/// One of the staff works from a train and an hotel in the same country for a day.
fn staff_travels(scene: &mut Scene<'_>) {
    let (at, country) = (scene.at, scene.tenant.site.country);
    let asn = scene
        .caller()
        .and_then(|caller| caller.addresses.first())
        .and_then(|address| scene.world.map.get(address.network))
        .map_or(65_400, |network| network.asn);
    let network = scene.world.map.foreign(country, asn);
    let from = scene.world.map.address(network, &mut scene.random);
    let count = scene.random.between(4, 10) as u64;
    let mut errand = scene.errand_inside(from);
    for then in scene.moments(count, 40.0 * 60_000.0) {
        if then > at + 7 * HOUR {
            break;
        }
        let token = errand.mint_for_visitor(scene, then, 200);
        scene.in_turn(
            from,
            token,
            token.from,
            15_000,
            &[Op::CustomersGet, Op::AccountsList, Op::TransfersList],
        );
    }
}

/// The office's provider gives it other addresses of its own range.
fn new_line(scene: &mut Scene<'_>) {
    let (at, country) = (scene.at, scene.tenant.site.country);
    let office = scene.tenant.office;
    let (asn, own) = scene
        .world
        .map
        .get(office)
        .map_or((65_400, true), |network| (network.asn, network.own));
    let network = if own {
        scene.world.map.own_outside(country, asn)
    } else {
        scene.world.map.foreign(country, asn)
    };
    let pool: Vec<Address> = (0..8)
        .map(|_| scene.world.map.address(network, &mut scene.random))
        .collect();
    scene.change(at, i64::MAX, What::Addresses(pool));
    scene.frame(at + 30 * HOUR, false);
}

/// A new secret: both work for a while, every token is minted anew.
fn rotation(scene: &mut Scene<'_>) {
    let (at, who) = (scene.at, scene.who);
    scene.tenant.site.deployments.push((who, at));
    scene.tenant.site.deployments.push((who, at + 20 * MINUTE));
    scene.frame(at + 2 * HOUR, false);
}

/// A page is new, and with it a reading operation that this service did not use.
fn feature_launch(scene: &mut Scene<'_>) {
    let at = scene.at;
    let op = scene.random.pick(
        &[Op::CounterpartiesList, Op::IdentityList, Op::WalletsGet],
        Op::CounterpartiesList,
    );
    scene.change(at, at + 2 * HOUR, What::Step(op, 3));
    scene.change(at + 2 * HOUR, i64::MAX, What::Step(op, 12));
    scene.frame(at + 3 * DAY, false);
}

/// A release asks for one reading scope more.
fn scope_added(scene: &mut Scene<'_>) {
    let (at, who) = (scene.at, scene.who);
    let more = match scene.scopes() {
        3 => 15,
        1 => 16,
        _ => 2,
    };
    scene.tenant.site.deployments.push((who, at));
    scene.change(at, i64::MAX, What::Scopes(more));
    scene.frame(at + 3 * DAY, false);
}

/// A new service begins carefully from inside: bank token, a few readings, more each hour.
fn new_service(scene: &mut Scene<'_>) {
    let name = format!("{}-insights", scene.tenant.site.name);
    let id = scene.world.enroll(&name);
    let own = scene.world_caller(id);
    let from = scene.neighbour();
    let mut at = scene.at;
    let end = at + 40 * HOUR;
    let mut errand = scene.errand_outside(from);
    let mut gap = 600.0;
    while at < end {
        let key = errand.key(scene, at);
        let op = scene.random.pick(
            &[Op::PricesList, Op::BanksGet, Op::TransfersList],
            Op::PricesList,
        );
        scene.call(at + 300, from, Call::new(op, TokenKind::Bank, key));
        at += (scene.random.exponential(gap) * 1_000.0) as i64;
        gap = (gap * 0.995).max(60.0);
    }
    scene.restore_caller(own);
}

/// A load test, in the sandbox, from the tests' own machines.
fn load_test(scene: &mut Scene<'_>) {
    let from = scene.own();
    let count = scene.random.between(1_500, 6_000) as u64;
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, 900.0) {
        let key = errand.key(scene, at);
        let subject = scene.random.name();
        let token = scene.mint(at + 100, from, key, subject, 14);
        if scene.random.chance(0.6) {
            scene.call(token.from + 30, from, token.call(Op::QuotesCreate));
        }
    }
}

/// Everything is switched off for four hours at night, then comes back.
fn maintenance(scene: &mut Scene<'_>) {
    let from = (scene.at / HOUR) * HOUR;
    scene.change_all(from, from + 3 * HOUR, What::Rate(0.05));
    let to = from + 4 * HOUR;
    scene.change_all(from + 3 * HOUR, to, What::Rate(1.3));
    for place in 0..scene.tenant.callers.len() {
        scene
            .tenant
            .site
            .deployments
            .push((place, from + 3 * HOUR + 20 * SECOND));
    }
    scene.frame(to, true);
}
