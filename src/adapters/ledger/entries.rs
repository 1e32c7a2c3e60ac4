//! What calls have in common, written once and then named by number.
//!
//! Most calls find their entries in memory. Those of a batch that do not are gathered and written
//! together, a statement for many of them. The memory belongs to the connection and is dropped
//! with it after an error, since a transaction that was rolled back takes its entries with it.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use smallvec::SmallVec;

use super::detail::write_subjects;
use super::json::push_array;
use crate::domain::record::{CallRecord, Fingerprint, Subject, SubjectRole};
use crate::types::Micros;

/// The most entries of each kind that are kept in memory; then it starts anew. An entry is some
/// 300 bytes, and fetching one again costs as much as writing it.
const MAX_KNOWN: usize = 65_536;

/// Bytes of the digest that identifies an entry.
const KEY_BYTES: usize = 16;

/// Identifies an entry: the first half of the SHA-256 of what it says.
pub(super) type Key = [u8; KEY_BYTES];

/// The numbers of a call's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) profile: i64,
    pub(super) activity: i64,
    /// `None`: the call carried no token.
    pub(super) credential: Option<i64>,
}

/// The columns of `profiles` after its key, in the order of [`Profile`]'s values.
pub(super) const PROFILE_COLUMNS: [&str; 23] = [
    "caller",
    "caller_via",
    "caller_key_id",
    "provider",
    "service",
    "environment",
    "operation",
    "effect",
    "method",
    "path_template",
    "accept_version",
    "token_type",
    "token_fault",
    "minted_kind",
    "decision",
    "reason",
    "tls_version",
    "node",
    "gateway_version",
    "config_hash",
    "tokens_present",
    "pii",
    "upstream_address",
];

/// An entry of `profiles`.
pub(super) struct Profile<'r> {
    pub(super) key: Key,
    texts: [Option<&'r str>; 20],
    composed: [Option<String>; 3],
}

impl Profile<'_> {
    /// The values of [`PROFILE_COLUMNS`].
    pub(super) fn values(&self) -> impl Iterator<Item = Option<&str>> {
        let texts = self.texts.iter().copied();
        texts.chain(self.composed.iter().map(Option::as_deref))
    }
}

/// The columns of `activities` after its key, in the order of [`Activity`]'s values.
pub(super) const ACTIVITY_COLUMNS: [&str; 11] = [
    "caller",
    "provider",
    "service",
    "environment",
    "operation",
    "effect",
    "token_type",
    "minted_kind",
    "decision",
    "reason",
    "pii",
];

/// An entry of `activities`.
pub(super) struct Activity<'r> {
    pub(super) key: Key,
    texts: [Option<&'r str>; 10],
    pii: Option<String>,
}

impl Activity<'_> {
    /// The values of [`ACTIVITY_COLUMNS`].
    pub(super) fn values(&self) -> impl Iterator<Item = Option<&str>> {
        self.texts.iter().copied().chain([self.pii.as_deref()])
    }
}

/// An entry of `scope_lists`.
pub(super) struct Scopes {
    pub(super) key: Key,
    pub(super) token_scopes: String,
}

/// An entry of `credentials`.
pub(super) struct Token<'r> {
    pub(super) key: Key,
    pub(super) fingerprint: Option<&'r [u8]>,
    pub(super) scopes_id: Option<i64>,
    pub(super) unlisted: i64,
    pub(super) jti: Option<&'r str>,
    pub(super) expires_at: Option<i64>,
    pub(super) issuer: Option<&'r str>,
    pub(super) subjects: Option<String>,
    record: &'r CallRecord,
}

impl<'r> Token<'r> {
    /// The pseudonyms of whom the token names.
    pub(super) fn pseudonyms(&self) -> impl Iterator<Item = &'r [u8]> + use<'r> {
        token_subjects(self.record)
            .filter_map(|subject| subject.pseudonym.as_ref())
            .map(|pseudonym| &pseudonym.as_bytes()[..])
    }
}

