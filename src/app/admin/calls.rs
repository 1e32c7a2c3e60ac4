//! Records of calls: search, one call, those to come.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::terms::{add, is_about_people};
use super::{AdminDesk, Ready};
use crate::adapters::clock;
use crate::adapters::ledger::{
    CallRow, Filter, IdPrefix, Lineage, Order, Page, Question, QuestionFault, Shown, Written,
};
use crate::app::audit::concerning;
use crate::domain::access::Person;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::Pseudonym;
use crate::edge::admin::desk::{CallsAsked, Cursor, Event, Fault, Reply};
use crate::edge::admin::model;
use crate::types::{CallId, Micros};

/// Up to how many calls are counted.
const MAX_TOTAL: u64 = 10_000;

/// How long a page may search where no index leads to the calls, and how long they are counted;
/// then it says how far it has come. One who types does not wait longer than that.
const SEARCH: Duration = Duration::from_millis(200);

/// Pause between two looks for calls to come, for each who waits for them.
const POLL: Duration = Duration::from_millis(500);

/// Calls that are sent on at a time.
const CHUNK: u32 = 200;

/// Events that may wait for a slow reader.
const QUEUE: usize = 64;

/// How long a tail goes on; a browser comes back by itself, and goes on where it was.
const TAIL_TIME: Duration = Duration::from_secs(540);

/// A page of calls.
struct Shows {
    calls: Vec<CallRow>,
    /// Where the next begins, and the one before.
    next: Option<String>,
    prev: Option<String>,
    /// How far the search has come, if its time was over.
    searched_to: Option<String>,
}

impl AdminDesk {
    /// The filter that a question means now.
    pub(super) fn resolve(&self, ready: &Ready, question: &Question) -> Result<Filter, Fault> {
        let keyring = &ready.parts.keyring;
        let pseudonymise =
            |kind: &str, value: &str| -> Result<Pseudonym, std::convert::Infallible> {
                Ok(keyring.pseudonym(kind, value.as_bytes()))
            };
        question
            .resolve(clock::now(), pseudonymise)
            .map_err(|fault| match fault {
                QuestionFault::EmptyPeriod { from, to } => {
                    let why = format!("the period is empty: {from} is not before {to}");
                    Fault::BadParameter("to".to_owned(), why)
                }
                QuestionFault::Key(never) => match never {},
            })
    }

    pub(super) async fn calls(
        &self,
        asked: CallsAsked,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let ready = self.parts()?;
        let mut question = asked.question;
        let understood = match &asked.q {
            Some(text) => self.understand(ready, text).await?,
            None => Vec::new(),
        };
        add(&mut question, &understood)?;
        let filter = self.resolve(ready, &question)?;
        let mut call = question.on_record(OwnOperation::AuditQuery, &filter);
        if is_about_people(&question) {
            call = call.fact("about_people", true);
        }
        let work = async {
            // Who asks for both waits for both.
            let time = if asked.total { SEARCH / 2 } else { SEARCH };
            let page = self.page(&filter, asked.order, asked.limit, asked.cursor, time);
            let Shows {
                calls,
                next,
                prev,
                searched_to,
            } = page.await?;
            let total = match asked.total {
                // A count that takes too long is not told; the page is.
                true => self.total(&filter, time).await.ok(),
                false => None,
            };
            let rows = calls.len() as u64;
            let page = model::Calls {
                calls,
                next,
                prev,
                searched_to,
                total,
                understood,
            };
            Ok((Reply::json(&page), Some(rows)))
        };
        self.recorded(call, who, id, work).await
    }

