use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::identity::RANDOM_BYTES;

const NOW: Micros = Micros::from_secs(1_795_305_338);
const DAY: Duration = Duration::from_secs(86_400);

/// The keys of `payments` and `expired` and `revoked`, and their book.
fn book() -> (CallerBook, [String; 3]) {
    let mut book = CallerBook::default();
    let mut keys = Vec::new();
    for (seed, name) in [(1, "payments"), (2, "expired"), (3, "revoked")] {
        let life = (name == "expired").then_some(DAY);
        let (next, new) = book
            .add(
                name,
                life,
                Micros(NOW.0 - 86_400_000_000),
                &[seed; RANDOM_BYTES],
            )
            .unwrap();
        book = next;
        keys.push(new.key.expose().clone());
    }
    let book = book.revoke("revoked", NOW).unwrap().0;
    (book, keys.try_into().unwrap())
}

fn basic(text: &str) -> String {
    format!("Basic {}", BASE64.encode(text))
}

#[test]
fn keys_are_told_apart_for_the_record() {
    let (book, [key, expired, revoked]) = book();
    let last = if key.ends_with('A') { "B" } else { "A" };
    let wrong = format!("{}{last}", &key[..KEY_LENGTH - 1]);
    let unknown = key.replace(&key[4..16], "aaaaaaaaaaaa");
    for (value, expected) in [
        (format!("Bearer {key}"), Ok("payments")),
        (format!("bEARER   {key} "), Ok("payments")),
        (format!("Egret {key}"), Ok("payments")),
        (basic(&format!("payments:{key}")), Ok("payments")),
        (basic(&format!(":{key}")), Ok("payments")),
        (
            basic(&format!("payments:{key}")).replace('=', ""),
            Ok("payments"),
        ),
        (basic(&format!("other:{key}")), Err("caller_user_mismatch")),
        (basic(&key), Err("caller_key_malformed")),
        (basic(&format!("{key}:")), Err("caller_key_malformed")),
        ("Basic ***".to_owned(), Err("caller_key_malformed")),
        (format!("Bearer {wrong}"), Err("caller_key_wrong")),
        (format!("Bearer {unknown}"), Err("caller_key_unknown")),
        (format!("Bearer {expired}"), Err("caller_key_expired")),
        (format!("Bearer {revoked}"), Err("caller_key_revoked")),
        (format!("Bearer {key}x"), Err("caller_key_malformed")),
        (
            format!("Bearer {}", key.replace("egk_", "EGK_")),
            Err("caller_key_malformed"),
        ),
        ("Bearer".to_owned(), Err("caller_key_malformed")),
        (String::new(), Err("caller_scheme_unknown")),
        (key.clone(), Err("caller_scheme_unknown")),
        (format!("Digest {key}"), Err("caller_scheme_unknown")),
        (
            format!("Bearer {}", "x".repeat(600)),
            Err("caller_key_malformed"),
        ),
    ] {
        let found = authenticate(&book, value.as_bytes(), NOW);
        let shown = found
            .as_ref()
            .map(|known| &*known.name)
            .map_err(|denial| denial.code());
        assert_eq!(shown, expected, "{value}");
        match found {
            Ok(known) => assert_eq!(known.key_id.as_deref(), Some(&key[4..16])),
            // The same answer, whatever is wrong with the key.
            Err(denial) => assert_eq!(denial.status(), 403),
        }
    }
}

#[test]
fn key_wins_over_certificate_wins_over_address() {
    let (book, [key, expired, _]) = book();
    let good = format!("Bearer {key}");
    let bad = format!("Bearer {expired}");
    let same: CertifiedCaller = Ok("payments".into());
    let other: CertifiedCaller = Ok("other".into());
    let broken: CertifiedCaller = Err(Denial::CertificateMalformed);
    let nameless: CertifiedCaller = Err(Denial::CertificateNameless);
    let local: Arc<str> = "laptop".into();
    let (good, bad) = (Some(good.as_bytes()), Some(bad.as_bytes()));
    type Expected = Result<(&'static str, CallerVia), (u16, &'static str)>;
    type Row<'a> = (
        Option<&'a [u8]>,
        Option<&'a CertifiedCaller>,
        bool,
        bool,
        Expected,
    );
    let table: [Row<'_>; 17] = [
        // key, certificate, local peer, callers.local
        (good, None, false, false, Ok(("payments", CallerVia::Key))),
        (good, None, true, true, Ok(("payments", CallerVia::Key))),
        (
            good,
            Some(&same),
            false,
            false,
            Ok(("payments", CallerVia::Key)),
        ),
        (
            good,
            Some(&nameless),
            false,
            false,
            Ok(("payments", CallerVia::Key)),
        ),
        (
            good,
            Some(&other),
            false,
            false,
            Err((403, "caller_mismatch")),
        ),
        (
            good,
            Some(&broken),
            false,
            false,
            Err((403, "caller_certificate_malformed")),
        ),
        (bad, None, true, true, Err((403, "caller_key_expired"))),
        (
            bad,
            Some(&same),
            true,
            true,
            Err((403, "caller_key_expired")),
        ),
        (
            None,
            Some(&other),
            false,
            false,
            Ok(("other", CallerVia::Mtls)),
        ),
        (
            None,
            Some(&other),
            true,
            true,
            Ok(("other", CallerVia::Mtls)),
        ),
        (
            None,
            Some(&broken),
            true,
            true,
            Err((403, "caller_certificate_malformed")),
        ),
        (
            None,
            Some(&nameless),
            true,
            true,
            Err((407, "caller_certificate_nameless")),
        ),
        (None, None, true, true, Ok(("laptop", CallerVia::Address))),
        (None, None, true, false, Err((407, "caller_missing"))),
        (None, None, false, true, Err((407, "caller_missing"))),
        (None, None, false, false, Err((407, "caller_missing"))),
        (
            Some(b"Basic eDp5"),
            None,
            true,
            true,
            Err((403, "caller_key_malformed")),
        ),
    ];
    for (at, (key, certificate, is_local, has_local, expected)) in table.into_iter().enumerate() {
        let peer = Peer {
            certificate,
            is_local,
        };
        let found = resolve_caller(key, peer, &book, has_local.then_some(&local), NOW);
        let shown = found
            .as_ref()
            .map(|known| (&*known.name, known.via))
            .map_err(|denial| (denial.status(), denial.code()));
        assert_eq!(shown, expected, "row {at}");
    }
}

#[test]
fn two_keys_at_once_are_refused() {
    let (book, [key, ..]) = book();
    let field = format!("Bearer {key}");
    let peer = Peer {
        certificate: None,
        is_local: true,
    };
    let found = resolve_caller([field.as_bytes(); 2], peer, &book, None, NOW);
    assert_eq!(found, Err(Denial::SeveralKeys));
}

proptest! {
    #[test]
    fn no_value_panics_or_gets_in(value: Vec<u8>, text in "(Basic|Bearer|Egret) ?[A-Za-z0-9+/=_:-]{0,80}") {
        let (book, _) = book();
        prop_assert!(authenticate(&book, &value, NOW).is_err());
        prop_assert!(authenticate(&book, text.as_bytes(), NOW).is_err());
    }
}
