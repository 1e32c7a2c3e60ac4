//! Tokens minted wrongly.

use super::super::calendar::{MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::TokenKind;
use super::super::label::Difficulty;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};
use super::super::tokens::Errand;

const MINTERS: &[&str] = &["web", "mobile", "support"];

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "mint_storm",
        categories: &["mint_volume", "mint_unused"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 1, 2],
        play: storm,
    },
    Scenario {
        name: "mint_sweep",
        categories: &["mint_unused", "mint_volume"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 2, 4],
        play: sweep,
    },
    Scenario {
        name: "mint_drip",
        categories: &["mint_unused", "dormant"],
        needs: MINTERS,
        when: When::Any,
        hours: [3, 8, 24],
        play: drip,
    },
    Scenario {
        name: "mint_busy_hours",
        categories: &["mint_unused"],
        needs: &["web", "mobile"],
        when: When::Work,
        hours: [2, 3, 5],
        play: busy_hours,
    },
    Scenario {
        name: "mint_and_look",
        categories: &["mint_unused", "exfil"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 4, 10],
        play: and_look,
    },
    Scenario {
        name: "mint_and_read_all",
        categories: &["exfil", "mint_volume", "dormant"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [2, 6, 12],
        play: and_read_all,
    },
    Scenario {
        name: "mint_dormant",
        categories: &["dormant", "mint_unused"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 4, 12],
        play: dormant,
    },
    Scenario {
        name: "mint_unknown_customers",
        categories: &["enumeration"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 3, 8],
        play: unknown,
    },
    Scenario {
        name: "mint_every_scope",
        categories: &["scope"],
        needs: &["web", "mobile", "statements"],
        when: When::Any,
        hours: [1, 1, 2],
        play: every_scope,
    },
    Scenario {
        name: "mint_money_scope",
        categories: &["scope"],
        needs: &["mobile", "statements", "support"],
        when: When::Any,
        hours: [1, 2, 4],
        play: money_scope,
    },
    Scenario {
        name: "mint_pii_scope",
        categories: &["scope", "pii"],
        needs: &["mobile", "web", "statements"],
        when: When::Any,
        hours: [1, 2, 6],
        play: pii_scope,
    },
    Scenario {
        name: "mint_organization",
        categories: &["token_type", "new_identity"],
        needs: &["web", "recon", "hooks"],
        when: When::Any,
        hours: [1, 1, 1],
        play: organization,
    },
    Scenario {
        name: "mint_by_reader",
        categories: &["new_identity", "token_type", "novelty"],
        needs: &["hooks", "ticker"],
        when: When::Any,
        hours: [1, 2, 4],
        play: by_reader,
    },
    Scenario {
        name: "mint_long_life",
        categories: &["token_type", "novelty"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [1, 2, 6],
        play: long_life,
    },
    Scenario {
        name: "mint_from_afar",
        categories: &["new_origin", "mint_unused"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 2, 5],
        play: from_afar,
    },
    Scenario {
        name: "mint_at_night",
        categories: &["off_hours"],
        needs: &["support", "console"],
        when: When::Night,
        hours: [1, 1, 2],
        play: at_night,
    },
    Scenario {
        name: "mint_by_stranger",
        categories: &["new_identity"],
        needs: MINTERS,
        when: When::Any,
        hours: [1, 2, 4],
        play: by_stranger,
    },
    Scenario {
        name: "mint_bank_hoard",
        categories: &["mint_volume", "mint_unused"],
        needs: &["recon", "hooks", "web"],
        when: When::Any,
        hours: [1, 2, 5],
        play: bank_hoard,
    },
    Scenario {
        name: "mint_one_customer",
        categories: &["mint_volume", "account_abuse"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [1, 1, 3],
        play: one_customer,
    },
    Scenario {
        name: "mint_batch_extra",
        categories: &["mint_volume", "mint_unused", "dormant"],
        needs: &["statements", "payroll"],
        when: When::Any,
        hours: [2, 4, 8],
        play: batch_extra,
    },
];

/// Thousands in minutes; nothing is done with them here.
fn storm(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let count = scene.by(2_500, 700, 180);
    let gap = scene.by(120.0, 900.0, 9_000.0);
    let errand = match scene.difficulty {
        Difficulty::Hard => scene.errand_inside(from),
        Difficulty::Easy | Difficulty::Medium => scene.errand_outside(from),
    };
    unused(scene, errand, count, gap);
}

/// Once through all customers.
fn sweep(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let all = scene.tenant.site.people.active + scene.tenant.site.people.dormant;
    let count = (all as f64 * scene.by(0.9, 0.5, 0.2)) as u64;
    let lasts = scene.by(30, 80, 200) * MINUTE;
    let errand = scene.errand(from);
    unused(scene, errand, count, lasts as f64 / count.max(1) as f64);
}

/// One every few minutes, for hours.
fn drip(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((180, 50.0), (110, 240.0), (100, 840.0));
    let errand = scene.errand(from);
    unused(scene, errand, count, gap * 1_000.0);
}

/// In the busiest hours, from the service's own address, a small part of what it mints itself.
fn busy_hours(scene: &mut Scene<'_>) {
    let from = scene.own();
    let count = scene.by(240, 110, 60);
    let gap = scene.by(25.0, 80.0, 260.0);
    let errand = scene.errand_inside(from);
    unused(scene, errand, count, gap * 1_000.0);
}

/// Mints for `count` customers, `gap` milliseconds apart on average, and no more.
fn unused(scene: &mut Scene<'_>, mut errand: Errand, count: u64, gap: f64) {
    let subjects = scene.quiet_subjects(count);
    let moments = scene.moments(subjects.len() as u64, gap);
    for (at, subject) in moments.into_iter().zip(subjects) {
        errand.mint(scene, at, 200, subject);
    }
}

/// A token each, and one look at the balances.
fn and_look(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((400, 3.0), (200, 50.0), (120, 260.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 200, subject);
        scene.call(token.from + 150, from, token.call(Op::AccountsList));
    }
}

/// A token each, and everything that can be read, as a visitor would but faster.
fn and_read_all(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((300, 15.0), (160, 110.0), (110, 360.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 200, subject);
        let mut then = token.from + 100;
        for op in [
            Op::CustomersGet,
            Op::AccountsList,
            Op::TransfersList,
            Op::BankAccountsList,
            Op::TradesList,
        ] {
            let call = token.call(op);
            then = scene.call(then, from, call) + scene.by(50, 400, 2_500);
        }
    }
}

/// Only customers who had not come for weeks: nobody will notice.
fn dormant(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((150, 8.0), (70, 130.0), (36, 900.0));
    let subjects = scene.sleepers(count);
    let mut errand = scene.errand(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 200, subject);
        if scene.random.chance(scene.difficulty.of(0.0, 0.3, 0.5)) {
            let look = token.call(Op::AccountsList);
            scene.call(token.from + 900, from, look);
        }
    }
}

/// Guessed customers: the bank answers that there is none (422 `no_customer`, or 404).
fn unknown(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((200, 2.0), (60, 90.0), (40, 500.0));
    let mut errand = scene.errand(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let subject = scene.random.name();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scene.scopes();
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
    let (count, gap) = scene.by(easy, medium, hard);
    let mut errand = scene.errand(from).asking_for(scopes);
    for at in scene.moments(count, gap * 1_000.0) {
        let token = errand.mint_for_visitor(scene, at, 200);
        let ops = [Op::AccountsList, Op::CustomersGet];
        scene.in_turn(from, token, token.from, 800, &ops);
    }
}

/// An organization token, for a service that uses the bank's.
fn organization(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let token = scene.mint_organization(scene.at, from);
    let mut then = token.from;
    let looks = scene.by(30, 10, 2);
    for _ in 0..looks {
        let op = scene.random.pick(
            &[Op::OrganizationsGet, Op::BanksGet, Op::CustomersList],
            Op::BanksGet,
        );
        let pause = scene.by(900, 8_000, 60_000);
        then = scene.call(then + pause, from, token.call(op));
    }
}

/// A service that never minted for customers begins to.
fn by_reader(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((120, 3.0), (30, 60.0), (8, 1_200.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand_inside(from).asking_for(1);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 100, subject);
        scene.call(token.from + 300, from, token.call(Op::AccountsList));
    }
}

/// Tokens that live far longer than this service's ever did.
fn long_life(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((25, 10.0), (8, 100.0), (3, 4_000.0));
    let ttl = scene.by(2_592_000, 86_400, 28_800);
    let mut errand = scene.errand(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let subject = scene.visitor();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scene.scopes();
        let token = scene.mint_by(at + 200, from, call, (TokenKind::Customer, ttl));
        scene.call(token.from + 2 * SECOND, from, token.call(Op::AccountsList));
    }
}

/// The client secret used from outside: few mints, and visits that look real.
fn from_afar(scene: &mut Scene<'_>) {
    let from = scene.elsewhere();
    let (count, gap) = scene.by((60, 20.0), (12, 200.0), (5, 2_400.0));
    let mut errand = scene.errand_outside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let token = errand.mint_for_visitor(scene, at, 300);
        let ops = [
            Op::AccountsList,
            Op::TransfersList,
            Op::AccountsGet,
            Op::CustomersGet,
        ];
        scene.in_turn(from, token, token.from, 3_000, &ops);
    }
}

/// Staff who are asleep mint.
fn at_night(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((60, 15.0), (16, 100.0), (6, 700.0));
    if scene.is_about("console") {
        let token = scene.mint_organization(scene.at, from);
        for at in scene.moments(count.min(12), gap * 1_000.0) {
            scene.call(at + 1_000, from, token.call(Op::CustomersList));
        }
        return;
    }
    let mut errand = scene.errand_outside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let token = errand.mint_for_visitor(scene, at, 300);
        let mut then = token.from;
        for op in [Op::CustomersGet, Op::AccountsList, Op::TransfersList] {
            let call = token.call(op).with_pii(op == Op::CustomersGet);
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
        Difficulty::Hard => scene.neighbour(),
        _ => scene.elsewhere(),
    };
    let (count, gap) = scene.by((200, 3.0), (40, 90.0), (12, 900.0));
    let before = scene.world_caller(id);
    let mut errand = scene.errand_outside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let token = errand.mint_for_visitor(scene, at, 300);
        scene.call(token.from + 700, from, token.call(Op::AccountsList));
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
    let (count, gap) = scene.by((300, 2.0), (90, 25.0), (70, 120.0));
    let subject = scene.visitor();
    let mut errand = scene.errand(from);
    for at in scene.moments(count, gap * 1_000.0) {
        errand.mint(scene, at, 200, subject);
    }
}

/// A job's credentials used beside the job, with its own mix of calls.
fn batch_extra(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((400, 10.0), (140, 90.0), (90, 300.0));
    let subjects = scene.sleepers(count);
    let mut errand = scene.errand(from);
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let token = errand.mint(scene, at, 200, subject);
        scene.call(token.from + 100, from, token.call(Op::AccountsList));
    }
}