    /// A page, and where the next and the one before begin.
    async fn page(
        &self,
        filter: &Filter,
        order: Order,
        limit: u32,
        cursor: Option<Cursor>,
        time: Duration,
    ) -> Result<Shows, Fault> {
        let is_back = matches!(cursor, Some(Cursor::Before(_)));
        let backwards = match order {
            Order::NewestFirst => Order::OldestFirst,
            Order::OldestFirst => Order::NewestFirst,
        };
        let page = Page {
            order: if is_back { backwards } else { order },
            limit,
            after: cursor.map(|(Cursor::After(id) | Cursor::Before(id))| id),
        };
        let found = self
            .readers
            .ask(|mut reader| async move {
                let found = reader.query_within(filter, page, time).await;
                (reader, found)
            })
            .await?;
        let mut calls = found.rows;
        if is_back {
            calls.reverse();
        }
        let of = |row: Option<&CallRow>| row.map(|row| row.text("call_id").to_owned());
        let (first, last) = (of(calls.first()), of(calls.last()));
        let on = found.next.map(|id| id.to_string());
        let (next, prev) = match cursor {
            // There is the one that was gone on from, also where nothing more was found.
            Some(Cursor::After(id)) => {
                let back = Page::just_before(backwards, id).to_string();
                (on, Some(first.unwrap_or(back)))
            }
            Some(Cursor::Before(id)) => {
                let forth = Page::just_before(order, id).to_string();
                (Some(last.unwrap_or(forth)), on)
            }
            None => (on, None),
        };
        Ok(Shows {
            calls,
            next,
            prev,
            searched_to: found.searched_to.map(|at| at.to_string()),
        })
    }

    async fn total(&self, filter: &Filter, time: Duration) -> Result<model::Total, Fault> {
        let most = MAX_TOTAL.saturating_add(1);
        let count = self
            .readers
            .ask(|mut reader| async move {
                let found = reader.count_within(filter, most, time).await;
                (reader, found)
            })
            .await?;
        Ok(model::Total {
            calls: count.calls.min(MAX_TOTAL),
            more: count.calls > MAX_TOTAL,
            counted_to: count.counted_to.map(|at| at.to_string()),
        })
    }

    pub(super) async fn call(
        &self,
        prefix: IdPrefix,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        // Before the record of it, which says whom the call concerns.
        let shown = self
            .readers
            .ask(|mut reader| async move {
                let found = reader.show(prefix).await;
                (reader, found)
            })
            .await?;
        let call = OwnCall::new(OwnOperation::AuditShow);
        let call = match &shown {
            Shown::Call(row, _) => concerning(call, row),
            Shown::Nothing | Shown::Several(_) => call,
        };
        let work = async {
            let ready = self.parts()?;
            match shown {
                Shown::Nothing => Err(Fault::NotFound(
                    "no call has an id that begins so".to_owned(),
                )),
                Shown::Several(rows) => {
                    let ids: Vec<_> = rows.iter().map(|row| row.text("call_id")).collect();
                    let why = format!("several calls have ids that begin so: {}", ids.join(", "));
                    Err(Fault::Conflict(why))
                }
                Shown::Call(row, lineage) => {
                    let rows = 1 + lineage.minted_by.len() + lineage.used_by.len();
                    let detail = self.detail(ready, *row, lineage).await?;
                    Ok((Reply::json(&detail), Some(rows as u64)))
                }
            }
        };
        self.recorded(call, who, id, work).await
    }

    async fn detail(
        &self,
        ready: &Ready,
        call: CallRow,
        lineage: Lineage,
    ) -> Result<model::CallDetail, Fault> {
        let id = call.text("call_id").to_owned();
        let proof = match id.parse() {
            Ok(id) => self.proof_status(ready, id).await?,
            Err(_) => super::evidence::not_sealed(),
        };
        Ok(model::CallDetail {
            timeline: timeline(&call),
            incidents: self.incidents_of(id).await,
            lineage: model::LineageOfCall {
                minted_by: lineage.minted_by,
                used_by_count: lineage.used_by_count,
                used_by: lineage.used_by,
            },
            proof,
            call,
        })
    }

