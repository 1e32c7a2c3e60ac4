//! Staff and partners who do something seldom.

use super::super::calendar::{HOUR, SECOND};
use super::super::caller::Call;
use super::super::event::{Fault, Minted, Target, TokenKind};
use super::super::operation::Op;
use super::super::random::mix;
use super::super::scene::{Scenario, Scene, When};
use super::super::site::What;

pub(super) const SCENES: &[Scenario] = &[
    people("overtime", &["support", "console"], 3, overtime),
    people("support_rush", &["support"], 8, support_rush),
    people("big_customer", &["web", "mobile"], 6, big_customer),
    people("accountant_hired", &["obp-admin"], 2, accountant),
    people("access_review", &["obp-admin"], 3, review),
    people("consents_renewed", &["aisp"], 8, consents),
    people("forgotten_passwords", &["aisp"], 6, passwords),
    people("new_child_accounts", &["ramp"], 24, child_accounts),
    people("wallet_then_payment", &["web"], 8, wallet),
    people("typed_wrong", &["support", "web"], 4, typos),
    people("audit_visit", &["support"], 6, audit),
];

const fn people(
    name: &'static str,
    needs: &'static [&'static str],
    hours: u32,
    play: fn(&mut Scene<'_>),
) -> Scenario {
    Scenario {
        name,
        categories: &[],
        needs,
        when: When::Work,
        hours: [hours; 3],
        play,
    }
}

