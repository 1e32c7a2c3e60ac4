//! The two tables by which calls are found by whom they concern. They repeat what the calls and
//! tokens say, and who changes them hides a call from the question "who touched this customer".

use super::{LedgerError, Reader};
use crate::adapters::ledger::sql::Sql;
use crate::domain::record::Pseudonym;
use crate::types::CallId;

/// Pairs that are asked for at a time.
pub const MAX_PAIRS: usize = 256;

/// Pairs that are read at a time.
const PAGE: i64 = 10_000;

/// By what a subject is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// A call: `call_subjects`.
    Call,
    /// A token: `credential_subjects`.
    Credential,
}

impl NamedBy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Call, Self::Credential];

    /// The table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Call => "call_subjects",
            Self::Credential => "credential_subjects",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Call => "call_id",
            Self::Credential => "credential_id",
        }
    }
}

/// A subject and what names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pair {
    /// A call names it.
    Call(Pseudonym, CallId),
    /// A token names it, by its number in this ledger.
    Credential(Pseudonym, i64),
}

/// A pair that nothing says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where it stands.
    pub table: &'static str,
    /// The call that it names, if it is one.
    pub call: Option<CallId>,
}

/// Where a search for strays stands.
#[derive(Clone, Debug)]
struct Position {
    subject: Vec<u8>,
    /// The call or the token, as it is bound.
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Call(Vec<u8>),
    Credential(i64),
}

impl Reader {
    /// The first of these pairs, at most [`MAX_PAIRS`], that is not in its table.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn first_lacking(&mut self, pairs: &[Pair]) -> Result<Option<Pair>, LedgerError> {
        for kind in NamedBy::ALL {
            let of_kind: Vec<Pair> = pairs
                .iter()
                .copied()
                .filter(|pair| kind == pair.named_by())
                .take(MAX_PAIRS)
                .collect();
            if of_kind.is_empty() {
                continue;
            }
            // A list of pairs that is joined is looked up in the key; `IN` would not be.
            let mut sql = Sql::new("WITH wanted (nth, subject, named_by) AS (VALUES ");
            for (at, pair) in of_kind.iter().enumerate() {
                sql.push(if at == 0 { "(" } else { ", (" });
                sql.push_bind(i64::try_from(at).unwrap_or(i64::MAX));
                sql.push(", ").push_bind(pair.subject().as_bytes().to_vec());
                sql.push(", ");
                match pair {
                    Pair::Call(_, call) => sql.push_bind(call.as_bytes().to_vec()),
                    Pair::Credential(_, number) => sql.push_bind(*number),
                };
                sql.push(")");
            }
            let (table, column) = (kind.table(), kind.column());
            sql.push(format!(
                ") SELECT w.nth FROM wanted AS w LEFT JOIN {table} AS s \
                 ON s.subject = w.subject AND s.{column} = w.named_by \
                 WHERE s.subject IS NULL ORDER BY w.nth LIMIT 1"
            ));
            let found = self.rows(sql, |row| row.integer(0)).await?;
            let at = found.into_iter().next().flatten();
            let at = at.and_then(|at| usize::try_from(at).ok());
            if let Some(pair) = at.and_then(|at| of_kind.get(at)) {
                return Ok(Some(*pair));
            }
        }
        Ok(None)
    }

    /// The first pair of a table that neither a call nor a token says. `journals` are the numbers
    /// of those whose calls are looked at; calls of others are verified where those are.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub async fn first_stray(
        &mut self,
        kind: NamedBy,
        journals: &[i64],
    ) -> Result<Option<Stray>, LedgerError> {
        let mut position: Option<Position> = None;
        loop {
            let sql = page(kind, position.as_ref());
            let rows = self.rows(sql, |row| {
                let by = match kind {
                    NamedBy::Call => By::Call(row.bytes(1)?.unwrap_or_default()),
                    NamedBy::Credential => By::Credential(row.integer(1)?.unwrap_or(0)),
                };
                let position = Position {
                    subject: row.bytes(0)?.unwrap_or_default(),
                    by,
                };
                Ok((position, row.integer(2)?, row.integer(3)?, row.text(4)?))
            });
            let rows = rows.await?;
            for (at, is_there, journal, said) in &rows {
                let is_ours = match kind {
                    NamedBy::Call => journal.is_some_and(|number| journals.contains(&number)),
                    NamedBy::Credential => true,
                };
                let is_said = match is_there {
                    None => false,
                    Some(_) if !is_ours => true,
                    Some(_) => names(said.as_deref(), &at.subject),
                };
                if !is_said {
                    let call = match &at.by {
                        By::Call(id) => id.clone().try_into().ok().map(CallId::from_bytes),
                        By::Credential(_) => None,
                    };
                    let table = kind.table();
                    return Ok(Some(Stray { table, call }));
                }
            }
            let Some((last, ..)) = rows.into_iter().next_back() else {
                return Ok(None);
            };
            position = Some(last);
        }
    }
}

