//! A JSON webhook, signed as Standard Webhooks 1.0.0 says
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>),
//! so that receivers can use a library that they may have already.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::json;

use super::Sender;
use crate::domain::incident::{Notice, view};
use crate::types::{Micros, Secret};

/// How a symmetric key is written: this, then base64.
const PREFIX: &str = "whsec_";
/// Lengths of keys that the specification allows: 192 to 512 bits.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs.
pub struct SigningKey(hmac::Key);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([secret])")
    }
}

/// Why there is no such key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook key is `whsec_` and the base64 of 24 to 64 random bytes, as from `openssl rand -base64 32`"
)]
pub struct KeyFault;

impl SigningKey {
    /// Reads a key; the prefix may be missing.
    ///
    /// # Errors
    /// It is no base64, or too short or too long.
    pub fn parse(text: &Secret<String>) -> Result<Self, KeyFault> {
        let text = text.expose().trim();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes = STANDARD.decode(text).map_err(|_| KeyFault)?;
        if !KEY_BYTES.contains(&bytes.len()) {
            return Err(KeyFault);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The signature of a message, as the header has it.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

/// What a message is called: the same for every try, and for no other message. It has no full
/// stop, which separates what is signed.
pub fn id(notice: &Notice, sender: &Sender) -> String {
    let installation = sender.installation.replace('.', "-");
    format!("{installation}_{}_{}", notice.case.id, notice.number)
}

/// The body.
pub fn body(notice: &Notice, sender: &Sender) -> Vec<u8> {
    json!({
        "type": format!("incident.{}", notice.kind.as_str()),
        "timestamp": notice.at.to_string(),
        "installation": sender.installation,
        "version": sender.version,
        "link": sender.link_to(notice),
        "number": notice.number,
        "was": notice.was,
        "data": view(&notice.case),
    })
    .to_string()
    .into_bytes()
}

/// The headers of a try: the keys that sign are the current one, and during a change the former
/// one too.
pub fn headers(
    id: &str,
    now: Micros,
    body: &[u8],
    keys: &[SigningKey],
) -> Vec<(&'static str, String)> {
    let timestamp = now.as_secs();
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
    ];
    if !keys.is_empty() {
        let signatures: Vec<String> = keys
            .iter()
            .map(|key| key.sign(id, timestamp, body))
            .collect();
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}
