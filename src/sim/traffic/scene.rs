//! Where one attack or trap plays: a tenant, a moment, a label.

use super::calendar::{DAY, HOUR};
use super::caller::{Call, Caller};
use super::event::{Event, Fault};
use super::label::Difficulty;
use super::network::{Address, NetMap};
use super::random::Random;
use super::site::{Change, Outage, What};
use super::tenant::Tenant;
use super::world::World;

/// When in a day a scenario may begin, on the tenant's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Any,
    /// 10 to 16 on working days.
    Work,
    /// 1 to 4 on working days.
    Night,
    /// Just before a job of this caller's; the scene finds out when.
    WorkMorning,
}

/// Something that can be played.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Categories of alert that fit; empty for a trap.
    pub(super) categories: &'static [&'static str],
    /// Callers that it happens to: the first that the tenant has.
    pub(super) needs: &'static [&'static str],
    pub(super) when: When,
    /// Hours that it may take: easy, medium, hard.
    pub(super) hours: [u32; 3],
    pub(super) play: fn(&mut Scene<'_>),
}

impl Scenario {
    /// What looks like an attack and is none: it has no difficulty, and takes the same hours always.
    pub(super) const fn trap(
        name: &'static str,
        needs: &'static [&'static str],
        when: When,
        hours: u32,
        play: fn(&mut Scene<'_>),
    ) -> Self {
        Self {
            name,
            categories: &[],
            needs,
            when,
            hours: [hours; 3],
            play,
        }
    }
}

/// The stage of one scenario.
pub(super) struct Scene<'a> {
    pub(super) world: &'a mut World,
    pub(super) tenant: &'a mut Tenant,
    /// Place of the caller that it happens to.
    pub(super) who: usize,
    pub(super) at: i64,
    pub(super) difficulty: Difficulty,
    /// Whether thieves are always inside.
    pub(super) inside: bool,
    pub(super) random: Random,
    /// Number of the label.
    pub(super) label: u32,
}

