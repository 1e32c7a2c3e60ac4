//! Incidents, and what people do about them.

use std::sync::Arc;

use super::AdminDesk;
use crate::adapters::clock;
use crate::adapters::notify::DeskError;
use crate::app::alerts::desk;
use crate::domain::access::Person;
use crate::domain::incident::{
    self, Act, ActFault, Book, Case, Category, Severity, Silence, State,
};
use crate::domain::own::{OwnCall, OwnOperation};
use crate::edge::admin::desk::{Fault, IncidentsAsked, Reply, SilenceAsked};
use crate::edge::admin::model;
use crate::types::CallId;

/// Fact: which incident.
const INCIDENT: &str = "incident";

fn fault(error: DeskError) -> Fault {
    match error {
        DeskError::Act(fault) => match fault {
            ActFault::Unknown(..) | ActFault::NoSilence(..) => Fault::NotFound(fault.to_string()),
            fault => Fault::Conflict(fault.to_string()),
        },
        error => {
            tracing::error!(%error, "incidents cannot be used");
            Fault::Failed("the incidents cannot be read or written: see the log".to_owned())
        }
    }
}

fn no_such(id: &str) -> Fault {
    Fault::NotFound(format!("there is no incident {id}"))
}

fn shown(silence: &Silence) -> model::Silence {
    model::Silence {
        number: silence.number,
        rule: silence.rule.clone(),
        category: silence.category.map(Category::as_str),
        caller: silence.caller.clone(),
        environment: silence.environment.clone(),
        from: silence.from.to_string(),
        until: silence.until.to_string(),
        who: silence.who.clone(),
        reason: silence.reason.clone(),
    }
}

fn silences(book: &Book) -> model::Silences {
    model::Silences {
        silences: book.silences().iter().map(shown).collect(),
    }
}

/// A page of the incidents that are meant, newest first.
fn page(book: &Book, asked: &IncidentsAsked) -> model::Incidents {
    let fits = |case: &&Case| {
        asked.states.contains(&case.state)
            && asked.severity.is_none_or(|least| case.severity >= least)
            && asked
                .category
                .is_none_or(|category| case.category == category)
            && asked
                .caller
                .as_ref()
                .is_none_or(|name| case.callers.has(name))
    };
    let mut cases: Vec<&Case> = book.cases().filter(fits).collect();
    // Ids of a day count up, so that this order is the same whenever it is asked for.
    cases.sort_by(|left, right| (right.opened_at, &right.id).cmp(&(left.opened_at, &left.id)));
    let after = asked.after.as_deref().and_then(|id| book.case(id));
    let rest = cases.into_iter().filter(|case| {
        after.is_none_or(|after| (case.opened_at, &case.id) < (after.opened_at, &after.id))
    });
    let mut found: Vec<&Case> = rest.take(asked.limit.saturating_add(1)).collect();
    let has_more = found.len() > asked.limit;
    found.truncate(asked.limit);
    let next = found
        .last()
        .filter(|_| has_more)
        .map(|case| case.id.clone());
    model::Incidents {
        incidents: found.into_iter().map(incident::view).collect(),
        next,
    }
}

fn count(book: &Book) -> model::OpenIncidents {
    let mut counted = model::OpenIncidents::default();
    let mut worst: Option<Severity> = None;
    for case in book.cases() {
        match case.state {
            State::Open => counted.open += 1,
            State::Acknowledged => counted.acknowledged += 1,
            State::Closed => continue,
        }
        worst = worst.max(Some(case.severity));
    }
    counted.worst = worst.map(Severity::as_str);
    counted
}

