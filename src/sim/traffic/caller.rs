//! A service that calls the banks: its addresses, its tokens, and how it makes one call.

use std::collections::{HashMap, VecDeque};

use super::calendar::{MINUTE, SECOND};
use super::event::{Event, Fault, Minted, Target, TokenKind};
use super::habit::Habit;
use super::network::Address;
use super::operation::{Deed, Op, Provider};
use super::random::Random;
use super::site::{Site, What};
use super::world::World;

/// Production tokens live 30 minutes, sandbox tokens 8 hours (Cybrid, security guide).
pub(super) const TTL: u32 = 1_800;
/// See [`TTL`].
const SANDBOX_TTL: u32 = 28_800;

/// DirectLogin tokens live four weeks.
pub(super) const DIRECT_LOGIN_TTL: u32 = 28 * 86_400;

/// The latest customer tokens a thief could find in memory.
const KEPT: usize = 64;

/// A token and its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) token: u64,
    pub(super) subject: u64,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Token {
    pub(super) const fn serves(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }

    /// A call made with it.
    pub(super) const fn call(&self, op: Op) -> Call {
        Call::new(op, self.kind, self.token).about(self.subject)
    }
}

/// What a client does about a token that runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Gets another in good time.
    Early,
    /// Waits for the 401.
    OnRefusal,
}

/// One call to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) op: Op,
    pub(super) kind: TokenKind,
    pub(super) token: u64,
    pub(super) subject: u64,
    pub(super) scopes: u16,
    pub(super) target: Target,
    pub(super) view: &'static str,
    pub(super) pii: bool,
    pub(super) mint: Option<Minted>,
}

impl Call {
    pub(super) const fn new(op: Op, kind: TokenKind, token: u64) -> Self {
        Self {
            op,
            kind,
            token,
            subject: 0,
            scopes: 0,
            target: Target::None,
            view: "",
            pii: false,
            mint: None,
        }
    }

    pub(super) const fn about(mut self, subject: u64) -> Self {
        self.subject = subject;
        self
    }

    pub(super) const fn with_pii(mut self, pii: bool) -> Self {
        self.pii = pii;
        self
    }

    /// What the gateway records of it if it succeeds; `by` is the caller's number and whether it is
    /// in the sandbox.
    pub(super) fn event(
        self,
        at: i64,
        from: Address,
        by: (u32, bool),
        random: &mut Random,
    ) -> Event {
        let (caller, sandbox) = by;
        Event {
            ts: at,
            op: self.op,
            caller,
            sandbox,
            address: from,
            kind: self.kind,
            token: self.token,
            subject: self.subject,
            scopes: self.scopes,
            mint: self.mint,
            target: self.target,
            view: self.view,
            pii: self.pii,
            status: self.op.success(),
            fault: Fault::None,
            by_proxy: false,
            latency_ms: random.lognormal(self.op.median_latency(), 0.5) as u32,
            bytes: random.lognormal(self.op.median_bytes(), 0.4) as u32,
            label: 0,
        }
    }
}

/// A caller.
#[derive(Debug)]
pub(super) struct Caller {
    /// Its place in the tenant.
    pub(super) place: usize,
    pub(super) id: u32,
    pub(super) habit: Habit,
    pub(super) random: Random,
    pub(super) sandbox: bool,
    pub(super) addresses: Vec<Address>,
    /// Networks of the phones that use the tokens themselves, if they do.
    pub(super) phones: Vec<u32>,
    pub(super) scopes: u16,
    pub(super) bank_scopes: u16,
    pub(super) replicas: u64,
    pub(super) renewal: Renewal,
    /// Share of calls answered 404, 422 and the like.
    pub(super) clumsiness: f64,
    /// What its clients do instead of retrying once: how often they try.
    pub(super) tries: u32,
    /// Bank, organization, DirectLogin or API tokens of each replica, latest last.
    pub(super) keys: Vec<VecDeque<Token>>,
    /// Customer tokens that are reused.
    pub(super) sessions: HashMap<u64, Token>,
    pub(super) recent: VecDeque<Token>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) fault: Fault,
    pub(super) status: u16,
    pub(super) done_at: i64,
}

