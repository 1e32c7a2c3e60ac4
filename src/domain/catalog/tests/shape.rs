//! Shapes, one table of values each.

use super::super::shape::*;
use proptest::prelude::*;

fn shape(text: &str) -> Shape {
    let scopes = Words::new(["trades:read", "trades:execute"]);
    let vocabulary = Vocabulary {
        scopes,
        ..Vocabulary::default()
    };
    Shape::parse(text, &vocabulary).unwrap()
}

#[test]
fn each_shape_tells_its_values_from_others() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "int",
            &["0", "100", "999999"],
            &["", "1000000", "-1", "1.5", "4o"],
        ),
        ("bool", &["true", "True", "FALSE"], &["yes", "1", "truee"]),
        (
            "date",
            &["2026-11-22"],
            &[
                "2026-13-01",
                "2026-11-32",
                "2026-1-1",
                "20261122",
                "2026-11-22T",
            ],
        ),
        (
            "datetime",
            &[
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05.678Z",
                "2026-01-02T03:04:05+01:00",
            ],
            &[
                "2026-01-02",
                "2026-01-02T03:04:05",
                "2026-01-02T03:04:05.Z",
                "2026-01-02T25:04:05Z",
                "2026-01-02T03:04:05.1234567890Z",
            ],
        ),
        (
            "epoch_ms",
            &["1700000000000"],
            &["1700000000", "17000000000000", "170000000000x"],
        ),
        (
            "guid32",
            &["0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e"],
            &["0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0g", "0e0e"],
        ),
        (
            "uuid",
            &["5d1d0000-0000-4000-8000-00000000000a"],
            &["5d1d00000000400080000000-0000000a-00"],
        ),
        (
            "wyre_id",
            &["AC-TESTTEST01", "TF_1234567890A", "WO_ABCD"],
            &["AC_", "XX_ABCDEFGH", "AC_abcdefgh", "ACTESTTEST01"],
        ),
        (
            "asset",
            &["BTC", "USDC_SOL"],
            &["btc", "B", "1INCH", "SK-DEMO-DEMO"],
        ),
        ("symbol", &["BTC-USD"], &["BTC", "BTC/USD", "-USD"]),
        (
            "amount",
            &["0", "-5", "12.50", "123456789012345678901234567890"],
            &[
                "1e9",
                ".5",
                "5.",
                "",
                "1234567890123456789012345678901",
                "1,000",
            ],
        ),
        ("currency", &["EUR"], &["EURO", "eur", "E1R"]),
        (
            "obp_code",
            &["OBP-20001", "OBP-300010"],
            &["OBP-2000", "OBP-3000100", "OBP-20001: text", "obp-20001"],
        ),
        (
            "view",
            &["owner", "_public", "ReadAccountsBasic"],
            &["_dora", "Owner", "alice@example.invalid"],
        ),
        (
            "obp_role",
            &["CanCreateEntitlementAtAnyBank"],
            &["Can", "Cancel", "canGet", "CanGet1"],
        ),
        (
            "dotted_word",
            &["validation.general", "accessDenied.invalidSession"],
            &["validation", "Validation.general", "a..b", "a.b2"],
        ),
        (
            "support_ref",
            &["X1Y2Z3"],
            &["x1y2z3", "X1", "X1Y2Z3X1Y2Z3X1Y2Z3", "4111111111111111"],
        ),
        (
            "scope",
            &["trades:read"],
            &["trades:write", "trades:read trades:execute"],
        ),
        (
            "scopes",
            &["trades:read", "trades:read trades:execute"],
            &["", "trades:read  trades:execute", "trades:read secret"],
        ),
        (
            "enum(buy, sell)",
            &["buy", "sell"],
            &["Buy", "hold", "buy, sell"],
        ),
    ];
    for (name, good, bad) in cases {
        for text in *good {
            assert!(shape(name).fits(text), "{name} should take {text:?}");
        }
        for text in *bad {
            assert!(!shape(name).fits(text), "{name} should refuse {text:?}");
        }
    }
}

#[test]
fn the_leading_code_of_an_obp_message_is_found() {
    let code = Shape::ObpCode;
    assert_eq!(
        code.leading("OBP-20003: bad token: eyJhbGciOi"),
        Some("OBP-20003")
    );
    assert_eq!(code.leading("OBP-300010 x"), Some("OBP-300010"));
    assert_eq!(code.leading("eyJhbGciOi"), None);
    assert_eq!(Shape::Currency.leading("EUR and more"), None);
}

#[test]
fn every_shape_prints_as_it_is_written() {
    for text in ["int", "support_ref", "scope", "scopes", "enum(a, b)"] {
        assert_eq!(shape(text).to_string(), text);
    }
    for (name, plain) in Shape::PLAIN {
        assert_eq!(plain.to_string(), *name);
    }
}

#[test]
fn an_unknown_shape_says_what_is_allowed() {
    let error = Shape::parse("integer", &Vocabulary::default()).unwrap_err();
    assert!(error.contains("int, bool, date"), "{error}");
    assert!(
        Shape::parse("scope", &Vocabulary::default())
            .unwrap_err()
            .contains("scopes")
    );
    assert!(Shape::parse("enum()", &Vocabulary::default()).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_a_shape_panic(text in "\\PC{0,80}") {
        for (_, plain) in Shape::PLAIN {
            if plain.fits(&text) {
                prop_assert_eq!(plain.leading(&text), Some(text.as_str()));
            }
        }
    }
}
