//! Records of accesses, in the gateway's own journal: it is open, synced and sealed anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::adapters::clock;
use crate::adapters::entropy;
use crate::adapters::journal::Journal;
use crate::domain::access::{Person, Way};
use crate::domain::own::{self, OwnCall, OwnOperation};
use crate::domain::record::{
    CallRecord, CallerVia, Fact, Gateway, LossPolicy, OpenRecord, Recorder, Step,
};
use crate::edge::admin::desk::Fault;
use crate::types::{CallId, Decision, Micros, Outcome};

/// How long an access waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long looks at figures are one record.
const WATCH: Duration = Duration::from_secs(300);

/// Most people and ways that are watched apart; beyond, each look is a record of its own.
const MAX_WATCHES: usize = 1_000;

/// Fact: how somebody has said who they are.
const WAY: &str = "way";
/// Fact: their roles.
const ROLES: &str = "roles";
/// Fact: how many requests one record stands for.
const REQUESTS: &str = "requests";

/// Puts accesses on record.
pub(super) struct AccessLog {
    journal: Arc<Journal>,
    recorder: Arc<dyn Recorder>,
    gateway: Arc<Gateway>,
}

/// An access that is on record and has not ended. Dropped, it ends with outcome unknown: nobody
/// waited for the answer.
pub(super) struct OpenAccess(OpenRecord);

impl AccessLog {
    pub(super) fn new(journal: &Arc<Journal>, gateway: &Arc<Gateway>) -> Self {
        Self {
            journal: Arc::clone(journal),
            recorder: Arc::clone(journal) as Arc<dyn Recorder>,
            gateway: Arc::clone(gateway),
        }
    }

    fn record(&self, call: OwnCall, who: Option<&Person>, id: CallId) -> CallRecord {
        let call = match who {
            Some(who) => call.fact(WAY, who.way.as_str()).fact(ROLES, who.roles),
            None => call,
        };
        let gateway = Arc::clone(&self.gateway);
        let mut record = call.open(id, clock::now(), gateway, "");
        record.caller.name = who.map(|who| Arc::clone(&who.name));
        record.caller.key_id = who.and_then(|who| who.key_id.clone());
        record.caller.via = match who {
            None => CallerVia::None,
            Some(who) if who.way == Way::Certificate => CallerVia::Mtls,
            Some(who) if who.key_id.is_some() => CallerVia::Key,
            Some(_) => CallerVia::User,
        };
        record
    }

    async fn settle(&self, open: &mut OpenRecord, step: Step) -> Result<(), Fault> {
        let ticket = open.step(step).map_err(|_| Fault::NotRecorded)?;
        let Some(ticket) = ticket else {
            return Ok(());
        };
        match tokio::time::timeout(PATIENCE, self.journal.settled(ticket)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Fault::NotRecorded),
        }
    }

    /// Puts on record that somebody is about to see or do something. They may when this returns.
    ///
    /// # Errors
    /// [`Fault::NotRecorded`]; then they must not.
    pub(super) async fn begin(
        &self,
        call: OwnCall,
        who: &Person,
        id: CallId,
    ) -> Result<OpenAccess, Fault> {
        let record = self.record(call, Some(who), id);
        let mut open = OpenRecord::open(&self.recorder, record, LossPolicy::Strict);
        self.settle(&mut open, Step::Intent).await?;
        Ok(OpenAccess(open))
    }

    /// Puts on record what has happened at the door; `refused` is the reason of a refusal.
    ///
    /// # Errors
    /// [`Fault::NotRecorded`].
    pub(super) async fn note(
        &self,
        call: OwnCall,
        who: Option<&Person>,
        id: CallId,
        refused: Option<&'static str>,
    ) -> Result<(), Fault> {
        let mut record = self.record(call, who, id);
        let outcome = match refused {
            None => Outcome::Success,
            Some(reason) => {
                record.decision = Decision::Denied;
                record.reason = Some(reason.into());
                Outcome::Failure
            }
        };
        own::complete(&mut record, outcome, None, clock::now());
        let mut open = OpenRecord::open(&self.recorder, record, LossPolicy::Strict);
        self.settle(&mut open, Step::Intent).await?;
        open.close().map(drop).ok_or(Fault::NotRecorded)
    }
}

