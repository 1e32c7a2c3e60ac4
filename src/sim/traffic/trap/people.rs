//! Staff and partners who do something seldom.

use super::super::calendar::{HOUR, SECOND};
use super::super::caller::Call;
use super::super::event::{Fault, Target, TokenKind};
use super::super::operation::Op;
use super::super::scene::{Scenario, Scene, When};
use super::super::site::What;

pub(super) const SCENES: &[Scenario] = &[
    Scenario::trap("overtime", &["support", "console"], When::Work, 3, overtime),
    Scenario::trap("support_rush", &["support"], When::Work, 8, support_rush),
    Scenario::trap(
        "big_customer",
        &["web", "mobile"],
        When::Work,
        6,
        big_customer,
    ),
    Scenario::trap(
        "accountant_hired",
        &["obp-admin"],
        When::Work,
        2,
        accountant,
    ),
    Scenario::trap("access_review", &["obp-admin"], When::Work, 3, review),
    Scenario::trap("consents_renewed", &["aisp"], When::Work, 8, consents),
    Scenario::trap("forgotten_passwords", &["aisp"], When::Work, 6, passwords),
    Scenario::trap(
        "new_child_accounts",
        &["ramp"],
        When::Work,
        24,
        child_accounts,
    ),
    Scenario::trap("wallet_then_payment", &["web"], When::Work, 8, wallet),
    Scenario::trap("typed_wrong", &["support", "web"], When::Work, 4, typos),
    Scenario::trap("audit_visit", &["support"], When::Work, 6, audit),
];

/// Two of the staff stay until nine, with visits as by day.
fn overtime(scene: &mut Scene<'_>) {
    let at = scene.tenant.site.zone.at_local(scene.at, 18, 40);
    scene.at = at.max(scene.at);
    let from = scene.own();
    if scene.is_about("console") {
        return scene.frame(at + HOUR, false);
    }
    let mut errand = scene.errand_inside(from);
    let count = scene.random.between(3, 7) as u64;
    for then in scene.moments(count, 15.0 * 60_000.0) {
        let token = errand.mint_for_visitor(scene, then, 200);
        scene.in_turn(
            from,
            token,
            token.from,
            20_000,
            &[Op::CustomersGet, Op::AccountsList],
        );
    }
}

/// Something went wrong for customers: the desk has twice its day.
fn support_rush(scene: &mut Scene<'_>) {
    let from = scene.at / HOUR * HOUR;
    scene.change(from, from + 6 * HOUR, What::Rate(2.2));
    scene.frame(from + 8 * HOUR, false);
}

/// One customer trades all afternoon.
fn big_customer(scene: &mut Scene<'_>) {
    let from = scene.own();
    let at = scene.at;
    let customer = scene.random.below(20);
    let subject = scene.tenant.site.people.subject(customer);
    let mut errand = scene.errand_inside(from);
    let mut token = errand.mint(scene, at, 0, subject);
    for then in scene.moments(150, 75_000.0) {
        token = errand.renewed(scene, then, 30 * SECOND, token);
        let op = scene.random.pick(
            &[
                Op::QuotesCreate,
                Op::PricesList,
                Op::TradesList,
                Op::AccountsList,
            ],
            Op::QuotesCreate,
        );
        let call = token.call(op);
        scene.call(then.max(token.from) + 50, from, call);
    }
}

/// What the caller has signed in with.
fn signed_in(scene: &mut Scene<'_>) -> u64 {
    let at = scene.at;
    if let Some(held) = scene.held(at) {
        return held.token;
    }
    let from = scene.own();
    scene.sign_in(at - 5 * SECOND, from, 0).token
}

/// Somebody new gets the auditor's view on two accounts.
fn accountant(scene: &mut Scene<'_>) {
    let key = signed_in(scene);
    let from = scene.own();
    let user = scene.random.name();
    for at in scene.moments(2, 240_000.0) {
        let account = scene.tenant.site.people.obp_user(scene.random.below(400));
        let mut call = Call::new(Op::ObpGrant, TokenKind::DirectLogin, key).about(account);
        call.target = Target::User(user);
        call.view = "auditor";
        scene.call(at, from, call);
    }
}