impl AdminDesk {
    /// Reads the book, on a thread that may wait for files.
    async fn with_book<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Book) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let config = self.config();
        let kept = Arc::clone(&self.incidents);
        let done = tokio::task::spawn_blocking(move || {
            if !config.alerts.directory.is_dir() {
                return Ok(read(&Book::new(config.alerts.settings)));
            }
            let mut kept = kept.lock();
            if kept.is_none() {
                *kept = Some(desk(&config)?);
            }
            match kept.as_mut() {
                Some(desk) => desk.book().map(read),
                None => Ok(read(&Book::new(config.alerts.settings))),
            }
        });
        let done = done.await.map_err(|_| Fault::Timeout)?;
        done.map_err(fault)
    }

    /// Does something to the book, and then reads it.
    async fn act_on_book<T: Send + 'static>(
        &self,
        act: Act,
        who: &Person,
        read: impl FnOnce(&Book) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let config = self.config();
        let who = who.name.to_string();
        let done = tokio::task::spawn_blocking(move || {
            let mut desk = desk(&config)?;
            desk.act(act, &who, clock::now())?;
            desk.book().map(read)
        });
        let done = done.await.map_err(|_| Fault::Timeout)?;
        done.map_err(fault)
    }

    /// How many are not closed; `None` where that cannot be told.
    pub(super) async fn open_incidents(&self) -> Option<model::OpenIncidents> {
        self.with_book(count).await.ok()
    }

    /// Those that name a call.
    pub(super) async fn incidents_of(&self, call: String) -> Vec<String> {
        let found = self.with_book(move |book| {
            let cases = book.cases().filter(|case| case.calls.contains(&call));
            cases.map(|case| case.id.clone()).collect()
        });
        found.await.unwrap_or_default()
    }

    pub(super) async fn incidents(
        &self,
        asked: IncidentsAsked,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AlertList);
        let work = async {
            let page = self.with_book(move |book| page(book, &asked)).await?;
            let rows = page.incidents.len() as u64;
            Ok((Reply::json(&page), Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn incident(
        &self,
        incident: String,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AlertShow).fact(INCIDENT, &incident);
        let work = async {
            let found = incident.clone();
            let found = self.with_book(move |book| book.case(&found).map(incident::view));
            let found = found.await?.ok_or_else(|| no_such(&incident))?;
            Ok((Reply::json(&found), Some(1)))
        };
        self.recorded(call, who, id, work).await
    }

    async fn change(
        &self,
        operation: OwnOperation,
        incident: String,
        act: Act,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let call = OwnCall::new(operation).fact(INCIDENT, &incident);
        let work = async {
            let read = incident.clone();
            let found =
                self.act_on_book(act, who, move |book| book.case(&read).map(incident::view));
            let found = found.await?.ok_or_else(|| no_such(&incident))?;
            Ok((Reply::json(&found), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn acknowledge(
        &self,
        incident: String,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let act = Act::Acknowledge {
            id: incident.clone(),
        };
        self.change(OwnOperation::AlertAck, incident, act, who, id)
            .await
    }

    pub(super) async fn close(
        &self,
        incident: String,
        reason: &str,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let act = Act::Close {
            id: incident.clone(),
            reason: self.without_secrets(reason)?,
        };
        self.change(OwnOperation::AlertClose, incident, act, who, id)
            .await
    }

    pub(super) async fn silences(&self, who: &Person, id: CallId) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AlertList).fact("part", "silences");
        let work = async {
            let found = self.with_book(silences).await?;
            let rows = found.silences.len() as u64;
            Ok((Reply::json(&found), Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn silence(
        &self,
        asked: SilenceAsked,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let from = clock::now();
        let act = Act::Silence(Silence {
            number: 0,
            rule: asked.rule,
            category: asked.category,
            caller: asked.caller,
            environment: asked.environment,
            from,
            until: from.plus(asked.length),
            who: who.name.to_string(),
            reason: self.without_secrets(&asked.reason)?,
        });
        let call = OwnCall::new(OwnOperation::AlertSilence);
        let work = async {
            let found = self.act_on_book(act, who, silences).await?;
            Ok((Reply::created(&found), None))
        };
        self.recorded(call, who, id, work).await
    }

    pub(super) async fn unsilence(
        &self,
        number: u64,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let call = OwnCall::new(OwnOperation::AlertSilence).fact("lift", number);
        let work = async {
            let act = Act::Unsilence { number };
            self.act_on_book(act, who, |_| ()).await?;
            Ok((Reply::Done, None))
        };
        self.recorded(call, who, id, work).await
    }
}
