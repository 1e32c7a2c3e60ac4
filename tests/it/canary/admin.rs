//! What the admin API shows of calls full of secrets: every `GET` of its document, for every role and for
//! nobody, with the ids of the calls in its paths, every form that it can be written in, and the secrets
//! themselves where something can be asked for. The pages of the console are made of these answers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::gateway::Gateway;
use super::scan::{Find, Scanner};
use super::values::{Garden, percent};
use super::wire::{Shot, fire, listen};
use crate::harness::{Client, eventually};

/// Ids of each kind that paths are filled with.
const SOME: usize = 6;

/// Planted values that are asked for, in each parameter.
const ASKED: usize = 7;

/// Good answers without which nothing would be proved.
const ENOUGH: usize = 60;

const ROLES: [&str; 3] = ["viewer", "auditor", "operator"];

/// Somebody who asks; without a key, nobody.
struct Asker {
    name: String,
    key: Option<String>,
}

/// The API, and what was found in its answers.
struct Sweep<'a> {
    address: SocketAddr,
    scanner: &'a Scanner,
    found: Vec<Find>,
    good: usize,
}

/// Everything of the planted values that the admin API of a gateway shows.
pub fn sweep(gateway: &Gateway, garden: &Garden, scanner: &Scanner) -> Vec<Find> {
    let mut sweep = Sweep {
        address: gateway.admin(),
        scanner,
        found: Vec::new(),
        good: 0,
    };
    let nobody = Asker {
        name: "nobody".to_owned(),
        key: None,
    };
    let mut askers: Vec<Asker> = ROLES.map(|role| Asker::with(gateway, role, &[role])).into();
    let everybody = Asker::with(gateway, "everybody", &ROLES);
    let document = sweep.json("/api/v1/openapi.json", &nobody);
    let ids = Ids::of(&sweep, &everybody);
    askers.push(nobody);
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operation = &operations["get"];
        if !operation.is_object() || path == "/api/v1/tail" {
            continue;
        }
        for filled in ids.filled(path, operation) {
            for query in plain_queries(operation) {
                for asker in &askers {
                    sweep.get(&format!("{filled}{query}"), asker);
                }
            }
        }
        // What is asked for comes back in no answer either, be it a list, a page or a fault.
        let values = garden.planted.iter().map(|planted| &planted.value);
        let values = values.filter(|value| value.len() < 200 && !has_a_form_of_ids(value));
        let step = garden.planted.len() / ASKED;
        for value in values.step_by(step.max(1)).map(|value| percent(value)) {
            let filled = ids.filled(path, operation).swap_remove(0);
            for name in parameters(operation, "query") {
                sweep.get(&format!("{filled}?{name}={value}"), &everybody);
            }
            sweep.get(&format!("{filled}?{value}=1"), &everybody);
            if path.contains('{') {
                let start = path.split('{').next().unwrap();
                sweep.get(&format!("{start}{value}"), &everybody);
            }
        }
    }
    for page in ["/", "/calls", "/metrics", "/livez", "/readyz", "/startupz"] {
        for asker in &askers {
            sweep.get(page, asker);
        }
    }
    sweep.tail(gateway, garden, &everybody);
    assert!(sweep.good >= ENOUGH, "{} good answers", sweep.good);
    sweep.found
}

impl Asker {
    /// Makes a key, and waits until the gateway knows it: wrong keys are counted.
    fn with(gateway: &Gateway, name: &str, roles: &[&str]) -> Self {
        let known = || {
            let log = std::fs::read_to_string(gateway.home.path().join("stderr")).unwrap();
            log.matches("the admins file has changed and was read again")
                .count()
        };
        let before = known();
        let mut arguments = vec!["admin", "key", "add", name, "--key-only"];
        arguments.extend(roles.iter().flat_map(|role| ["--role", *role]));
        let said = String::from_utf8(gateway.run(&arguments)).unwrap();
        let key = said
            .split_whitespace()
            .find(|word| word.starts_with("ega_"))
            .unwrap_or_else(|| panic!("no key: {said}"));
        crate::harness::until("the key is known", || known() > before);
        Self {
            name: name.to_owned(),
            key: Some(key.to_owned()),
        }
    }

    fn bearer(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("Bearer {key}"))
    }
}

impl Sweep<'_> {
    /// Looks through the whole answer, its header with it.
    fn get(&mut self, target: &str, asker: &Asker) {
        let authorization = asker
            .bearer()
            .map(|bearer| format!("Authorization: {bearer}\r\n"));
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
            authorization.unwrap_or_default()
        );
        let heard = fire(self.address, &Shot::new(target, request)).unwrap();
        assert!(heard.bytes.starts_with(b"HTTP/1.1 "), "{target}: no answer");
        assert!(
            !heard.bytes.starts_with(b"HTTP/1.1 5") || target.contains("/readyz"),
            "{target}: {}",
            String::from_utf8_lossy(&heard.bytes)
        );
        self.good += usize::from(heard.bytes.starts_with(b"HTTP/1.1 200 "));
        let name = format!("GET {target} by {}", asker.name);
        self.found.extend(self.scanner.scan(&name, &heard.bytes));
    }

    fn json(&self, target: &str, asker: &Asker) -> Value {
        let bearer = asker.bearer();
        let headers: Vec<_> = bearer.iter().map(|key| ("Authorization", &**key)).collect();
        let address = self.address.to_string();
        let answer = Client::tcp(&address).call("GET", target, &headers, b"");
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// A call that is made while somebody looks on.
    fn tail(&mut self, gateway: &Gateway, garden: &Garden, asker: &Asker) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!(
            "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
            asker.bearer().unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let has = |bytes: &[u8], text: &[u8]| memchr::memmem::find(bytes, text).is_some();
        let mut heard = listen(&mut stream, |bytes| has(bytes, b"\r\n\r\n")).bytes;
        let value = percent(&garden.planted[0].value);
        let call = format!(
            "GET /cybrid/bank/api/banks?name={value} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {value}\r\n\r\n"
        );
        fire(gateway.address(), &Shot::new("tail", call)).unwrap();
        // An event may come in pieces; the operation stands at its end or before.
        let told = |bytes: &[u8]| has(bytes, b"list_banks") && bytes.ends_with(b"\n");
        let event = eventually("the tail tells of the call", || {
            heard.extend(listen(&mut stream, told).bytes);
            told(&heard).then(|| heard.clone())
        });
        self.found.extend(self.scanner.scan("the tail", &event));
    }
}

