//! Properties over random structure: no planted secret survives, the output is valid on its
//! surface, a second pass changes nothing, and the way an input is cut does not matter.

use egret::domain::redact::{Context, Redactor, Surface, UserRule};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::generate;
use super::plans::PLANS;
use super::score;
use super::values::Rng;

/// What the fuzz targets check.
#[path = "../../../fuzz/fuzz_targets/property.rs"]
mod property;

fn redact(redactor: &Redactor, surface: Surface, input: &[u8]) -> Vec<u8> {
    redactor
        .redact(surface, input, Context::default())
        .bytes
        .into_inner()
}

fn surface() -> impl Strategy<Value = Surface> {
    proptest::sample::select(Surface::ALL)
}

/// Bytes that look like traffic: pieces of structure, words and secrets in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    soup_of(40)
}

fn soup_of(pieces: usize) -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        ":",
        ",",
        "=",
        "&",
        "?",
        "/",
        "\\",
        "\\\"",
        "%",
        "%25",
        "\n",
        "\r\n",
        " ",
        "password",
        "ssn",
        "token=",
        "key",
        "value",
        "fieldId",
        "4111 1111 1111 1111",
        "989-41-7730",
        "john@example.com",
        "Bearer ",
        "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "true",
        "null",
        "12.5",
        "state",
        "completed",
        "--frontier",
        "Content-Disposition: form-data; name=\"a\"",
        "-----BEGIN PRIVATE KEY-----",
        "-----END",
        "https://",
        "user:pw@",
        "\\u0034",
        "+1 415 555 2671",
        "[redacted:card]",
        "[redacted:",
        "[email:h",
        "abandon ability able",
        "é",
        "\u{feff}",
        "0x",
        "GET ",
        " HTTP/1.1",
        ";",
        "<",
        ">",
        "(",
        ")",
        "@",
        "-",
        "_",
        ".",
    ];
    proptest::collection::vec(prop_oneof![8 => proptest::sample::select(PIECES).prop_map(|p| p.as_bytes().to_vec()), 1 => proptest::collection::vec(any::<u8>(), 1..6)], 0..pieces)
        .prop_map(|parts| parts.concat())
}

/// The same with holes for secrets between the pieces.
fn soup_with_holes() -> impl Strategy<Value = Vec<u8>> {
    let hole = Just(vec![0_u8]);
    proptest::collection::vec(prop_oneof![3 => soup_of(4), 1 => hole], 1..12)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, rng_seed: RngSeed::Fixed(2026), ..ProptestConfig::default() })]

    /// A short run of every fuzz target.
    #[test]
    fn no_planted_secret_survives_and_the_output_is_valid(surface in surface(), input in soup_with_holes()) {
        property::check(surface, &input);
    }
}

/// A redactor that reads every token of JSON with care: a rule of the configuration, here for a field
/// that no input has, turns the quick way off.
fn careful() -> Redactor {
    Redactor::builder()
        .rule(UserRule {
            name: "never_met".to_owned(),
            fields: vec!["zqxjkvbwpfgh".to_owned()],
            ..UserRule::default()
        })
        .build()
        .unwrap()
}

/// The quick way over JSON that stands decides what the careful reader decides.
#[test]
fn json_is_read_the_same_with_care_and_without() {
    let (quick, careful) = (Redactor::default(), careful());
    let cases = (1..4).flat_map(generate::cases);
    let mut compared = 0;
    for case in cases.filter(|case| case.surface == Surface::Json) {
        let (one, other) = (
            redact(&quick, Surface::Json, &case.input),
            redact(&careful, Surface::Json, &case.input),
        );
        assert_eq!(
            String::from_utf8_lossy(&one),
            String::from_utf8_lossy(&other),
            "{}",
            case.id
        );
        compared += 1;
    }
    assert!(compared > 1_000, "{compared} cases");
}

/// The inputs that the fuzz targets start from, and those that they found.
#[test]
fn the_corpus_of_the_fuzz_targets_passes() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");
    for surface in Surface::ALL {
        let folder = format!("{root}/{surface}");
        let mut inputs = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            property::check(*surface, &std::fs::read(file.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{folder} is empty");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: RngSeed::Fixed(2026), ..ProptestConfig::default() })]

    /// The same on bytes in disorder.
    #[test]
    fn any_json_is_read_the_same_with_care_and_without(input in soup()) {
        let (quick, careful) = (Redactor::default(), careful());
        prop_assert_eq!(redact(&quick, Surface::Json, &input), redact(&careful, Surface::Json, &input));
    }

    /// On bytes without any order a mask can part what was one token, so a second pass may find
    /// more; it never shows more.
    #[test]
    fn a_second_pass_shows_nothing_more(surface in surface(), input in soup()) {
        let redactor = Redactor::default();
        let once = redact(&redactor, surface, &input);
        let twice = redact(&redactor, surface, &once);
        let (first, second) = (without_masks(&once), without_masks(&twice));
        let mut rest = first.iter();
        prop_assert!(second.iter().all(|b| rest.any(|other| other == b)), "{} became {}", String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
    }

    #[test]
    fn chunks_do_not_matter(surface in surface(), input in soup(), cuts in proptest::collection::vec(1_usize..17, 1..8)) {
        let redactor = Redactor::default();
        let whole = redact(&redactor, surface, &input);
        let mut stream = redactor.stream(surface, Context::default());
        let mut pieces = Vec::new();
        let (mut at, mut n) = (0, 0);
        while at < input.len() {
            let end = input.len().min(at + cuts[n % cuts.len()]);
            pieces.extend(stream.push(&input[at..end]).into_inner());
            at = end;
            n += 1;
        }
        pieces.extend(stream.finish().bytes.into_inner());
        prop_assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&pieces));
    }

    #[test]
    fn any_bytes_are_taken(surface in surface(), input in proptest::collection::vec(any::<u8>(), 0..400)) {
        let redactor = Redactor::default();
        let once = redact(&redactor, surface, &input);
        prop_assert!(once.len() <= input.len() * 24 + 64);
    }

    #[test]
    fn valid_json_stays_valid(seed in any::<u64>(), depth in 0_usize..5) {
        let mut rng = Rng(seed);
        let text = serde_json::to_string(&tree(&mut rng, depth)).unwrap();
        let out = redact(&Redactor::default(), Surface::Json, text.as_bytes());
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok(), "{} gave {}", text, String::from_utf8_lossy(&out));
    }
}

