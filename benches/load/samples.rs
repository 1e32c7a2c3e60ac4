//! Requests and answers as a Cybrid integration sees them. Every value is made up here.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;

use crate::{Failure, message};

/// Size of an answer: about that of one customer with name and address.
pub(crate) const BODY_BYTES: usize = 1024;

/// Different customers in the requests, each with a token of its own.
const CUSTOMERS: u64 = 64;

/// How long the tokens are good for, in seconds.
const TOKEN_LIFETIME: u64 = 1800;

/// Length of an RS512 signature by a 4,096-bit key, in bytes.
const SIGNATURE_BYTES: usize = 512;

/// Calls that read a customer with personal data, with a customer token of about 1.3 KB and the
/// headers that the published Python client sends.
///
/// # Errors
/// The clock stands before 1970.
pub(crate) fn requests(address: SocketAddr) -> Result<Vec<Bytes>, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let one = |customer| {
        let mut digits = Digits(customer);
        let guid = digits.hex(16);
        let headers = [
            format!("Authorization: Bearer {}", token(&guid, now, &mut digits)),
            "User-Agent: OpenAPI-Generator/0.129.1425/python".to_owned(),
            "Accept: application/json".to_owned(),
            "Content-Type: application/json".to_owned(),
            "Accept-Encoding: identity".to_owned(),
        ];
        let path = format!("/cybrid/bank/api/customers/{guid}?include_pii=true");
        Bytes::from(message::request(address, &path, &headers))
    };
    Ok((1..=CUSTOMERS).map(one).collect())
}

fn token(customer: &str, now: u64, digits: &mut Digits) -> String {
    let header = json!({ "kid": digits.text(32), "alg": "RS512" });
    let claims = json!({
        "iss": "https://id.sandbox.cybrid.app",
        "aud": ["https://bank.sandbox.cybrid.app", "https://id.sandbox.cybrid.app"],
        "sub": customer,
        "sub_type": "customer",
        "scope": ["customers:read", "customers:pii:read"],
        "iat": now,
        "exp": now + TOKEN_LIFETIME,
        "jti": uuid::Uuid::from_u128(digits.next_u128()).to_string(),
        "token_type": "access",
        "properties": { "bank_guid": digits.hex(16), "bank_type": "sandbox" },
    });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", digits.text(SIGNATURE_BYTES))
}

/// A customer as the bank would answer it, of exactly this size where that is possible.
pub(crate) fn customer(bytes: usize) -> String {
    let with = |padding: String| {
        json!({
            "guid": Digits(1).hex(16),
            "bank_guid": Digits(2).hex(16),
            "type": "individual",
            "created_at": "2026-01-15T10:00:00.000Z",
            "updated_at": "2026-01-15T10:00:00.000Z",
            "state": "verified",
            "name": { "first": "Sample", "middle": null, "last": "Person", "full": "Sample Person" },
            "address": {
                "street": "1 Example Street", "street2": null, "city": "Example",
                "subdivision": "NY", "postal_code": "00000", "country_code": "US",
            },
            "date_of_birth": "1990-01-01",
            "phone_number": "+15555550100",
            "email_address": "sample@example.com",
            "labels": [padding],
        })
        .to_string()
    };
    let bare = with(String::new()).len();
    with("x".repeat(bytes.saturating_sub(bare)))
}

/// Bytes that look random and are the same in every run (SplitMix64).
struct Digits(u64);

impl Digits {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn next_u128(&mut self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.next_u64());
        words.flat_map(u64::to_le_bytes).take(count).collect()
    }

    /// This many bytes in hexadecimal.
    fn hex(&mut self, count: usize) -> String {
        let bytes = self.bytes(count);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// This many bytes in base64url.
    fn text(&mut self, count: usize) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes(count))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BODY_BYTES, CUSTOMERS, customer, requests};

    #[test]
    fn an_answer_has_the_size_asked_for() {
        assert_eq!(customer(BODY_BYTES).len(), BODY_BYTES);
        assert_eq!(customer(100_000).len(), 100_000);
    }

    #[test]
    fn each_customer_has_a_request_and_a_token_of_its_own() {
        let requests = requests("127.0.0.1:80".parse().unwrap()).unwrap();
        let texts: Vec<&str> = requests
            .iter()
            .map(|request| std::str::from_utf8(request).unwrap())
            .collect();
        let words = |index: usize| -> HashSet<&str> {
            let words = texts.iter().map(|text| text.split_whitespace().nth(index));
            words.flatten().collect()
        };
        assert_eq!(words(1).len() as u64, CUSTOMERS, "paths");
        let tokens = words(7);
        assert_eq!(tokens.len() as u64, CUSTOMERS, "tokens");
        for token in tokens {
            assert_eq!(token.matches('.').count(), 2);
            assert!((1250..1350).contains(&token.len()), "{}", token.len());
        }
    }
}
