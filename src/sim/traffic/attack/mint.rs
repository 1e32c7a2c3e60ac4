//! Tokens minted wrongly.

use super::super::calendar::{MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::{Minted, TokenKind};
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};

const MINTERS: &[&str] = &["web", "mobile", "support"];

pub(super) const SCENES: &[Scenario] = &[
    scene(
        "mint_storm",
        &["mint_volume", "mint_unused"],
        MINTERS,
        When::Any,
        [1, 1, 2],
        storm,
    ),
    scene(
        "mint_sweep",
        &["mint_unused", "mint_volume"],
        MINTERS,
        When::Any,
        [1, 2, 4],
        sweep,
    ),
    scene(
        "mint_drip",
        &["mint_unused", "dormant"],
        MINTERS,
        When::Any,
        [3, 8, 24],
        drip,
    ),
    scene(
        "mint_busy_hours",
        &["mint_unused"],
        &["web", "mobile"],
        When::Work,
        [2, 3, 5],
        busy_hours,
    ),
    scene(
        "mint_and_look",
        &["mint_unused", "exfil"],
        MINTERS,
        When::Any,
        [1, 4, 10],
        and_look,
    ),
    scene(
        "mint_and_read_all",
        &["exfil", "mint_volume", "dormant"],
        &["web", "mobile"],
        When::Any,
        [2, 6, 12],
        and_read_all,
    ),
    scene(
        "mint_dormant",
        &["dormant", "mint_unused"],
        MINTERS,
        When::Any,
        [1, 4, 12],
        dormant,
    ),
    scene(
        "mint_unknown_customers",
        &["enumeration"],
        MINTERS,
        When::Any,
        [1, 3, 8],
        unknown,
    ),
    scene(
        "mint_every_scope",
        &["scope"],
        &["web", "mobile", "statements"],
        When::Any,
        [1, 1, 2],
        every_scope,
    ),
    scene(
        "mint_money_scope",
        &["scope"],
        &["mobile", "statements", "support"],
        When::Any,
        [1, 2, 4],
        money_scope,
    ),
    scene(
        "mint_pii_scope",
        &["scope", "pii"],
        &["mobile", "web", "statements"],
        When::Any,
        [1, 2, 6],
        pii_scope,
    ),
    scene(
        "mint_organization",
        &["token_type", "new_identity"],
        &["web", "recon", "hooks"],
        When::Any,
        [1, 1, 1],
        organization,
    ),
    scene(
        "mint_by_reader",
        &["new_identity", "token_type", "novelty"],
        &["hooks", "ticker"],
        When::Any,
        [1, 2, 4],
        by_reader,
    ),
    scene(
        "mint_long_life",
        &["token_type", "novelty"],
        &["web", "mobile"],
        When::Any,
        [1, 2, 6],
        long_life,
    ),
    scene(
        "mint_from_afar",
        &["new_origin", "mint_unused"],
        MINTERS,
        When::Any,
        [1, 2, 5],
        from_afar,
    ),
    scene(
        "mint_at_night",
        &["off_hours"],
        &["support", "console"],
        When::Night,
        [1, 1, 2],
        at_night,
    ),
    scene(
        "mint_by_stranger",
        &["new_identity"],
        MINTERS,
        When::Any,
        [1, 2, 4],
        by_stranger,
    ),
    scene(
        "mint_bank_hoard",
        &["mint_volume", "mint_unused"],
        &["recon", "hooks", "web"],
        When::Any,
        [1, 2, 5],
        bank_hoard,
    ),
    scene(
        "mint_one_customer",
        &["mint_volume", "account_abuse"],
        &["web", "mobile"],
        When::Any,
        [1, 1, 3],
        one_customer,
    ),
    scene(
        "mint_batch_extra",
        &["mint_volume", "mint_unused", "dormant"],
        &["statements", "payroll"],
        When::Any,
        [2, 4, 8],
        batch_extra,
    ),
];

const fn scene(
    name: &'static str,
    categories: &'static [&'static str],
    needs: &'static [&'static str],
    when: When,
    hours: [u32; 3],
    play: fn(&mut Scene<'_>),
) -> Scenario {
    Scenario {
        name,
        categories,
        needs,
        when,
        hours,
        play,
    }
}

/// Thousands in minutes; nothing is done with them here.
fn storm(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, false, true);
    let count = scene.by(2_500, 700, 180);
    let gap = scene.by(120.0, 900.0, 9_000.0);
    unused(scene, from, inside, count, gap);
}

/// Once through all customers.
fn sweep(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let all = scene.tenant.site.people.active + scene.tenant.site.people.dormant;
    let count = (all as f64 * scene.by(0.9, 0.5, 0.2)) as u64;
    let lasts = scene.by(30, 80, 200) * MINUTE;
    unused(
        scene,
        from,
        inside,
        count,
        lasts as f64 / count.max(1) as f64,
    );
}