impl Scene<'_> {
    /// One of three values by difficulty.
    pub(super) fn by<T>(&self, easy: T, medium: T, hard: T) -> T {
        self.difficulty.of(easy, medium, hard)
    }

    pub(super) fn caller(&self) -> Option<&Caller> {
        self.tenant.callers.get(self.who)
    }

    pub(super) fn caller_id(&self) -> u32 {
        self.caller().map_or(0, |caller| caller.id)
    }

    /// Whether it happens to the caller of this name.
    pub(super) fn is_about(&self, name: &str) -> bool {
        self.tenant.find(self.world, name) == Some(self.who)
    }

    pub(super) fn scopes(&self) -> u16 {
        self.caller().map_or(1, |caller| caller.scopes)
    }

    /// `count` moments from the start on, about `gap` milliseconds apart.
    pub(super) fn moments(&mut self, count: u64, gap: f64) -> Vec<i64> {
        let mut at = self.at as f64;
        (0..count)
            .map(|_| {
                at += self.random.exponential(gap);
                at as i64
            })
            .collect()
    }

    /// An address of the caller's own.
    pub(super) fn own(&mut self) -> Address {
        let at = self.at;
        let replica = self.random.below(4);
        match self.tenant.callers.get(self.who) {
            Some(caller) => caller.address(&self.tenant.site, at, replica),
            None => self.elsewhere(),
        }
    }

    /// Another host beside the services: an address of the house not used so far.
    pub(super) fn neighbour(&mut self) -> Address {
        let network = self
            .caller()
            .and_then(|caller| caller.addresses.first().map(|address| address.network));
        let network = network.unwrap_or_default();
        self.world.map.address(network, &mut self.random)
    }

    /// An address of a stranger in another country.
    pub(super) fn abroad(&mut self) -> Address {
        let country = NetMap::other_country(&mut self.random, self.tenant.site.country);
        let asn = 200_000 + self.random.below(4_000) as u32;
        let network = self.world.map.foreign(country, asn);
        self.world.map.address(network, &mut self.random)
    }

    /// An address of a hosting company in the same country.
    pub(super) fn hosted(&mut self) -> Address {
        let asn = 210_000 + self.random.below(4_000) as u32;
        let network = self.world.map.foreign(self.tenant.site.country, asn);
        self.world.map.address(network, &mut self.random)
    }

    /// Far away when easy, at a host nearby when medium, inside when hard.
    pub(super) fn origin(&mut self) -> Address {
        match self.difficulty {
            _ if self.inside => self.own(),
            Difficulty::Easy => self.abroad(),
            Difficulty::Medium => self.hosted(),
            Difficulty::Hard => self.own(),
        }
    }

    /// Abroad when easy, else at a host nearby: for thefts that leave the house.
    pub(super) fn elsewhere(&mut self) -> Address {
        if self.difficulty == Difficulty::Easy {
            self.abroad()
        } else {
            self.hosted()
        }
    }

    /// A successful call of the caller's, marked as part of this scene.
    fn event(&mut self, at: i64, from: Address, call: Call) -> Event {
        let sandbox = self.caller().is_some_and(|caller| caller.sandbox);
        let caller = self.caller_id();
        Event {
            label: self.label,
            ..call.event(at, from, (caller, sandbox), &mut self.random)
        }
    }

    /// Makes a successful call; gives the moment of its end.
    pub(super) fn call(&mut self, at: i64, from: Address, call: Call) -> i64 {
        let event = self.event(at, from, call);
        let done = at + i64::from(event.latency_ms);
        self.world.push(event);
        done
    }

    /// Makes a call that fails.
    pub(super) fn fail(&mut self, at: i64, from: Address, call: Call, fault: Fault) {
        let mut event = self.event(at, from, call);
        event.fail(fault);
        event.latency_ms = 30 + self.random.below(60) as u32;
        self.world.push(event);
    }

    /// Makes a call that is answered with a status of its own.
    pub(super) fn refuse(&mut self, at: i64, from: Address, call: Call, status: u16) {
        let mut event = self.event(at, from, call);
        event.status = status;
        event.mint = None;
        event.bytes = 120;
        self.world.push(event);
    }

    /// Somebody among the customers who come by, as the records name them.
    pub(super) fn visitor(&mut self) -> u64 {
        let people = &self.tenant.site.people;
        let customer = people.visitor(&mut self.random);
        people.subject(customer)
    }

    /// A moment for each subject: `count` of them drawn, `gap` seconds apart on average.
    pub(super) fn moments_of(
        &mut self,
        subjects: Vec<u64>,
        count: u64,
        gap: f64,
    ) -> impl Iterator<Item = (i64, u64)> + use<> {
        self.moments(count, gap * 1_000.0).into_iter().zip(subjects)
    }

    /// Lets the caller act under another number; gives its own back.
    pub(super) fn world_caller(&mut self, id: u32) -> u32 {
        match self.tenant.callers.get_mut(self.who) {
            Some(caller) => std::mem::replace(&mut caller.id, id),
            None => id,
        }
    }

    /// Ends what [`Scene::world_caller`] began.
    pub(super) fn restore_caller(&mut self, id: u32) {
        if let Some(caller) = self.tenant.callers.get_mut(self.who) {
            caller.id = id;
        }
    }

    /// Some customers, each once, not coming by today unless by chance.
    pub(super) fn quiet_subjects(&mut self, count: u64) -> Vec<u64> {
        let people = &self.tenant.site.people;
        let all = people.active + people.dormant + people.fresh;
        let start = self.random.below(all);
        // A step that has no divisor in common with most counts walks over all of them.
        let step = (all / 3).max(1) | 1;
        (0..count.min(all))
            .map(|n| people.subject((start + n * step) % all))
            .collect()
    }

    /// Customers who had not come for weeks.
    pub(super) fn sleepers(&mut self, count: u64) -> Vec<u64> {
        let people = &self.tenant.site.people;
        let start = self.random.below(people.dormant.max(1));
        (0..count.min(people.dormant))
            .map(|n| people.subject(people.active + (start + n) % people.dormant.max(1)))
            .collect()
    }

    /// Changes the caller's everyday life for a while.
    pub(super) fn change(&mut self, from: i64, to: i64, what: What) {
        let callers = vec![self.who];
        self.tenant.site.changes.push(Change {
            callers,
            from,
            to,
            what,
        });
    }

    /// Changes every caller's everyday life for a while.
    pub(super) fn change_all(&mut self, from: i64, to: i64, what: What) {
        self.tenant.site.changes.push(Change {
            callers: Vec::new(),
            from,
            to,
            what,
        });
    }

    pub(super) fn outage(&mut self, outage: Outage) {
        self.tenant.site.outages.push(outage);
    }

    /// Says whom it is about and how long it lasts, for scenes without events of their own.
    pub(super) fn frame(&mut self, to: i64, everybody: bool) {
        let names: Vec<String> = self
            .tenant
            .callers
            .iter()
            .filter(|caller| everybody || caller.place == self.who)
            .map(|caller| self.world.caller_name(caller.id).to_owned())
            .collect();
        let at = self.at;
        if let Some(label) = (self.label as usize)
            .checked_sub(1)
            .and_then(|place| self.world.labels.get_mut(place))
        {
            label.start = at;
            label.end = to;
            label.is_fixed = true;
            label.callers.extend(names);
        }
    }

    /// Another caller of the tenant's that exists.
    pub(super) fn other(&mut self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .filter_map(|name| self.tenant.find(self.world, name))
            .find(|place| *place != self.who)
    }

    /// The end of the local day.
    pub(super) fn end_of_day(&self) -> i64 {
        self.tenant
            .site
            .zone
            .at_local(self.at, 23, 59)
            .max(self.at + HOUR)
            .min(self.at + DAY)
    }
}
