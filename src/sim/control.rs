//! What a simulator saw, and the `/__sim` paths that tell and change it.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Value, json};

use super::faults::Faults;
use super::message::{Reply, Request};

/// How many requests are remembered; older ones are forgotten.
const MAX_SEEN: usize = 10_000;

/// How many writes are remembered as hashes of 8 bytes; then all are forgotten.
const MAX_WRITES: usize = 1_000_000;

/// One request as the vendor saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Counts from 1 since the start or the last reset.
    pub sequence: u64,
    /// The request itself. All credentials in it are fakes.
    pub request: Request,
    /// The status answered; 0 if the connection was closed without an answer.
    pub status: u16,
}

impl Seen {
    /// As JSON. Unless `full`, the values of headers are only lengths and query values are left
    /// out, so that the list can be printed anywhere.
    pub fn describe(&self, full: bool) -> Value {
        let request = &self.request;
        let headers: Vec<Value> = request
            .headers
            .iter()
            .map(|(name, value)| {
                if full {
                    json!({"name": name, "length": value.len(), "value": value})
                } else {
                    json!({"name": name, "length": value.len()})
                }
            })
            .collect();
        let mut described = json!({
            "sequence": self.sequence,
            "received_at": request.now.to_string(),
            "method": request.method,
            "path": if full { request.target() } else { without_values(request) },
            "headers": headers,
            "has_body": !request.body.is_empty(),
            "body_length": request.body.len(),
            "status": self.status,
        });
        if full && let Some(map) = described.as_object_mut() {
            map.insert(
                "body".to_owned(),
                String::from_utf8_lossy(&request.body).into(),
            );
        }
        described
    }
}

/// The path with the names of its query parameters and the lengths of their values.
fn without_values(request: &Request) -> String {
    if request.query.is_empty() {
        return request.path.clone();
    }
    let names: Vec<String> = request
        .query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => format!("{name}=[{}]", value.len()),
            None => pair.to_owned(),
        })
        .collect();
    format!("{}?{}", request.path, names.join("&"))
}

/// The requests seen, newest last, and how many there were.
#[derive(Debug, Default)]
pub struct Log {
    /// The newest [`MAX_SEEN`] requests.
    pub seen: VecDeque<Seen>,
    /// All requests since the start or the last reset.
    pub total: u64,
    /// Answers by the first digit of their status; at 0 those without an answer.
    pub by_class: [u64; 6],
    /// Writes that were asked for again: the same method, target and body as one before. A client
    /// that makes each of its writes unlike the others sees here what was sent twice.
    pub repeated: u64,
    /// Writes so far, as hashes.
    writes: HashSet<u64>,
}

impl Log {
    /// Counts a request, and keeps it if `keep`.
    pub fn add(&mut self, request: Request, status: u16, keep: bool) {
        self.total = self.total.saturating_add(1);
        let class = usize::from(status / 100).min(5);
        if let Some(count) = self.by_class.get_mut(class) {
            *count = count.saturating_add(1);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            let mut hasher = DefaultHasher::new();
            (&request.method, request.target(), &request.body).hash(&mut hasher);
            if self.writes.len() >= MAX_WRITES {
                self.writes.clear();
            }
            if !self.writes.insert(hasher.finish()) {
                self.repeated = self.repeated.saturating_add(1);
            }
        }
        if !keep {
            return;
        }
        if self.seen.len() >= MAX_SEEN {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            sequence: self.total,
            request,
            status,
        });
    }

    /// For `GET /__sim/stats`.
    pub fn stats(&self) -> Value {
        let [unanswered, informational, success, redirect, client, server] = self.by_class;
        json!({
            "requests": self.total,
            "remembered": self.seen.len(),
            "repeated_writes": self.repeated,
            "answers": {
                "none": unanswered, "1xx": informational, "2xx": success,
                "3xx": redirect, "4xx": client, "5xx": server,
            },
        })
    }
}

/// What a control request asks for.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// List requests: with values or not, after this sequence number.
    Requests {
        /// Show values of headers, query and body.
        full: bool,
        /// Leave out this one and older ones.
        after: u64,
    },
    /// Show the switches.
    ShowFaults,
    /// Replace the switches.
    SetFaults(Box<Faults>),
    /// Forget all state, as if started anew.
    Reset,
    /// Show the counters.
    Stats,
}

/// Reads a request below `/__sim`; the error is the answer.
pub fn read(request: &Request) -> Result<Command, Reply> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/__sim/requests") => Ok(Command::Requests {
            full: request.parameter("full").is_some_and(|value| value == "1"),
            after: request
                .parameter("after")
                .and_then(|value| value.parse().ok())
                .unwrap_or(0),
        }),
        ("GET", "/__sim/stats") => Ok(Command::Stats),
        ("GET", "/__sim/faults") => Ok(Command::ShowFaults),
        ("POST", "/__sim/reset") => Ok(Command::Reset),
        ("POST" | "PUT", "/__sim/faults") => serde_json::from_slice(&request.body)
            .map(|faults| Command::SetFaults(Box::new(faults)))
            .map_err(|error| {
                Reply::json(
                    400,
                    &json!({"error": format!("faults not changed: {error}")}),
                )
            }),
        _ => Err(Reply::json(
            404,
            &json!({"error": "use GET /__sim/requests, GET /__sim/stats, GET or POST \
                /__sim/faults, POST /__sim/reset"}),
        )),
    }
}
