//! The web console as people use it: Debian's Chromium, driven by `tests/browser`, before a real
//! gateway with traffic, incidents and people of every role.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use egret::adapters::notify::Desk;
use egret::domain::incident::{Baseline, Category, Settings, Severity, Sign};
use egret::sim::{Faults, Vendor};
use egret::types::Micros;
use serde_json::{Value, json};

use crate::clients::{run, skip};
use crate::harness::{Client, Config, Gateway, Sim, eventually};

/// A customer of the simulated bank, as it is told to callers.
const CUSTOMER: &str = "5e1f0c3a9b7d42e68f10a2b3c4d5e6f7";

/// Values that no page, address, file or answer may show.
const PERSON: &str = "Zebulon Quartermaine";
const MAIL: &str = "zebulon.quartermaine@mail.example";
const SECRET: &str = "sim-bank-secret";

const MINT: &str = "{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\
                    \"client_secret\":\"sim-bank-secret\"}";

const TRADES: &str = "/cybrid/bank/api/trades";

/// Pause between the calls that go on while people look: plots should have something to draw.
const PAUSE: Duration = Duration::from_millis(40);

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn chromium() -> Option<PathBuf> {
    [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ]
    .iter()
    .map(PathBuf::from)
    .find(|path| path.exists())
}

/// The scripts beside the packages that they need, which are fetched once and kept below `target`.
fn prepared() -> Result<PathBuf, String> {
    run(Command::new("node").arg("--version"))?;
    run(Command::new("npm").arg("--version"))?;
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&home).map_err(|error| error.to_string())?;
    let lock = "package-lock.json";
    let wanted = std::fs::read_to_string(scripts().join(lock)).unwrap();
    let is_installed = std::fs::read_to_string(home.join("installed.json"))
        .is_ok_and(|installed| installed == wanted);
    for entry in std::fs::read_dir(scripts()).unwrap() {
        let from = entry.unwrap().path();
        if from.is_file() {
            std::fs::copy(&from, home.join(from.file_name().unwrap())).unwrap();
        }
    }
    if !is_installed {
        run(Command::new("npm").current_dir(&home).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]))?;
        std::fs::write(home.join("installed.json"), wanted).unwrap();
    }
    Ok(home)
}

fn sign(caller: &str, category: Category, severity: Severity, calls: Vec<String>) -> Sign {
    let now = Micros(jiff::Timestamp::now().as_microsecond());
    Sign {
        at: now,
        since: now,
        rule: "thin-mints".into(),
        category,
        severity,
        cause: None,
        environment: "sandbox".into(),
        caller: caller.into(),
        ip: String::new(),
        subject: String::new(),
        token: String::new(),
        target: String::new(),
        baseline: Some(Baseline {
            count: 340.0,
            expected: 12.4,
            window_s: 3_600,
            score: 96.0,
            threshold: 14.0,
        }),
        calls,
        sentence: format!(
            "{caller} minted 340 tokens in an hour that were hardly used; 12 were to be expected."
        ),
    }
}

/// The key of a caller as a header's value.
fn caller(gateway: &Gateway, name: &str) -> String {
    let key = gateway.egret(&["caller", "add", name, "--key-only"]).ok();
    format!("Bearer {}", key.trim())
}

fn admin(config: &Config, name: &str, role: &str) -> String {
    let arguments = ["admin", "key", "add", name, "--role", role, "--key-only"];
    config.egret(&arguments).ok().trim().to_owned()
}