/// Where entries are written. Each function gives the numbers of the entries in their order,
/// whether they were there before or not. An entry may be given twice.
pub(super) trait Dictionary {
    async fn add_profiles(&mut self, entries: &[Profile<'_>]) -> Result<Vec<i64>, sqlx::Error>;

    async fn add_activities(&mut self, entries: &[Activity<'_>]) -> Result<Vec<i64>, sqlx::Error>;

    async fn add_scopes(&mut self, entries: &[Scopes]) -> Result<Vec<i64>, sqlx::Error>;

    /// Also writes whom the tokens name.
    async fn add_tokens(&mut self, entries: &[Token<'_>]) -> Result<Vec<i64>, sqlx::Error>;
}

/// The number of an entry, or its place among those to be written.
#[derive(Clone, Copy, Debug)]
enum Id {
    Known(i64),
    New(usize),
}

impl Id {
    /// `New` entries were written meanwhile, and have these numbers.
    fn among(self, new: &[i64]) -> Result<i64, sqlx::Error> {
        match self {
            Self::Known(id) => Ok(id),
            Self::New(at) => new.get(at).copied().ok_or(sqlx::Error::RowNotFound),
        }
    }
}

/// The entries known to be in the ledger.
#[derive(Default)]
pub(super) struct Known {
    profiles: HashMap<Box<[u8]>, KnownProfile>,
    tokens: HashMap<Option<Fingerprint>, KnownToken>,
    scopes: HashMap<Box<[u8]>, KnownScopes>,
    /// Reused to spell a profile.
    spelling: Vec<u8>,
}

/// A profile belongs to one activity, so activities need no memory of their own.
#[derive(Clone, Copy)]
struct KnownProfile {
    profile: Id,
    activity: Id,
}

#[derive(Clone)]
struct KnownScopes {
    id: Id,
    scopes: Arc<[Arc<str>]>,
}

/// The last entry of a token. A fingerprint alone does not decide: what is read from the same
/// token depends on the provider file.
struct KnownToken {
    id: Id,
    scopes: Arc<[Arc<str>]>,
    unlisted_scopes: u32,
    jti: Option<Box<str>>,
    expires_at: Option<Micros>,
    issuer: Option<Arc<str>>,
    subjects: SmallVec<[Subject; 3]>,
}

impl KnownToken {
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

/// What a batch has that was not known.
#[derive(Default)]
struct Missing<'r> {
    profiles: Vec<(Box<[u8]>, Profile<'r>)>,
    /// The activity of each of the profiles, in their order; several may have the same.
    activities: Vec<Activity<'r>>,
    scopes: Vec<(Box<[u8]>, Scopes)>,
    /// The scope list of each, if it has one.
    tokens: Vec<(&'r CallRecord, Option<Id>)>,
}

impl Known {
    /// The entries of all calls, written if they are new. After an error `self` must not be used
    /// again.
    pub(super) async fn resolve<'r>(
        &mut self,
        dictionary: &mut impl Dictionary,
        records: impl Iterator<Item = &'r CallRecord>,
    ) -> Result<Vec<Entries>, sqlx::Error> {
        let mut missing = Missing::default();
        let found: Vec<(KnownProfile, Option<Id>)> = records
            .map(|record| {
                let profile = self.profile(record, &mut missing);
                let token = (!says_nothing(record)).then(|| self.token(record, &mut missing));
                (profile, token)
            })
            .collect();
        let (profiles, activities) = self
            .write_profiles(dictionary, missing.profiles, missing.activities)
            .await?;
        let scopes = self.write_scopes(dictionary, missing.scopes).await?;
        let tokens = self
            .write_tokens(dictionary, missing.tokens, &scopes)
            .await?;
        let entries = found.into_iter().map(|(known, token)| {
            Ok(Entries {
                profile: known.profile.among(&profiles)?,
                activity: known.activity.among(&activities)?,
                credential: token.map(|token| token.among(&tokens)).transpose()?,
            })
        });
        entries.collect()
    }

    fn profile<'r>(&mut self, record: &'r CallRecord, missing: &mut Missing<'r>) -> KnownProfile {
        self.spelling.clear();
        spell_profile(&mut self.spelling, record);
        if let Some(known) = self.profiles.get(&*self.spelling) {
            return *known;
        }
        let id = Id::New(missing.profiles.len());
        let known = KnownProfile {
            profile: id,
            activity: id,
        };
        let spelling: Box<[u8]> = self.spelling.as_slice().into();
        missing.profiles.push((spelling.clone(), profile(record)));
        missing.activities.push(activity(record));
        remember(&mut self.profiles, spelling, known);
        known
    }

    fn token<'r>(&mut self, record: &'r CallRecord, missing: &mut Missing<'r>) -> Id {
        let credential = &record.credential;
        if let Some(known) = self.tokens.get(&credential.fingerprint)
            && known.is_of(record)
        {
            return known.id;
        }
        let list = self.scope_list(&credential.scopes, missing);
        let id = Id::New(missing.tokens.len());
        missing
            .tokens
            .push((record, list.as_ref().map(|list| list.id)));
        let known = KnownToken {
            id,
            scopes: list.map(|list| list.scopes).unwrap_or_default(),
            unlisted_scopes: credential.unlisted_scopes,
            jti: credential.jti.clone(),
            expires_at: credential.expires_at,
            issuer: credential.issuer.clone(),
            subjects: token_subjects(record).cloned().collect(),
        };
        remember(&mut self.tokens, credential.fingerprint, known);
        id
    }

    /// `None`: the list is empty.
    fn scope_list(&mut self, scopes: &[Arc<str>], missing: &mut Missing) -> Option<KnownScopes> {
        if scopes.is_empty() {
            return None;
        }
        let mut spelling = Vec::new();
        for scope in scopes {
            spell(&mut spelling, Some(scope));
        }
        if let Some(list) = self.scopes.get(&*spelling) {
            return Some(list.clone());
        }
        let list = KnownScopes {
            id: Id::New(missing.scopes.len()),
            scopes: scopes.into(),
        };
        let entry = Scopes {
            key: key(&spelling),
            token_scopes: array(scopes.iter().map(|scope| &**scope)),
        };
        let spelling: Box<[u8]> = spelling.into();
        missing.scopes.push((spelling.clone(), entry));
        remember(&mut self.scopes, spelling, list.clone());
        Some(list)
    }

    async fn write_profiles(
        &mut self,
        dictionary: &mut impl Dictionary,
        missing: Vec<(Box<[u8]>, Profile<'_>)>,
        activities: Vec<Activity<'_>>,
    ) -> Result<(Vec<i64>, Vec<i64>), sqlx::Error> {
        let (spellings, entries): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let profiles = some(&entries, dictionary.add_profiles(&entries)).await?;
        let activities = some(&activities, dictionary.add_activities(&activities)).await?;
        let ids = profiles.iter().zip(&activities);
        for (spelling, (profile, activity)) in spellings.iter().zip(ids) {
            if let Some(known) = self.profiles.get_mut(spelling) {
                *known = KnownProfile {
                    profile: Id::Known(*profile),
                    activity: Id::Known(*activity),
                };
            }
        }
        Ok((profiles, activities))
    }

    async fn write_scopes(
        &mut self,
        dictionary: &mut impl Dictionary,
        missing: Vec<(Box<[u8]>, Scopes)>,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let (spellings, entries): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
        let ids = some(&entries, dictionary.add_scopes(&entries)).await?;
        for (spelling, id) in spellings.iter().zip(&ids) {
            if let Some(known) = self.scopes.get_mut(spelling) {
                known.id = Id::Known(*id);
            }
        }
        Ok(ids)
    }

    async fn write_tokens(
        &mut self,
        dictionary: &mut impl Dictionary,
        missing: Vec<(&CallRecord, Option<Id>)>,
        scopes: &[i64],
    ) -> Result<Vec<i64>, sqlx::Error> {
        let entries = missing.iter().map(|(record, list)| {
            let list = list.map(|list| list.among(scopes)).transpose()?;
            Ok(token(record, list))
        });
        let entries = entries.collect::<Result<Vec<_>, sqlx::Error>>()?;
        let ids = some(&entries, dictionary.add_tokens(&entries)).await?;
        for (at, (record, _)) in missing.iter().enumerate() {
            // The memory has the last reading of a token; others of this batch are not in it.
            if let Some(known) = self.tokens.get_mut(&record.credential.fingerprint)
                && matches!(known.id, Id::New(new) if new == at)
            {
                known.id = Id::Known(Id::New(at).among(&ids)?);
            }
        }
        Ok(ids)
    }
}

/// Nothing is asked of the database when there is nothing to write.
async fn some<T>(
    entries: &[T],
    written: impl Future<Output = Result<Vec<i64>, sqlx::Error>>,
) -> Result<Vec<i64>, sqlx::Error> {
    match entries {
        [] => Ok(Vec::new()),
        _ => written.await,
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

fn key(spelling: &[u8]) -> Key {
    let mut key = [0; KEY_BYTES];
    let digest = digest(&SHA256, spelling);
    for (to, from) in key.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    key
}

/// Appends a field so that no two lists of fields look the same.
fn spell(out: &mut Vec<u8>, text: Option<&str>) {
    let text = text.map(str::as_bytes);
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.unwrap_or_default());
}

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

/// What tells profiles apart in memory; cheaper than their texts.
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

fn activity(record: &CallRecord) -> Activity<'_> {
    let target = &record.target;
    let texts = [
        record.caller.name.as_deref(),
        target.provider.as_deref(),
        target.service.as_deref(),
        target.environment.map(|word| word.as_str()),
        Some(target.operation.as_deref().unwrap_or("unknown")),
        target.effect.map(|word| word.as_str()),
        Some(record.credential.token_type.as_str()),
        record.mint.as_ref().map(|mint| &*mint.kind),
        Some(record.decision.as_str()),
        record.reason.as_deref(),
    ];
    let pii = array(record.pii.iter().map(|class| class.as_str()));
    let mut spelling = Vec::new();
    for text in texts {
        spell(&mut spelling, text);
    }
    spell(&mut spelling, Some(&pii));
    Activity {
        key: key(&spelling),
        texts,
        pii: (!record.pii.is_empty()).then_some(pii),
    }
}

fn profile(record: &CallRecord) -> Profile<'_> {
    // The numbers of words may change with the program; the key must not depend on them.
    let present = array(record.credential.present.iter().map(|word| word.as_str()));
    let pii = array(record.pii.iter().map(|class| class.as_str()));
    let upstream = record.traffic.upstream.map(|address| address.to_string());
    let texts = profile_texts(record);
    let mut stable = Vec::new();
    for text in texts {
        spell(&mut stable, text);
    }
    for text in [Some(&*present), Some(&*pii), upstream.as_deref()] {
        spell(&mut stable, text);
    }
    Profile {
        key: key(&stable),
        texts,
        composed: [
            (!record.credential.present.is_empty()).then_some(present),
            (!record.pii.is_empty()).then_some(pii),
            upstream,
        ],
    }
}

fn token(record: &CallRecord, scopes_id: Option<i64>) -> Token<'_> {
    let credential = &record.credential;
    let fingerprint = credential.fingerprint.map(|print| print.to_string());
    let expires_at = credential.expires_at.map(|at| at.0);
    let mut subjects = String::new();
    write_subjects(&mut subjects, token_subjects(record));
    let unlisted = credential.unlisted_scopes.to_string();
    let mut spelling = Vec::new();
    for text in [
        fingerprint.as_deref(),
        scopes_id.map(|id| id.to_string()).as_deref(),
        Some(&*unlisted),
        credential.jti.as_deref(),
        expires_at.map(|at| at.to_string()).as_deref(),
        credential.issuer.as_deref(),
        Some(&*subjects),
    ] {
        spell(&mut spelling, text);
    }
    Token {
        key: key(&spelling),
        fingerprint: credential.fingerprint.as_ref().map(|f| &f.as_bytes()[..]),
        scopes_id,
        unlisted: i64::from(credential.unlisted_scopes),
        jti: credential.jti.as_deref(),
        expires_at,
        issuer: credential.issuer.as_deref(),
        subjects: token_subjects(record).next().map(|_| subjects),
        record,
    }
}

fn array<'v>(words: impl Iterator<Item = &'v str>) -> String {
    let mut out = String::new();
    push_array(&mut out, words);
    out
}

/// The numbers of entries in the order of the entries, from an answer in any order.
pub(super) fn in_order<'k>(
    keys: impl Iterator<Item = &'k Key>,
    answer: Vec<(Vec<u8>, i64)>,
) -> Result<Vec<i64>, sqlx::Error> {
    let ids: HashMap<Vec<u8>, i64> = answer.into_iter().collect();
    keys.map(|key| ids.get(&key[..]).copied().ok_or(sqlx::Error::RowNotFound))
        .collect()
}

#[cfg(test)]
#[path = "entries_tests.rs"]
mod tests;
