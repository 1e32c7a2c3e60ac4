//! What callers do, hour by hour.

mod desk;
mod machine;
mod season;
mod visits;

use super::caller::Caller;
use super::operation::Op;
use super::site::{Site, What};
use super::world::World;

pub(super) use season::Season;
pub(super) use visits::{Script, Visits};

/// The way of one caller.
#[derive(Clone, Copy, Debug)]
pub(super) enum Habit {
    /// People in an application: a customer token per visit, then calls.
    Visits(Visits),
    /// A job at a fixed hour.
    Batch(Batch),
    /// Pays everybody on the 15th and at month end.
    PayDay {
        /// How many are paid.
        roster: u64,
        hour: i64,
        /// Minutes that a run takes.
        minutes: i64,
    },
    /// Answers the bank's webhooks: a look at each object, with a bank token.
    Hooks { per_day: f64, season: Season },
    /// Asks the same every so often.
    Poll { every_s: i64, ops: &'static [Op] },
    /// Looks after the organization, a few times a working day.
    Admin { per_day: f64 },
    /// Reads accounts of the Open Bank Project for people.
    ObpViewer {
        per_day: f64,
        season: Season,
        users: u64,
    },
    /// Grants and takes back views, seldom, in working hours.
    ObpAdmin { per_day: f64 },
    /// Contracts that read through DAuth.
    Dauth {
        per_day: f64,
        network: &'static str,
        contracts: u64,
    },
    /// A signed API used with a key.
    Wyre {
        per_day: f64,
        season: Season,
        accounts: u64,
    },
    /// Trades for the house itself: one account, many calls.
    Treasury { per_hour: f64, season: Season },
    /// Statements for customers at month end, a few a day besides.
    Statements { hour: i64, share: f64, pii: bool },
    /// Tests in the sandbox when people push code.
    Pipeline { runs_per_day: f64 },
}

/// A job at a fixed hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) weekdays_only: bool,
    pub(super) lists: &'static [Op],
    /// Pages a list, about.
    pub(super) pages: u64,
    /// Milliseconds between calls, about.
    pub(super) pause_ms: f64,
    /// So many customers get a token and one call each.
    pub(super) customers: u64,
    pub(super) pii: bool,
}

impl Habit {
    /// Does what falls into the hour that starts at `hour`.
    pub(super) fn step(caller: &mut Caller, world: &mut World, site: &mut Site, hour: i64) {
        match caller.habit {
            Self::Visits(visits) => visits::step(caller, world, site, hour, visits),
            Self::Batch(batch) => machine::batch(caller, world, site, hour, batch),
            Self::PayDay {
                roster,
                hour: at,
                minutes,
            } => {
                machine::pay_day(caller, world, site, hour, roster, at, minutes);
            }
            Self::Hooks { per_day, season } => {
                machine::hooks(caller, world, site, hour, per_day, season)
            }
            Self::Poll { every_s, ops } => machine::poll(caller, world, site, hour, every_s, ops),
            Self::Admin { per_day } => desk::admin(caller, world, site, hour, per_day),
            Self::ObpViewer {
                per_day,
                season,
                users,
            } => {
                desk::obp_viewer(caller, world, site, hour, (per_day, season, users));
            }
            Self::ObpAdmin { per_day } => desk::obp_admin(caller, world, site, hour, per_day),
            Self::Dauth {
                per_day,
                network,
                contracts,
            } => {
                desk::dauth(caller, world, site, hour, (per_day, network, contracts));
            }
            Self::Wyre {
                per_day,
                season,
                accounts,
            } => {
                desk::wyre(caller, world, site, hour, (per_day, season, accounts));
            }
            Self::Treasury { per_hour, season } => {
                machine::treasury(caller, world, site, hour, per_hour, season)
            }
            Self::Statements {
                hour: at,
                share,
                pii,
            } => {
                machine::statements(caller, world, site, hour, (at, share, pii));
            }
            Self::Pipeline { runs_per_day } => {
                machine::pipeline(caller, world, site, hour, runs_per_day)
            }
        }
    }
}

/// How many visits begin in an hour.
fn arrivals(caller: &mut Caller, site: &Site, hour: i64, per_day: f64, season: Season) -> u64 {
    let mut mean = per_day * season.share(site.local(hour), site.is_holiday(hour));
    let weeks = (hour - site.start) as f64 / (7 * super::calendar::DAY) as f64;
    mean *= 1.0 + site.growth * weeks;
    for what in site.changes_of(caller.place, hour) {
        if let What::Rate(rate) = what {
            mean *= rate;
        }
    }
    // Days differ by more than chance does.
    let day = hour.div_euclid(super::calendar::DAY) as u64;
    let mood = super::random::Random::new(u64::from(caller.id), &[day, site.index]).normal();
    caller
        .random
        .poisson(mean * super::random::exp(0.12 * mood))
}

/// Moments at which visits begin, in order.
fn moments(caller: &mut Caller, hour: i64, count: u64) -> Vec<i64> {
    let mut all: Vec<i64> = (0..count)
        .map(|_| hour + caller.random.below(super::calendar::HOUR as u64) as i64)
        .collect();
    all.sort_unstable();
    all
}