/// One round of what services do; gives the token that was minted.
fn round(address: &str, key: &str) -> String {
    let call = |method: &str, path: &str, bearer: &str, body: &str| {
        let mut headers = vec![
            ("Content-Type", "application/json"),
            ("Proxy-Authorization", key),
        ];
        if !bearer.is_empty() {
            headers.push(("Authorization", bearer));
        }
        Client::tcp(address).call(method, path, &headers, body.as_bytes())
    };
    let minted = call("POST", "/cybrid/identity/oauth/token", "", MINT);
    // The bank does not always answer with JSON: see the faults.
    let answer: Value = serde_json::from_str(minted.text()).unwrap_or_default();
    let token = answer["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let bearer = format!("Bearer {token}");
    for path in [
        "/cybrid/bank/api/banks",
        TRADES,
        &format!("/cybrid/bank/api/customers/{CUSTOMER}"),
    ] {
        call("GET", path, &bearer, "");
    }
    let person = json!({"type": "individual", "name": {"full": PERSON}, "email_address": MAIL});
    call(
        "POST",
        "/cybrid/bank/api/customers",
        &bearer,
        &person.to_string(),
    );
    call("GET", TRADES, "", "");
    token
}

/// Calls as long as it lives.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Traffic {
    fn start(address: String, keys: Vec<String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for key in keys.iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                round(&address, key);
                std::thread::sleep(PAUSE);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn people_find_their_way_in_the_console() {
    let Some(chromium) = chromium() else {
        return skip("Chromium is not installed: deploy/need.sh test");
    };
    let home = match prepared() {
        Ok(home) => home,
        Err(why) => return skip(&why),
    };
    let sim = Sim::start(Vendor::Cybrid);
    let config = Config::new().cybrid(&sim.url());
    let keys = json!({
        "operator": admin(&config, "olga", "operator"),
        "auditor": admin(&config, "anna", "auditor"),
        "viewer": admin(&config, "victor", "viewer"),
    });
    let gateway = config.start();
    let address = gateway.address().to_owned();
    let callers = ["payouts", "onboarding", "batch"].map(|name| caller(&gateway, name));
    // The callers file is looked at every second; until then the gateway answers 403, then the bank 401.
    eventually("the callers are known", || {
        let headers = [("Proxy-Authorization", callers[2].as_str())];
        (gateway.get("/cybrid/bank/api/banks", &headers).status == 401).then_some(())
    });
    sim.set_faults(Faults {
        latency_ms: Some((2, 60)),
        error_rate: 0.05,
        ..Faults::default()
    });
    let mut tokens: Vec<String> = (0..6).map(|n| round(&address, &callers[n % 3])).collect();
    tokens.retain(|token| !token.is_empty());
    assert!(!tokens.is_empty(), "no token was minted");
    let mint = eventually("a mint is on record", || {
        let filters = ["--mints", "--caller", "payouts"];
        let rows = gateway.query(&filters);
        rows.into_iter()
            .find(|row| !row.lacks("minted_fingerprint"))
    });
    let fingerprint = mint.text("minted_fingerprint").to_owned();

    let book = gateway.directory().join("data/alerts");
    let now = Micros(jiff::Timestamp::now().as_microsecond());
    let calls = vec![mint.text("call_id").to_owned()];
    let mut desk = Desk::open(&book, Settings::default(), Vec::new()).unwrap();
    for sign in [
        sign(
            "onboarding",
            Category::MintUnused,
            Severity::High,
            calls.clone(),
        ),
        sign("payouts", Category::NewOrigin, Severity::Medium, calls),
    ] {
        desk.take(&sign, now).unwrap();
    }
    let listed = gateway.egret(&["alert", "list", "--format", "json"]).ok();
    let incidents = ["onboarding", "payouts"].map(|caller| incident_of(&listed, caller));

    let mut canaries = vec![
        SECRET.to_owned(),
        PERSON.to_owned(),
        MAIL.to_owned(),
        CUSTOMER.to_owned(),
    ];
    canaries.extend(tokens);
    canaries.extend(callers.iter().map(|key| key["Bearer ".len()..].to_owned()));
    canaries.extend(
        keys.as_object()
            .unwrap()
            .values()
            .map(|key| key.as_str().unwrap().to_owned()),
    );
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    let set = json!({
        "admin": format!("http://{}", gateway.admin()),
        "gateway": gateway.url(),
        "keys": keys,
        "caller": "payouts",
        "other": "batch",
        "other_key": callers[2],
        "guid": CUSTOMER,
        "incidents": incidents,
        "token": fingerprint,
        "canaries": canaries,
        "shots": shots,
        "chromium": chromium,
    });
    let file = gateway.directory().join("console.json");
    std::fs::write(&file, set.to_string()).unwrap();
    let traffic = Traffic::start(address, callers[..2].to_vec());
    let output = Command::new("node")
        .current_dir(&home)
        .arg("main.mjs")
        .env("EGRET_CONSOLE", &file)
        .output()
        .unwrap();
    drop(traffic);
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{errors}"));
    let failed: Vec<_> = said["scenarios"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|scenario| scenario["ok"] != true)
        .collect();
    assert!(
        failed.is_empty(),
        "{failed:#?}\nscreenshots are in {}",
        shots.display()
    );

    // What they did is on record under their names.
    for (who, operation) in [
        ("olga", "lockdown.place"),
        ("olga", "lockdown.lift"),
        ("olga", "alert.ack"),
        ("olga", "alert.close"),
        ("anna", "audit.query"),
        ("anna", "audit.report"),
        ("anna", "audit.investigate"),
    ] {
        eventually(&format!("{operation} by {who} is on record"), || {
            let filters = [
                "--provider",
                "egret",
                "--operation",
                operation,
                "--caller",
                who,
            ];
            (!gateway.query(&filters).is_empty()).then_some(())
        });
    }
}

/// The incident about a caller, among those listed one a line.
fn incident_of(listed: &str, caller: &str) -> String {
    let all = listed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = all
        .into_iter()
        .find(|one| one["callers"]["first"][0] == caller);
    found.expect(listed)["id"].as_str().unwrap().to_owned()
}
