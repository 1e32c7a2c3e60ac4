//! What was found out about tokens that came before.
//!
//! A caller sends one token with hundreds of calls. To read its claims and to make pseudonyms of
//! whom it names takes longer each time than to find what came of that the last time. What is kept
//! here is what the ledger keeps, and it is found by the token's fingerprint, which is made for each
//! call anyway: neither the token nor anything that it names is held in readable form.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::credential::Kept;
use crate::domain::catalog::Provider;
use crate::domain::credential::{self, RequestView};
use crate::domain::keyring::Keyring;
use crate::domain::record::{CallRecord, Fingerprint};
use crate::types::{Micros, TokenType};

/// Tokens of one generation. There are two, half a KiB a token: at most 1 MiB.
const GENERATION: usize = 1_024;

struct Entry {
    /// The same string can be sent to several providers, which see different things in it.
    provider: Arc<str>,
    kept: Kept,
}

/// Remembers tokens; for one keyring and one set of provider files.
///
/// Those that have come lately stay: when one generation is full it becomes the old one, and what
/// is in the old one by then and has not come again is gone.
#[derive(Default)]
pub struct KnownTokens {
    young: HashMap<Fingerprint, Entry>,
    old: HashMap<Fingerprint, Entry>,
}

impl KnownTokens {
    /// As [`super::credential`]. What has expired at `now` is looked at anew and not remembered.
    pub fn credential(
        &mut self,
        provider: &Provider,
        request: &RequestView<'_>,
        keyring: &Keyring,
        now: Micros,
        record: &mut CallRecord,
    ) -> SmallVec<[TokenType; 2]> {
        let Some(token) = credential::sole_bearer(provider.scheme, request) else {
            return super::credential(provider, request, keyring, record);
        };
        let fingerprint = keyring.fingerprint(token);
        if let Some(kept) = self.find(provider, &fingerprint, now) {
            return kept.note(record);
        }
        let kept = Kept::of(provider, request, keyring);
        if !is_over(&kept, now) {
            let entry = Entry {
                provider: Arc::clone(&provider.id),
                kept: kept.clone(),
            };
            self.keep(fingerprint, entry);
        }
        kept.note(record)
    }

    fn find(
        &mut self,
        provider: &Provider,
        fingerprint: &Fingerprint,
        now: Micros,
    ) -> Option<Kept> {
        if let Some(entry) = self.old.remove(fingerprint) {
            self.keep(*fingerprint, entry);
        }
        let entry = self.young.get(fingerprint)?;
        if is_over(&entry.kept, now) {
            self.young.remove(fingerprint);
            return None;
        }
        (entry.provider == provider.id).then(|| entry.kept.clone())
    }

    fn keep(&mut self, fingerprint: Fingerprint, entry: Entry) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(fingerprint, entry);
    }
}

fn is_over(kept: &Kept, now: Micros) -> bool {
    kept.credential.expires_at.is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog;
    use crate::domain::record::Gateway;
    use crate::types::CallId;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Micros = Micros::from_secs(1_800_000_000);

    fn provider(id: &str) -> Provider {
        let (name, text) = catalog::builtin()
            .into_iter()
            .find(|(name, _)| name.contains(id))
            .unwrap();
        Provider::parse(name, text).unwrap()
    }

    fn token(customer: u64, expires_at: i64) -> String {
        let claims = format!(
            r#"{{"iss":"https://id.sandbox.cybrid.app","sub":"{customer:032x}",
            "sub_type":"customer","scope":["customers:read","made:up"],"exp":{expires_at},
            "jti":"3b0e8c1e-5a0b-4d3f-9d56-2f6f3b1c9a10",
            "properties":{{"bank_guid":"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"}}}}"#
        );
        let parts = [r#"{"alg":"RS512"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{}.c2lnbmVk", parts.join("."))
    }

    /// What is recorded of a request with this token, without and with memory.
    fn both(
        known: &mut KnownTokens,
        provider: &Provider,
        token: &str,
        now: Micros,
    ) -> [(CallRecord, SmallVec<[TokenType; 2]>); 2] {
        let headers = vec![("Authorization", format!("Bearer {token}"))];
        let request = RequestView {
            method: "GET",
            path: "/api/customers",
            query: None,
            headers: &headers,
            client_certificate: false,
        };
        let keyring = Keyring::new(&[7; 32]);
        let record = || {
            let gateway = Gateway {
                node: "n".into(),
                version: "0".into(),
                config_hash: "h".into(),
            };
            CallRecord::new(CallId::floor(1), Micros(1), Arc::new(gateway))
        };
        let (mut fresh, mut remembered) = (record(), record());
        let present = super::super::credential(provider, &request, &keyring, &mut fresh);
        let again = known.credential(provider, &request, &keyring, now, &mut remembered);
        [(fresh, present), (remembered, again)]
    }

    #[test]
    fn a_token_that_comes_again_leaves_the_same_record() {
        let cybrid = provider("cybrid");
        let mut known = KnownTokens::default();
        let tokens = [token(1, 1_900_000_000), token(2, 1_900_000_000)];
        for _ in 0..3 {
            for token in &tokens {
                let [fresh, remembered] = both(&mut known, &cybrid, token, NOW);
                assert_eq!(fresh, remembered);
                assert_eq!(fresh.0.credential.token_type, TokenType::Customer);
                assert_eq!(fresh.0.subjects.len(), 2);
                assert_eq!(fresh.0.credential.unlisted_scopes, 1);
            }
        }
        assert_eq!(known.young.len(), 2);
    }

    #[test]
    fn every_provider_has_its_own_view_of_a_token() {
        let (cybrid, obp) = (provider("cybrid"), provider("obp"));
        let mut known = KnownTokens::default();
        let token = token(1, 1_900_000_000);
        for provider in [&cybrid, &obp, &cybrid] {
            let [fresh, remembered] = both(&mut known, provider, &token, NOW);
            assert_eq!(fresh, remembered);
            let bearer = fresh.0.credential.token_type == TokenType::OAuth2Bearer;
            assert_eq!(bearer, provider.id == obp.id);
        }
    }

    #[test]
    fn what_has_expired_is_forgotten() {
        let cybrid = provider("cybrid");
        let mut known = KnownTokens::default();
        let token = token(1, 1_800_000_010);
        let later = Micros::from_secs(1_800_000_010);
        for (now, kept) in [(NOW, 1), (later, 0), (later, 0)] {
            let [fresh, remembered] = both(&mut known, &cybrid, &token, now);
            assert_eq!(fresh, remembered);
            assert_eq!(known.young.len(), kept);
        }
    }

    #[test]
    fn a_flood_of_tokens_takes_no_more_room_and_what_is_in_use_stays() {
        let cybrid = provider("cybrid");
        let mut known = KnownTokens::default();
        let mine = token(0, 1_900_000_000);
        let fingerprint = Keyring::new(&[7; 32]).fingerprint(mine.as_bytes());
        for flood in 1..=(3 * GENERATION as u64) {
            if flood % 500 == 1 {
                both(&mut known, &cybrid, &mine, NOW);
            }
            both(&mut known, &cybrid, &token(flood, 1_900_000_000), NOW);
            assert!(known.young.len() <= GENERATION && known.old.len() <= GENERATION);
            let (young, old) = (&known.young, &known.old);
            assert!(young.contains_key(&fingerprint) || old.contains_key(&fingerprint));
        }
        assert!(known.find(&cybrid, &fingerprint, NOW).is_some());
    }
}
