//! That the search can fail: what it looks for is there, and it finds it in every form.

use std::collections::HashSet;
use std::fs;

use super::scan::{Scanner, forms};
use super::values::{Garden, Kind};
use super::{ENOUGH, answers, malformed, requests};

#[test]
fn values_are_found_in_every_form() {
    let mut garden = Garden::new(7);
    for kind in [
        Kind::Token,
        Kind::Password,
        Kind::HexKey,
        Kind::Guid,
        Kind::Uuid,
        Kind::Card,
        Kind::Ssn,
        Kind::Name,
        Kind::Email,
        Kind::Phone,
        Kind::Address,
        Kind::BirthDate,
        Kind::Account,
        Kind::Signature,
        Kind::Jwt,
    ] {
        garden.plant(kind, format!("{kind:?}"));
    }
    let decoy = Garden::new(8).plant(Kind::Token, "not planted here");
    let scanner = Scanner::new(&garden.planted);
    assert!(
        scanner
            .scan("decoy", format!("x{decoy}x").as_bytes())
            .is_empty()
    );
    let directory = tempfile::tempdir().unwrap();
    for (index, it) in garden.planted.iter().enumerate() {
        for (form, written) in forms(&it.value) {
            let mut text = format!("{{\"page\":{index},\"x\":\"").into_bytes();
            text.extend_from_slice(&written);
            text.extend_from_slice(b"\"}");
            for text in [text.to_ascii_uppercase(), text] {
                let path = directory.path().join("file");
                fs::write(&path, text).unwrap();
                let found = scanner.scan("file", &fs::read(&path).unwrap());
                assert!(
                    found
                        .iter()
                        .any(|find| find.form == form && find.place == it.place),
                    "{} as {form} was not found",
                    it.value
                );
            }
        }
        // Inside other base64 text, at every offset.
        for before in ["", "a", "ab", "abc"] {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD
                .encode(format!("{before}{}:more", it.value));
            assert!(
                !scanner.scan("file", text.as_bytes()).is_empty(),
                "{} in {text}",
                it.value
            );
        }
    }
    // The beginning and the end of a long value betray it.
    let token = &garden.planted[0].value;
    for part in [&token[..12], &token[token.len() - 12..]] {
        assert!(
            !scanner
                .scan("file", format!("token {part}...").as_bytes())
                .is_empty()
        );
    }
}

#[test]
fn values_are_distinct_and_reach_every_place() {
    let mut garden = Garden::new(1);
    requests::regular(&mut garden);
    malformed::malformed(&mut garden);
    answers::http1(&mut garden);
    let distinct: HashSet<&str> = garden.planted.iter().map(|it| it.value.as_str()).collect();
    assert!(distinct.len() >= ENOUGH, "{}", distinct.len());
    assert!(
        distinct.len() * 100 >= garden.planted.len() * 99,
        "values repeat"
    );
}
