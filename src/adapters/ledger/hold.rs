//! Legal holds: calls that are neither pruned nor erased until somebody releases them.
//!
//! Holds are in a table of the ledger, and the commands that placed and released them are on record
//! like any other ([`HoldOn::on_record`], [`released`]). So a ledger that was made anew, or came back
//! as an older copy, gets back what it lacks from there ([`restore`]).

use std::fmt;

use super::error::LedgerError;
use super::filter::Filter;
use super::place::LedgerPlace;
use super::query::{Order, Page, Reader};
use super::retention::open;
use super::row::CallRow;
use super::sql::{Row, Sql};
use crate::domain::own::{OWN_PROVIDER, OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{CallId, Micros};

/// Reason of a hold that was made anew: what was typed is not on record.
const RESTORED: &str = "made anew from the record of the command";

/// Commands that are read at a time.
const CHUNK: u32 = 1_000;

/// Which calls a hold protects: those that meet every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldOn {
    /// Received at or after.
    pub from: Option<Micros>,
    /// Received before.
    pub to: Option<Micros>,
    /// Name of the caller.
    pub caller: Option<String>,
    /// Concerns this subject; one without bytes was erased after the release.
    pub subject: Option<Whom>,
    /// Made with this token, or handed it out.
    pub token: Option<Fingerprint>,
    /// This call.
    pub call_id: Option<CallId>,
}

/// A subject that a hold is placed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// This one.
    Known(Pseudonym),
    /// One that was erased.
    Erased,
}

impl Whom {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Known(pseudonym) => pseudonym.as_bytes().to_vec(),
            Self::Erased => Vec::new(),
        }
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        let known = bytes.try_into().map(Pseudonym::from_bytes);
        known.map_or(Self::Erased, Self::Known)
    }
}

impl fmt::Display for HoldOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.from.map(|at| format!("from {at}")));
        parts.extend(self.to.map(|at| format!("to {at}")));
        parts.extend(self.caller.as_ref().map(|name| format!("caller {name}")));
        parts.extend(self.subject.as_ref().map(|whom| match whom {
            Whom::Known(pseudonym) => format!("subject {pseudonym}"),
            Whom::Erased => "subject (erased)".to_owned(),
        }));
        parts.extend(self.token.map(|print| format!("token {print}")));
        parts.extend(self.call_id.map(|id| format!("call {id}")));
        f.write_str(&parts.join(" "))
    }
}

impl HoldOn {
    /// The record of the command that places this hold. `kind` is that of the subject, if known.
    pub fn on_record(&self, id: i64, kind: Option<&str>) -> OwnCall {
        let mut call = OwnCall::new(OwnOperation::AuditHold).fact("hold", id);
        if let Some(from) = self.from {
            call = call.fact("hold_from", from.0);
        }
        if let Some(to) = self.to {
            call = call.fact("hold_to", to.0);
        }
        if let Some(caller) = &self.caller {
            call = call.fact("hold_caller", caller);
        }
        if let Some(token) = &self.token {
            call = call.fact("hold_token", token);
        }
        if let Some(call_id) = &self.call_id {
            call = call.fact("hold_call", call_id);
        }
        match &self.subject {
            Some(Whom::Known(pseudonym)) => call.subject(kind.unwrap_or("unknown"), *pseudonym),
            _ => call,
        }
    }
}

/// The record of the command that releases a hold.
pub fn released(id: i64) -> OwnCall {
    OwnCall::new(OwnOperation::AuditHold).fact("released", id)
}

/// A legal hold as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its number.
    pub id: i64,
    /// What it protects.
    pub on: HoldOn,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by_user: String,
    /// When.
    pub placed_at: Micros,
    /// When, by whom and why it was released.
    pub release: Option<Release>,
}

/// How a hold ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// When.
    pub at: Micros,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Calls `r` (with profile `p` and credential `c`) that a hold `h` in force protects.
pub(super) const IS_HELD: &str = "EXISTS (SELECT 1 FROM holds AS h WHERE h.released_at IS NULL \
    AND (h.received_from IS NULL OR r.received_at >= h.received_from) \
    AND (h.received_to IS NULL OR r.received_at < h.received_to) \
    AND (h.caller IS NULL OR h.caller = p.caller) \
    AND (h.call_id IS NULL OR h.call_id = r.call_id) \
    AND (h.token_fingerprint IS NULL OR h.token_fingerprint = c.token_fingerprint \
        OR h.token_fingerprint = r.minted_fingerprint) \
    AND (h.subject IS NULL \
        OR EXISTS (SELECT 1 FROM call_subjects AS s \
            WHERE s.subject = h.subject AND s.call_id = r.call_id) \
        OR EXISTS (SELECT 1 FROM credential_subjects AS t \
            WHERE t.subject = h.subject AND t.credential_id = r.credential_id)))";

