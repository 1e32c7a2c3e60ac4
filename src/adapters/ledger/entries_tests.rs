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
    let known = KnownToken {
        id: Id::Known(1),
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
