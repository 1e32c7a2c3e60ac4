//! Doors that are tried.

use super::super::calendar::{MINUTE, SECOND};
use super::super::caller::Call;
use super::super::event::{Fault, TokenKind};
use super::super::network::Address;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "secret_guessing",
        categories: &["auth_fail"],
        needs: &["web", "recon", "support"],
        when: When::Any,
        hours: [1, 1, 6],
        play: secret_guessing,
    },
    Scenario {
        name: "secret_guessed",
        categories: &["auth_fail", "new_origin"],
        needs: &["web", "recon", "hooks"],
        when: When::Any,
        hours: [1, 1, 3],
        play: secret_guessed,
    },
    Scenario {
        name: "mint_limit_hit",
        categories: &["mint_denied"],
        needs: &["web", "mobile"],
        when: When::Any,
        hours: [1, 1, 2],
        play: limit_hit,
    },
    Scenario {
        name: "forged_tokens",
        categories: &["auth_fail"],
        needs: &["web", "mobile", "hooks"],
        when: When::Any,
        hours: [1, 1, 6],
        play: forged,
    },
    Scenario {
        name: "login_spraying",
        categories: &["auth_fail"],
        needs: &["aisp"],
        when: When::Any,
        hours: [1, 1, 8],
        play: spraying,
    },
    Scenario {
        name: "login_stuffing",
        categories: &["auth_fail", "new_origin"],
        needs: &["aisp"],
        when: When::Any,
        hours: [1, 1, 5],
        play: stuffing,
    },
    Scenario {
        name: "login_one_user",
        categories: &["auth_fail"],
        needs: &["aisp", "obp-admin"],
        when: When::Any,
        hours: [1, 1, 3],
        play: one_user,
    },
    Scenario {
        name: "session_key_mint",
        categories: &["new_identity", "token_type", "new_origin"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 1, 2],
        play: session_key,
    },
];

/// Client secrets tried at the mint endpoint; the limit of 20 in 5 minutes shows when loud.
fn secret_guessing(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((150, 2.0), (45, 16.0), (40, 480.0));
    let mut in_window = 0;
    let mut window = 0;
    for at in scene.moments(count, gap * 1_000.0) {
        if at - window > 5 * MINUTE {
            window = at;
            in_window = 0;
        }
        in_window += 1;
        let fault = if in_window > 20 {
            Fault::TokenRateLimit
        } else {
            Fault::InvalidClient
        };
        scene.fail(at, from, Call::new(Op::MintBank, TokenKind::None, 0), fault);
    }
}

/// After some tries it works.
fn secret_guessed(scene: &mut Scene<'_>) {
    let from = scene.elsewhere();
    let (count, gap) = scene.by((40, 3.0), (14, 20.0), (7, 700.0));
    let mut last = scene.at;
    for at in scene.moments(count, gap * 1_000.0) {
        scene.fail(
            at,
            from,
            Call::new(Op::MintBank, TokenKind::None, 0),
            Fault::InvalidClient,
        );
        last = at;
    }
    let key = scene.mint_bank(last + 9 * SECOND, from, 9);
    let mut at = last + 12 * SECOND;
    for op in [
        Op::BanksGet,
        Op::CustomersList,
        Op::CustomersList,
        Op::AccountsList,
    ] {
        at = scene.call(at, from, Call::new(op, TokenKind::Bank, key)) + 2 * SECOND;
    }
}

/// Somebody uses up the mints of the house's address: 403 for minutes.
fn limit_hit(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((900, 1.0), (400, 4.0), (200, 25.0));
    let subjects = scene.quiet_subjects(count);
    let mut errand = scene.errand(from);
    let mut granted = 0_u64;
    let mut window = i64::MIN;
    for (at, subject) in scene.moments_of(subjects, count, gap) {
        let key = errand.key(scene, at);
        if at - window.max(0) > 5 * MINUTE {
            window = at;
            granted = 0;
        }
        granted += 1;
        // The service's own mints use the allowance too.
        if granted > scene.by(60, 10, 2) {
            let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
            call.scopes = scene.scopes();
            scene.fail(at, from, call, Fault::TokenRateLimit);
        } else {
            errand.mint(scene, at, 0, subject);
        }
    }
}

/// Tokens that were never valid.
fn forged(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((300, 1.0), (60, 20.0), (36, 540.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let token = scene.random.name();
        let op = scene.random.pick(
            &[Op::AccountsList, Op::CustomersGet, Op::TransfersList],
            Op::AccountsList,
        );
        scene.fail(
            at,
            from,
            Call::new(op, TokenKind::Customer, token),
            Fault::InvalidToken,
        );
    }
}

fn wrong_password(scene: &mut Scene<'_>, at: i64, from: Address, subject: u64) {
    let call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
    scene.fail(at, from, call, Fault::InvalidCredentials);
}

/// One password for many users.
fn spraying(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((200, 2.0), (60, 25.0), (40, 660.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let subject = scene.random.name();
        wrong_password(scene, at, from, subject);
    }
}

/// Stolen pairs of user and password, from many addresses; some fit.
fn stuffing(scene: &mut Scene<'_>) {
    let addresses: Vec<Address> = (0..scene.by(40, 12, 6))
        .map(|_| scene.elsewhere())
        .collect();
    let (count, gap) = scene.by((300, 2.0), (80, 25.0), (45, 360.0));
    for at in scene.moments(count, gap * 1_000.0) {
        let Some(from) = scene.random.pick_some(&addresses) else {
            return;
        };
        let subject = scene.random.name();
        if scene.random.chance(0.03) {
            let token = scene.sign_in(at, from, subject);
            scene.call(at + 2 * SECOND, from, token.call(Op::ObpAccounts));
        } else {
            wrong_password(scene, at, from, subject);
        }
    }
}

/// Many passwords for one user, until the bank locks it.
fn one_user(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((60, 2.0), (20, 20.0), (14, 600.0));
    let subject = scene.random.name();
    for at in scene.moments(count, gap * 1_000.0) {
        wrong_password(scene, at, from, subject);
    }
}

/// A key for a signed API, minted where keys are never minted.
fn session_key(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let count = scene.by(8, 2, 1);
    for at in scene.moments(count, 60_000.0) {
        let session = Call::new(Op::WyreSession, TokenKind::None, 0);
        let token = scene.mint_by(at, from, session, (TokenKind::ApiKey, 0));
        for n in 0..scene.by(20, 6, 2) {
            let then = token.from + 5 * SECOND + n * scene.by(900, 9_000, 90_000);
            scene.call(then, from, token.call(Op::WyreTransfersList));
        }
    }
}