/// A yearly review: views are taken from people who left, one by one, by hand.
fn review(scene: &mut Scene<'_>) {
    let key = signed_in(scene);
    let from = scene.own();
    for at in scene.moments(14, 240_000.0) {
        let account = scene.tenant.site.people.obp_user(scene.random.below(400));
        let look = Call::new(Op::ObpViews, TokenKind::DirectLogin, key).about(account);
        let then = scene.call(at, from, look);
        let mut call = Call::new(Op::ObpRevoke, TokenKind::DirectLogin, key).about(account);
        call.target = Target::User(scene.tenant.site.people.obp_staff(scene.random.below(20)));
        call.view = "auditor";
        scene.call(then + 12_000, from, call);
    }
}

/// Consents end after 90 days; many were made in the same week.
fn consents(scene: &mut Scene<'_>) {
    let from = scene.own();
    for at in scene.moments(25, 18.0 * 60_000.0) {
        let subject = scene.tenant.site.people.obp_user(scene.random.below(200));
        let token = scene.sign_in(at, from, subject);
        let ops = [
            Op::ObpConsentsList,
            Op::ObpConsentRevoke,
            Op::ObpConsentCreate,
            Op::ObpAccounts,
            Op::ObpTransactions,
        ];
        scene.in_turn(from, token, token.from, 8_000, &ops);
    }
}

/// After a holiday people have forgotten their passwords: one or two tries, then in.
fn passwords(scene: &mut Scene<'_>) {
    let from = scene.own();
    for at in scene.moments(12, 25.0 * 60_000.0) {
        let subject = scene.tenant.site.people.obp_user(scene.random.below(200));
        let call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
        scene.fail(at, from, call, Fault::InvalidCredentials);
        let token = scene.sign_in(at + 20 * SECOND, from, subject);
        let ops = [Op::ObpAccounts, Op::ObpBalances, Op::ObpTransactions];
        scene.in_turn(from, token, token.from, 6_000, &ops);
    }
}

/// A few accounts more for the signed API, over a day.
fn child_accounts(scene: &mut Scene<'_>) {
    let from = scene.own();
    let key = scene.signed_key();
    for at in scene.moments(5, 4.0 * 3_600_000.0) {
        let subject = scene.random.name();
        let make = Call::new(Op::WyreAccountCreate, TokenKind::ApiKey, key).about(subject);
        let then = scene.call(at, from, make);
        let look = Call::new(Op::WyreAccountGet, TokenKind::ApiKey, key).about(subject);
        scene.call(then + 30 * SECOND, from, look);
    }
}

/// Customers add a wallet and use it an hour later.
fn wallet(scene: &mut Scene<'_>) {
    let from = scene.own();
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(6, 40.0 * 60_000.0) {
        let subject = scene.visitor();
        for (then, ops) in [
            (
                at,
                &[Op::AccountsList, Op::WalletsCreate, Op::WalletsGet] as &[Op],
            ),
            (
                at + HOUR,
                &[
                    Op::AccountsList,
                    Op::QuotesCreate,
                    Op::TransfersCreate,
                    Op::TransfersGet,
                ],
            ),
        ] {
            let token = errand.mint(scene, then, 100, subject);
            scene.in_turn(from, token, token.from, 9_000, ops);
        }
    }
}

/// Numbers read out over the phone: a few customers who do not exist.
fn typos(scene: &mut Scene<'_>) {
    let from = scene.own();
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(3, 50.0 * 60_000.0) {
        let key = errand.key(scene, at);
        let call = Call::new(Op::CustomersGet, TokenKind::Bank, key).about(scene.random.name());
        scene.refuse(at + 50, from, call, 404);
    }
}

/// An auditor sits at the desk and looks at twenty cases, with personal data, slowly.
fn audit(scene: &mut Scene<'_>) {
    let from = scene.own();
    let mut errand = scene.errand_inside(from);
    for at in scene.moments(20, 14.0 * 60_000.0) {
        let token = errand.mint_for_visitor(scene, at, 200);
        let mut then = token.from;
        for op in [
            Op::CustomersGet,
            Op::IdentityList,
            Op::TransfersList,
            Op::AccountsList,
        ] {
            let call = token.call(op).with_pii(op == Op::CustomersGet);
            then = scene.call(then + 40_000, from, call);
        }
    }
}