impl Answer {
    pub(super) fn is_ok(self) -> bool {
        self.status < 300
    }
}

impl Caller {
    pub(super) fn env_ttl(&self) -> u32 {
        if self.sandbox { SANDBOX_TTL } else { TTL }
    }

    /// The address of one of its replicas; these change every few hours where a pool is large.
    pub(super) fn address(&self, site: &Site, at: i64, replica: u64) -> Address {
        for what in site.changes_of(self.place, at) {
            if let What::Addresses(pool) = what
                && !pool.is_empty()
                && let Some(found) = pool.get((replica % pool.len() as u64) as usize)
            {
                return *found;
            }
        }
        let pool = self.addresses.len().max(1) as u64;
        let turn = if pool > self.replicas {
            at / (6 * 60 * MINUTE)
        } else {
            0
        } as u64;
        let place = (replica + turn * self.replicas) % pool;
        self.addresses
            .get(place as usize)
            .copied()
            .unwrap_or(Address {
                ip: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
                network: 0,
            })
    }

    /// The address of somebody's phone: the first networks are the likeliest.
    pub(super) fn phone(&mut self, world: &World) -> Address {
        let place = self.random.skewed(self.phones.len() as u64, 1.5) as usize;
        let network = self.phones.get(place).copied().unwrap_or_default();
        world.map.address(network, &mut self.random)
    }

    /// The scopes that customer mints ask for.
    pub(super) fn scopes_at(&self, site: &Site, at: i64) -> u16 {
        for what in site.changes_of(self.place, at) {
            if let What::Scopes(scopes) = what {
                return *scopes;
            }
        }
        self.scopes
    }

    /// Makes a call; the banks' weather and everyday mishaps decide what comes of it.
    pub(super) fn call(
        &mut self,
        world: &mut World,
        site: &Site,
        at: i64,
        from: Address,
        call: Call,
    ) -> Answer {
        let op = call.op;
        let is_bank_mint = matches!(op, Op::MintBank | Op::MintOrg);
        let mut event = self.plain(at, from, call);
        let fault = site.outage(op.provider(), is_bank_mint, at, &mut self.random);
        if fault != Fault::None {
            event.fail(fault);
        } else {
            let luck = self.random.unit();
            if luck < 0.000_4 {
                event.fail(Fault::Upstream);
            } else if luck < 0.000_5 {
                event.fail(Fault::Timeout);
            } else if luck < 0.000_5 + self.clumsiness && op.deed() != Deed::Mint {
                event.status = match op.deed() {
                    Deed::Get => 404,
                    Deed::Create | Deed::Change => 422,
                    _ => 400,
                };
                event.bytes = 120;
            }
        }
        let answer = Answer {
            fault: event.fault,
            status: event.status,
            done_at: at + i64::from(event.latency_ms),
        };
        world.push(event);
        answer
    }

    /// Makes a call, and again after a failure of the bank's, waiting longer each time.
    pub(super) fn insist(
        &mut self,
        world: &mut World,
        site: &Site,
        at: i64,
        from: Address,
        call: Call,
    ) -> Answer {
        let mut at = at;
        let mut wait = SECOND;
        for _ in 1..self.tries {
            let answer = self.call(world, site, at, from, call);
            let is_worth_it = matches!(
                answer.fault,
                Fault::Upstream | Fault::RateLimited | Fault::CircuitOpen
            ) && (op_is_read(call.op) || call.op.deed() == Deed::Mint);
            if !is_worth_it {
                return answer;
            }
            at = answer.done_at + wait + self.random.below(500) as i64;
            wait *= 2;
        }
        self.call(world, site, at, from, call)
    }

