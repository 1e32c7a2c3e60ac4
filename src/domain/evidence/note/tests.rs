//! Against the vectors of Go's `golang.org/x/mod/sumdb/note`, of the C2SP specifications and of
//! a real checkpoint of a public log with the cosignature of a public witness.

use proptest::prelude::*;

use super::*;

const PETER_SIGNER: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN\
                          1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF\
                          1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// A checkpoint of the Certificate Transparency log Arche 2025h1 (staging) as published.
pub(crate) const ARCHE: &str = "\
arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==
";
/// A public witness's key, type 04.
pub(crate) const REMORA: &str =
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).unwrap()
}

fn note(parts: &[&str]) -> Note {
    Note::parse(parts.concat().as_bytes()).unwrap()
}

#[test]
fn the_example_of_the_specification_verifies() {
    let key = key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    let note = note(&[
        "This is an example message.\n\n— example.com/foo ",
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72Ineya",
        "QM=\n",
    ]);
    let signed = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(
        signed,
        [Signed {
            key: &key,
            at: None
        }]
    );
    assert_eq!(note.text(), "This is an example message.\n");
}

#[test]
fn signing_gives_the_bytes_that_go_gives() {
    let peter = SignerKey::parse(PETER_SIGNER).unwrap();
    assert_eq!(peter.verifier().to_string(), PETER);
    let mut note = Note::new(TEXT.to_owned()).unwrap();
    note.add(peter.sign(TEXT).unwrap());
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER_LINE}"));
    note.add(peter.sign(TEXT).unwrap());
    assert_eq!(note.signatures().len(), 1, "a key signs once");
    assert!(
        !format!("{peter:?}").contains("AYEK"),
        "a private key was printed"
    );
}

#[test]
fn unknown_signatures_are_ignored_and_known_ones_must_be_right() {
    let both = note(&[TEXT, "\n", PETER_LINE, ENOCH_LINE]);
    assert_eq!(
        both.to_string(),
        [TEXT, "\n", PETER_LINE, ENOCH_LINE].concat()
    );
    let (peter, enoch) = (key(PETER), key(ENOCH));
    assert_eq!(both.verify(std::slice::from_ref(&peter)).unwrap().len(), 1);
    assert_eq!(
        both.verify(&[peter.clone(), enoch.clone(), peter.clone()])
            .unwrap()
            .len(),
        2
    );
    assert_eq!(both.verify(&[]), Err(VerifyError::NoTrustedSignature));

    let twice = note(&[TEXT, "\n", PETER_LINE, PETER_LINE]);
    assert_eq!(twice.verify(std::slice::from_ref(&peter)).unwrap().len(), 1);

    let changed = note(&[&TEXT.replace("don't", "do"), "\n", PETER_LINE, ENOCH_LINE]);
    assert!(matches!(
        changed.verify(std::slice::from_ref(&peter)),
        Err(VerifyError::WrongSignature {
            id: KeyId(0xc74f_20a3),
            ..
        })
    ));
    // Another name with the same id is another key.
    let misnamed = note(&[
        TEXT,
        "\n",
        &PETER_LINE.replace("PeterNeumann", "CarmenSandiego"),
    ]);
    assert_eq!(
        misnamed.verify(&[peter]),
        Err(VerifyError::NoTrustedSignature)
    );
}

#[test]
fn keys_that_were_cut_or_changed_are_refused() {
    for (text, signer) in [(PETER, false), (PETER_SIGNER, true)] {
        let refused = |text: &str| {
            if signer {
                SignerKey::parse(text).is_err()
            } else {
                VerifierKey::parse(text).is_err()
            }
        };
        for from in 0..text.len() {
            for to in from..=text.len() {
                assert!(
                    (from, to) == (0, text.len()) || refused(&text[from..to]),
                    "{from}..{to}"
                );
            }
        }
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] += 1;
            assert!(refused(&String::from_utf8(changed).unwrap()), "byte {at}");
        }
    }
    let wrong_length = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert!(VerifierKey::parse(wrong_length).is_err());
    let unknown_type = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(VerifierKey::parse(unknown_type), Err(KeyError::UnknownType));
    assert!(VerifierKey::new("two words", SignatureType::Ed25519, [0; 32]).is_err());
}