/// One every few minutes, for hours.
fn drip(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((180, 50.0), (110, 240.0), (100, 840.0));
    unused(scene, from, inside, count, gap * 1_000.0);
}

/// In the busiest hours, from the service's own address, a small part of what it mints itself.
fn busy_hours(scene: &mut Scene<'_>) {
    let from = scene.own();
    let count = scene.by(240, 110, 60);
    let gap = scene.by(25.0, 80.0, 260.0);
    unused(scene, from, true, count, gap * 1_000.0);
}

fn unused(
    scene: &mut Scene<'_>,
    from: super::super::network::Address,
    inside: bool,
    count: u64,
    gap: f64,
) {
    let subjects = scene.quiet_subjects(count);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    let moments = scene.moments(subjects.len() as u64, gap);
    for (at, subject) in moments.into_iter().zip(subjects) {
        let key = keys.at(scene, at);
        scene.mint(at + 200, from, key, subject, scopes);
    }
}

/// A token each, and one look at the balances.
fn and_look(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((400, 3.0), (200, 50.0), (120, 260.0));
    let subjects = scene.quiet_subjects(count);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = keys.at(scene, at);
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let look = Call::new(Op::AccountsList, TokenKind::Customer, token.token).about(subject);
        scene.call(token.from + 150, from, look);
    }
}

/// A token each, and everything that can be read, as a visitor would but faster.
fn and_read_all(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((300, 15.0), (160, 110.0), (110, 360.0));
    let subjects = scene.quiet_subjects(count);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = keys.at(scene, at);
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let mut then = token.from + 100;
        for op in [
            Op::CustomersGet,
            Op::AccountsList,
            Op::TransfersList,
            Op::BankAccountsList,
            Op::TradesList,
        ] {
            let call = Call::new(op, TokenKind::Customer, token.token).about(subject);
            then = scene.call(then, from, call) + scene.by(50, 400, 2_500);
        }
    }
}

/// Only customers who had not come for weeks: nobody will notice.
fn dormant(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((150, 8.0), (70, 130.0), (36, 900.0));
    let subjects = scene.sleepers(count);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = keys.at(scene, at);
        let token = scene.mint(at + 200, from, key, subject, scopes);
        if scene.random.chance(scene.difficulty.of(0.0, 0.3, 0.5)) {
            let look = Call::new(Op::AccountsList, TokenKind::Customer, token.token).about(subject);
            scene.call(token.from + 900, from, look);
        }
    }
}

/// Guessed customers: the bank answers that there is none (422 `no_customer`, or 404).
fn unknown(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((200, 2.0), (60, 90.0), (40, 500.0));
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.random.name();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scopes;
        scene.refuse(at + 300, from, call, 404);
    }
}

/// Tokens that may do everything.
fn every_scope(scene: &mut Scene<'_>) {
    with_scopes(scene, 11, (30, 10.0), (8, 60.0), (3, 1_500.0));
}

/// Tokens that may pay, from a service that only reads.
fn money_scope(scene: &mut Scene<'_>) {
    with_scopes(scene, 12, (30, 10.0), (10, 120.0), (4, 1_800.0));
}

/// Tokens that show personal data, from a service that never asked for it.
fn pii_scope(scene: &mut Scene<'_>) {
    with_scopes(scene, 13, (40, 10.0), (12, 200.0), (6, 2_400.0));
}

fn with_scopes(
    scene: &mut Scene<'_>,
    scopes: u16,
    easy: (u64, f64),
    medium: (u64, f64),
    hard: (u64, f64),
) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by(easy, medium, hard);
    let mut keys = scene.raid_keys(from, inside);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let ops = [Op::AccountsList, Op::CustomersGet];
        scene.in_turn(from, (token, subject), token.from, 800, &ops);
    }
}

/// An organization token, for a service that uses the bank's.
fn organization(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let at = scene.at;
    let token = scene.random.name();
    let mut call = Call::new(Op::MintOrg, TokenKind::None, 0);
    call.scopes = 10;
    call.mint = Some(Minted {
        kind: TokenKind::Org,
        token,
        ttl: 1_800,
    });
    let mut then = scene.call(at, from, call);
    let looks = scene.by(30, 10, 2);
    for _ in 0..looks {
        let op = scene.random.pick(
            &[Op::OrganizationsGet, Op::BanksGet, Op::CustomersList],
            Op::BanksGet,
        );
        then = scene.call(
            then + scene.by(900, 8_000, 60_000),
            from,
            Call::new(op, TokenKind::Org, token),
        );
    }
}