/// Two of the staff stay until nine, with visits as by day.
fn overtime(scene: &mut Scene<'_>) {
    let at = scene.tenant.site.zone.at_local(scene.at, 18, 40);
    scene.at = at.max(scene.at);
    let from = scene.own();
    let scopes = scene.scopes();
    let is_console = scene.tenant.find(scene.world, "console") == Some(scene.who);
    if is_console {
        return scene.frame(at + HOUR, false);
    }
    let mut keys = scene.raid_keys(from, true);
    let count = scene.random.between(3, 7) as u64;
    for then in scene.moments(count, 15.0 * 60_000.0) {
        let key = keys.at(scene, then);
        let subject = scene.visitor();
        let token = scene.mint(then + 200, from, key, subject, scopes);
        let mut next = token.from;
        for op in [Op::CustomersGet, Op::AccountsList] {
            let call = Call::new(op, TokenKind::Customer, token.token).about(subject);
            next = scene.call(next + 20_000, from, call);
        }
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
    let (at, scopes) = (scene.at, scene.scopes());
    let customer = scene.random.below(20);
    let subject = scene.tenant.site.people.subject(customer);
    let mut keys = scene.raid_keys(from, true);
    let key = keys.at(scene, at);
    let mut token = scene.mint(at, from, key, subject, scopes);
    for then in scene.moments(150, 75_000.0) {
        if then + 30 * SECOND > token.to {
            let key = keys.at(scene, then);
            token = scene.mint(then, from, key, subject, scopes);
        }
        let op = scene.random.pick(
            &[
                Op::QuotesCreate,
                Op::PricesList,
                Op::TradesList,
                Op::AccountsList,
            ],
            Op::QuotesCreate,
        );
        let call = Call::new(op, TokenKind::Customer, token.token).about(subject);
        scene.call(then.max(token.from) + 50, from, call);
    }
}

fn sign_in(scene: &mut Scene<'_>) -> u64 {
    let at = scene.at;
    let held = scene.caller().and_then(|caller| {
        caller
            .keys
            .iter()
            .flatten()
            .find(|token| token.from <= at && at < token.to)
            .copied()
    });
    if let Some(held) = held {
        return held.token;
    }
    let from = scene.own();
    let token = scene.random.name();
    let mut call = Call::new(Op::ObpLogin, TokenKind::None, 0);
    call.mint = Some(Minted {
        kind: TokenKind::DirectLogin,
        token,
        ttl: 28 * 86_400,
    });
    scene.call(at - 5 * SECOND, from, call);
    token
}

/// Somebody new gets the auditor's view on two accounts.
fn accountant(scene: &mut Scene<'_>) {
    let key = sign_in(scene);
    let from = scene.own();
    let user = scene.random.name();
    let base = scene.tenant.site.people.subject(3_000_000);
    for at in scene.moments(2, 240_000.0) {
        let account = mix(base, &[scene.random.below(400)]).max(1);
        let mut call = Call::new(Op::ObpGrant, TokenKind::DirectLogin, key).about(account);
        call.target = Target::User(user);
        call.view = "auditor";
        scene.call(at, from, call);
    }
}

/// A yearly review: views are taken from people who left, one by one, by hand.
fn review(scene: &mut Scene<'_>) {
    let key = sign_in(scene);
    let from = scene.own();
    let base = scene.tenant.site.people.subject(3_000_000);
    let staff = scene.tenant.site.people.subject(3_100_000);
    for at in scene.moments(14, 240_000.0) {
        let account = mix(base, &[scene.random.below(400)]).max(1);
        let look = Call::new(Op::ObpViews, TokenKind::DirectLogin, key).about(account);
        let then = scene.call(at, from, look);
        let mut call = Call::new(Op::ObpRevoke, TokenKind::DirectLogin, key).about(account);
        call.target = Target::User(mix(staff, &[scene.random.below(20)]).max(1));
        call.view = "auditor";
        scene.call(then + 12_000, from, call);
    }
}

/// Consents end after 90 days; many were made in the same week.
fn consents(scene: &mut Scene<'_>) {
    let from = scene.own();
    let base = scene.tenant.site.people.subject(3_000_000);
    for at in scene.moments(25, 18.0 * 60_000.0) {
        let subject = mix(base, &[scene.random.below(200)]).max(1);
        let token = scene.random.name();
        let mut login = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
        login.mint = Some(Minted {
            kind: TokenKind::DirectLogin,
            token,
            ttl: 28 * 86_400,
        });
        let mut then = scene.call(at, from, login);
        for op in [
            Op::ObpConsentsList,
            Op::ObpConsentRevoke,
            Op::ObpConsentCreate,
            Op::ObpAccounts,
            Op::ObpTransactions,
        ] {
            let call = Call::new(op, TokenKind::DirectLogin, token).about(subject);
            then = scene.call(then + 8_000, from, call);
        }
    }
}

/// After a holiday people have forgotten their passwords: one or two tries, then in.
fn passwords(scene: &mut Scene<'_>) {
    let from = scene.own();
    let base = scene.tenant.site.people.subject(3_000_000);
    for at in scene.moments(12, 25.0 * 60_000.0) {
        let subject = mix(base, &[scene.random.below(200)]).max(1);
        let call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
        scene.fail(at, from, call, Fault::InvalidCredentials);
        let token = scene.random.name();
        let mut right = call;
        right.mint = Some(Minted {
            kind: TokenKind::DirectLogin,
            token,
            ttl: 28 * 86_400,
        });
        let mut then = scene.call(at + 20 * SECOND, from, right);
        for op in [Op::ObpAccounts, Op::ObpBalances, Op::ObpTransactions] {
            let call = Call::new(op, TokenKind::DirectLogin, token).about(subject);
            then = scene.call(then + 6_000, from, call);
        }
    }
}

/// A few accounts more for the signed API, over a day.
fn child_accounts(scene: &mut Scene<'_>) {
    let from = scene.own();
    let id = scene.caller().map_or(0, |caller| caller.id);
    let key = mix(scene.tenant.site.people.subject(3_400_000), &[id.into()]).max(1);
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
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, true);
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
            let key = keys.at(scene, then);
            let token = scene.mint(then + 100, from, key, subject, scopes);
            let mut next = token.from;
            for op in ops {
                let call = Call::new(*op, TokenKind::Customer, token.token).about(subject);
                next = scene.call(next + 9_000, from, call);
            }
        }
    }
}

/// Numbers read out over the phone: a few customers who do not exist.
fn typos(scene: &mut Scene<'_>) {
    let from = scene.own();
    let mut keys = scene.raid_keys(from, true);
    for at in scene.moments(3, 50.0 * 60_000.0) {
        let key = keys.at(scene, at);
        let call = Call::new(Op::CustomersGet, TokenKind::Bank, key).about(scene.random.name());
        scene.refuse(at + 50, from, call, 404);
    }
}

/// An auditor sits at the desk and looks at twenty cases, with personal data, slowly.
fn audit(scene: &mut Scene<'_>) {
    let from = scene.own();
    let scopes = scene.scopes();
    let mut keys = scene.raid_keys(from, true);
    for at in scene.moments(20, 14.0 * 60_000.0) {
        let key = keys.at(scene, at);
        let subject = scene.visitor();
        let token = scene.mint(at + 200, from, key, subject, scopes);
        let mut then = token.from;
        for op in [
            Op::CustomersGet,
            Op::IdentityList,
            Op::TransfersList,
            Op::AccountsList,
        ] {
            let call = Call::new(op, TokenKind::Customer, token.token)
                .about(subject)
                .with_pii(op == Op::CustomersGet);
            then = scene.call(then + 40_000, from, call);
        }
    }
}