/// Letters and digits that are not part of a mask.
fn without_masks(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    let mut rest = &*text;
    while let Some(at) = rest.find("[redacted:") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 10..];
        rest = tail.find(']').map_or("", |end| &tail[end + 1..]);
    }
    out.push_str(rest);
    out.bytes().filter(u8::is_ascii_alphanumeric).collect()
}

/// Inputs with structure come out the same from a second pass.
#[test]
fn a_second_pass_changes_nothing() {
    let redactor = Redactor::default();
    let mut changed = Vec::new();
    for seed in [11, 12] {
        for case in generate::cases(seed) {
            let once = redact(&redactor, case.surface, &case.input);
            let twice = redact(&redactor, case.surface, &once);
            if once != twice {
                changed.push(format!(
                    "{}\n   once  {}\n   twice {}",
                    case.id,
                    String::from_utf8_lossy(&once),
                    String::from_utf8_lossy(&twice)
                ));
            }
        }
    }
    assert!(
        changed.is_empty(),
        "{} changed:\n{}",
        changed.len(),
        changed.join("\n")
    );
}

fn tree(rng: &mut Rng, depth: usize) -> serde_json::Value {
    use serde_json::{Value, json};
    const NAMES: &[&str] = &[
        "guid",
        "ssn",
        "message",
        "value",
        "fieldId",
        "état",
        "a\"b",
        "amount",
        "url",
        "items",
        "body",
        "",
        "4111111111111111",
    ];
    match rng.below(if depth == 0 { 6 } else { 8 }) {
        0 => json!(rng.next()),
        1 => json!(rng.below(2) == 0),
        2 => Value::Null,
        3 => json!(format!(
            "{} \"{}\" \\ \n {}",
            (PLANS[rng.below(PLANS.len())].make)(rng),
            rng.chars("aé\"\\{}[]:,=&", 6),
            rng.digits(4)
        )),
        4 => json!((PLANS[rng.below(PLANS.len())].make)(rng)),
        5 => json!(rng.below(1_000_000) as f64 / 64.0),
        6 => (0..rng.below(4)).map(|_| tree(rng, depth - 1)).collect(),
        _ => Value::Object(
            (0..rng.below(5))
                .map(|_| ((*rng.pick(NAMES)).to_owned(), tree(rng, depth - 1)))
                .collect(),
        ),
    }
}

/// A short run of the fuzz targets' property on the generator's cases, cut in random chunks.
#[test]
fn no_planted_secret_survives_chunking() {
    let redactor = Redactor::default();
    let mut rng = Rng(7);
    let cases = generate::cases(rng.next());
    let report = score::score(&cases, |case| {
        let mut rng = Rng(case.input.len() as u64);
        let mut stream = redactor.stream(case.surface, Context::default());
        let mut out = Vec::new();
        let mut rest = &case.input[..];
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rest.len().min(1 + rng.below(23)));
            out.extend(stream.push(piece).into_inner());
            rest = tail;
        }
        out.extend(stream.finish().bytes.into_inner());
        assert_eq!(
            out,
            redact(&redactor, case.surface, &case.input),
            "{}",
            case.id
        );
        out
    });
    report.assert_thresholds();
}

/// Every hit of a personal value gets the same pseudonym, and a pseudonym survives a second pass.
#[test]
fn pseudonyms_link_lines_about_one_person() {
    let key = egret::types::Secret::new(vec![7; 32]);
    let redactor = Redactor::builder().pseudonym_key(&key).build().unwrap();
    let out = redactor.text("mail to dora@example.com; DORA@example.com again, card 4111 1111 1111 1111, token=abcDEF123456");
    let text = out.get();
    let tags: Vec<&str> = text
        .match_indices("[email:")
        .map(|(at, _)| &text[at..at + 30])
        .collect();
    assert_eq!(tags.len(), 2, "{text}");
    assert_eq!(tags[0][..28], tags[1][..28]);
    assert!(
        text.contains("[card:h") && text.contains("[redacted:token]"),
        "{text}"
    );
    assert_eq!(redactor.text(text).get(), text);
    let forged = redactor
        .text("see [email:h4111111111111111] now")
        .into_inner();
    assert!(!forged.contains("411111"), "{forged}");
}
