//! `Idempotency-Key`, as servers of late 2026 honour it.

use std::collections::HashMap;
use std::time::Duration;

use super::error::ObpError;
use crate::sim::message::{Reply, Request};
use crate::types::Micros;

/// Answers are kept for a day.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// All are forgotten beyond this many.
const MAX_KEPT: usize = 5_000;

/// Answers by key.
#[derive(Debug, Default)]
pub struct Replays {
    kept: HashMap<String, (Vec<u8>, Reply, Micros)>,
}

/// What identifies a request besides its key.
fn content(request: &Request) -> Vec<u8> {
    let mut bytes = format!("{} {}\n", request.method, request.target()).into_bytes();
    bytes.extend_from_slice(&request.body);
    ring::digest::digest(&ring::digest::SHA256, &bytes)
        .as_ref()
        .to_vec()
}

/// The key of a writing request, if it has one: 8 to 255 visible ASCII characters.
///
/// # Errors
/// 400 for any other key.
pub fn key(request: &Request, caller: &str) -> Result<Option<String>, ObpError> {
    if !matches!(request.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE") {
        return Ok(None);
    }
    let Some(key) = request.header("idempotency-key") else {
        return Ok(None);
    };
    if !(8..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ObpError::new(
            400,
            "OBP-10062: The Idempotency-Key must be 8 to 255 visible ASCII characters.",
        ));
    }
    Ok(Some(format!("{caller} {key}")))
}

impl Replays {
    /// The kept answer, marked as a replay.
    ///
    /// # Errors
    /// 409 if the key was used for something else.
    pub fn find(&self, key: &str, request: &Request) -> Result<Option<Reply>, ObpError> {
        match self.kept.get(key) {
            Some((_, _, expires)) if *expires <= request.now => Ok(None),
            Some((digest, reply, _)) if *digest == content(request) => {
                Ok(Some(reply.clone().with("Idempotency-Replay", "true")))
            }
            Some(_) => Err(ObpError::new(
                409,
                "OBP-10063: The Idempotency-Key was used for another request.",
            )),
            None => Ok(None),
        }
    }

    /// Keeps an answer; server errors are not kept.
    pub fn keep(&mut self, key: String, request: &Request, reply: &Reply) {
        if reply.status >= 500 {
            return;
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let expires = request.now.plus(KEPT);
        self.kept
            .insert(key, (content(request), reply.clone(), expires));
    }
}