    pub(super) async fn tail(
        &self,
        question: &Question,
        last: Option<i64>,
        who: &Person,
        id: CallId,
    ) -> Result<Reply, Fault> {
        let ready = self.parts()?;
        let filter = self.resolve(ready, question)?;
        let call = question.on_record(OwnOperation::AuditTail, &filter);
        let open = ready
            .access
            .begin(call.fact("follow", true), who, id)
            .await?;
        let begin = match last {
            Some(last) => Ok(last),
            None => {
                let ask = self.readers.ask(|mut reader| async move {
                    let found = reader.last_seq().await;
                    (reader, found)
                });
                ask.await
            }
        };
        let mut seq = match begin {
            Ok(seq) => seq,
            Err(fault) => {
                open.failed(&fault);
                return Err(fault);
            }
        };
        let (events, received) = mpsc::channel(QUEUE);
        let readers = Arc::clone(&self.readers);
        tokio::spawn(async move {
            let ends = clock::now().plus(TAIL_TIME);
            let mut shown = 0_u64;
            let mut is_away = false;
            while clock::now() < ends && !events.is_closed() {
                let filter = &filter;
                let found = readers
                    .ask(|mut reader| async move {
                        let found = reader.since(filter, seq, CHUNK).await;
                        (reader, found)
                    })
                    .await;
                match found {
                    Ok(Written { rows, looked_to }) => {
                        is_away = false;
                        let is_full = rows.len() >= CHUNK as usize;
                        for row in rows {
                            let seq = row.integer("seq").unwrap_or(seq);
                            let row = serde_json::to_string(&row).unwrap_or_default();
                            if events.send(Event::Call { seq, row }).await.is_err() {
                                open.left(shown);
                                return;
                            }
                            shown += 1;
                        }
                        seq = seq.max(looked_to);
                        if is_full {
                            continue;
                        }
                    }
                    Err(_) if std::mem::replace(&mut is_away, true) => {}
                    Err(_) => {
                        let why = "the ledger cannot be asked; it is tried again".to_owned();
                        let _ = events.send(Event::Problem(why)).await;
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = events.closed() => {}
                }
            }
            match events.is_closed() {
                true => open.left(shown),
                false => open.succeeded(Some(shown)),
            }
        });
        Ok(Reply::Events(received))
    }
}

/// The steps of a call.
fn timeline(row: &CallRow) -> Vec<model::TimelineStep> {
    let received = row.integer("received_at").unwrap_or_default();
    let step = |what, at: i64| model::TimelineStep {
        what,
        at: Micros(at).to_string(),
        offset_us: at.saturating_sub(received),
        ..model::TimelineStep::default()
    };
    let named = [
        ("received", "received_at"),
        ("forwarded", "forwarded_at"),
        ("first_byte", "first_byte_at"),
        ("completed", "completed_at"),
    ];
    let mut steps: Vec<_> = named
        .iter()
        .filter_map(|(what, column)| Some(step(*what, row.integer(column)?)))
        .collect();
    for text in attempts(row.text("facts")) {
        let mut parts = text.split(' ');
        let mut number = || parts.next()?.parse::<i64>().ok();
        let Some(which) = number() else {
            continue;
        };
        let end = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut times = text.split(' ').skip(2).map(|part| part.parse::<i64>().ok());
        let began = times.next().flatten().unwrap_or(0).saturating_mul(1_000);
        let took = times.next().flatten().unwrap_or(0).saturating_mul(1_000);
        steps.push(model::TimelineStep {
            number: u64::try_from(which).ok(),
            end: Some(end),
            took_us: Some(took),
            ..step("attempt", received.saturating_add(began))
        });
    }
    steps.sort_by_key(|step| step.offset_us);
    steps
}

/// The facts that attempts leave, one or several.
fn attempts(facts: &str) -> Vec<String> {
    let facts: serde_json::Value = serde_json::from_str(facts).unwrap_or_default();
    match facts.get(crate::domain::record::ATTEMPT) {
        Some(serde_json::Value::String(one)) => vec![one.clone()],
        Some(serde_json::Value::Array(several)) => several
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
