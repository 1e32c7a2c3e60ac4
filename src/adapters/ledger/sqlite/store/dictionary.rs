//! What calls have in common, written once and then named by number.
//!
//! Most calls find their entries in memory; the first of a kind writes it, in the transaction of
//! its batch. The memory belongs to the connection and is dropped with it after an error, since a
//! transaction that was rolled back takes its entries with it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use smallvec::SmallVec;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, Executor};

use super::BindError;
use crate::adapters::ledger::detail::write_subjects;
use crate::adapters::ledger::json::push_array;
use crate::domain::record::{CallRecord, Credential, Fingerprint, Subject, SubjectRole};
use crate::types::Micros;

/// The most entries of each kind that are kept in memory; then it starts anew. An entry is some
/// 300 bytes, and fetching one again costs as much as writing it.
const MAX_KNOWN: usize = 65_536;

/// Bytes of the digest that identifies an entry.
const KEY_BYTES: usize = 16;

/// The numbers of a call's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) profile: i64,
    /// `None`: the call carried no token.
    pub(super) credential: Option<i64>,
}

/// The entries known to be in the ledger.
#[derive(Default)]
pub(super) struct Dictionaries {
    profiles: HashMap<Box<[u8]>, i64>,
    credentials: HashMap<Option<Fingerprint>, KnownCredential>,
    scope_lists: HashMap<Box<[u8]>, ScopeList>,
    /// Reused to spell a profile.
    spelling: Vec<u8>,
}

#[derive(Clone)]
struct ScopeList {
    /// `None`: the list is empty.
    id: Option<i64>,
    scopes: Arc<[Arc<str>]>,
}

/// The last entry of a token. A fingerprint alone does not decide: what is read from the same
/// token depends on the provider file.
struct KnownCredential {
    id: i64,
    scopes: Arc<[Arc<str>]>,
    unlisted_scopes: u32,
    jti: Option<Box<str>>,
    expires_at: Option<Micros>,
    issuer: Option<Arc<str>>,
    subjects: SmallVec<[Subject; 3]>,
}

impl KnownCredential {
    /// Cheap for scopes that come from the same provider file: equal pointers are equal.
    fn is_of(&self, record: &CallRecord) -> bool {
        let credential = &record.credential;
        self.unlisted_scopes == credential.unlisted_scopes
            && self.expires_at == credential.expires_at
            && self.jti == credential.jti
            && self.issuer == credential.issuer
            && self.scopes[..] == credential.scopes[..]
            && self.subjects.iter().eq(token_subjects(record))
    }
}

impl Dictionaries {
    /// The entries of a call, written if they are new.
    pub(super) async fn resolve(
        &mut self,
        conn: &mut SqliteConnection,
        record: &CallRecord,
    ) -> Result<Entries, sqlx::Error> {
        self.spelling.clear();
        spell_profile(&mut self.spelling, record);
        let profile = match self.profiles.get(&*self.spelling) {
            Some(id) => *id,
            None => {
                let id = insert_profile(conn, &self.spelling, record).await?;
                remember(&mut self.profiles, self.spelling.as_slice().into(), id);
                id
            }
        };
        let credential = if says_nothing(record) {
            None
        } else {
            match self.credentials.get(&record.credential.fingerprint) {
                Some(known) if known.is_of(record) => Some(known.id),
                _ => Some(self.add_credential(conn, record).await?),
            }
        };
        Ok(Entries {
            profile,
            credential,
        })
    }

    async fn add_credential(
        &mut self,
        conn: &mut SqliteConnection,
        record: &CallRecord,
    ) -> Result<i64, sqlx::Error> {
        let credential = &record.credential;
        let list = self.scope_list(conn, &credential.scopes).await?;
        let subjects: SmallVec<[Subject; 3]> = token_subjects(record).cloned().collect();
        let id = insert_credential(conn, credential, list.id, &subjects).await?;
        for subject in &subjects {
            let sql = "INSERT INTO credential_subjects (subject, credential_id) VALUES (?, ?) \
                       ON CONFLICT DO NOTHING";
            let pseudonym = &subject.pseudonym.as_bytes()[..];
            let query = sqlx::query(sql).bind(pseudonym).bind(id);
            conn.execute(query).await?;
        }
        let known = KnownCredential {
            id,
            scopes: list.scopes,
            unlisted_scopes: credential.unlisted_scopes,
            jti: credential.jti.clone(),
            expires_at: credential.expires_at,
            issuer: credential.issuer.clone(),
            subjects,
        };
        remember(&mut self.credentials, credential.fingerprint, known);
        Ok(id)
    }