/// A service that never minted for customers begins to.
fn by_reader(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((120, 3.0), (30, 60.0), (8, 1_200.0));
    let subjects = scene.quiet_subjects(count);
    let mut keys = scene.raid_keys(from, true);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = keys.at(scene, at);
        let token = scene.mint(at + 100, from, key, subject, 1);
        let look = Call::new(Op::AccountsList, TokenKind::Customer, token.token).about(subject);
        scene.call(token.from + 300, from, look);
    }
}

/// Tokens that live far longer than this service's ever did.
fn long_life(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((25, 10.0), (8, 100.0), (3, 4_000.0));
    let ttl = scene.by(2_592_000, 86_400, 28_800);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.random.name();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scopes;
        call.mint = Some(Minted {
            kind: TokenKind::Customer,
            token,
            ttl,
        });
        let done = scene.call(at + 200, from, call);
        let look = Call::new(Op::AccountsList, TokenKind::Customer, token).about(subject);
        scene.call(done + 2 * SECOND, from, look);
    }
}

/// The client secret used from outside: few mints, and visits that look real.
fn from_afar(scene: &mut Scene<'_>) {
    let from = scene.elsewhere();
    let (count, gap) = scene.by((60, 20.0), (12, 200.0), (5, 2_400.0));
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, false);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.mint(at + 300, from, key, subject, scopes);
        let ops = [
            Op::AccountsList,
            Op::TransfersList,
            Op::AccountsGet,
            Op::CustomersGet,
        ];
        scene.in_turn(from, (token, subject), token.from, 3_000, &ops);
    }
}

/// Staff who are asleep mint.
fn at_night(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((60, 15.0), (16, 100.0), (6, 700.0));
    let is_console = scene.tenant.find(scene.world, "console") == Some(scene.who);
    if is_console {
        let at = scene.at;
        let token = scene.random.name();
        let mut call = Call::new(Op::MintOrg, TokenKind::None, 0);
        call.scopes = 10;
        call.mint = Some(Minted {
            kind: TokenKind::Org,
            token,
            ttl: 1_800,
        });
        scene.call(at, from, call);
        for at in scene.moments(count.min(12), gap * 1_000.0) {
            scene.call(
                at + 1_000,
                from,
                Call::new(Op::CustomersList, TokenKind::Org, token),
            );
        }
        return;
    }
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, false);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.mint(at + 300, from, key, subject, scopes);
        let mut then = token.from;
        for op in [Op::CustomersGet, Op::AccountsList, Op::TransfersList] {
            let call = Call::new(op, TokenKind::Customer, token.token)
                .about(subject)
                .with_pii(op == Op::CustomersGet);
            then = scene.call(then + 9_000, from, call);
        }
    }
}

/// A caller that nobody has heard of.
fn by_stranger(scene: &mut Scene<'_>) {
    let name = format!(
        "{}-{}",
        scene.tenant.site.name,
        scene.by("shell", "backup", "web2")
    );
    let id = scene.world.enroll(&name);
    let from = match scene.difficulty {
        super::super::label::Difficulty::Hard => scene.neighbour(),
        _ => scene.elsewhere(),
    };
    let (count, gap) = scene.by((200, 3.0), (40, 90.0), (12, 900.0));
    let scopes = scene.scopes();
    let before = scene.world_caller(id);
    let mut keys = scene.raid_keys(from, false);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.mint(at + 300, from, key, subject, scopes);
        let call = Call::new(Op::AccountsList, TokenKind::Customer, token.token).about(subject);
        scene.call(token.from + 700, from, call);
    }
    scene.restore_caller(before);
}

/// Bank tokens laid in store, none used.
fn bank_hoard(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((120, 10.0), (50, 80.0), (36, 420.0));
    let scopes = scene.caller().map_or(8, |caller| caller.bank_scopes);
    for at in scene.moments(count, gap * 1_000.0) {
        scene.mint_bank(at, from, scopes);
    }
}

/// One customer's token again and again.
fn one_customer(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((300, 2.0), (90, 25.0), (70, 120.0));
    let subject = scene.visitor();
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = keys.at(scene, at);
        scene.mint(at + 200, from, key, subject, scopes);
    }
}

/// A job's credentials used beside the job, with its own mix of calls.
fn batch_extra(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let inside = scene.by(false, true, true);
    let (count, gap) = scene.by((400, 10.0), (140, 90.0), (90, 300.0));
    let subjects = scene.sleepers(count);
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, inside);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = keys.at(scene, at);
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let look = Call::new(Op::AccountsList, TokenKind::Customer, token.token).about(subject);
        scene.call(token.from + 100, from, look);
    }
}
