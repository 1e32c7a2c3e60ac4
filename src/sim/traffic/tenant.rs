//! A tenant: a fintech with its own size, clock, services and networks.

use super::calendar::{ClockChange, DAY, HOUR, MINUTE, Zone};
use super::caller::{Caller, Renewal};
use super::event::Fault;
use super::habit::Habit;
use super::network::Address;
use super::operation::Provider;
use super::random::Random;
use super::site::{Outage, People, Site};
use super::staff::{self, Plan};
use super::world::World;

/// One tenant with all its callers.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) site: Site,
    pub(super) callers: Vec<Caller>,
    pub(super) random: Random,
    /// Where its services run.
    pub(super) home: Vec<u32>,
    /// Where its staff sit.
    pub(super) office: u32,
    pub(super) asn: u32,
}

const ZONES: &[(&str, Zone)] = &[
    (
        "US",
        Zone {
            offset: -5,
            change: ClockChange::America,
        },
    ),
    (
        "US",
        Zone {
            offset: -8,
            change: ClockChange::America,
        },
    ),
    (
        "CA",
        Zone {
            offset: -5,
            change: ClockChange::America,
        },
    ),
    (
        "DE",
        Zone {
            offset: 1,
            change: ClockChange::Europe,
        },
    ),
    (
        "GB",
        Zone {
            offset: 0,
            change: ClockChange::Europe,
        },
    ),
    (
        "BR",
        Zone {
            offset: -3,
            change: ClockChange::None,
        },
    ),
    (
        "SG",
        Zone {
            offset: 8,
            change: ClockChange::None,
        },
    ),
    (
        "MX",
        Zone {
            offset: -6,
            change: ClockChange::None,
        },
    ),
];

const NAMES: &[&str] = &[
    "heron", "kite", "plover", "curlew", "dunlin", "avocet", "bittern", "crane", "godwit", "ibis",
    "jacana", "knot", "lapwing", "merlin", "noddy", "osprey", "petrel", "quail", "rail", "skua",
    "tern", "whimbrel", "wren", "stilt",
];

impl Tenant {
    /// Tenant number `index` of a seed, which lives from `start` to `end`.
    pub(super) fn new(
        world: &mut World,
        seed: u64,
        index: u64,
        volume: f64,
        start: i64,
        end: i64,
    ) -> Self {
        let mut random = Random::new(seed, &[1, index]);
        let (country, zone) = random.pick(
            ZONES,
            (
                "DE",
                Zone {
                    offset: 1,
                    change: ClockChange::Europe,
                },
            ),
        );
        let base = NAMES
            .get((index % NAMES.len() as u64) as usize)
            .copied()
            .unwrap_or("wren");
        let name = if index < NAMES.len() as u64 {
            base.to_owned()
        } else {
            format!("{base}{}", index / NAMES.len() as u64 + 1)
        };
        let asn = 64_512 + random.below(900) as u32;
        // Some houses run inside, with private addresses; others at a cloud with public ones.
        let is_inside = random.chance(0.6);
        let home = (0..3)
            .map(|_| {
                if is_inside {
                    world.map.own_inside(country)
                } else {
                    world.map.own_outside(country, asn)
                }
            })
            .collect();
        let office_asn = 65_400 + random.below(100) as u32;
        let office = if random.chance(0.5) {
            world.map.own_outside(country, office_asn)
        } else {
            world.map.foreign(country, office_asn)
        };
        let active = random.lognormal(1_400.0 * volume.max(0.05), 0.9) as u64 + 150;
        let dormant = (active as f64 * random.range(0.3, 1.5)) as u64 + 40;
        let people = People::new(random.word(), active, dormant, &mut random);
        let site = Site {
            index,
            name,
            country,
            zone,
            people,
            changes: Vec::new(),
            outages: Vec::new(),
            deployments: Vec::new(),
            holidays: Vec::new(),
            growth: random.range(-0.01, 0.06),
            start,
        };
        let mut tenant = Self {
            site,
            callers: Vec::new(),
            random,
            home,
            office,
            asn,
        };
        for plan in staff::plans(&mut tenant.random, volume) {
            tenant.hire(world, plan);
        }
        tenant.plan_everyday(start, end);
        tenant
    }