#[test]
fn what_is_not_a_note_is_refused_with_its_reason() {
    let parse = |text: &str| Note::parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse(TEXT), NoteError::NoSignatures);
    assert_eq!(parse(&format!("{TEXT}\n")), NoteError::NoSignatures);
    let cut = format!("{TEXT}\n{}", PETER_LINE.trim_end());
    assert_eq!(parse(&cut), NoteError::BadSignatureLine(1));
    let tail = format!("{TEXT}\n{PETER_LINE}Unexpected line.\n");
    assert_eq!(parse(&tail), NoteError::BadSignatureLine(2));
    let spaces = format!("{TEXT}\n{}", PETER_LINE.replace("PeterNeumann", "Bad Name"));
    assert_eq!(parse(&spaces), NoteError::BadSignatureLine(1));
    assert_eq!(
        parse(&format!("\u{1}{TEXT}\n{PETER_LINE}")),
        NoteError::NotText
    );
    let not_utf8 = [b"\xff", TEXT.as_bytes(), b"\n", PETER_LINE.as_bytes()].concat();
    assert_eq!(Note::parse(&not_utf8), Err(NoteError::NotText));
    let many = format!("{TEXT}\n{}", PETER_LINE.repeat(MAX_SIGNATURES + 1));
    assert_eq!(parse(&many), NoteError::TooManySignatures);
    let long = format!("{}\n\n{PETER_LINE}", "x".repeat(MAX_NOTE_BYTES));
    assert_eq!(parse(&long), NoteError::TooLong);
    assert_eq!(
        Note::new("no newline".into()),
        Err(NoteError::NoFinalNewline)
    );
}

#[test]
fn a_real_cosignature_of_a_public_witness_verifies() {
    let remora = key(REMORA);
    assert_eq!(remora.kind(), SignatureType::CosignatureV1);
    assert_eq!(remora.to_string(), REMORA);
    let note = note(&[ARCHE]);
    let signed = note.verify(std::slice::from_ref(&remora)).unwrap();
    assert_eq!(signed[0].at, Some(Micros::from_secs(0x6a12_2120)));

    let other_size = Note::parse(ARCHE.replace("1432088532", "1432088533").as_bytes()).unwrap();
    assert!(matches!(
        other_size.verify(&[remora]),
        Err(VerifyError::WrongSignature { .. })
    ));
}

#[test]
fn the_time_of_a_cosignature_is_read_as_in_the_reference() {
    let line = "— w ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHW\
                WOworDcFiEBYJXORmnFBOBA==";
    let signature = Signature::parse_line(line).unwrap();
    assert_eq!(
        cosignature_time(signature.bytes()),
        Some(Micros::from_secs(1_727_964_367))
    );
    let plain = Signature::parse_line(PETER_LINE.trim_end()).unwrap();
    assert_eq!(cosignature_time(plain.bytes()), None);
}

#[test]
fn a_key_cosigns_or_signs_but_not_both() {
    let witness =
        SignerKey::from_seed("w.example", SignatureType::CosignatureV1, &[3; 32]).unwrap();
    let log = SignerKey::from_seed("w.example", SignatureType::Ed25519, &[3; 32]).unwrap();
    assert_ne!(witness.verifier().id(), log.verifier().id());
    assert!(matches!(witness.sign(TEXT), Err(KeyError::WrongUse { .. })));
    assert!(matches!(
        log.cosign(TEXT, Micros(0)),
        Err(KeyError::WrongUse { .. })
    ));
    assert_eq!(witness.cosign(TEXT, Micros(-1)), Err(KeyError::Time));

    let mut note = Note::new(TEXT.to_owned()).unwrap();
    note.add(
        witness
            .cosign(TEXT, Micros::from_secs(1_679_315_147))
            .unwrap(),
    );
    let signed = note
        .verify(std::slice::from_ref(witness.verifier()))
        .unwrap();
    assert_eq!(signed[0].at, Some(Micros::from_secs(1_679_315_147)));
}

proptest! {
    #[test]
    fn any_text_comes_back_and_any_change_of_it_is_seen(
        lines in prop::collection::vec("[^\\x00-\\x1f]{0,20}", 1..6),
        at in any::<prop::sample::Index>(),
    ) {
        let text = format!("{}\n", lines.join("\n"));
        let peter = SignerKey::parse(PETER_SIGNER).unwrap();
        let mut note = Note::new(text.clone()).unwrap();
        note.add(peter.sign(&text).unwrap());
        let written = note.to_string();
        let read = Note::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(&read, &note);
        prop_assert!(read.verify(std::slice::from_ref(peter.verifier())).is_ok());

        let mut bytes = written.into_bytes();
        let at = at.index(text.len());
        bytes[at] ^= 1;
        if let Ok(changed) = Note::parse(&bytes) {
            prop_assert!(changed.verify(std::slice::from_ref(peter.verifier())).is_err());
        }
    }

    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,200}") {
        let _ = Note::parse(&bytes);
        let _ = Note::parse(format!("a\n\n— {text}\n").as_bytes());
        let _ = VerifierKey::parse(&text);
        let _ = SignerKey::parse(&text);
        let _ = Signature::parse_line(&text);
    }
}