pub(super) const FROM: &str = "FROM records AS r LEFT JOIN profiles AS p ON p.id = r.profile_id \
    LEFT JOIN credentials AS c ON c.id = r.credential_id";

/// The number that the next hold gets.
///
/// # Errors
/// [`LedgerError`].
pub async fn next_hold(place: &LedgerPlace) -> Result<i64, LedgerError> {
    let mut reader = Reader::open(place).await?;
    let sql = "SELECT coalesce(max(id), 0) + 1 FROM holds";
    reader.number(sql.into()).await
}

/// Places a hold with a number that must be free.
///
/// # Errors
/// [`LedgerError`].
pub async fn place_hold(
    place: &LedgerPlace,
    id: i64,
    on: &HoldOn,
    reason: &str,
    by: &str,
    now: Micros,
) -> Result<(), LedgerError> {
    let mut conn = open(place).await?;
    let mut sql = Sql::new(
        "INSERT INTO holds (received_from, received_to, caller, subject, token_fingerprint, \
         call_id, id, reason, by_user, placed_at) VALUES (",
    );
    sql.push_bind(on.from.map(|at| at.0)).push(", ");
    sql.push_bind(on.to.map(|at| at.0)).push(", ");
    sql.push_bind(on.caller.as_deref()).push(", ");
    sql.push_bind(on.subject.as_ref().map(Whom::bytes))
        .push(", ");
    sql.push_bind(on.token.as_ref().map(|one| one.as_bytes().to_vec()))
        .push(", ");
    sql.push_bind(on.call_id.as_ref().map(|one| one.as_bytes().to_vec()))
        .push(", ");
    sql.push_bind(id).push(", ").push_bind(reason);
    sql.push(", ").push_bind(by);
    sql.push(", ").push_bind(now.0).push(")");
    let work = async {
        conn.change(sql).await?;
        conn.close().await
    };
    work.await
        .map_err(|source| LedgerError::keeping(place, "write a hold into", source))
}

/// Releases a hold. False if there is none of that number in force.
///
/// # Errors
/// [`LedgerError`].
pub async fn release_hold(
    place: &LedgerPlace,
    id: i64,
    reason: &str,
    by: &str,
    now: Micros,
) -> Result<bool, LedgerError> {
    let mut conn = open(place).await?;
    let mut sql = Sql::new("UPDATE holds SET released_at = ");
    sql.push_bind(now.0);
    sql.push(", released_by = ").push_bind(by);
    sql.push(", release_reason = ").push_bind(reason);
    sql.push(" WHERE released_at IS NULL AND id = ")
        .push_bind(id);
    let work = async {
        let done = conn.change(sql).await?;
        conn.close().await?;
        Ok(done > 0)
    };
    work.await
        .map_err(|source| LedgerError::keeping(place, "write a hold into", source))
}

/// Every hold, released ones too, by number.
///
/// # Errors
/// [`LedgerError`].
pub async fn holds(place: &LedgerPlace) -> Result<Vec<Hold>, LedgerError> {
    let mut reader = Reader::open(place).await?;
    let sql = "SELECT id, received_from, received_to, caller, subject, token_fingerprint, call_id, \
         reason, by_user, placed_at, released_at, released_by, release_reason \
         FROM holds ORDER BY id";
    reader.rows(sql.into(), hold).await
}

fn hold(row: &Row) -> Result<Hold, sqlx::Error> {
    let token = row.bytes(5)?.and_then(|bytes| bytes.try_into().ok());
    let call_id = row.bytes(6)?.and_then(|bytes| bytes.try_into().ok());
    let text = |at| Ok::<_, sqlx::Error>(row.text(at)?.unwrap_or_default());
    let release = match row.integer(10)? {
        Some(at) => Some(Release {
            at: Micros(at),
            by: text(11)?,
            reason: text(12)?,
        }),
        None => None,
    };
    Ok(Hold {
        id: row.integer(0)?.unwrap_or(0),
        on: HoldOn {
            from: row.integer(1)?.map(Micros),
            to: row.integer(2)?.map(Micros),
            caller: row.text(3)?,
            subject: row.bytes(4)?.map(Whom::from_bytes),
            token: token.map(Fingerprint::from_bytes),
            call_id: call_id.map(CallId::from_bytes),
        },
        reason: text(7)?,
        by_user: text(8)?,
        placed_at: Micros(row.integer(9)?.unwrap_or(0)),
        release,
    })
}