    async fn scope_list(
        &mut self,
        conn: &mut SqliteConnection,
        scopes: &[Arc<str>],
    ) -> Result<ScopeList, sqlx::Error> {
        if scopes.is_empty() {
            return Ok(ScopeList {
                id: None,
                scopes: Arc::default(),
            });
        }
        let mut spelling = Vec::new();
        for scope in scopes {
            spell(&mut spelling, Some(scope));
        }
        if let Some(list) = self.scope_lists.get(&*spelling) {
            return Ok(list.clone());
        }
        let mut values = Values::of(&spelling);
        values.add(array(scopes.iter().map(|scope| &**scope)))?;
        let sql = "INSERT INTO scope_lists (key, token_scopes) VALUES (?, ?) \
                   ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id";
        let list = ScopeList {
            id: Some(values.insert(conn, sql).await?),
            scopes: scopes.into(),
        };
        remember(&mut self.scope_lists, spelling.into(), list.clone());
        Ok(list)
    }
}

fn remember<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, value: V) {
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(key, value);
}

fn token_subjects(record: &CallRecord) -> impl Iterator<Item = &Subject> {
    let subjects = record.subjects.iter();
    subjects.filter(|subject| subject.role == SubjectRole::Token)
}

/// Whether a call's credential has nothing to be kept but its type.
fn says_nothing(record: &CallRecord) -> bool {
    let credential = &record.credential;
    credential.fingerprint.is_none()
        && credential.scopes.is_empty()
        && credential.unlisted_scopes == 0
        && credential.jti.is_none()
        && credential.expires_at.is_none()
        && credential.issuer.is_none()
        && token_subjects(record).next().is_none()
}

/// Appends a field so that no two lists of fields look the same.
fn spell(out: &mut Vec<u8>, text: Option<&str>) {
    let text = text.map(str::as_bytes);
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.unwrap_or_default());
}

/// The columns of the fields that [`profile_texts`] gives, then of those bound after them.
const INSERT_PROFILE: &str = "INSERT INTO profiles (key, caller, caller_via, caller_key_id, \
    provider, service, environment, operation, effect, method, path_template, accept_version, \
    token_type, token_fault, minted_kind, decision, reason, tls_version, node, gateway_version, \
    config_hash, tokens_present, pii, upstream_address) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id";

fn profile_texts(record: &CallRecord) -> [Option<&str>; 20] {
    let caller = &record.caller;
    let target = &record.target;
    [
        caller.name.as_deref(),
        Some(caller.via.as_str()),
        caller.key_id.as_deref(),
        target.provider.as_deref(),
        target.service.as_deref(),
        target.environment.map(|word| word.as_str()),
        Some(target.operation.as_deref().unwrap_or("unknown")),
        target.effect.map(|word| word.as_str()),
        Some(target.method),
        target.path_template.as_deref(),
        target.accept_version.as_deref(),
        Some(record.credential.token_type.as_str()),
        record.credential.fault.as_deref(),
        record.mint.as_ref().map(|mint| &*mint.kind),
        Some(record.decision.as_str()),
        record.reason.as_deref(),
        record.traffic.tls_version.as_deref(),
        Some(&record.gateway.node),
        Some(&record.gateway.version),
        Some(&record.gateway.config_hash),
    ]
}

fn spell_profile(out: &mut Vec<u8>, record: &CallRecord) {
    for text in profile_texts(record) {
        spell(out, text);
    }
    for word in &record.credential.present {
        out.push(*word as u8);
    }
    // No word has this number.
    out.push(u8::MAX);
    for class in record.pii.iter() {
        out.push(class as u8);
    }
    out.push(u8::MAX);
    if let Some(upstream) = record.traffic.upstream {
        match upstream.ip() {
            std::net::IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            std::net::IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&upstream.port().to_le_bytes());
    }
}

async fn insert_profile(
    conn: &mut SqliteConnection,
    spelling: &[u8],
    record: &CallRecord,
) -> Result<i64, sqlx::Error> {
    // The numbers of words may change with the program; the key must not depend on them.
    let present = array(record.credential.present.iter().map(|word| word.as_str()));
    let pii = array(record.pii.iter().map(|class| class.as_str()));
    let upstream = record.traffic.upstream.map(|address| address.to_string());
    let mut stable = Vec::with_capacity(spelling.len());
    let texts = profile_texts(record);
    for text in texts {
        spell(&mut stable, text);
    }
    for text in [Some(&*present), Some(&*pii), upstream.as_deref()] {
        spell(&mut stable, text);
    }
    let mut values = Values::of(&stable);
    for text in texts {
        values.add(text)?;
    }
    values.add((!record.credential.present.is_empty()).then_some(present))?;
    values.add((!record.pii.is_empty()).then_some(pii))?;
    values.add(upstream)?;
    values.insert(conn, INSERT_PROFILE).await
}

