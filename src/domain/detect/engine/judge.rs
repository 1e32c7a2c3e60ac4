//! What time itself brings: mints whose use was waited for, and pauses.

use super::{Detection, EARLY, LATE, Pending};
use crate::domain::detect::alert::Alert;
use crate::domain::detect::counter::Moment;
use crate::domain::detect::rows::{BUSY, TROUBLED};
use crate::domain::detect::scene::{Class, Judged, Scene};

impl Detection {
    /// Judges the mints whose time has come, in the order of their times.
    pub(super) fn judge(&mut self, until: i64, told: &mut Vec<Alert>) {
        loop {
            let first = self
                .state
                .pending
                .front()
                .map(|mint| mint.at.saturating_add(LATE));
            let next = self
                .state
                .pending
                .get(self.state.looked)
                .map(|mint| mint.at.saturating_add(EARLY));
            let early = match (first, next) {
                (_, Some(next)) if next <= until && first.is_none_or(|first| next <= first) => true,
                (Some(first), _) if first <= until => false,
                _ => return,
            };
            let (mint, due) = if early {
                let Some(mint) = self.state.pending.get(self.state.looked).copied() else {
                    return;
                };
                self.state.looked += 1;
                (mint, mint.at.saturating_add(EARLY))
            } else {
                let Some(mint) = self.state.pending.pop_front() else {
                    return;
                };
                self.state.looked = self.state.looked.saturating_sub(1);
                (mint, mint.at.saturating_add(LATE))
            };
            self.judge_one(mint, early, Moment::new(due), told);
        }
    }

    fn judge_one(&mut self, mint: Pending, early: bool, now: Moment, told: &mut Vec<Alert>) {
        let state = &mut self.state;
        let (uses, troubled) = if mint.service {
            match state.tokens.get_near(mint.key, mint.hint) {
                Some(token) => (token.uses, token.has(BUSY)),
                None => return,
            }
        } else {
            match state.subjects.get_near(mint.key, mint.hint) {
                Some(row) => (row.uses, row.flags & TROUBLED != 0),
                None => return,
            }
        };
        if troubled {
            return;
        }
        let judged = Judged {
            class: if mint.service {
                Class::Service
            } else {
                Class::Customer
            },
            early,
            uses,
            dormant: mint.dormant,
            unknown: mint.unknown,
            id: mint.id,
        };
        let slack = if state.tenant.is_anything_unsettled(now.second) {
            2.0
        } else {
            1.0
        };
        let Some(caller) = state.callers.get_mut(usize::from(mint.caller)) else {
            return;
        };
        let mut scene = Scene {
            now,
            profile: &mut caller.profile,
            tenant: &mut state.tenant,
            tokens: &state.tokens,
            settings: &self.settings,
            signs: &mut self.signs,
            slack,
        };
        caller.detectors.judge(&mut scene, &judged);
        self.tell(mint.caller, None, now, told);
    }

    /// Lets every caller's detectors look at the time that is over.
    pub(super) fn each(&mut self, now: Moment, told: &mut Vec<Alert>) {
        for at in 0..self.state.callers.len() {
            let state = &mut self.state;
            let slack = if state.tenant.is_anything_unsettled(now.second) {
                2.0
            } else {
                1.0
            };
            if let Some(caller) = state.callers.get_mut(at) {
                let mut scene = Scene {
                    now,
                    profile: &mut caller.profile,
                    tenant: &mut state.tenant,
                    tokens: &state.tokens,
                    settings: &self.settings,
                    signs: &mut self.signs,
                    slack,
                };
                caller.detectors.pause(&mut scene);
            }
            self.tell(at as u16, None, now, told);
        }
    }
}