/// Numbers of the holds that forbid to erase one of these subjects: those placed on the subject, and
/// those that protect a call that concerns it.
///
/// # Errors
/// [`LedgerError`].
pub async fn holds_on(
    place: &LedgerPlace,
    subjects: &[Pseudonym],
) -> Result<Vec<i64>, LedgerError> {
    let mut reader = Reader::open(place).await?;
    let of_one = IS_HELD.replace("WHERE h.released_at IS NULL", "WHERE h.id = held.id");
    let mut found = Vec::new();
    for subject in subjects {
        let bytes = || subject.as_bytes().to_vec();
        let mut sql = Sql::new("SELECT id FROM holds WHERE released_at IS NULL AND subject = ");
        sql.push_bind(bytes());
        sql.push(format_args!(
            " UNION SELECT held.id FROM holds AS held WHERE held.released_at IS NULL AND EXISTS (\
             SELECT 1 {FROM} WHERE (r.call_id IN (SELECT call_id FROM call_subjects \
             WHERE subject = "
        ));
        sql.push_bind(bytes());
        sql.push(
            ") OR r.credential_id IN (SELECT credential_id FROM credential_subjects \
             WHERE subject = ",
        );
        sql.push_bind(bytes());
        sql.push(format_args!(")) AND {of_one})"));
        let ids = reader.rows(sql, |row| row.integer(0)).await?;
        found.extend(ids.into_iter().flatten());
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Places and releases what the recorded commands say and the table lacks. Gives how many holds came
/// back. What is not known to have failed counts: a hold too many can be released.
///
/// # Errors
/// [`LedgerError`].
pub async fn restore(place: &LedgerPlace) -> Result<usize, LedgerError> {
    let known = holds(place).await?;
    let mut reader = Reader::open(place).await?;
    let filter = Filter {
        provider: Some(OWN_PROVIDER.to_owned()),
        operation: Some(OwnOperation::AuditHold.as_str().to_owned()),
        ..Filter::default()
    };
    let mut page = Page {
        order: Order::OldestFirst,
        limit: CHUNK,
        after: None,
    };
    let mut restored = Vec::new();
    loop {
        let found = reader.query(&filter, page).await?;
        for row in &found.rows {
            let said = Said::read(row);
            let is_known = |id| known.iter().any(|hold| hold.id == id);
            if let Some((id, on)) = said.placed
                && !is_known(id)
                && !restored.contains(&id)
            {
                place_hold(place, id, &on, RESTORED, &said.by, said.at).await?;
                restored.push(id);
            }
            if let Some(id) = said.released {
                let lacks = |hold: &Hold| hold.id == id && hold.release.is_none();
                if restored.contains(&id) || known.iter().any(lacks) {
                    release_hold(place, id, RESTORED, &said.by, said.at).await?;
                }
            }
        }
        page.after = found.next;
        if page.after.is_none() {
            return Ok(restored.len());
        }
    }
}

/// What the record of a command says about holds.
struct Said {
    by: String,
    at: Micros,
    placed: Option<(i64, HoldOn)>,
    released: Option<i64>,
}

impl Said {
    fn read(row: &CallRow) -> Self {
        let facts: serde_json::Value = serde_json::from_str(row.text("facts")).unwrap_or_default();
        let subjects: serde_json::Value =
            serde_json::from_str(row.text("subjects")).unwrap_or_default();
        let text = |name: &str| facts.get(name).and_then(serde_json::Value::as_str);
        let number = |name| text(name).and_then(|text| text.parse::<i64>().ok());
        let outcome = row.text("outcome");
        let subject = subjects.get(0).map(|subject| {
            let hex = subject.get("subject").and_then(serde_json::Value::as_str);
            let known = hex.and_then(Pseudonym::parse_hex);
            known.map_or(Whom::Erased, Whom::Known)
        });
        let on = HoldOn {
            from: number("hold_from").map(Micros),
            to: number("hold_to").map(Micros),
            caller: text("hold_caller").map(str::to_owned),
            subject,
            token: text("hold_token").and_then(Fingerprint::parse_hex),
            call_id: text("hold_call").and_then(|id| id.parse().ok()),
        };
        Self {
            by: row.text("caller").to_owned(),
            at: Micros(row.integer("received_at").unwrap_or(0)),
            placed: number("hold")
                .filter(|_| outcome != "failure")
                .map(|id| (id, on)),
            released: number("released").filter(|_| outcome == "success"),
        }
    }
}
