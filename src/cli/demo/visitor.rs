//! A client application of the demo: makes its calls at its own pace and keeps the score.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::client::{Answer, Call, Client};
use crate::sim::Entropy;

/// Surprises that are told; more say the same.
const MAX_SURPRISES: usize = 10;

/// What has happened so far, shared by all applications.
#[derive(Default)]
pub struct Score {
    /// Calls made.
    pub calls: Cell<u64>,
    /// Calls that were refused or failed, most of them on purpose.
    pub refused: Cell<u64>,
    /// What was done last.
    pub last: Cell<&'static str>,
    /// Answers that were not the planned ones.
    pub surprises: RefCell<Vec<String>>,
    /// The call that minted a token which was then used.
    pub mint: RefCell<Option<String>>,
}

impl Score {
    fn surprise(&self, what: String) {
        let mut surprises = self.surprises.borrow_mut();
        if surprises.len() < MAX_SURPRISES {
            surprises.push(what);
        }
    }
}

/// When the demo ends, and how long each telling of a story takes.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The end. Stories begun before are told to their end.
    pub end: Instant,
    /// The time of one telling.
    pub round: Duration,
}

/// A client application.
pub struct Visitor<'d> {
    client: Client,
    key: Option<String>,
    score: &'d Score,
    schedule: Schedule,
    /// Mean pause between two calls.
    pause: Duration,
    /// Makes up names, amounts and pauses.
    pub entropy: Entropy,
}

impl<'d> Visitor<'d> {
    /// An application with an Egret key, whose story has so many steps.
    pub fn new(
        client: Client,
        key: Option<&str>,
        score: &'d Score,
        schedule: Schedule,
        steps: u32,
        entropy: Entropy,
    ) -> Self {
        Self {
            client,
            key: key.map(|key| format!("Bearer {key}")),
            score,
            schedule,
            pause: schedule.round / steps.max(1),
            entropy,
        }
    }

    /// Whether there is time for another telling.
    pub fn has_time(&self) -> bool {
        Instant::now() + self.schedule.round / 2 < self.schedule.end
    }

    /// Whether the demo goes on.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.schedule.end
    }

    /// Makes a call after a pause, and expects this status.
    pub async fn call(&mut self, step: &'static str, call: Call, expected: u16) -> Answer {
        self.call_for(step, call, &[expected]).await
    }

    /// Makes a call after a pause, and expects one of these statuses.
    pub async fn call_for(&mut self, step: &'static str, call: Call, expected: &[u16]) -> Answer {
        self.rest().await;
        let call = match &self.key {
            Some(key) => call.with("Proxy-Authorization", key.clone()),
            None => call,
        };
        let answer = self.client.send(&call).await;
        self.note(step, answer, expected)
    }

    /// Sends bytes that are no proper request.
    pub async fn send(&mut self, step: &'static str, bytes: &[u8], expected: u16) {
        self.rest().await;
        let answer = self.client.send_raw(bytes).await;
        self.note(step, answer, &[expected]);
    }

    /// Remembers a call as one that minted a token.
    pub fn remember_mint(&self, answer: &Answer) {
        let mut mint = self.score.mint.borrow_mut();
        if mint.is_none() {
            mint.clone_from(&answer.call_id);
        }
    }

    /// From half to one and a half times the mean pause: applications have no beat.
    async fn rest(&mut self) {
        let half = u64::try_from(self.pause.as_micros() / 2).unwrap_or(u64::MAX);
        let micros = half.saturating_add(self.entropy.below(half.saturating_mul(2)));
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }

    fn note(
        &self,
        step: &'static str,
        answer: std::io::Result<Answer>,
        expected: &[u16],
    ) -> Answer {
        let score = self.score;
        score.calls.set(score.calls.get() + 1);
        score.last.set(step);
        let answer = answer.unwrap_or_else(|error| {
            score.surprise(format!("{step}: {error}"));
            Answer::none()
        });
        if answer.status >= 400 {
            score.refused.set(score.refused.get() + 1);
        }
        if answer.status != 0 && !expected.contains(&answer.status) {
            score.surprise(format!("{step}: status {}", answer.status));
        }
        answer
    }
}

/// A text of an answer, or the empty text.
pub fn text(answer: &Answer, field: &str) -> String {
    answer
        .json()
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