impl Pair {
    const fn named_by(&self) -> NamedBy {
        match self {
            Self::Call(..) => NamedBy::Call,
            Self::Credential(..) => NamedBy::Credential,
        }
    }

    const fn subject(&self) -> Pseudonym {
        match self {
            Self::Call(subject, _) | Self::Credential(subject, _) => *subject,
        }
    }
}

/// The next pairs in the order of the key, with what should say them.
fn page(kind: NamedBy, after: Option<&Position>) -> Sql {
    let column = kind.column();
    let mut sql = match kind {
        NamedBy::Call => Sql::new(
            "SELECT s.subject, s.call_id, r.seq, r.journal_id, r.detail \
             FROM call_subjects AS s LEFT JOIN records AS r ON r.call_id = s.call_id",
        ),
        NamedBy::Credential => Sql::new(
            "SELECT s.subject, s.credential_id, c.id, CAST(NULL AS BIGINT), c.subjects \
             FROM credential_subjects AS s LEFT JOIN credentials AS c ON c.id = s.credential_id",
        ),
    };
    if let Some(after) = after {
        sql.push(format!(" WHERE (s.subject, s.{column}) > ("));
        sql.push_bind(after.subject.clone()).push(", ");
        match &after.by {
            By::Call(id) => sql.push_bind(id.clone()),
            By::Credential(number) => sql.push_bind(*number),
        };
        sql.push(")");
    }
    sql.push(format!(" ORDER BY s.subject, s.{column} LIMIT "));
    sql.push_bind(PAGE);
    sql
}

/// Whether the stored form of subjects names one: an array of arrays of kind, role and pseudonym,
/// in a row's `detail` as the member `s`.
fn names(stored: Option<&str>, subject: &[u8]) -> bool {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(stored.unwrap_or_default()) else {
        return false;
    };
    let list = value.get("s").unwrap_or(&value);
    let mut entries = list.as_array().into_iter().flatten();
    entries.any(|entry| {
        let named = entry.get(2).and_then(serde_json::Value::as_str);
        let named = named.and_then(Pseudonym::parse_hex);
        named.is_some_and(|named| named.as_bytes() == subject)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_found_in_both_stored_forms() {
        let pseudonym = Pseudonym::from_bytes([0xab; 16]);
        let list = format!(r#"[["bank","token",null],["customer","token","{pseudonym}"]]"#);
        let of_call = format!(r#"{{"a":"x","s":{list}}}"#);
        for stored in [&list, &of_call] {
            assert!(names(Some(stored), pseudonym.as_bytes()));
            assert!(!names(Some(stored), &[0xac; 16]));
            assert!(!names(Some(stored), &[]));
        }
        // The digits elsewhere, or nothing, or no JSON.
        let fact = format!(r#"{{"f":{{"x":"{pseudonym}"}}}}"#);
        for stored in [Some(fact.as_str()), None, Some("["), Some("null")] {
            assert!(!names(stored, pseudonym.as_bytes()));
        }
    }
}
