//! What must hold for any bytes on any surface: a planted secret does not survive, a second pass
//! changes nothing, the cut of a stream does not matter, and JSON stays JSON.

use egret::domain::redact::{Context, Redactor, Surface};
use std::sync::LazyLock;

static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

/// Where a `\x00` stands in the input, a secret is planted. Each validates, so that it must be
/// found wherever it is a token of its own.
const SECRETS: [&str; 4] = ["4012888888881881", "zyxanthe.q@example.com", "AKIAIOSFODNN7EXAMPLE", "DE89370400440532013000"];

fn redact(surface: Surface, input: &[u8]) -> Vec<u8> {
    REDACTOR.redact(surface, input, Context::default()).bytes.into_inner()
}

/// Checks one input.
pub fn check(surface: Surface, data: &[u8]) {
    let mut input = Vec::new();
    let mut planted = Vec::new();
    for (n, piece) in data.split(|b| *b == 0).enumerate() {
        if n > 0 {
            let secret = SECRETS[n % SECRETS.len()];
            planted.push(secret);
            input.extend_from_slice(b" ");
            input.extend_from_slice(secret.as_bytes());
            input.extend_from_slice(b" ");
        }
        input.extend_from_slice(piece);
    }
    let once = redact(surface, &input);
    assert_eq!(once, redact(surface, &once), "not idempotent");
    let mut stream = REDACTOR.stream(surface, Context::default());
    let mut pieces = Vec::new();
    for piece in input.chunks(7) {
        pieces.extend(stream.push(piece).into_inner());
    }
    pieces.extend(stream.finish().bytes.into_inner());
    assert_eq!(once, pieces, "cut matters");
    if surface == Surface::Json && serde_json::from_slice::<serde_json::Value>(&input).is_ok() {
        assert!(serde_json::from_slice::<serde_json::Value>(&once).is_ok(), "no longer JSON");
    }
    for secret in planted {
        assert!(!once.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} survives");
    }
}