    /// A key of a replica that serves at a moment, minting one where there is none.
    pub(super) fn key(
        &mut self,
        world: &mut World,
        site: &Site,
        at: i64,
        replica: u64,
        kind: TokenKind,
    ) -> Option<(u64, i64)> {
        let place = (replica % self.replicas.max(1)) as usize;
        while self.keys.len() <= place {
            self.keys.push(VecDeque::new());
        }
        let spare = if self.renewal == Renewal::Early {
            90 * SECOND
        } else {
            0
        };
        let held = self.keys.get(place).and_then(|tokens| {
            tokens
                .iter()
                .rev()
                .find(|token| token.serves(at + spare) && token.from <= at)
                .copied()
        });
        if let Some(held) = held
            && !site.was_deployed(self.place, held.from, at)
        {
            return Some((held.token, at));
        }
        let from = self.address(site, at, replica);
        let mut at = at;
        if self.renewal == Renewal::OnRefusal
            && kind == TokenKind::Bank
            && let Some(old) = self
                .keys
                .get(place)
                .and_then(|tokens| tokens.back().copied())
            && old.to <= at
            && !site.was_deployed(self.place, old.from, at)
        {
            // The refusal of the old one comes first.
            let mut event = self.plain(at, from, Call::new(Op::AccountsList, kind, old.token));
            event.fail(Fault::TokenExpired);
            event.latency_ms = 40;
            world.push(event);
            at += 120;
        }
        let (op, ttl) = match kind {
            TokenKind::Org => (Op::MintOrg, self.env_ttl()),
            TokenKind::DirectLogin => (Op::ObpLogin, DIRECT_LOGIN_TTL),
            TokenKind::ApiKey => (Op::WyreSession, 0),
            _ => (Op::MintBank, self.env_ttl()),
        };
        let token = self.random.name();
        let mut call = Call::new(op, TokenKind::None, 0);
        call.scopes = if op.provider() == Provider::Cybrid {
            self.bank_scopes
        } else {
            0
        };
        call.mint = Some(Minted { kind, token, ttl });
        let answer = self.insist(world, site, at, from, call);
        if !answer.is_ok() {
            return None;
        }
        let lives = if ttl == 0 {
            i64::MAX / 2
        } else {
            i64::from(ttl) * SECOND
        };
        let minted = Token {
            kind,
            token,
            subject: 0,
            from: answer.done_at,
            to: answer.done_at.saturating_add(lives),
        };
        if let Some(tokens) = self.keys.get_mut(place) {
            tokens.push_back(minted);
            if tokens.len() > 6 {
                tokens.pop_front();
            }
        }
        Some((token, answer.done_at + 5))
    }

    /// Mints a customer token.
    pub(super) fn mint(
        &mut self,
        world: &mut World,
        site: &Site,
        at: i64,
        replica: u64,
        subject: u64,
    ) -> Option<(u64, i64)> {
        let (key, at) = self.key(world, site, at, replica, TokenKind::Bank)?;
        let from = self.address(site, at, replica);
        let token = self.random.name();
        let ttl = self.env_ttl();
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = self.scopes_at(site, at);
        call.mint = Some(Minted {
            kind: TokenKind::Customer,
            token,
            ttl,
        });
        let answer = self.insist(world, site, at, from, call);
        if !answer.is_ok() {
            return None;
        }
        let minted = Token {
            kind: TokenKind::Customer,
            token,
            subject,
            from: answer.done_at,
            to: answer.done_at + i64::from(ttl) * SECOND,
        };
        self.recent.push_back(minted);
        if self.recent.len() > KEPT {
            self.recent.pop_front();
        }
        self.sessions.insert(subject, minted);
        Some((token, answer.done_at))
    }

    /// The customer token for a visit: a kept one, or another.
    pub(super) fn session(
        &mut self,
        world: &mut World,
        site: &Site,
        at: i64,
        replica: u64,
        subject: u64,
        keeps: bool,
    ) -> Option<(u64, i64)> {
        if keeps
            && let Some(token) = self.sessions.get(&subject)
            && token.serves(at)
            && token.serves(at + MINUTE)
            && !site.was_deployed(self.place, token.from, at)
        {
            return Some((token.token, at));
        }
        self.mint(world, site, at, replica, subject)
    }

    /// A successful call of its own as an event.
    pub(super) fn plain(&mut self, at: i64, from: Address, call: Call) -> Event {
        call.event(at, from, (self.id, self.sandbox), &mut self.random)
    }

    /// Forgets tokens that have run out.
    pub(super) fn tidy(&mut self, now: i64) {
        self.sessions.retain(|_, token| token.to > now);
    }
}

fn op_is_read(op: Op) -> bool {
    matches!(op.deed(), Deed::Get | Deed::List)
}
