//! The tokens that a scene plays with: those at hand, those that it mints, and what is done with them.

use super::calendar::{MINUTE, SECOND};
use super::caller::{self, Call, Caller, Token};
use super::event::{Minted, TokenKind};
use super::label::Difficulty;
use super::network::Address;
use super::operation::Op;
use super::scene::Scene;

impl Scene<'_> {
    /// What the caller keeps in memory and could use at a moment: a key of a bank, or what it
    /// signed in with.
    pub(super) fn held(&self, at: i64) -> Option<Token> {
        let mut keys = self.caller()?.keys.iter().flatten();
        keys.find(|token| token.serves(at)).copied()
    }

    /// A bank token that serves at a moment: the one in the caller's memory, else another.
    pub(super) fn bank_key(&mut self, at: i64, from: Address) -> u64 {
        match self.held(at) {
            Some(held) => held.token,
            None => self.bank_key_by_secret(at, from),
        }
    }

    /// A bank token minted with the client secret, with the scopes that the caller's have.
    pub(super) fn bank_key_by_secret(&mut self, at: i64, from: Address) -> u64 {
        let scopes = self.caller().map_or(8, |caller| caller.bank_scopes);
        self.mint_bank(at, from, scopes)
    }

    /// Mints a bank token.
    pub(super) fn mint_bank(&mut self, at: i64, from: Address, scopes: u16) -> u64 {
        let mut call = Call::new(Op::MintBank, TokenKind::None, 0);
        call.scopes = scopes;
        let ttl = self.ttl();
        self.mint_by(at, from, call, (TokenKind::Bank, ttl)).token
    }

    /// Mints an organization token.
    pub(super) fn mint_organization(&mut self, at: i64, from: Address) -> Token {
        let mut call = Call::new(Op::MintOrg, TokenKind::None, 0);
        call.scopes = 10;
        self.mint_by(at, from, call, (TokenKind::Org, caller::TTL))
    }

    /// Signs in to the Open Bank Project; `subject` is 0 for the caller itself.
    pub(super) fn sign_in(&mut self, at: i64, from: Address, subject: u64) -> Token {
        let call = Call::new(Op::ObpLogin, TokenKind::None, 0).about(subject);
        let minted = (TokenKind::DirectLogin, caller::DIRECT_LOGIN_TTL);
        self.mint_by(at, from, call, minted)
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
        let mut call = Call::new(Op::MintCustomer, TokenKind::Bank, key).about(subject);
        call.scopes = scopes;
        let ttl = self.ttl();
        self.mint_by(at, from, call, (TokenKind::Customer, ttl))
    }

    /// Makes a call that mints; gives the token, of a kind and for so many seconds, from the answer
    /// on.
    pub(super) fn mint_by(
        &mut self,
        at: i64,
        from: Address,
        mut call: Call,
        (kind, ttl): (TokenKind, u32),
    ) -> Token {
        let token = self.random.name();
        call.mint = Some(Minted { kind, token, ttl });
        let done = self.call(at, from, call);
        Token {
            kind,
            token,
            subject: call.subject,
            from: done,
            to: done + i64::from(ttl) * SECOND,
        }
    }

    fn ttl(&self) -> u32 {
        self.caller().map_or(caller::TTL, Caller::env_ttl)
    }

    /// The key that the caller signs with, where it signs.
    pub(super) fn signed_key(&self) -> u64 {
        self.tenant.site.people.signed_key(self.caller_id())
    }

    /// A token used for one thing after the other; `pause` milliseconds before each. Gives when the
    /// last is done.
    pub(super) fn in_turn(
        &mut self,
        from: Address,
        token: Token,
        begin: i64,
        pause: i64,
        ops: &[Op],
    ) -> i64 {
        ops.iter().fold(begin, |then, op| {
            self.call(then + pause, from, token.call(*op))
        })
    }

    /// Long work with bank tokens from one address: by whom has what is in the caller's memory, or
    /// when it is easy by whom has only its client secret.
    pub(super) fn errand(&self, from: Address) -> Errand {
        match self.difficulty {
            Difficulty::Easy => self.errand_outside(from),
            Difficulty::Medium | Difficulty::Hard => self.errand_inside(from),
        }
    }

    /// The same by whom has what is in the caller's memory.
    pub(super) fn errand_inside(&self, from: Address) -> Errand {
        Errand::new(from, self.scopes(), |scene, at, from| {
            scene.bank_key(at, from)
        })
    }

    /// The same by whom has only the caller's client secret.
    pub(super) fn errand_outside(&self, from: Address) -> Errand {
        Errand::new(from, self.scopes(), |scene, at, from| {
            scene.bank_key_by_secret(at, from)
        })
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
}

/// Long work with bank tokens: another whenever one has run out.
pub(super) struct Errand {
    pub(super) from: Address,
    /// What its customer tokens may do.
    scopes: u16,
    key: u64,
    key_until: i64,
    next_key: fn(&mut Scene<'_>, i64, Address) -> u64,
}

impl Errand {
    const fn new(
        from: Address,
        scopes: u16,
        next_key: fn(&mut Scene<'_>, i64, Address) -> u64,
    ) -> Self {
        Self {
            from,
            scopes,
            key: 0,
            key_until: i64::MIN,
            next_key,
        }
    }

    /// The same with other scopes than the caller asks for.
    pub(super) const fn asking_for(mut self, scopes: u16) -> Self {
        self.scopes = scopes;
        self
    }

    /// The bank token to use at a moment.
    pub(super) fn key(&mut self, scene: &mut Scene<'_>, at: i64) -> u64 {
        if at >= self.key_until {
            self.key = (self.next_key)(scene, at, self.from);
            self.key_until = at + 20 * MINUTE;
        }
        self.key
    }

    /// Mints for a customer, `pause` milliseconds after there is a bank token to do it with.
    pub(super) fn mint(
        &mut self,
        scene: &mut Scene<'_>,
        at: i64,
        pause: i64,
        subject: u64,
    ) -> Token {
        let key = self.key(scene, at);
        scene.mint(at + pause, self.from, key, subject, self.scopes)
    }

    /// Mints for somebody who comes by.
    pub(super) fn mint_for_visitor(&mut self, scene: &mut Scene<'_>, at: i64, pause: i64) -> Token {
        let key = self.key(scene, at);
        let subject = scene.visitor();
        scene.mint(at + pause, self.from, key, subject, self.scopes)
    }

    /// A token that still serves `spare` milliseconds after a moment: this one, or another for the
    /// same customer.
    pub(super) fn renewed(
        &mut self,
        scene: &mut Scene<'_>,
        at: i64,
        spare: i64,
        token: Token,
    ) -> Token {
        if at + spare > token.to {
            self.mint(scene, at, 0, token.subject)
        } else {
            token
        }
    }
}
