//! What the gateway does when a bank is not well: what it repeats, when it leaves the bank alone,
//! and how much it lets in.

mod breaker;
mod bulkhead;
mod drill;
mod http2;
mod retries;

use crate::harness::Row;

const TRADES: &str = "/cybrid/bank/api/trades";
const BANKS: &str = "/cybrid/bank/api/banks";
const MINT: &str = "/cybrid/identity/oauth/token";

/// Short pauses, so that tests need not wait.
const QUICK: &str = "[retries]\nbase = \"10ms\"\ncap = \"20ms\"\nfloor = 100\n";

/// How the attempts of a call ended, as its record tells.
fn ends(row: &Row) -> Vec<String> {
    let facts = row.field("facts");
    let attempts = match &facts["attempt"] {
        serde_json::Value::Array(attempts) => attempts.clone(),
        serde_json::Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    attempts
        .iter()
        .enumerate()
        .map(|(at, attempt)| {
            let words: Vec<&str> = attempt.as_str().expect("text").split(' ').collect();
            let [number, end, began, took] = words[..] else {
                panic!("{attempt}");
            };
            assert_eq!(number, (at + 1).to_string(), "{attempts:?}");
            assert!(began.parse::<u64>().is_ok() && took.parse::<u64>().is_ok());
            end.to_owned()
        })
        .collect()
}
