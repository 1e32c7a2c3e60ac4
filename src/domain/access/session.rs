//! Sessions of browsers: a secret in a cookie, its hash here, in memory only.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::{Person, Way};
use crate::types::Micros;

/// Random bytes of a session's secret.
pub const SESSION_SECRET_BYTES: usize = 32;

/// Most sessions at a time. The one that was unused for longest makes room: somebody with a key can
/// end sessions of others so, but every login is on record.
const MAX_SESSIONS: usize = 1_000;

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// After its last use.
    pub idle: Duration,
    /// After its start.
    pub length: Duration,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is. Its `expires_at` is the end of the key or token that it began with.
    pub who: Person,
    /// When it began.
    pub started_at: Micros,
    /// When it was last used.
    pub used_at: Micros,
}

/// Every session, by the hash of its secret.
#[derive(Debug)]
pub struct Sessions {
    settings: SessionSettings,
    by_hash: HashMap<[u8; 32], Session>,
}

/// What is kept of a secret.
pub fn hash_of(secret: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, secret).as_ref()) {
        *to = *from;
    }
    bytes
}

impl Sessions {
    /// None yet.
    pub fn new(settings: SessionSettings) -> Self {
        Self {
            settings,
            by_hash: HashMap::new(),
        }
    }

    /// Begins a session; gives its end, if nobody uses it longer than that.
    pub fn begin(&mut self, hash: [u8; 32], who: Person, now: Micros) -> Micros {
        let settings = self.settings;
        self.by_hash
            .retain(|_, session| end_of(&settings, session) > now);
        if self.by_hash.len() >= MAX_SESSIONS
            && let Some(oldest) = self
                .by_hash
                .iter()
                .min_by_key(|(_, session)| session.used_at)
                .map(|(hash, _)| *hash)
        {
            self.by_hash.remove(&oldest);
        }
        let session = Session {
            who,
            started_at: now,
            used_at: now,
        };
        let last = last_of(&settings, &session);
        self.by_hash.insert(hash, session);
        last
    }

    /// Whose session this is, which counts as a use of it. `is_usable` says whether a key still
    /// opens: a session ends with its key.
    pub fn resume(
        &mut self,
        hash: &[u8; 32],
        now: Micros,
        is_usable: impl Fn(&str) -> bool,
    ) -> Option<Person> {
        let settings = self.settings;
        let session = self.by_hash.get_mut(hash)?;
        let key_ended = session.who.key_id.as_ref().is_some_and(|id| !is_usable(id));
        if key_ended || end_of(&settings, session) <= now {
            self.by_hash.remove(hash);
            return None;
        }
        session.used_at = session.used_at.max(now);
        Some(Person {
            way: Way::Session,
            expires_at: Some(last_of(&settings, session)),
            name: Arc::clone(&session.who.name),
            roles: session.who.roles,
            key_id: session.who.key_id.clone(),
        })
    }

    /// Ends a session; gives whose it was.
    pub fn end(&mut self, hash: &[u8; 32]) -> Option<Person> {
        self.by_hash.remove(hash).map(|session| session.who)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

/// The moment that no use carries it beyond.
fn last_of(settings: &SessionSettings, session: &Session) -> Micros {
    let last = session.started_at.plus(settings.length);
    session.who.expires_at.map_or(last, |end| end.min(last))
}

fn end_of(settings: &SessionSettings, session: &Session) -> Micros {
    last_of(settings, session).min(session.used_at.plus(settings.idle))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Role, Roles};

    const MINUTE: Duration = Duration::from_secs(60);

    fn sessions() -> Sessions {
        Sessions::new(SessionSettings {
            idle: MINUTE,
            length: MINUTE * 3,
        })
    }

    fn ann(expires_at: Option<Micros>) -> Person {
        Person {
            name: "ann".into(),
            way: Way::Key,
            roles: Roles::of([Role::Viewer]),
            expires_at,
            key_id: Some("k".into()),
        }
    }

    fn at(seconds: i64) -> Micros {
        Micros::from_secs(seconds)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_old_or_its_key_ends() {
        let hash = hash_of(b"s");
        let mut all = sessions();
        assert_eq!(all.begin(hash, ann(None), at(0)), at(180));
        for second in [59, 118, 177] {
            let who = all.resume(&hash, at(second), |_| true).unwrap();
            assert_eq!((who.way, who.expires_at), (Way::Session, Some(at(180))));
        }
        assert_eq!(all.resume(&hash, at(180), |_| true), None);
        assert!(all.is_empty());
        all.begin(hash, ann(None), at(0));
        assert_eq!(all.resume(&hash, at(60), |_| true), None);
        all.begin(hash, ann(None), at(0));
        assert_eq!(all.resume(&hash, at(1), |id| id != "k"), None);
        all.begin(hash, ann(Some(at(10))), at(0));
        assert_eq!(all.resume(&hash, at(10), |_| true), None);
        all.begin(hash, ann(None), at(0));
        assert_eq!(all.end(&hash).map(|who| who.name), Some("ann".into()));
        assert_eq!(all.resume(&hash, at(1), |_| true), None);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut all = sessions();
        for number in 0..(MAX_SESSIONS as u32 + 10) {
            let moment = Micros(i64::from(number));
            all.begin(hash_of(&number.to_be_bytes()), ann(None), moment);
        }
        assert_eq!(all.len(), MAX_SESSIONS);
        let first = hash_of(&0_u32.to_be_bytes());
        assert_eq!(all.resume(&first, Micros(2_000), |_| true), None);
    }
}
