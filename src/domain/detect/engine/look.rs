//! What is known of an event before it changes anything.

use super::{Caller, Detection, MAX_OPERATIONS};
use crate::domain::detect::counter::Moment;
use crate::domain::detect::event::{Answer, Environment, Event, TokenKind};
use crate::domain::detect::hash;
use crate::domain::detect::operation::Operation;
use crate::domain::detect::place::{self, NetworkMap, Place};
use crate::domain::detect::profile::{FORGET, Novelty, Profile};
use crate::domain::detect::scene::{Call, Class};
use crate::domain::detect::seen::Known;
use crate::domain::detect::tenant::side;

impl Detection {
    /// The number of the event's caller; one is made for a new one.
    pub(super) fn caller(&mut self, event: &Event<'_>, now: Moment) -> u16 {
        let name = hash::pair(hash::text(event.caller), side(event.environment) as u64);
        let callers = &self.state.callers;
        let is = |at: &u16| {
            callers
                .get(usize::from(*at))
                .is_some_and(|caller| caller.hash == name)
        };
        if let Some(at) = self.index.find(name, is) {
            return *at;
        }
        let most = self.settings.bounds.callers.min(usize::from(u16::MAX));
        let at = callers.len();
        if at >= most {
            // Those beyond the bound share the last profile.
            return (most - 1) as u16;
        }
        let is_last = at + 1 == most;
        let shown = if is_last {
            "(other callers)"
        } else {
            event.caller
        };
        self.state.callers.push(Caller {
            hash: name,
            profile: Profile::new(shown, event.environment, now.second),
            detectors: Box::default(),
        });
        let callers = &self.state.callers;
        let hash_at = |at: &u16| {
            callers
                .get(usize::from(*at))
                .map_or(0, |caller| caller.hash)
        };
        self.index.insert_unique(name, at as u16, hash_at);
        at as u16
    }

    fn operation(&mut self, hash: u64, name: &str) -> Operation {
        if let Some((_, operation)) = self.operations.find(hash, |(known, _)| *known == hash) {
            return *operation;
        }
        let operation = Operation::of(name);
        if self.operations.len() < MAX_OPERATIONS {
            self.operations
                .insert_unique(hash, (hash, operation), |(known, _)| *known);
        }
        operation
    }

    /// Everything that is known of an event, before it changes anything.
    pub(super) fn look<'a>(
        &mut self,
        event: &'a Event<'a>,
        map: &dyn NetworkMap,
        caller: u16,
        now: Moment,
    ) -> Call<'a> {
        let operation_hash = hash::text(event.operation);
        let operation = self
            .operation(operation_hash, event.operation)
            .with_effect(event.effect);
        let place = self.place(event, map);
        let answer = event.answer();
        let key = |text: &str| if text.is_empty() { 0 } else { hash::text(text) };
        let subject_key = key(event.subject);
        let state = &self.state;
        let minted = event
            .mint
            .filter(|_| answer == Answer::Success)
            .map(|mint| match mint.kind {
                TokenKind::Bank | TokenKind::Organization => Class::Service,
                _ if subject_key != 0 => Class::Customer,
                _ => Class::Service,
            });
        let network = event.ip.map_or(0, place::network);
        let profile = state
            .callers
            .get(usize::from(caller))
            .map(|caller| &caller.profile);
        let novelty = profile.map_or(
            Novelty {
                country: Known::New,
                asn: Known::New,
                network: Known::New,
                outside: false,
            },
            |profile| {
                let country = u64::from(u16::from_be_bytes(place.country));
                Novelty {
                    country: profile.countries.known(country, now.second, FORGET),
                    asn: profile.asns.known(u64::from(place.asn), now.second, FORGET),
                    network: profile.networks.known(network, now.second, FORGET),
                    outside: !place.own && profile.is_homebound(),
                }
            },
        );
        Call {
            event,
            operation,
            operation_hash,
            answer,
            place,
            network,
            novelty,
            subject_key,
            subject: state.subjects.get(subject_key).copied(),
            token: state.tokens.get(key(event.token)).copied(),
            minted,
            provider: hash::pair(hash::text(event.provider), side(event.environment) as u64),
            key_tag: if event.token.is_empty() {
                0
            } else {
                (hash::text(event.token) as u16).max(1)
            },
            caller,
            strayed: self.has_strayed(event, profile),
        }
    }

    /// Whether a caller that is new here is known in the other environment.
    fn has_strayed(&self, event: &Event<'_>, profile: Option<&Profile>) -> bool {
        if profile.is_none_or(|profile| profile.calls > 0) {
            return false;
        }
        let other = match event.environment {
            Environment::Production => Environment::Sandbox,
            Environment::Sandbox => Environment::Production,
        };
        let name = hash::pair(hash::text(event.caller), side(other) as u64);
        let callers = &self.state.callers;
        let is = |at: &u16| {
            callers
                .get(usize::from(*at))
                .is_some_and(|caller| caller.hash == name)
        };
        !event.caller.is_empty() && self.index.find(name, is).is_some()
    }

    fn place(&self, event: &Event<'_>, map: &dyn NetworkMap) -> Place {
        let mut place = Place {
            country: place::country(event.country),
            asn: event.asn,
            own: false,
        };
        if let Some(ip) = event.ip {
            if let Some(found) = map.look_up(ip) {
                place.own = found.own;
                if place.country == [0; 2] {
                    place.country = found.country;
                }
                if place.asn == 0 {
                    place.asn = found.asn;
                }
            }
            place.own |= self.own.look_up(ip).is_some();
        }
        place
    }
}