    /// Adds a caller.
    fn hire(&mut self, world: &mut World, plan: Plan) {
        let place = self.callers.len();
        let name = format!("{}-{}", self.site.name, plan.name);
        let id = world.enroll(&name);
        let mut random = Random::new(self.random.word(), &[place as u64]);
        let addresses: Vec<Address> = (0..plan.pool)
            .map(|n| {
                let network = if plan.is_office {
                    self.office
                } else {
                    let at = ((place as u64 + n / 3) % self.home.len() as u64) as usize;
                    self.home.get(at).copied().unwrap_or_default()
                };
                world.map.address(network, &mut random)
            })
            .collect();
        let phones = if plan.has_phones {
            carriers(world, self.site.country, &mut random)
        } else {
            Vec::new()
        };
        let renewal = if random.chance(0.75) {
            Renewal::Early
        } else {
            Renewal::OnRefusal
        };
        self.callers.push(Caller {
            place,
            id,
            habit: plan.habit,
            sandbox: plan.sandbox,
            addresses,
            phones,
            scopes: plan.scopes,
            bank_scopes: plan.bank_scopes,
            replicas: plan.replicas,
            renewal,
            clumsiness: random.range(0.000_5, 0.004),
            tries: random.between(1, 4) as u32,
            keys: Vec::new(),
            sessions: Default::default(),
            recent: Default::default(),
            random,
        });
    }

    /// What happens in every house: releases, short faults of a bank, a public holiday.
    fn plan_everyday(&mut self, start: i64, end: i64) {
        let release_day = self.random.range(0.1, 0.6);
        let mut day = start;
        while day < end {
            let local = self.site.local(day + 12 * HOUR);
            if !local.is_weekend() && self.random.chance(release_day) {
                let hour = self.random.between(9, 17);
                let at = self
                    .site
                    .zone
                    .at_local(day + 12 * HOUR, hour, self.random.between(0, 59));
                let who = self.random.below(self.callers.len() as u64) as usize;
                self.site.deployments.push((who, at));
            }
            if self.random.chance(0.09) {
                let from = day + self.random.below(DAY as u64) as i64;
                let provider = self.random.pick(
                    &[
                        Provider::Cybrid,
                        Provider::Cybrid,
                        Provider::Obp,
                        Provider::Wyre,
                    ],
                    Provider::Cybrid,
                );
                let fault = self.random.pick(
                    &[Fault::Upstream, Fault::Timeout, Fault::RateLimited],
                    Fault::Upstream,
                );
                self.site.outages.push(Outage {
                    provider,
                    from,
                    to: from + self.random.between(1, 5) * MINUTE,
                    fault,
                    share: self.random.range(0.2, 0.9),
                    mints_only: false,
                });
            }
            day += DAY;
        }
        if self.random.chance(0.5) {
            let days = ((end - start) / DAY).max(1) as u64;
            self.site
                .holidays
                .push(start / DAY + self.random.below(days) as i64);
        }
    }

    /// The caller of a name, if the house has it.
    pub(super) fn find(&self, world: &World, name: &str) -> Option<usize> {
        let whole = format!("{}-{name}", self.site.name);
        self.callers
            .iter()
            .position(|caller| world.caller_name(caller.id) == whole)
    }

    /// The hour that starts at `hour`.
    pub(super) fn step(&mut self, world: &mut World, hour: i64) {
        for caller in &mut self.callers {
            Habit::step(caller, world, &mut self.site, hour);
            caller.tidy(hour);
        }
        self.site.tidy(hour);
    }
}

/// Networks of the carriers and lines at home of one country: half of them version 6.
fn carriers(world: &mut World, country: &'static str, random: &mut Random) -> Vec<u32> {
    let asns: Vec<u32> = (0..5).map(|_| 220_000 + random.below(900) as u32).collect();
    (0..60)
        .map(|n| {
            let asn = random.pick(&asns, 220_000);
            if n % 2 == 0 {
                world.map.foreign(country, asn)
            } else {
                world.map.foreign_v6(country, asn)
            }
        })
        .collect()
}