impl OpenAccess {
    fn finish(mut self, outcome: Outcome, rows: Option<u64>, reason: Option<&'static str>) {
        self.0.update(|record| {
            record.reason = reason.map(Into::into);
            own::complete(record, outcome, rows, clock::now());
        });
        // What cannot be recorded is counted by the journal.
        let _ = self.0.close();
    }

    /// It was done; so many rows were shown.
    pub(super) fn succeeded(self, rows: Option<u64>) {
        self.finish(Outcome::Success, rows, None);
    }

    /// It was not done.
    pub(super) fn failed(self, fault: &Fault) {
        let reason = match fault {
            Fault::NotFound(_) => "admin_not_found",
            Fault::Conflict(_) => "admin_conflict",
            Fault::BadParameter(..) | Fault::BadBody(_) => "admin_bad_request",
            Fault::LedgerAway(_) => "admin_ledger_away",
            Fault::Busy => "admin_busy",
            Fault::Timeout => "admin_timeout",
            _ => "admin_failed",
        };
        self.finish(Outcome::Failure, None, Some(reason));
    }

    /// Whoever read it has left; so many rows were shown.
    pub(super) fn left(self, rows: u64) {
        self.finish(Outcome::Cancelled, Some(rows), None);
    }
}

/// Looks at figures: pages ask for them every few seconds, and a record of each would bury all
/// others. The first look of a person begins a record, which is on disk before they see anything;
/// what follows is counted in it, and after some minutes it ends.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<(Arc<str>, Way), Watching>>);

struct Watching {
    began: Micros,
    requests: u64,
    open: OpenAccess,
}

impl Watching {
    fn end(mut self) {
        let requests = self.requests;
        self.open.0.update(|record| {
            record.add_fact(Fact {
                name: REQUESTS.into(),
                value: requests.to_string().into(),
            });
        });
        self.open.succeeded(None);
    }
}

impl Watches {
    /// Notes a look.
    ///
    /// # Errors
    /// [`Fault::NotRecorded`].
    pub(super) async fn note(&self, access: &AccessLog, who: &Person) -> Result<(), Fault> {
        let now = clock::now();
        let key = (Arc::clone(&who.name), who.way);
        {
            let mut all = self.0.lock();
            match all.get_mut(&key) {
                Some(watching) if now.since(watching.began) < WATCH => {
                    watching.requests += 1;
                    return Ok(());
                }
                Some(_) => {
                    if let Some(old) = all.remove(&key) {
                        old.end();
                    }
                }
                None => {}
            }
        }
        let random = entropy::id_bytes().map_err(|_| Fault::NotRecorded)?;
        let id = CallId::from_parts(now.as_millis(), random);
        let call = OwnCall::new(OwnOperation::AdminWatch);
        let open = access.begin(call, who, id).await?;
        let watching = Watching {
            began: now,
            requests: 1,
            open,
        };
        let mut all = self.0.lock();
        let is_full = all.len() >= MAX_WATCHES && !all.contains_key(&key);
        // Two first looks at a time are two records.
        let other = match is_full {
            true => Some(watching),
            false => all.insert(key, watching),
        };
        drop(all);
        if let Some(other) = other {
            other.end();
        }
        Ok(())
    }

    /// Ends the records that have gone on for long enough.
    pub(super) fn end_old(&self, now: Micros) {
        let mut all = self.0.lock();
        let old: Vec<_> = all
            .iter()
            .filter(|(_, watching)| now.since(watching.began) >= WATCH)
            .map(|(key, _)| key.clone())
            .collect();
        for key in old {
            if let Some(watching) = all.remove(&key) {
                watching.end();
            }
        }
    }

    /// Ends all of them.
    pub(super) fn end_all(&self) {
        for (_, watching) in self.0.lock().drain() {
            watching.end();
        }
    }
}
