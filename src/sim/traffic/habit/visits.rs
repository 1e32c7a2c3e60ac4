//! People in an application: each visit has a customer token and a few calls with it.

use super::super::calendar::SECOND;
use super::super::caller::{Call, Caller, Renewal};
use super::super::event::{Fault, TokenKind};
use super::super::operation::Op;
use super::super::site::{Site, What};
use super::super::world::World;
use super::{Season, arrivals, moments};

/// What visitors come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Script {
    /// Buying and selling.
    Trading,
    /// Accounts, transfers, wallets.
    Banking,
    /// Staff who look something up for a customer.
    Support,
    /// People who open an account.
    Onboarding,
    /// Reading only.
    Glance,
}

/// Visits of people.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Visits {
    pub(in super::super) per_day: f64,
    pub(in super::super) season: Season,
    pub(in super::super) script: Script,
    /// Steps of a visit: the mean beyond the least, the least, the most.
    pub(in super::super) steps: (f64, u64, u64),
    /// Half of the pauses between steps are shorter, in milliseconds.
    pub(in super::super) think_ms: f64,
    /// Share of visits that end after the mint, or one call later.
    pub(in super::super) bounce: f64,
    /// Whether a token is kept for the next visit.
    pub(in super::super) keeps: bool,
    /// Share of readings of a customer that ask for personal data.
    pub(in super::super) pii: f64,
}

type Step = (&'static [Op], u32);

const TRADING: &[Step] = &[
    (&[Op::AccountsList], 22),
    (&[Op::PricesList], 18),
    (&[Op::AccountsGet], 12),
    (&[Op::QuotesCreate, Op::QuotesGet], 4),
    (&[Op::QuotesCreate], 8),
    (
        &[
            Op::QuotesCreate,
            Op::TradesCreate,
            Op::TradesGet,
            Op::TradesGet,
        ],
        11,
    ),
    (&[Op::TradesList], 12),
    (&[Op::CustomersGet], 6),
    (&[Op::TransfersList], 7),
];
const BANKING: &[Step] = &[
    (&[Op::AccountsList], 26),
    (&[Op::AccountsGet], 14),
    (&[Op::TransfersList], 17),
    (
        &[Op::QuotesCreate, Op::TransfersCreate, Op::TransfersGet],
        12,
    ),
    (&[Op::DepositsGet], 7),
    (&[Op::DepositsCreate, Op::DepositsGet], 2),
    (&[Op::BankAccountsList], 8),
    (&[Op::WalletsList], 5),
    (&[Op::WalletsCreate, Op::WalletsGet, Op::WalletsGet], 1),
    (&[Op::CustomersGet], 8),
    (&[Op::CustomersUpdate], 1),
    (&[Op::WalletsList, Op::WalletsDelete], 1),
];
const SUPPORT: &[Step] = &[
    (&[Op::CustomersGet], 34),
    (&[Op::AccountsList], 24),
    (&[Op::TransfersList], 20),
    (&[Op::TransfersGet], 12),
    (&[Op::IdentityList], 10),
    (&[Op::CounterpartiesGet], 4),
];
const ONBOARDING: &[Step] = &[
    (&[Op::CustomersGet], 30),
    (&[Op::IdentityGet], 40),
    (&[Op::AccountsCreate, Op::AccountsGet], 14),
    (
        &[
            Op::WorkflowsCreate,
            Op::WorkflowsGet,
            Op::BankAccountsCreate,
            Op::BankAccountsGet,
        ],
        16,
    ),
];
const GLANCE: &[Step] = &[
    (&[Op::AccountsList], 44),
    (&[Op::TransfersList], 24),
    (&[Op::PricesList], 14),
    (&[Op::TradesList], 18),
];

impl Script {
    pub(in super::super) const fn steps(self) -> &'static [Step] {
        match self {
            Self::Trading => TRADING,
            Self::Banking => BANKING,
            Self::Support => SUPPORT,
            Self::Onboarding => ONBOARDING,
            Self::Glance => GLANCE,
        }
    }
}

