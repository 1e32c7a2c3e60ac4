//! Money leaves.

use super::super::calendar::SECOND;
use super::super::caller::Call;
use super::super::event::TokenKind;
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};

pub(super) const SCENES: &[Scenario] = &[
    Scenario {
        name: "wallet_cashout",
        categories: &["money"],
        needs: &["web"],
        when: When::Any,
        hours: [1, 2, 6],
        play: wallet,
    },
    Scenario {
        name: "bank_account_swap",
        categories: &["money", "novelty"],
        needs: &["web", "signup"],
        when: When::Any,
        hours: [1, 2, 6],
        play: swap,
    },
    Scenario {
        name: "wyre_drain",
        categories: &["money", "account_abuse"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 2, 5],
        play: drain,
    },
    Scenario {
        name: "masquerade_new_accounts",
        categories: &["account_abuse", "novelty"],
        needs: &["ramp"],
        when: When::Any,
        hours: [1, 2, 6],
        play: masquerade,
    },
    Scenario {
        name: "bulk_execution",
        categories: &["money", "novelty"],
        needs: &["recon", "hooks", "payroll"],
        when: When::Any,
        hours: [1, 1, 2],
        play: execution,
    },
    Scenario {
        name: "payment_cancelled",
        categories: &["novelty", "money"],
        needs: &["web", "recon"],
        when: When::Any,
        hours: [1, 1, 3],
        play: cancelled,
    },
];

/// Customers' tokens, a wallet that is new, and at once everything goes there.
fn wallet(scene: &mut Scene<'_>) {
    let sizes = scene.by((60, 20.0), (15, 300.0), (7, 2_400.0));
    let pause = scene.by(500, 2_000, 8_000);
    let ops = [
        Op::AccountsList,
        Op::WalletsCreate,
        Op::QuotesCreate,
        Op::TransfersCreate,
    ];
    pay_out(scene, sizes, pause, &ops);
}

/// The customer's bank account is replaced, then paid out to.
fn swap(scene: &mut Scene<'_>) {
    let sizes = scene.by((50, 20.0), (12, 300.0), (6, 2_400.0));
    let pause = scene.by(500, 2_500, 9_000);
    let ops = [
        Op::BankAccountsList,
        Op::BankAccountsDelete,
        Op::BankAccountsCreate,
        Op::QuotesCreate,
        Op::TransfersCreate,
    ];
    pay_out(scene, sizes, pause, &ops);
}

/// A token of one customer after the other, each used for what makes a way out and takes it.
fn pay_out(scene: &mut Scene<'_>, (count, gap): (u64, f64), pause: i64, ops: &[Op]) {
    let from = scene.origin();
    let mut errand = scene.errand(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let token = errand.mint_for_visitor(scene, at, 100);
        scene.in_turn(from, token, token.from + 500 - pause, pause, ops);
    }
}

/// A signed key pays out of account after account to wallets made for it.
fn drain(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((60, 15.0), (20, 240.0), (9, 1_800.0));
    let key = scene.signed_key();
    for at in scene.moments(count, gap * 1_000.0) {
        let subject = scene
            .tenant
            .site
            .people
            .signed_account(scene.random.below(30));
        let mut then = at;
        for op in [
            Op::WyreWalletsCreate,
            Op::WyreTransfersCreate,
            Op::WyreTransfersConfirm,
        ] {
            let call = Call::new(op, TokenKind::ApiKey, key).about(subject);
            then = scene.call(then, from, call) + scene.by(300, 2_000, 9_000);
        }
    }
}

/// `masqueradeAs` accounts that this key never acted for.
fn masquerade(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((80, 5.0), (25, 120.0), (14, 1_200.0));
    let key = scene.signed_key();
    for at in scene.moments(count, gap * 1_000.0) {
        let subject = scene.random.name();
        let call = Call::new(Op::WyreAccountGet, TokenKind::ApiKey, key).about(subject);
        let then = scene.call(at, from, call);
        let op = scene.random.pick(
            &[Op::WyreTransfersList, Op::WyreTransfersCreate],
            Op::WyreTransfersList,
        );
        scene.call(
            then + 2 * SECOND,
            from,
            Call::new(op, TokenKind::ApiKey, key).about(subject),
        );
    }
}

/// Plans and executions, which this service never makes.
fn execution(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((40, 10.0), (8, 90.0), (2, 1_200.0));
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        let then = scene.call(
            at + 100,
            from,
            Call::new(Op::PlansCreate, TokenKind::Bank, key),
        );
        scene.call(
            then + SECOND,
            from,
            Call::new(Op::ExecutionsCreate, TokenKind::Bank, key),
        );
    }
}

/// Payments under way are called back.
fn cancelled(scene: &mut Scene<'_>) {
    let from = scene.origin();
    let (count, gap) = scene.by((50, 6.0), (12, 60.0), (4, 1_800.0));
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(count, gap * 1_000.0) {
        let key = errand.key(scene, at);
        scene.call(
            at + 100,
            from,
            Call::new(Op::TransfersCancel, TokenKind::Bank, key),
        );
    }
}
