//! A real Prometheus scrapes the gateway and answers questions about it.
//!
//! Without the program a test says that it was skipped; where `CI` is set it fails.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::{BANKS, TRACE, traceparent};
use crate::harness::{Bank, Client, Collector, Config, PATIENCE, eventually, reply};

/// A running Prometheus; killed when dropped.
struct Prometheus {
    process: Child,
    port: u16,
}

impl Prometheus {
    /// Scrapes an address every second; `None` if there is no Prometheus to start.
    fn start(directory: &Path, target: &str) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let is_there = |directory: std::path::PathBuf| directory.join("prometheus").exists();
        if !std::env::split_paths(&path).any(is_there) {
            crate::clients::skip(
                "there is no prometheus; install Debian's `prometheus` (deploy/need.sh test)",
            );
            return None;
        }
        let config = directory.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: egret\n  static_configs:\n  \
             - targets: [\"{target}\"]\n"
        );
        std::fs::write(&config, text).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        // It dies with this thread, whatever becomes of the test.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "prometheus"])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.join("tsdb").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--enable-feature=exemplar-storage")
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, port })
    }

    /// The values that a query gives; `None` while it does not answer, as at its start.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        let answer = self.ask(&format!("query?query={}", encoded(query)))?;
        Some(answer["data"]["result"].as_array()?.clone())
    }

    /// What it answers to a question of its API; `None` while it does not answer.
    fn ask(&self, question: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        // Of HTTP/1.0, so that the answer is not chunked and ends with the connection.
        write!(stream, "GET /api/v1/{question} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        if head.contains(" 503 ") {
            return None;
        }
        assert!(head.contains(" 200 "), "{answer}");
        Some(serde_json::from_str(body).unwrap())
    }

    fn has(&self, query: &str) -> Vec<Value> {
        eventually(query, || {
            self.query(query).filter(|found| !found.is_empty())
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_bucket_leads_to_a_call_in_it() {
    let collector = Collector::start();
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new()
        .cybrid(&bank.url())
        .section(&collector.section(""))
        .start();
    let answer = gateway.get(BANKS, &[("traceparent", &traceparent("01"))]);
    assert_eq!(answer.status, 200);
    // The thread that tells of calls makes examples of them.
    collector.wait_for_spans(2);
    let open_metrics = [("Accept", "application/openmetrics-text;version=1.0.0")];
    let ask = |headers: &[(&str, &str)]| {
        Client::tcp(gateway.admin()).call("GET", "/metrics", headers, b"")
    };
    let text = eventually("the exemplar is told", || {
        let answer = ask(&open_metrics);
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        let text = answer.text();
        let is_told = text.contains(&format!("# {{trace_id=\"{TRACE}\""));
        is_told.then(|| text.to_owned())
    });
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    // Who does not ask for it gets what was there always.
    let plain = ask(&[]);
    assert_eq!(
        plain.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(!plain.text().contains("trace_id") && !plain.text().contains("# EOF"));
    let Some(prometheus) = Prometheus::start(gateway.directory(), gateway.admin()) else {
        return;
    };
    // It asks for OpenMetrics, and would take none of it if a line were wrong.
    prometheus.has("up == 1");
    prometheus.has("egret_build_info");
    prometheus.has("egret_calls_total{provider=\"cybrid\"} == 1");
    for side in ["server", "client"] {
        let bucket = format!("http_{side}_request_duration_seconds_bucket");
        let question = format!(
            "query_exemplars?query={}&start=2020-01-01T00:00:00Z&end=2099-01-01T00:00:00Z",
            encoded(&bucket)
        );
        let found = eventually(&bucket, || {
            let answer = prometheus.ask(&question)?;
            let found = answer["data"].as_array()?.first()?.clone();
            Some(found)
        });
        let exemplar = &found["exemplars"][0];
        assert_eq!(exemplar["labels"]["trace_id"], TRACE, "{found:#}");
        assert_eq!(exemplar["labels"]["span_id"].as_str().unwrap().len(), 16);
        assert_eq!(found["seriesLabels"]["provider"], "cybrid");
    }
}

#[test]
fn prometheus_scrapes_the_gateway_and_answers() {
    let bank = Bank::answering(reply(200, "{}"));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let Some(prometheus) = Prometheus::start(gateway.directory(), gateway.admin()) else {
        return;
    };
    prometheus.has("up == 1");
    let mut client = Client::tcp(gateway.address());
    for _ in 0..20 {
        assert_eq!(client.call("GET", BANKS, &[], b"").status, 200);
    }
    gateway.get("/nobody", &[]);
    let found = prometheus.has("egret_calls_total{provider=\"cybrid\"} == 20");
    assert_eq!(found[0]["metric"]["operation"], "bank.list_banks");
    // As a dashboard asks.
    for query in [
        "histogram_quantile(0.99, sum by (le, provider) (http_server_request_duration_seconds_bucket))",
        "sum by (provider) (http_client_request_duration_seconds_count{http_response_status_code=\"200\"}) == 20",
        "egret_denials_total{reason=\"no_such_provider\"} == 1",
        "egret_journal_commit_duration_seconds_count > 0",
        "egret_budget_remaining",
        "egret_ready == 1",
    ] {
        prometheus.has(query);
    }
}

/// Every question of the dashboards in `deploy/grafana`, as Grafana would put it.
fn questions() -> Vec<(String, String)> {
    let dashboards = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
    let mut questions = Vec::new();
    for file in std::fs::read_dir(dashboards).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let name = format!("{}, {}", dashboard["title"], panel["title"]);
                let question = target["expr"].as_str().unwrap();
                let question = question
                    .replace("$__rate_interval", "30s")
                    .replace("$__range", "1h")
                    .replace("$instance", ".*")
                    .replace("$provider", ".*");
                assert!(!question.contains('$'), "{name}: {question}");
                questions.push((name, question));
            }
        }
    }
    questions
}

#[test]
fn every_panel_of_the_dashboards_shows_something() {
    let minted = "{\"access_token\":\"a-token\",\"token_type\":\"Bearer\",\"expires_in\":1800}";
    let bank = Bank::answering(reply(200, minted));
    let gateway = Config::new().cybrid(&bank.url()).start();
    let Some(prometheus) = Prometheus::start(gateway.directory(), gateway.admin()) else {
        return;
    };
    prometheus.has("up == 1");
    let questions = questions();
    assert!(questions.len() > 40, "{}", questions.len());
    let mut client = Client::tcp(gateway.address());
    let body =
        b"{\"grant_type\":\"client_credentials\",\"client_id\":\"a\",\"client_secret\":\"b\"}";
    let json = [("Content-Type", "application/json")];
    let mut open: Vec<_> = questions.iter().collect();
    // Rates need two looks with traffic between them.
    until_none_is_left(&mut open, |open| {
        client.call("GET", BANKS, &[], b"");
        client.call("POST", "/cybrid/identity/oauth/token", &json, body);
        gateway.get("/nobody", &[]);
        open.retain(|(_, question)| {
            let found = prometheus.query(question).unwrap_or_default();
            !found.iter().any(has_number)
        });
    });
}

/// Works until nothing is left, and says what is if that takes too long.
fn until_none_is_left(
    open: &mut Vec<&(String, String)>,
    mut work: impl FnMut(&mut Vec<&(String, String)>),
) {
    let deadline = Instant::now() + PATIENCE;
    while !open.is_empty() {
        assert!(Instant::now() < deadline, "they show nothing: {open:#?}");
        work(open);
    }
}

/// Whether a value is there, and not the outcome of a division by nothing.
fn has_number(value: &Value) -> bool {
    let text = value["value"][1].as_str().unwrap_or("NaN");
    text.parse().is_ok_and(|number: f64| !number.is_nan())
}