async fn insert_credential(
    conn: &mut SqliteConnection,
    credential: &Credential,
    scopes_id: Option<i64>,
    subjects: &[Subject],
) -> Result<i64, sqlx::Error> {
    let fingerprint = credential.fingerprint.map(|print| print.to_string());
    let expires_at = credential.expires_at.map(|at| at.0);
    let mut texts = String::new();
    write_subjects(&mut texts, subjects.iter());
    let mut spelling = Vec::new();
    let unlisted = credential.unlisted_scopes.to_string();
    for text in [
        fingerprint.as_deref(),
        scopes_id.map(|id| id.to_string()).as_deref(),
        Some(&*unlisted),
        credential.jti.as_deref(),
        expires_at.map(|at| at.to_string()).as_deref(),
        credential.issuer.as_deref(),
        Some(&*texts),
    ] {
        spell(&mut spelling, text);
    }
    let mut values = Values::of(&spelling);
    values.add(credential.fingerprint.as_ref().map(|f| &f.as_bytes()[..]))?;
    values.add(scopes_id)?;
    values.add(i64::from(credential.unlisted_scopes))?;
    values.add(credential.jti.as_deref())?;
    values.add(expires_at)?;
    values.add(credential.issuer.clone())?;
    values.add((!subjects.is_empty()).then_some(texts))?;
    let sql = "INSERT INTO credentials (key, token_fingerprint, scopes_id, token_scopes_unlisted, \
               token_jti, token_expires_at, token_issuer, subjects) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
               ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id";
    values.insert(conn, sql).await
}

fn array<'v>(words: impl Iterator<Item = &'v str>) -> String {
    let mut out = String::new();
    push_array(&mut out, words);
    out
}

/// The bound values of one entry, its key first.
struct Values(Result<SqliteArguments, BindError>);

impl Values {
    fn of(spelling: &[u8]) -> Self {
        let mut values = SqliteArguments::default();
        let digest = digest(&SHA256, spelling);
        let key = digest.as_ref().get(..KEY_BYTES).unwrap_or_default();
        let bound = Arguments::add(&mut values, key);
        Self(bound.map(|()| values))
    }

    fn add<'q, T>(&mut self, value: T) -> Result<(), sqlx::Error>
    where
        T: sqlx::Encode<'q, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        if let Ok(values) = &mut self.0 {
            Arguments::add(values, value).map_err(sqlx::Error::Encode)?;
        }
        Ok(())
    }

    /// Writes the entry, or finds it there, and says its number.
    async fn insert(
        self,
        conn: &mut SqliteConnection,
        sql: &'static str,
    ) -> Result<i64, sqlx::Error> {
        let values = self.0.map_err(sqlx::Error::Encode)?;
        sqlx::query_scalar_with(sql, values).fetch_one(conn).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::ledger::samples;
    use proptest::prelude::*;

    fn spelled(texts: &[Option<String>]) -> Vec<u8> {
        let mut out = Vec::new();
        texts
            .iter()
            .for_each(|text| spell(&mut out, text.as_deref()));
        out
    }

    proptest! {
        #[test]
        fn lists_of_fields_that_differ_are_spelled_differently(
            one in prop::collection::vec(prop::option::of(any::<String>()), 0..4),
            other in prop::collection::vec(prop::option::of(any::<String>()), 0..4),
        ) {
            prop_assert_eq!(one == other, spelled(&one) == spelled(&other));
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut known = HashMap::new();
        for n in 0..=MAX_KNOWN {
            remember(&mut known, n, ());
        }
        assert_eq!(known.len(), 1);
    }

    #[test]
    fn a_token_that_reads_differently_is_another_entry() {
        let record = samples::full(1);
        let known = KnownCredential {
            id: 1,
            scopes: record.credential.scopes.as_slice().into(),
            unlisted_scopes: record.credential.unlisted_scopes,
            jti: record.credential.jti.clone(),
            expires_at: record.credential.expires_at,
            issuer: record.credential.issuer.clone(),
            subjects: token_subjects(&record).cloned().collect(),
        };
        assert!(known.is_of(&samples::full(2)));
        let changes: [fn(&mut CallRecord); 6] = [
            |record| record.credential.unlisted_scopes += 1,
            |record| record.credential.jti = None,
            |record| record.credential.expires_at = None,
            |record| record.credential.issuer = None,
            |record| record.credential.scopes.swap(0, 1),
            |record| record.subjects.clear(),
        ];
        for change in changes {
            let mut other = samples::full(2);
            change(&mut other);
            assert!(!known.is_of(&other));
        }
    }
}