/// The visits of an hour.
pub(super) fn step(
    caller: &mut Caller,
    world: &mut World,
    site: &mut Site,
    hour: i64,
    visits: Visits,
) {
    let count = arrivals(caller, site, hour, visits.per_day, visits.season);
    let comeback = site
        .changes_of(caller.place, hour)
        .find_map(|what| match what {
            What::Comeback(share) => Some(*share),
            _ => None,
        });
    for at in moments(caller, hour, count) {
        if visits.script == Script::Onboarding {
            sign_up(caller, world, site, at, visits);
            continue;
        }
        let customer = match comeback {
            Some(share) if caller.random.chance(share) => site.people.sleeper(&mut caller.random),
            _ => site.people.visitor(&mut caller.random),
        };
        let subject = site.people.subject(customer);
        visit(caller, world, site, at, subject, visits);
    }
}

/// One visit.
pub(in super::super) fn visit(
    caller: &mut Caller,
    world: &mut World,
    site: &Site,
    at: i64,
    subject: u64,
    visits: Visits,
) {
    let replica = caller.random.below(caller.replicas);
    let Some((mut token, mut at)) = caller.session(world, site, at, replica, subject, visits.keeps)
    else {
        return;
    };
    let (beyond, least, most) = visits.steps;
    let mut factor = 1.0;
    let mut more: Option<(Op, u32)> = None;
    for what in site.changes_of(caller.place, at) {
        match what {
            What::Calls(calls) => factor = *calls,
            What::Step(op, weight) => more = Some((*op, *weight)),
            _ => {}
        }
    }
    let mut steps = least + caller.random.exponential(beyond * factor) as u64;
    if caller.random.chance(visits.bounce) {
        steps = caller.random.below(2);
    }
    let mut from = caller.address(site, at, replica);
    if !caller.phones.is_empty() {
        from = caller.phone(world);
    }
    let mut until = at + i64::from(caller.env_ttl()) * SECOND - 20 * SECOND;
    if let Some(held) = caller.sessions.get(&subject) {
        until = until.min(held.to);
    }
    for _ in 0..steps.min(most) {
        at += caller.random.lognormal(visits.think_ms, 0.8) as i64;
        if !caller.phones.is_empty() && caller.random.chance(0.03) {
            // Out of the house: from the line at home to a carrier.
            from = caller.phone(world);
        }
        let added = more.filter(|(_, weight)| caller.random.below(100) < u64::from(*weight));
        let single;
        let ops: &[Op] = match added {
            Some((op, _)) => {
                single = [op];
                &single
            }
            None => caller
                .random
                .weighted(visits.script.steps(), &[Op::AccountsList]),
        };
        for op in ops {
            if at >= until {
                if caller.renewal == Renewal::OnRefusal {
                    let mut event = caller.plain(
                        at,
                        from,
                        Call::new(*op, TokenKind::Customer, token).about(subject),
                    );
                    event.fail(Fault::TokenExpired);
                    world.push(event);
                    at += 100;
                }
                let Some((another, later)) = caller.mint(world, site, at, replica, subject) else {
                    return;
                };
                token = another;
                at = later;
                until = at + i64::from(caller.env_ttl()) * SECOND - 20 * SECOND;
            }
            let pii = *op == Op::CustomersGet && caller.random.chance(visits.pii);
            let call = if *op == Op::PricesList {
                Call::new(*op, TokenKind::Customer, token)
            } else {
                Call::new(*op, TokenKind::Customer, token)
                    .about(subject)
                    .with_pii(pii)
            };
            let answer = caller.insist(world, site, at, from, call);
            at = answer.done_at + 30 + caller.random.below(400) as i64;
            if matches!(
                answer.fault,
                Fault::Upstream | Fault::Timeout | Fault::CircuitOpen
            ) && caller.random.chance(0.5)
            {
                return;
            }
        }
    }
}

/// A new customer: made with the bank's token, verified, looked at until it is through.
fn sign_up(caller: &mut Caller, world: &mut World, site: &mut Site, at: i64, visits: Visits) {
    let replica = caller.random.below(caller.replicas);
    let Some((key, at)) = caller.key(world, site, at, replica, TokenKind::Bank) else {
        return;
    };
    let from = caller.address(site, at, replica);
    let customer = site.people.sign_up();
    let subject = site.people.subject(customer);
    let create = Call::new(Op::CustomersCreate, TokenKind::Bank, key).about(subject);
    let answer = caller.insist(world, site, at, from, create);
    if !answer.is_ok() {
        return;
    }
    let at = answer.done_at + 400;
    let verify = Call::new(Op::IdentityCreate, TokenKind::Bank, key).about(subject);
    let answer = caller.insist(world, site, at, from, verify);
    visit(
        caller,
        world,
        site,
        answer.done_at + 2 * SECOND,
        subject,
        visits,
    );
}
