//! Callers with few and careful users: organization staff, the Open Bank Project, signed APIs.

use super::super::calendar::{DAY, MINUTE, SECOND};
use super::super::caller::{Call, Caller, DIRECT_LOGIN_TTL, Token};
use super::super::event::{Fault, Minted, Target, TokenKind};
use super::super::operation::Op;
use super::super::site::Site;
use super::super::world::World;
use super::{Season, arrivals, moments};

/// Looks after the organization, with an organization token.
pub(super) fn admin(caller: &mut Caller, world: &mut World, site: &Site, hour: i64, per_day: f64) {
    let count = arrivals(caller, site, hour, per_day, Season::Office);
    for at in moments(caller, hour, count) {
        let Some((key, mut at)) = caller.key(world, site, at, 0, TokenKind::Org) else {
            continue;
        };
        let from = caller.address(site, at, 0);
        for _ in 0..1 + caller.random.below(5) {
            let looks: [(Op, u32); 4] = [
                (Op::OrganizationsGet, 30),
                (Op::BanksGet, 30),
                (Op::EventsList, 25),
                (Op::CustomersList, 15),
            ];
            let op = caller.random.weighted(&looks, Op::BanksGet);
            let answer = caller.insist(world, site, at, from, Call::new(op, TokenKind::Org, key));
            at = answer.done_at + caller.random.lognormal(15_000.0, 0.8) as i64;
        }
    }
}

/// Reads accounts for people who signed in with their bank user.
pub(super) fn obp_viewer(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    habit: (f64, Season, u64),
) {
    let (per_day, season, users) = habit;
    let count = arrivals(caller, site, hour, per_day, season);
    for at in moments(caller, hour, count) {
        let user = caller.random.skewed(users, 1.6);
        let subject = site.people.obp_user(user);
        let replica = caller.random.below(caller.replicas);
        let from = caller.address(site, at, replica);
        // A user signs in again after some hours; a wrong password now and then.
        let held = caller
            .sessions
            .get(&subject)
            .copied()
            .filter(|token| token.serves(at));
        let (token, mut at) = match held {
            Some(held) if !site.was_deployed(caller.place, held.from, at) => (held.token, at),
            _ => {
                let mut at = at;
                if caller.random.chance(0.02) {
                    let call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
                    let mut event = caller.plain(at, from, call);
                    event.fail(Fault::InvalidCredentials);
                    world.push(event);
                    at += 6 * SECOND;
                }
                let token = caller.random.name();
                let mut call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
                call.mint = Some(Minted {
                    kind: TokenKind::DirectLogin,
                    token,
                    ttl: DIRECT_LOGIN_TTL,
                });
                let answer = caller.insist(world, site, at, from, call);
                if !answer.is_ok() {
                    continue;
                }
                let lives = caller.random.between(4, 20) * 60 * MINUTE;
                caller.sessions.insert(
                    subject,
                    Token {
                        kind: TokenKind::DirectLogin,
                        token,
                        subject,
                        from: answer.done_at,
                        to: answer.done_at + lives,
                    },
                );
                (token, answer.done_at)
            }
        };
        for _ in 0..2 + caller.random.exponential(4.0) as u64 {
            let looks: [(Op, u32); 7] = [
                (Op::ObpAccounts, 26),
                (Op::ObpAccount, 18),
                (Op::ObpTransactions, 28),
                (Op::ObpBalances, 12),
                (Op::ObpMe, 6),
                (Op::ObpConsentsList, 3),
                (Op::ObpPayment, 4),
            ];
            let op = caller.random.weighted(&looks, Op::ObpAccounts);
            let call = Call::new(op, TokenKind::DirectLogin, token).about(subject);
            let answer = caller.insist(world, site, at, from, call);
            at = answer.done_at + caller.random.lognormal(6_000.0, 0.7) as i64;
        }
        if caller.random.chance(0.006) {
            let call =
                Call::new(Op::ObpConsentCreate, TokenKind::DirectLogin, token).about(subject);
            caller.call(world, site, at, from, call);
        }
    }
}

