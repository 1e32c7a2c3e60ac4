//! Writes what calls have in common.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, Executor};

use super::text::clean;
use crate::adapters::ledger::entries::{
    ACTIVITY_COLUMNS, Activity, Dictionary, Key, PROFILE_COLUMNS, Profile, Scopes, Token, in_order,
};

/// The dictionaries of an open ledger. Each statement is a transaction of its own.
pub(super) struct InPostgres<'c>(pub(super) &'c mut PgConnection);

impl InPostgres<'_> {
    /// Writes what is not there, then asks for the numbers of all. What another gateway is writing
    /// is waited for.
    async fn add(
        &mut self,
        table: &str,
        insert: String,
        keys: &[&Key],
        values: Result<PgArguments, sqlx::error::BoxDynError>,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let values = values.map_err(sqlx::Error::Encode)?;
        let query = sqlx::query_with(AssertSqlSafe(insert), values);
        self.0.execute(query).await?;
        let sql = format!("SELECT key, id FROM egret.{table} WHERE key = ANY($1)");
        let wanted: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(wanted);
        let answer = query.fetch_all(&mut *self.0).await?;
        in_order(keys.iter().copied(), answer)
    }
}

impl InPostgres<'_> {
    /// Writes entries of a table of which all columns are texts.
    async fn add_texts<'e>(
        &mut self,
        table: &str,
        columns: &[&str],
        entries: Vec<(&Key, impl Iterator<Item = Option<&'e str>>)>,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let keys: Vec<&Key> = entries.iter().map(|(key, _)| *key).collect();
        let arrays: Vec<_> = (2..)
            .zip(columns)
            .map(|(number, _)| format!("${number}::text[]"))
            .collect();
        let insert = format!(
            "INSERT INTO egret.{table} (key, {}) SELECT * FROM unnest($1::bytea[], {}) \
             ON CONFLICT (key) DO NOTHING",
            columns.join(", "),
            arrays.join(", ")
        );
        let mut sorted = entries;
        sorted.sort_unstable_by_key(|(key, _)| **key);
        let bind = || {
            let mut values = PgArguments::default();
            let sorted_keys = sorted.iter().map(|(key, _)| &key[..]);
            values.add(sorted_keys.collect::<Vec<_>>())?;
            let mut arrays: Vec<Vec<Option<Cow<'_, str>>>> =
                vec![Vec::with_capacity(sorted.len()); columns.len()];
            for (_, texts) in sorted {
                for (array, text) in arrays.iter_mut().zip(texts) {
                    array.push(text.map(clean));
                }
            }
            arrays.into_iter().try_for_each(|array| values.add(array))?;
            Ok(values)
        };
        self.add(table, insert, &keys, bind()).await
    }
}

/// In the order of the keys, so that two gateways do not wait for each other in a circle.
fn by_key<T>(entries: &[T], key: impl Fn(&T) -> &Key) -> Vec<&T> {
    let mut sorted: Vec<&T> = entries.iter().collect();
    sorted.sort_unstable_by_key(|entry| *key(entry));
    sorted
}

impl Dictionary for InPostgres<'_> {
    async fn add_profiles(&mut self, entries: &[Profile<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let texts = entries.iter().map(|entry| (&entry.key, entry.values()));
        self.add_texts("profiles", &PROFILE_COLUMNS, texts.collect())
            .await
    }

    async fn add_activities(&mut self, entries: &[Activity<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let texts = entries.iter().map(|entry| (&entry.key, entry.values()));
        self.add_texts("activities", &ACTIVITY_COLUMNS, texts.collect())
            .await
    }

    async fn add_scopes(&mut self, entries: &[Scopes]) -> Result<Vec<i64>, sqlx::Error> {
        let sorted = by_key(entries, |entry| &entry.key);
        let insert = "INSERT INTO egret.scope_lists (key, token_scopes) \
            SELECT * FROM unnest($1::bytea[], $2::text[]) ON CONFLICT (key) DO NOTHING";
        let bind = || {
            let mut values = PgArguments::default();
            values.add(
                sorted
                    .iter()
                    .map(|entry| &entry.key[..])
                    .collect::<Vec<_>>(),
            )?;
            let lists = sorted.iter().map(|entry| clean(&entry.token_scopes));
            values.add(lists.collect::<Vec<_>>())?;
            Ok(values)
        };
        let keys: Vec<_> = entries.iter().map(|entry| &entry.key).collect();
        self.add("scope_lists", insert.to_owned(), &keys, bind())
            .await
    }

    async fn add_tokens(&mut self, entries: &[Token<'_>]) -> Result<Vec<i64>, sqlx::Error> {
        let sorted = by_key(entries, |entry| &entry.key);
        let insert = "INSERT INTO egret.credentials (key, token_fingerprint, scopes_id, \
            token_scopes_unlisted, token_jti, token_expires_at, token_issuer, subjects) \
            SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], \
            $5::text[], $6::bigint[], $7::text[], $8::text[]) ON CONFLICT (key) DO NOTHING";
        let bind = || {
            let mut values = PgArguments::default();
            let of = sorted.iter();
            values.add(of.clone().map(|entry| &entry.key[..]).collect::<Vec<_>>())?;
            values.add(
                of.clone()
                    .map(|entry| entry.fingerprint)
                    .collect::<Vec<_>>(),
            )?;
            values.add(of.clone().map(|entry| entry.scopes_id).collect::<Vec<_>>())?;
            values.add(of.clone().map(|entry| entry.unlisted).collect::<Vec<_>>())?;
            let jtis = of.clone().map(|entry| entry.jti.map(clean));
            values.add(jtis.collect::<Vec<_>>())?;
            values.add(of.clone().map(|entry| entry.expires_at).collect::<Vec<_>>())?;
            let issuers = of.clone().map(|entry| entry.issuer.map(clean));
            values.add(issuers.collect::<Vec<_>>())?;
            let subjects = of.map(|entry| entry.subjects.as_deref().map(super::text::clean_json));
            values.add(subjects.collect::<Vec<_>>())?;
            Ok(values)
        };
        let keys: Vec<_> = entries.iter().map(|entry| &entry.key).collect();
        let ids = self
            .add("credentials", insert.to_owned(), &keys, bind())
            .await?;
        // Also for entries that were there: who wrote them may have been cut off before this.
        let mut named: Vec<(&[u8], i64)> = entries
            .iter()
            .zip(&ids)
            .flat_map(|(entry, id)| entry.pseudonyms().map(|subject| (subject, *id)))
            .collect();
        if !named.is_empty() {
            named.sort_unstable();
            let (subjects, of): (Vec<_>, Vec<_>) = named.into_iter().unzip();
            let sql = "INSERT INTO egret.credential_subjects (subject, credential_id) \
                SELECT * FROM unnest($1::bytea[], $2::bigint[]) ON CONFLICT DO NOTHING";
            let query = sqlx::query(sql).bind(subjects).bind(of);
            self.0.execute(query).await?;
        }
        Ok(ids)
    }
}
