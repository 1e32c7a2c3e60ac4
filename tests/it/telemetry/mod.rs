//! What a collector of OpenTelemetry is told, and what becomes of calls while it is away.

mod log;
mod outage;
mod prometheus;
mod redactions;
mod signals;
mod traces;

/// A value that must be nowhere.
const CANARY: &str = "Zq7fake9token8canary7x";

const BANKS: &str = "/cybrid/bank/api/banks";

/// A trace that a caller has begun and records.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
