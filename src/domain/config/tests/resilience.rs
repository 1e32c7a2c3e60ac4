//! `[retries]`, `[breaker]` and `[bulkheads]`, and the same of a provider.

use std::path::Path;
use std::time::Duration;

use super::machine::Machine;
use crate::domain::config::{Config, Faults, parse};
use crate::domain::resilience::Resilience;

fn read(text: &str) -> Result<Config, Faults> {
    let path = Path::new("/etc/egret/egret.toml");
    parse(path, text, &Machine::default())
}

fn faults(text: &str) -> Vec<String> {
    let faults = read(text).unwrap_err();
    faults.to_string().lines().map(str::to_owned).collect()
}

fn of<'c>(config: &'c Config, provider: &str) -> &'c Resilience {
    &config.providers[provider].resilience
}

#[test]
fn a_provider_inherits_what_it_does_not_say() {
    let config = read("[providers.cybrid]\n").unwrap();
    assert_eq!(of(&config, "cybrid"), &Resilience::default());

    let config = read(
        "[retries]\nattempts = 2\nbudget = 10\n[breaker]\npause = \"2s\"\n\
         [bulkheads]\nadaptive = true\n\
         [providers.cybrid]\n\
         retries = { attempts = 1, idempotency_header = \"Idempotency-Key\" }\n\
         breaker = { enabled = false, error_codes = [] }\nbulkheads = { in_flight = 10 }\n",
    )
    .unwrap();
    let cybrid = of(&config, "cybrid");
    assert_eq!(cybrid.retries.attempts, 1);
    assert_eq!(cybrid.retries.allowance.percent, 10);
    assert_eq!(
        cybrid.retries.idempotency_header.as_deref(),
        Some("idempotency-key")
    );
    assert_eq!(cybrid.breaker, None);
    assert!(cybrid.symptoms.error_codes.is_empty());
    assert_eq!(cybrid.bulkheads.in_flight, 10);
    assert_eq!(cybrid.bulkheads.adaptive, Some(4));
    assert_eq!(cybrid.bulkheads.max_wait, Duration::from_secs(1));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let told = faults(
        "[retries]\nattempts = 0\nbase = \"2s\"\ncap = \"1s\"\nbody_bytes = \"65KiB\"\n\
         idempotency_header = \"Idempotency Key\"\n\
         [breaker]\npause = \"2s\"\nmax_pause = \"1s\"\nfailure_percent = 101\n\
         [bulkheads]\nin_flight = 0\nplaces = 5\n\
         [providers.cybrid]\nretries = { tries = 2 }\n",
    )
    .join("\n");
    for key in [
        "retries.attempts",
        "retries.cap",
        "retries.body_bytes",
        "retries.idempotency_header",
        "breaker.max_pause",
        "breaker.failure_percent",
        "bulkheads.in_flight",
        "bulkheads.places",
        "providers.cybrid.retries.tries",
    ] {
        assert!(told.contains(key), "{key} in {told}");
    }
}