/// What paths are filled with: what the ledger knows.
struct Ids {
    calls: Vec<String>,
    hashes: Vec<String>,
    callers: Vec<String>,
    incidents: Vec<String>,
    locks: Vec<String>,
}

impl Ids {
    fn of(sweep: &Sweep<'_>, asker: &Asker) -> Self {
        let calls = eventually("the calls are in the ledger", || {
            let page = sweep.json("/api/v1/calls?limit=500", asker);
            let calls = page["calls"].as_array()?.clone();
            (!calls.is_empty()).then_some(calls)
        });
        // Of different operations, so that all that a record can hold is among them.
        let mut seen = BTreeSet::new();
        let some: Vec<&Value> = calls
            .iter()
            .filter(|call| seen.insert(format!("{}{}", call["operation"], call["outcome"])))
            .collect();
        let mut hashes = BTreeSet::new();
        some.iter().for_each(|call| hashes_in(call, &mut hashes));
        let list = |path: &str, member: &str| {
            let all = sweep.json(path, asker);
            let all = all[member].as_array().cloned().unwrap_or_default();
            let ids = all.iter().filter_map(|one| one["id"].as_str());
            ids.take(SOME).map(str::to_owned).collect::<Vec<_>>()
        };
        let text = |name: &str| {
            let all = some.iter().filter_map(|call| call[name].as_str());
            all.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        assert!(hashes.len() >= 2, "no fingerprints in {some:#?}");
        Self {
            calls: text("call_id").into_iter().take(4 * SOME).collect(),
            callers: text("caller").into_iter().take(SOME).collect(),
            incidents: list("/api/v1/incidents", "incidents"),
            locks: list("/api/v1/lockdown", "locks"),
            hashes: hashes.into_iter().take(2 * SOME).collect(),
        }
    }

    /// A path with what fits in each place of it, at least once.
    fn filled(&self, path: &str, operation: &Value) -> Vec<String> {
        let (Some(open), Some(close)) = (path.find('{'), path.find('}')) else {
            return vec![path.to_owned()];
        };
        let name = &path[open + 1..close];
        let known = match name {
            "call_id" => self.calls.clone(),
            "fingerprint" | "pseudonym" => self.hashes.clone(),
            "id" if path.contains("/incidents/") => self.incidents.clone(),
            "id" => self.locks.clone(),
            "name" if path.contains("/caller/") => self.callers.clone(),
            _ => words(operation, name),
        };
        let values = match known.is_empty() {
            true => vec!["1".to_owned()],
            false => known,
        };
        let values = values.iter().map(|value| percent(value));
        values
            .map(|value| format!("{}{value}{}", &path[..open], &path[close + 1..]))
            .collect()
    }
}

/// Whether a value has the form of what is asked for: a day, a UUID, or 32 hexadecimal digits as fingerprints
/// and pseudonyms have them. Nothing tells it from those, so it is taken for one and the question is put on
/// record with it.
fn has_a_form_of_ids(value: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    matches!(value.len(), 10 | 32 | 36) && value.bytes().all(is_hex)
}

/// Every fingerprint and pseudonym in a record.
fn hashes_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let words = text.split(|c: char| !c.is_ascii_hexdigit());
            found.extend(words.filter(|word| word.len() == 32).map(str::to_owned));
        }
        Value::Array(all) => all.iter().for_each(|one| hashes_in(one, found)),
        Value::Object(all) => all.values().for_each(|one| hashes_in(one, found)),
        _ => {}
    }
}

/// Names of the parameters of an operation that stand in one place.
fn parameters<'a>(operation: &'a Value, place: &str) -> Vec<&'a str> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let all = all.filter(|one| one["in"] == place);
    all.map(|one| one["name"].as_str().unwrap()).collect()
}

/// The words that a parameter can take, if it takes words.
fn words(operation: &Value, name: &str) -> Vec<String> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let schema = all
        .filter(|one| one["name"] == name)
        .map(|one| &one["schema"]);
    let lists = schema.filter_map(|schema| schema["enum"].as_array());
    let words = lists.flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

/// No query, and one for each form in which the answer can be written.
fn plain_queries(operation: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let forms = words(operation, "format");
    all.extend(forms.iter().map(|form| format!("?format={form}")));
    if parameters(operation, "query").contains(&"limit") {
        all.push("?limit=500".to_owned());
    }
    all
}
