//! Doing what an operator wants to be done about incidents without being asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lockdown::Locks;
use super::own_calls::{OwnCalls, Tally};
use crate::adapters::clock;
use crate::domain::config::Config;
use crate::domain::incident::{Sign, Taken};
use crate::domain::lockdown::Lock;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::respond::{BY, Decision, Plan, Responding};
use crate::types::Outcome;

/// Places locks for incidents.
pub struct Responder {
    config: Config,
    responding: Responding,
    /// Whether it is known what was done before this process began.
    is_seeded: bool,
    done: Arc<AtomicU64>,
}

impl Responder {
    /// For the responses of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            responding: Responding::new(config.detect.responses.clone()),
            config: config.clone(),
            is_seeded: false,
            done: Arc::default(),
        }
    }

    /// How many locks were placed since the start.
    pub fn done(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.done)
    }

    /// Whether something may be done about a sign.
    pub fn is_wanted(&self, sign: &Sign) -> bool {
        self.responding.is_wanted_by(&sign.rule)
    }

    /// Does what is to be done about a sign; what was done, for the incident.
    pub async fn respond(&mut self, sign: &Sign, taken: &Taken) -> Option<String> {
        if !self.is_wanted(sign) {
            return None;
        }
        self.seed().await;
        let target = |plan: &Plan| plan.target.to_string();
        match self.responding.decide(sign, taken, clock::now()) {
            Decision::Nothing => None,
            Decision::Would(plan) => {
                let target = target(&plan);
                tracing::warn!(
                    target: "egret::detect",
                    incident = plan.incident,
                    rule = plan.rule,
                    what = target,
                    "a dry run: this would be locked down"
                );
                Some(format!("would lock {target} (dry run)"))
            }
            Decision::Not(plan, why) => {
                let target = target(&plan);
                tracing::warn!(
                    target: "egret::detect",
                    incident = plan.incident,
                    rule = plan.rule,
                    what = target,
                    why,
                    "this is not locked down"
                );
                Some(format!("did not lock {target}: {why}"))
            }
            Decision::Do(plan) => {
                let target = target(&plan);
                match self.place(&plan).await {
                    Ok(lock) => {
                        self.done.fetch_add(1, Ordering::Relaxed);
                        tracing::error!(
                            target: "egret::detect",
                            incident = plan.incident,
                            rule = plan.rule,
                            what = target,
                            "an incident has locked something down: see `egret lockdown list`"
                        );
                        Some(format!("locked {target} by {lock}"))
                    }
                    Err(error) => {
                        self.responding.failed(&plan);
                        tracing::error!(
                            target: "egret::detect",
                            incident = plan.incident,
                            rule = plan.rule,
                            what = target,
                            error,
                            "this should be locked down, and cannot be"
                        );
                        Some(format!("could not lock {target}: see the log"))
                    }
                }
            }
        }
    }

    /// What is locked already counts, whoever of the fleet has locked it.
    async fn seed(&mut self) {
        if self.is_seeded {
            return;
        }
        let now = clock::now();
        let mut locks = Locks::of(&self.config);
        let Ok((in_force, _)) = locks.read(now).await else {
            return;
        };
        for lock in in_force.local.with(&in_force.shared).locks() {
            if &*lock.by == BY
                && let Some(until) = lock.until
            {
                self.responding
                    .remember(lock.target.clone(), lock.placed_at, until);
            }
        }
        self.is_seeded = true;
    }

    /// Places a lock as a person would: on record before it holds.
    async fn place(&self, plan: &Plan) -> Result<String, String> {
        let now = clock::now();
        let until = now.plus(plan.lasts);
        let mut locks = Locks::of(&self.config);
        let reach = locks.reach();
        let call = OwnCall::new(OwnOperation::LockdownPlace)
            .fact("target", &plan.target)
            .fact("reach", reach.as_str())
            .fact("reason", &plan.reason)
            .fact("incident", &plan.incident)
            .fact("by", BY)
            .fact("until", until);
        let calls = OwnCalls::new(&self.config);
        let open = calls.begin(call).await.map_err(|error| error.to_string())?;
        let lock = Lock {
            id: open.call_id(),
            target: plan.target.clone(),
            reason: plan.reason.as_str().into(),
            by: BY.into(),
            placed_at: now,
            until: Some(until),
        };
        let id = lock.id.to_string();
        let done = locks.place(lock, reach, now).await;
        let outcome = match &done {
            Ok(()) => Outcome::Success,
            Err(_) => Outcome::Failure,
        };
        // What is locked is locked, also if its end cannot be put on record.
        if let Err(error) = open.finish(outcome, Tally::default()).await {
            tracing::error!(target: "egret::detect", %error, "the end of a lock's placing is not on record");
        }
        done.map(|()| id).map_err(|error| error.to_string())
    }
}
