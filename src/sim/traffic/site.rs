//! What the callers of one tenant share: its customers, its clock, its banks' weather, and what
//! is changed about it for a while.

use super::calendar::{Local, Zone};
use super::event::Fault;
use super::network::Address;
use super::operation::{Op, Provider};
use super::random::{Random, mix};

/// The customers of a tenant: numbers, from which pseudonyms are computed.
#[derive(Clone, Debug)]
pub(super) struct People {
    seed: u64,
    /// Customers 0 to `active` use the application, the likelier the smaller their number.
    pub(super) active: u64,
    /// So many more have an account and do not come.
    pub(super) dormant: u64,
    /// Customers who signed up during the run; numbered after the dormant ones.
    pub(super) fresh: u64,
    /// How unequal customers are: 1 is equal.
    pub(super) skew: f64,
    /// Share of visits by dormant customers.
    pub(super) comeback: f64,
}

impl People {
    pub(super) fn new(seed: u64, active: u64, dormant: u64, random: &mut Random) -> Self {
        Self {
            seed,
            active,
            dormant,
            fresh: 0,
            skew: random.range(1.3, 2.6),
            comeback: random.range(0.000_5, 0.004),
        }
    }

    /// The pseudonym of a customer.
    pub(super) fn subject(&self, customer: u64) -> u64 {
        mix(self.seed, &[7, customer]).max(1)
    }

    /// A customer who comes by.
    pub(super) fn visitor(&self, random: &mut Random) -> u64 {
        let draw = random.unit();
        if draw < self.comeback {
            return self.sleeper(random);
        }
        if self.fresh > 0 && draw < self.comeback + 0.04 {
            // New customers are keen: mostly the latest.
            return self.active + self.dormant + self.fresh - 1 - random.skewed(self.fresh, 3.0);
        }
        random.skewed(self.active, self.skew)
    }

    /// A customer with an account who does not come.
    pub(super) fn sleeper(&self, random: &mut Random) -> u64 {
        self.active + random.below(self.dormant.max(1))
    }

    /// Any customer with an account.
    pub(super) fn anyone(&self, random: &mut Random) -> u64 {
        random.below(self.active + self.dormant + self.fresh)
    }

    /// Somebody on the roster of a pay day.
    pub(super) fn paid(&self, person: u64) -> u64 {
        self.subject(1_000_000 + person)
    }

    /// A user of the Open Bank Project, and the account that goes by the same number.
    pub(super) fn obp_user(&self, user: u64) -> u64 {
        self.of_list(3_000_000, user)
    }

    /// One of the staff who get and lose views there.
    pub(super) fn obp_staff(&self, person: u64) -> u64 {
        self.of_list(3_100_000, person)
    }

    /// The account of a contract that reads through DAuth.
    pub(super) fn contract_account(&self, contract: u64) -> u64 {
        self.of_list(3_200_000, contract)
    }

    /// The address of such a contract.
    pub(super) fn contract_address(&self, contract: u64) -> u64 {
        mix(self.subject(3_300_000), &[contract])
    }

    /// The key that a caller of the signed API signs with: made before the run, and never again.
    pub(super) fn signed_key(&self, caller: u32) -> u64 {
        self.of_list(3_400_000, caller.into())
    }

    /// A customer's account with the signed API.
    pub(super) fn signed_account(&self, account: u64) -> u64 {
        self.of_list(3_500_000, account)
    }

    /// Those who are not customers have lists of their own, far from the customers' numbers.
    fn of_list(&self, list: u64, place: u64) -> u64 {
        mix(self.subject(list), &[place]).max(1)
    }

    /// A new customer.
    pub(super) fn sign_up(&mut self) -> u64 {
        self.fresh += 1;
        self.active + self.dormant + self.fresh - 1
    }
}

/// What is different for a while.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// So many times the usual visits.
    Rate(f64),
    /// Calls come from these addresses.
    Addresses(Vec<Address>),
    /// Mints ask for this set of scopes.
    Scopes(u16),
    /// An operation more, with its weight among the steps of a session (which are near 100).
    Step(Op, u32),
    /// Share of visits by customers who had not come for long.
    Comeback(f64),
    /// Sessions have so many times the usual calls.
    Calls(f64),
}

/// A difference of some callers for a while.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Places of callers in the tenant; empty for all.
    pub(super) callers: Vec<usize>,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) what: What,
}

/// A bank that fails for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) provider: Provider,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) fault: Fault,
    /// Share of calls.
    pub(super) share: f64,
    /// Only mints of bank and organization tokens.
    pub(super) mints_only: bool,
}

/// Everything a tenant's callers share.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) index: u64,
    pub(super) name: String,
    pub(super) country: &'static str,
    pub(super) zone: Zone,
    pub(super) people: People,
    pub(super) changes: Vec<Change>,
    pub(super) outages: Vec<Outage>,
    /// Times at which a caller forgets its tokens: caller, moment.
    pub(super) deployments: Vec<(usize, i64)>,
    /// Days since 1970 without work.
    pub(super) holidays: Vec<i64>,
    /// Growth of visits a week.
    pub(super) growth: f64,
    pub(super) start: i64,
}

impl Site {
    pub(super) fn local(&self, at: i64) -> Local {
        self.zone.local(at)
    }

    pub(super) fn is_holiday(&self, at: i64) -> bool {
        let day = (at + self.zone.shift(at)).div_euclid(super::calendar::DAY);
        self.holidays.contains(&day)
    }

    /// What the weather does to a call.
    pub(super) fn outage(
        &self,
        provider: Provider,
        is_bank_mint: bool,
        at: i64,
        random: &mut Random,
    ) -> Fault {
        for outage in &self.outages {
            if outage.provider == provider
                && at >= outage.from
                && at < outage.to
                && (is_bank_mint || !outage.mints_only)
                && random.chance(outage.share)
            {
                return outage.fault;
            }
        }
        Fault::None
    }

    /// Whether the caller forgot what it knew at `then`.
    pub(super) fn was_deployed(&self, caller: usize, then: i64, now: i64) -> bool {
        self.deployments
            .iter()
            .any(|(who, at)| *who == caller && *at > then && *at <= now)
    }

    /// Changes of a caller at a moment.
    pub(super) fn changes_of(&self, caller: usize, at: i64) -> impl Iterator<Item = &What> {
        self.changes
            .iter()
            .filter(move |change| {
                at >= change.from
                    && at < change.to
                    && (change.callers.is_empty() || change.callers.contains(&caller))
            })
            .map(|change| &change.what)
    }

    /// Forgets what is over.
    pub(super) fn tidy(&mut self, now: i64) {
        // Sessions begun hours ago are still asked about: a day is kept.
        let old = now - super::calendar::DAY;
        self.changes.retain(|change| change.to > old);
        self.outages.retain(|outage| outage.to > old);
        self.deployments
            .retain(|(_, at)| *at > old - 30 * super::calendar::DAY);
    }
}
