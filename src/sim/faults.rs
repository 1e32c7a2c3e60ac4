//! Switches that make a vendor misbehave, changeable while it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entropy::Entropy;

/// The longest delay that can be asked for: longer than any sane client waits.
const MAX_LATENCY: Duration = Duration::from_secs(120);

/// What goes wrong. The default is that nothing does.
///
/// As JSON (`POST /__sim/faults`) every key is optional; keys that are left out go back to their
/// default, and unknown keys are refused:
/// `{"latency_ms":[5,20],"error_rate":0.1,"drop_rate":0.0,"truncate_rate":0.0,
/// "expired_tokens":false,"gzip":false,"echo_headers":false,"limits":true,
/// "path_contains":"/api/trades","times":3}`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Shortest and longest delay before the answer, in milliseconds, at most two minutes.
    pub latency_ms: Option<(u64, u64)>,
    /// Share of requests answered 500, 502 or 503 instead of being served, 0 to 1.
    pub error_rate: f64,
    /// Share of requests that are served but whose connection is closed without an answer, 0 to 1.
    pub drop_rate: f64,
    /// Share of answers whose body stops half way before the connection is closed, 0 to 1.
    pub truncate_rate: f64,
    /// Every token counts as expired. Minting still works.
    pub expired_tokens: bool,
    /// Bodies are compressed if the client accepts gzip.
    pub gzip: bool,
    /// Every request header comes back as `echo_<name>`, credentials included, as an OBP server
    /// with `echo_request_headers` does.
    pub echo_headers: bool,
    /// Overrides whether the documented rate limits are on.
    pub limits: Option<bool>,
    /// Only requests whose path contains this text suffer latency, errors, drops and truncation.
    pub path_contains: Option<String>,
    /// Only so many more requests suffer errors, drops and truncation; then they stop.
    pub times: Option<u32>,
}

/// What happens to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Wait this long first.
    pub delay: Duration,
    /// Answer this status instead of serving the request.
    pub error: Option<u16>,
    /// Serve the request, then close without an answer.
    pub drop: bool,
    /// Serve the request, then cut the body.
    pub truncate: bool,
}

impl Faults {
    /// Draws the fate of a request and uses up [`Faults::times`].
    pub fn draw(&mut self, path: &str, entropy: &mut Entropy) -> Fate {
        if let Some(text) = &self.path_contains
            && !path.contains(text.as_str())
        {
            return Fate::default();
        }
        let delay = self
            .latency_ms
            .map_or(Duration::ZERO, |(shortest, longest)| {
                let spread = longest.saturating_sub(shortest).saturating_add(1);
                Duration::from_millis(shortest.saturating_add(entropy.below(spread)))
                    .min(MAX_LATENCY)
            });
        let mut fate = Fate {
            delay,
            ..Fate::default()
        };
        if self.times == Some(0) {
            return fate;
        }
        if entropy.chance(self.error_rate) {
            fate.error = [500, 502, 503].get(entropy.below(3) as usize).copied();
        } else if entropy.chance(self.drop_rate) {
            fate.drop = true;
        } else if entropy.chance(self.truncate_rate) {
            fate.truncate = true;
        } else {
            return fate;
        }
        self.times = self.times.map(|left| left.saturating_sub(1));
        fate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_switches_are_refused() {
        let error = serde_json::from_str::<Faults>(r#"{"eror_rate":1}"#).unwrap_err();
        assert!(error.to_string().contains("error_rate"), "{error}");
    }

    #[test]
    fn no_faults_means_no_fate() {
        let mut entropy = Entropy::new(3);
        let mut faults = Faults::default();
        assert!((0..100).all(|_| faults.draw("/", &mut entropy) == Fate::default()));
    }

    #[test]
    fn faults_keep_to_their_path_and_their_number() {
        let mut entropy = Entropy::new(3);
        let mut faults = Faults {
            error_rate: 1.0,
            path_contains: Some("/trades".to_owned()),
            times: Some(2),
            ..Faults::default()
        };
        let mut hit = |path| faults.draw(path, &mut entropy).error.is_some();
        assert_eq!(
            [
                hit("/x"),
                hit("/api/trades"),
                hit("/api/trades"),
                hit("/api/trades")
            ],
            [false, true, true, false]
        );
    }

    #[test]
    fn latency_stays_in_its_range() {
        let mut entropy = Entropy::new(3);
        let mut faults = Faults {
            latency_ms: Some((5, 9)),
            ..Faults::default()
        };
        for _ in 0..100 {
            let delay = faults.draw("/", &mut entropy).delay.as_millis();
            assert!((5..=9).contains(&delay), "{delay}");
        }
    }
}
