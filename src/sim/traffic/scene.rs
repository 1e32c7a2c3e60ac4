//! Where one attack or trap plays: a tenant, a moment, a label; and what thieves do the same way
//! in every attack.

use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::caller::{Call, Caller, Token};
use super::event::{Event, Fault, Minted, TokenKind};
use super::label::Difficulty;
use super::network::{Address, NetMap};
use super::operation::Op;
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

    fn caller_id(&self) -> u32 {
        self.caller().map_or(0, |caller| caller.id)
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
    pub(super) fn event(&mut self, at: i64, from: Address, call: Call) -> Event {
        let sandbox = self.caller().is_some_and(|caller| caller.sandbox);
        Event {
            ts: at,
            op: call.op,
            caller: self.caller_id(),
            sandbox,
            address: from,
            kind: call.kind,
            token: call.token,
            subject: call.subject,
            scopes: call.scopes,
            mint: call.mint,
            target: call.target,
            view: call.view,
            pii: call.pii,
            status: call.op.success(),
            fault: Fault::None,
            by_proxy: false,
            latency_ms: self.random.lognormal(call.op.median_latency(), 0.5) as u32,
            bytes: self.random.lognormal(call.op.median_bytes(), 0.4) as u32,
            label: self.label,
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

    /// A bank token of the caller's that lives at a moment: taken from its memory when the thief
    /// is inside, else minted with the stolen client secret, which is part of the scene.
    pub(super) fn bank_key(&mut self, at: i64, from: Address, is_inside: bool) -> u64 {
        if is_inside
            && let Some(caller) = self.tenant.callers.get(self.who)
            && let Some(token) = caller
                .keys
                .iter()
                .flatten()
                .find(|token| token.from <= at && at < token.to)
        {
            return token.token;
        }
        let scopes = self.caller().map_or(8, |caller| caller.bank_scopes);
        self.mint_bank(at, from, scopes)
    }

    /// Mints a bank token.
    pub(super) fn mint_bank(&mut self, at: i64, from: Address, scopes: u16) -> u64 {
        let token = self.random.name();
        let ttl = self.caller().map_or(super::caller::TTL, Caller::env_ttl);
        let mut call = Call::new(Op::MintBank, TokenKind::None, 0);
        call.scopes = scopes;
        call.mint = Some(Minted {
            kind: TokenKind::Bank,
            token,
            ttl,
        });
        self.call(at, from, call);
        token
    }

    /// Mints a customer token with a bank token.
    pub(super) fn mint(
        &mut self,
        at: i64,
        from: Address,
        key: u64,
        subject: u64,
        scopes: u16,
    ) -> Token {
        let ttl = self.caller().map_or(super::caller::TTL, Caller::env_ttl);
        let token = self.random.name();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scopes;
        call.mint = Some(Minted {
            kind: TokenKind::Customer,
            token,
            ttl,
        });
        let done = self.call(at, from, call);
        Token {
            token,
            subject,
            from: done,
            to: done + i64::from(ttl) * SECOND,
        }
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

    /// A customer's token used for one thing after the other; `pause` milliseconds before each. Gives
    /// when the last is done.
    pub(super) fn in_turn(
        &mut self,
        from: Address,
        with: (Token, u64),
        begin: i64,
        pause: i64,
        ops: &[Op],
    ) -> i64 {
        let (token, subject) = with;
        ops.iter().fold(begin, |then, op| {
            let call = Call::new(*op, TokenKind::Customer, token.token).about(subject);
            self.call(then + pause, from, call)
        })
    }

    /// The keys of a long raid: another bank token whenever one has run out.
    pub(super) fn raid_keys(&mut self, from: Address, is_inside: bool) -> RaidKeys {
        RaidKeys {
            from,
            is_inside,
            token: 0,
            until: i64::MIN,
        }
    }

    /// A customer whose token a thief finds, with one that lives at the start.
    pub(super) fn stolen(&mut self) -> Option<Token> {
        let at = self.at;
        let live: Vec<Token> = self
            .caller()?
            .recent
            .iter()
            .filter(|token| token.from + 20 * SECOND <= at && at + 5 * MINUTE < token.to)
            .copied()
            .collect();
        let place = self.random.below(live.len() as u64) as usize;
        live.get(place).copied()
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

/// See [`Scene::raid_keys`].
pub(super) struct RaidKeys {
    from: Address,
    is_inside: bool,
    token: u64,
    until: i64,
}

impl RaidKeys {
    /// The bank token to use at a moment.
    pub(super) fn at(&mut self, scene: &mut Scene<'_>, at: i64) -> u64 {
        if at >= self.until {
            self.token = scene.bank_key(at, self.from, self.is_inside);
            self.until = at + 20 * MINUTE;
        }
        self.token
    }
}
