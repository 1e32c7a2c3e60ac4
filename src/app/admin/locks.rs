//! What is locked down, and its changes.

use std::time::Duration;

use super::AdminDesk;
use crate::adapters::clock;
use crate::app::lockdown::{LockdownError, Locks, Reach};
use crate::domain::access::Person;
use crate::domain::lockdown::{Lock, LockBook, LockError, LockTarget};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::edge::admin::desk::{Fault, Reply};
use crate::edge::admin::model;
use crate::types::CallId;

/// How long the fleet's ledger may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn shown(lock: &Lock, reach: Reach) -> model::Lock {
    model::Lock {
        id: lock.id.to_string(),
        target: lock.target.to_string(),
        reach: reach.as_str(),
        reason: lock.reason.to_string(),
        by: lock.by.to_string(),
        placed_at: lock.placed_at.to_string(),
        until: lock.until.map(|until| until.to_string()),
    }
}

fn fault(error: LockdownError) -> Fault {
    match error {
        LockdownError::Book(LockError::Unknown(id)) => {
            Fault::NotFound(format!("no lock {id} is in force"))
        }
        LockdownError::Book(error) => Fault::Conflict(error.to_string()),
        LockdownError::Shared(error) => Fault::LedgerAway(format!(
            "the locks of the fleet cannot be reached: {error}; in an emergency lock this node by \
             itself with \"here\": true"
        )),
        LockdownError::File(error) => {
            tracing::error!(%error, "the locks cannot be read or written");
            Fault::Failed("the lockdown file cannot be used: see the log".to_owned())
        }
    }
}

async fn in_time<T>(done: impl Future<Output = Result<T, LockdownError>>) -> Result<T, Fault> {
    match tokio::time::timeout(PATIENCE, done).await {
        Ok(done) => done.map_err(fault),
        Err(_) => Err(Fault::Timeout),
    }
}

impl AdminDesk {
    pub(super) async fn locks(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::LockdownList);
        let work = async {
            let now = clock::now();
            let config = self.config();
            let mut locks = Locks::of(&config);
            let (in_force, why) = in_time(locks.read(now)).await?;
            let holding = |book: &LockBook, reach| {
                let locks = book.locks().iter().filter(|lock| lock.holds_at(now));
                locks.map(|lock| shown(lock, reach)).collect::<Vec<_>>()
            };
            let mut locks = holding(&in_force.local, Reach::Node);
            locks.extend(holding(&in_force.shared, Reach::Fleet));
            let rows = locks.len() as u64;
            let locks = model::Locks {
                sentinel: in_force.sentinel,
                fleet_asked: why.is_none(),
                locks,
            };
            Ok((Reply::json(&locks), Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    /// What may be locked: a slip of the pen locks nothing, and says so.
    fn target(&self, text: &str) -> Result<LockTarget, Fault> {
        let target =
            LockTarget::parse(text).map_err(|error| Fault::BadBody(format!("target: {error}")))?;
        let is_there = match &target {
            LockTarget::Provider(id) => self.configured().served.has(id),
            LockTarget::Operation {
                provider,
                operation,
            } => self
                .configured()
                .served
                .has_operation(Some(provider), operation),
            _ => true,
        };
        match is_there {
            true => Ok(target),
            false => Err(Fault::NotFound(format!(
                "target: {target} is not served here"
            ))),
        }
    }

    pub(super) async fn lock(
        &self,
        target: &str,
        reason: &str,
        length: Option<Duration>,
        here: bool,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let target = self.target(target)?;
        let reason = self.without_secrets(reason)?;
        let now = clock::now();
        let until = length.map(|length| now.plus(length));
        let config = self.config();
        let mut locks = Locks::of(&config);
        let reach = if here { Reach::Node } else { locks.reach() };
        let mut call = OwnCall::new(OwnOperation::LockdownPlace)
            .fact("target", &target)
            .fact("reach", reach.as_str())
            .fact("reason", &reason);
        if let Some(until) = until {
            call = call.fact("until", until);
        }
        let lock = Lock {
            id,
            target,
            reason: reason.into(),
            by: who.name.as_ref().into(),
            placed_at: now,
            until,
        };
        let work = async {
            in_time(locks.place(lock.clone(), reach, now)).await?;
            Ok((Reply::created(&shown(&lock, reach)), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn lift(
        &self,
        lock: CallId,
        reason: &str,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let reason = self.without_secrets(reason)?;
        let call = OwnCall::new(OwnOperation::LockdownLift)
            .fact("lock", lock)
            .fact("reason", &reason);
        let work = async {
            let now = clock::now();
            let config = self.config();
            let mut locks = Locks::of(&config);
            let (before, _) = in_time(locks.read(now)).await?;
            let is_local = before.local.locks().iter().any(|known| known.id == lock);
            let reach = if is_local { Reach::Node } else { Reach::Fleet };
            let lifted = in_time(locks.lift(lock, &reason, &who.name, now)).await?;
            Ok((Reply::json(&shown(&lifted, reach)), None))
        };
        self.recorded(call, who, id, work).await
    }
}
