//! The ledger as detection reads it: rows in the order in which they were written, and only what
//! detectors look at.
//!
//! Rows are read from the tables, not from the view `calls`: the view spells out subjects and
//! moments for people, which costs more than all the rest. A test holds that both say the same.

use serde::Deserialize;

use super::error::LedgerError;
use super::json::push_hex;
use super::query::Reader;
use super::sql::{Row as Answer, Sql};
use crate::domain::detect::{Position, Row, RowFields, RowSubject};
use crate::types::{CallId, Micros};

/// Rows near a moment that are looked at to find where it stands: as many as calls can be under way
/// while a slow one lasts.
const NEAR: i64 = 10_000;

/// A row, and where it stands.
#[derive(Debug)]
pub struct EventRow {
    /// Behind it.
    pub position: Position,
    /// When its call was received.
    pub received_at: Micros,
    /// What it says.
    pub row: Row,
}

const COLUMNS: &str = "SELECT r.seq, r.call_id, r.received_at, r.completed_after, \
    p.caller, p.provider, p.environment, p.operation, p.effect, p.token_type, \
    c.token_fingerprint, c.token_expires_at, c.subjects, \
    p.minted_kind, r.minted_fingerprint, p.decision, r.outcome, r.status, r.error_code, r.detail \
    FROM records AS r LEFT JOIN profiles AS p ON p.id = r.profile_id \
    LEFT JOIN credentials AS c ON c.id = r.credential_id";

/// What a row keeps in `detail`; see `write_rest`.
#[derive(Default, Deserialize)]
struct Detail {
    a: Option<String>,
    q: Option<String>,
    s: Option<Vec<(String, String, Option<String>)>>,
    f: Option<serde_json::Map<String, serde_json::Value>>,
    m: Option<i64>,
}

impl Reader {
    /// Rows behind a place, in the order in which they were written, at most `limit`. None is
    /// missing before the last of them: where many write at once, rows are held back until those
    /// with smaller numbers are there.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn events(&mut self, seq: i64, limit: u32) -> Result<Vec<EventRow>, LedgerError> {
        let settled = self.last_seq().await?;
        if settled <= seq {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(COLUMNS);
        sql.push(" WHERE r.seq > ").push_bind(seq);
        sql.push(" AND r.seq <= ").push_bind(settled);
        sql.push(" ORDER BY r.seq LIMIT ")
            .push_bind(i64::from(limit));
        self.rows(sql, read).await
    }

    /// A place before which no row was received at `from` or later, near the first that was.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn before(&mut self, from: Micros) -> Result<Position, LedgerError> {
        let mut sql = Sql::new("SELECT min(seq) FROM (SELECT seq FROM records WHERE call_id >= ");
        sql.push_bind(CallId::floor(from.as_millis()).as_bytes().to_vec());
        sql.push(" ORDER BY call_id LIMIT ").push_bind(NEAR);
        sql.push(") AS near");
        let first = self.rows(sql, |row| row.integer(0)).await?;
        match first.into_iter().next().flatten() {
            Some(first) => self.place_behind(first - 1).await,
            // Nothing is that new: what comes next is.
            None => {
                let last = self.last_seq().await?;
                self.place_behind(last).await
            }
        }
    }

    /// The place behind the row with a number, or where it would be.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn place_behind(&mut self, seq: i64) -> Result<Position, LedgerError> {
        let call = self.call_at(seq).await?;
        Ok(Position {
            seq,
            call: call.map(|call| *call.as_bytes()),
        })
    }

    /// Whether the ledger is still the one that the place was taken in: its row is there, or has been
    /// pruned.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn has_row(&mut self, position: Position) -> Result<bool, LedgerError> {
        if position.seq == 0 {
            return Ok(true);
        }
        Ok(match self.call_at(position.seq).await? {
            Some(call) => position.call == Some(*call.as_bytes()),
            // Pruned. In a ledger that was begun anew there is not that much yet.
            None => self.last_seq().await? >= position.seq,
        })
    }
}

fn read(answer: &Answer) -> Result<EventRow, sqlx::Error> {
    // Neither can be null, nor of another length.
    let seq = answer.integer(0)?.unwrap_or(0);
    let id = answer.bytes(1)?.and_then(|bytes| bytes.try_into().ok());
    let id: [u8; 16] = id.unwrap_or_default();
    let received_at = answer.integer(2)?.unwrap_or(0);
    let detail = answer.text(19)?;
    // A detail that is none says nothing; the row says the rest.
    let detail: Detail = detail
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let of_call = detail.s.unwrap_or_default();
    let on_behalf_of = of_call
        .iter()
        .find(|(_, role, _)| role == "on_behalf_of")
        .and_then(|(_, _, subject)| subject.clone());
    let of_token: Vec<(String, String, Option<String>)> = answer
        .text(12)?
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let subjects = of_token.into_iter().chain(of_call);
    let subjects: Vec<_> = subjects
        .map(|(kind, role, subject)| RowSubject {
            kind,
            role,
            subject,
        })
        .collect();
    let fields = RowFields {
        call_id: u128::from_be_bytes(id),
        received_at,
        completed_at: answer
            .integer(3)?
            .map(|after| received_at.saturating_add(after)),
        caller: answer.text(4)?,
        caller_address: detail.a,
        provider: answer.text(5)?,
        environment: answer.text(6)?,
        operation: answer.text(7)?,
        effect: answer.text(8)?,
        query: detail.q,
        token_type: answer.text(9)?,
        token_fingerprint: answer.bytes(10)?.and_then(hex),
        token_expires_at: answer.integer(11)?,
        subjects: Some(subjects).filter(|subjects| !subjects.is_empty()),
        on_behalf_of,
        facts: detail.f,
        minted_kind: answer.text(13)?,
        minted_fingerprint: answer.bytes(14)?.and_then(hex),
        minted_expires_at: detail.m,
        decision: answer.text(15)?,
        outcome: answer.text(16)?,
        status: answer
            .integer(17)?
            .and_then(|status| u16::try_from(status).ok()),
        error_code: answer.text(18)?,
    };
    Ok(EventRow {
        position: Position {
            seq,
            call: Some(id),
        },
        received_at: Micros(received_at),
        row: Row::of(fields),
    })
}

/// A fingerprint as it is spelled everywhere.
fn hex(bytes: Vec<u8>) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let mut out = String::with_capacity(32);
    push_hex(&mut out, &bytes);
    Some(out)
}

#[cfg(test)]
pub(super) mod tests;