/// Grants and takes back views: an accountant gets `auditor`, one who leaves loses it.
pub(super) fn obp_admin(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    per_day: f64,
) {
    let count = arrivals(caller, site, hour, per_day, Season::Office);
    for at in moments(caller, hour, count) {
        let Some((key, mut at)) = caller.key(world, site, at, 0, TokenKind::DirectLogin) else {
            continue;
        };
        let from = caller.address(site, at, 0);
        let account = site.people.obp_user(caller.random.below(400));
        // A small staff, who come and go slowly.
        let staff = caller.random.skewed(25, 1.5) + (hour / (40 * DAY)) as u64;
        let user = site.people.obp_staff(staff);
        let looks = Call::new(Op::ObpViews, TokenKind::DirectLogin, key).about(account);
        at = caller.insist(world, site, at, from, looks).done_at + 9 * SECOND;
        if caller.random.chance(0.1) {
            let list = Call::new(Op::ObpCustomers, TokenKind::DirectLogin, key);
            at = caller.insist(world, site, at, from, list).done_at + 5 * SECOND;
        }
        let draw = caller.random.unit();
        if draw < 0.35 {
            let mut call = Call::new(Op::ObpGrant, TokenKind::DirectLogin, key).about(account);
            call.target = Target::User(user);
            call.view = caller
                .random
                .pick(&["auditor", "accountant", "auditor", "_team"], "auditor");
            caller.call(world, site, at, from, call);
        } else if draw < 0.55 {
            let mut call = Call::new(Op::ObpRevoke, TokenKind::DirectLogin, key).about(account);
            call.target = Target::User(user);
            call.view = caller.random.pick(&["auditor", "accountant"], "auditor");
            caller.call(world, site, at, from, call);
        } else {
            let call = Call::new(Op::ObpAccount, TokenKind::DirectLogin, key).about(account);
            caller.call(world, site, at, from, call);
        }
    }
}

/// Contracts that read accounts through DAuth; each is a user of its own.
pub(super) fn dauth(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    habit: (f64, &'static str, u64),
) {
    let (per_day, network, contracts) = habit;
    let count = arrivals(caller, site, hour, per_day, Season::Even);
    for at in moments(caller, hour, count) {
        let Some((key, mut at)) = caller.key(world, site, at, 0, TokenKind::DirectLogin) else {
            continue;
        };
        let from = caller.address(site, at, 0);
        let contract = caller.random.skewed(contracts, 1.4);
        let account = site.people.contract_account(contract);
        let target = Target::Contract(network, site.people.contract_address(contract));
        let mut ops = vec![Op::ObpBalances, Op::ObpTransactions];
        // A contract that joins: about one in three weeks.
        if caller.random.chance(1.0 / (per_day * 21.0)) {
            ops.insert(0, Op::ObpUserWithAccess);
        }
        for op in ops {
            let mut call = Call::new(op, TokenKind::DirectLogin, key).about(account);
            call.target = target;
            if op == Op::ObpUserWithAccess {
                call.view = "accountant";
                call.target = Target::Contract(network, caller.random.name());
            }
            at = caller.insist(world, site, at, from, call).done_at + 300;
        }
    }
}

/// A signed API with a long-lived key, for accounts of customers.
pub(super) fn wyre(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    hour: i64,
    habit: (f64, Season, u64),
) {
    let (per_day, season, accounts) = habit;
    let count = arrivals(caller, site, hour, per_day, season);
    for at in moments(caller, hour, count) {
        // The key was made before the run; whoever signs with it never mints again.
        let key = site.people.signed_key(caller.id);
        let replica = caller.random.below(caller.replicas);
        let from = caller.address(site, at, replica);
        let grown = (hour - site.start) as u64 / (2 * DAY as u64);
        let account = caller.random.skewed(accounts + grown, 1.8);
        let subject = site.people.signed_account(account);
        let steps: [(&[Op], u32); 6] = [
            (&[Op::WyreRates], 40),
            (&[Op::WyreAccountGet], 18),
            (&[Op::WyreTransfersList], 12),
            (
                &[
                    Op::WyreTransfersCreate,
                    Op::WyreTransfersConfirm,
                    Op::WyreTransfersGet,
                ],
                14,
            ),
            (&[Op::WyrePaymentMethods], 10),
            (&[Op::WyreWalletsGet], 6),
        ];
        let ops = caller.random.weighted(&steps, &[Op::WyreRates]);
        let mut at = at;
        for op in ops {
            let mut call = Call::new(*op, TokenKind::ApiKey, key);
            if *op != Op::WyreRates {
                call = call.about(subject);
            }
            at = caller.insist(world, site, at, from, call).done_at + 900;
        }
    }
}
