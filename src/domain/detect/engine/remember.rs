//! What is kept of an event, for later ones to be judged by.

use super::{Detection, Pending};
use crate::domain::detect::counter::Moment;
use crate::domain::detect::event::{Answer, Environment, TokenKind};
use crate::domain::detect::hash;
use crate::domain::detect::rows::{
    BUSY, MINTED, READ, REFUSED, SANDBOX, Subject, TROUBLED, Token, usual_life,
};
use crate::domain::detect::scene::{Call, Class};

impl Detection {
    /// Keeps what later events will be judged by.
    pub(super) fn remember(&mut self, call: &Call<'_>, now: Moment) {
        self.remember_subject(call, now);
        self.remember_token(call, now);
        if let (Some(class), Some(mint)) = (call.minted, call.event.mint) {
            self.wait(call, class, mint.token, now);
        }
    }

    fn remember_subject(&mut self, call: &Call<'_>, now: Moment) {
        let key = call.subject_key;
        if key == 0 {
            return;
        }
        let subjects = &mut self.state.subjects;
        if call.answer == Answer::Trouble {
            if let Some(row) = subjects.get_mut(key) {
                row.flags |= TROUBLED;
            }
            return;
        }
        if !call.succeeded() {
            return;
        }
        if call.subject.is_none() {
            subjects.insert(Subject::new(key, now.second), now.second);
        }
        let Some(row) = subjects.get_mut(key) else {
            return;
        };
        let hour = now.hour as u16;
        if call.minted == Some(Class::Customer) {
            if row.is_awaited(now.second) {
                row.uses = 0;
                row.flags &= !TROUBLED;
            }
            row.minted = now.second;
        } else if !call.operation.mints && !call.event.token_kind.is_broad() {
            row.called = now.second;
            row.uses = row.uses.saturating_add(1);
        }
        if call.event.token_kind == TokenKind::ApiKey && row.by_key == 0 {
            row.by_key = call.key_tag;
        }
        if row.hour != hour {
            row.hour = hour;
            row.calls = 0;
            row.mints = 0;
        }
        if call.minted.is_some() {
            row.mints = row.mints.saturating_add(1);
        } else if !call.operation.mints {
            row.calls = row.calls.saturating_add(1);
        }
        if call.event.pii {
            row.flags |= READ;
            row.pii_hour = hour;
        }
    }

    fn remember_token(&mut self, call: &Call<'_>, now: Moment) {
        let event = call.event;
        let sandbox = if event.environment == Environment::Sandbox {
            SANDBOX
        } else {
            0
        };
        let country = u16::from_be_bytes(call.place.country);
        let tokens = &mut self.state.tokens;
        let row = |key: u64, life: u32, flags: u8| Token {
            network: call.network,
            asn: call.place.asn,
            country,
            caller: call.caller,
            flags: flags | sandbox,
            ..Token::new(key, now.second, life)
        };
        if !event.token.is_empty() {
            let key = hash::text(event.token);
            if let Some(token) = tokens.get_mut(key) {
                match call.answer {
                    Answer::Trouble => token.flags |= BUSY,
                    Answer::Unauthenticated => token.flags |= REFUSED,
                    _ => token.uses = token.uses.saturating_add(1),
                }
                if token.country == country {
                    token.used = now.second;
                }
            } else if call.succeeded() {
                let life = usual_life(event.token_kind, event.environment);
                let mut token = row(key, life, 0);
                token.uses = 1;
                tokens.insert(token, now.second);
            }
        }
        if let (Some(mint), Some(_)) = (event.mint, call.minted)
            && !mint.token.is_empty()
        {
            let key = hash::text(mint.token);
            if let Some(token) = tokens.get_mut(key) {
                // A feed that is a little out of order shows the use before the mint.
                token.flags |= MINTED;
            } else {
                let life = if mint.ttl > 0 {
                    mint.ttl
                } else {
                    usual_life(mint.kind, event.environment)
                };
                tokens.insert(row(key, life, MINTED), now.second);
            }
        }
    }

    /// Waits for the use of a token that was minted for somebody who was not active.
    fn wait(&mut self, call: &Call<'_>, class: Class, token: &str, now: Moment) {
        let unknown = call.subject.is_none();
        let awaited = call.subject.is_none_or(|row| row.is_awaited(now.second));
        if class == Class::Customer && !awaited {
            return;
        }
        let state = &mut self.state;
        if state.pending.len() >= self.settings.bounds.pending {
            state.pending.pop_front();
            state.looked = state.looked.saturating_sub(1);
            state.overflow += 1;
        }
        let (key, place) = match class {
            Class::Service if token.is_empty() => (0, None),
            Class::Service => {
                let key = hash::text(token);
                (key, state.tokens.place(key))
            }
            Class::Customer => (call.subject_key, state.subjects.place(call.subject_key)),
        };
        state.pending.push_back(Pending {
            at: now.at,
            id: call.event.id,
            key,
            hint: place.unwrap_or(u32::MAX),
            caller: call.caller,
            service: class == Class::Service,
            dormant: call.subject.is_some_and(|row| row.is_dormant(now.second)),
            unknown: unknown && class == Class::Customer,
        });
    }
}
