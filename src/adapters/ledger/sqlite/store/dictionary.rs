//! Writes what calls have in common, in the transaction of their batch.

use std::sync::LazyLock;

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Executor};

use super::{BindError, ROWS_PER_STATEMENT, Texts, chunks};
use crate::adapters::ledger::entries::{
    ACTIVITY_COLUMNS, Activity, Dictionary, PROFILE_COLUMNS, Profile, Scopes, Token, in_order,
};

use sqlx::Arguments as _;

const SCOPES_COLUMNS: &str = "key, token_scopes";
const SCOPES_VALUES: usize = 2;
const TOKEN_COLUMNS: &str = "key, token_fingerprint, scopes_id, token_scopes_unlisted, token_jti, \
    token_expires_at, token_issuer, subjects";
const TOKEN_VALUES: usize = 8;
const NAMED_COLUMNS: &str = "subject, credential_id";
const NAMED_VALUES: usize = 2;
const PROFILE_VALUES: usize = PROFILE_COLUMNS.len() + 1;
const ACTIVITY_VALUES: usize = ACTIVITY_COLUMNS.len() + 1;

/// The texts of the statements. An entry that is there is found by changing nothing in it: only
/// then does SQLite return its number.
static PROFILES: LazyLock<Texts> = LazyLock::new(|| {
    let columns = format!("key, {}", PROFILE_COLUMNS.join(", "));
    texts("profiles", &columns, PROFILE_VALUES)
});
static ACTIVITIES: LazyLock<Texts> = LazyLock::new(|| {
    let columns = format!("key, {}", ACTIVITY_COLUMNS.join(", "));
    texts("activities", &columns, ACTIVITY_VALUES)
});
static SCOPES: LazyLock<Texts> =
    LazyLock::new(|| texts("scope_lists", SCOPES_COLUMNS, SCOPES_VALUES));
static TOKENS: LazyLock<Texts> =
    LazyLock::new(|| texts("credentials", TOKEN_COLUMNS, TOKEN_VALUES));
static NAMED: LazyLock<Texts> = LazyLock::new(|| {
    ROWS_PER_STATEMENT.map(|rows| {
        let key = "(subject, credential_id)";
        super::insert_sql(
            "credential_subjects",
            NAMED_COLUMNS,
            NAMED_VALUES,
            rows,
            key,
        )
    })
});

fn texts(table: &str, columns: &str, values: usize) -> Texts {
    ROWS_PER_STATEMENT.map(|rows| {
        let row = format!("({})", vec!["?"; values].join(","));
        let rows = vec![row.as_str(); rows].join(",");
        format!(
            "INSERT INTO {table} ({columns}) VALUES {rows} \
             ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING key, id"
        )
        .into()
    })
}

/// The dictionaries of an open ledger.
pub(super) struct InSqlite<'c>(pub(super) &'c mut SqliteConnection);

impl InSqlite<'_> {
    async fn insert<T>(
        &mut self,
        entries: &[T],
        texts: &Texts,
        values: usize,
        bind: impl Fn(&T, &mut SqliteArguments) -> Result<(), BindError>,
    ) -> Result<Vec<(Vec<u8>, i64)>, sqlx::Error> {
        let mut answer = Vec::with_capacity(entries.len());
        for (sql, values) in chunks(entries, texts, values, bind) {
            let query = sqlx::query_as_with(AssertSqlSafe(sql), values?);
            answer.extend(query.fetch_all(&mut *self.0).await?);
        }
        Ok(answer)
    }
}

impl Dictionary for InSqlite<'_> {
    async fn add_profiles(&mut self, entries: &[Profile<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let bind = |entry: &Profile<'_>, values: &mut SqliteArguments| {
            values.add(&entry.key[..])?;
            entry.values().try_for_each(|text| values.add(text))
        };
        let answer = self
            .insert(entries, &PROFILES, PROFILE_VALUES, bind)
            .await?;
        in_order(entries.iter().map(|entry| &entry.key), answer)
    }

    async fn add_activities(&mut self, entries: &[Activity<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let bind = |entry: &Activity<'_>, values: &mut SqliteArguments| {
            values.add(&entry.key[..])?;
            entry.values().try_for_each(|text| values.add(text))
        };
        let answer = self
            .insert(entries, &ACTIVITIES, ACTIVITY_VALUES, bind)
            .await?;
        in_order(entries.iter().map(|entry| &entry.key), answer)
    }

    async fn add_scopes(&mut self, entries: &[Scopes]) -> Result<Vec<i64>, sqlx::Error> {
        let bind = |entry: &Scopes, values: &mut SqliteArguments| {
            values.add(&entry.key[..])?;
            values.add(&*entry.token_scopes)
        };
        let answer = self.insert(entries, &SCOPES, SCOPES_VALUES, bind).await?;
        in_order(entries.iter().map(|entry| &entry.key), answer)
    }

    async fn add_tokens(&mut self, entries: &[Token<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let bind = |entry: &Token<'_>, values: &mut SqliteArguments| {
            values.add(&entry.key[..])?;
            values.add(entry.fingerprint)?;
            values.add(entry.scopes_id)?;
            values.add(entry.unlisted)?;
            values.add(entry.jti)?;
            values.add(entry.expires_at)?;
            values.add(entry.issuer)?;
            values.add(entry.subjects.as_deref())
        };
        let answer = self.insert(entries, &TOKENS, TOKEN_VALUES, bind).await?;
        let ids = in_order(entries.iter().map(|entry| &entry.key), answer)?;
        let mut named: Vec<(&[u8], i64)> = entries
            .iter()
            .zip(&ids)
            .flat_map(|(entry, id)| entry.pseudonyms().map(|subject| (subject, *id)))
            .collect();
        // In the order of the table, most inserts go where the one before went.
        named.sort_unstable();
        let bind = |(subject, id): &(&[u8], i64), values: &mut SqliteArguments| {
            values.add(*subject)?;
            values.add(*id)
        };
        for (sql, values) in chunks(&named, &NAMED, NAMED_VALUES, bind) {
            let query = sqlx::query_with(AssertSqlSafe(sql), values?);
            self.0.execute(query).await?;
        }
        Ok(ids)
    }
}
