use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::prometheus::{Format, render};
use super::*;
use crate::domain::resilience::BreakerState;
use crate::types::{Decision, Environment, Micros, Outcome, TokenType};

const NOW: Micros = Micros(1_795_305_338_000_000);

const BOUNDS: Bounds = Bounds {
    max_ledger_lag: Duration::from_secs(300),
};

fn well() -> Vitals {
    Vitals {
        now: NOW,
        started_at: Micros::from_secs(1_795_305_000),
        version: "1.2.3",
        stage: Stage::Serving,
        clock_behind: Duration::ZERO,
        journal: Some(JournalVitals {
            next_seq: 120,
            durable_seq: 118,
            undrained_bytes: 4_000,
            max_bytes: 1 << 20,
            ..JournalVitals::default()
        }),
        ledger: Some(LedgerVitals {
            drained_seq: 100,
            behind_since: Some(Micros(NOW.0 - 1_500_000)),
            written: 40,
            ..LedgerVitals::default()
        }),
        evidence: Some(EvidenceVitals {
            sealed_seq: 110,
            checkpoints: 9,
            failing: false,
        }),
        listening: Some(Listening {
            wanted: 4,
            accepting: 4,
        }),
        groups: vec![GroupVitals {
            name: "cybrid.sandbox.bank".into(),
            breaker: BreakerState::HalfOpen,
            in_flight: 2,
            limit: 2_048,
            waiting: 0,
            opened: 5,
            stopped: 41,
            shed: 0,
            repeated: 12,
            not_repeated: 1,
        }],
        budgets: vec![BudgetVitals {
            name: "cybrid.general".into(),
            limit: 100,
            remaining: 40,
            waiting: 2,
            admitted: 300,
            waited: 20,
            waited_us: 1_500_000,
            refused: 3,
            over: 0,
            throttled: 1,
        }],
        budgets_shared: Some(true),
        coalescer: Some(CoalescerVitals::default()),
        calls: calls(),
        captures: Some(CaptureVitals {
            kept: 4,
            dropped: 1,
            ..CaptureVitals::default()
        }),
        log_dropped: 2,
        redactions: vec![RedactionSeries {
            place: None,
            kept_from: KeptFrom::Capture,
            kind: "iban",
            count: 7,
        }],
        certificates: vec![CertificateVitals {
            purpose: CertificateUse::UpstreamCa,
            file: "/etc/egret/bank.pem".into(),
            expires_at: Micros(NOW.0 - 36 * 3_600_000_000),
        }],
        telemetry: Some(TelemetryVitals {
            traces: SignalVitals {
                sent: 90,
                dropped: 4,
                failures: 1,
            },
            ..TelemetryVitals::default()
        }),
        journal_commits: Some(Histogram {
            counts: vec![0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            sum: 7.5,
            ..Histogram::new(COMMIT_BOUNDS)
        }),
        reloads: Some(ReloadVitals::default()),
        silence: Silence::default(),
        calls_in_flight: 3,
        connections: 7,
        locks: 0,
        detection: Some(DetectionVitals {
            leading: true,
            judged_to: Some(NOW),
            ..DetectionVitals::default()
        }),
    }
}

fn calls() -> CallVitals {
    let place = Some(Arc::new(CallPlace {
        provider: "cybrid".into(),
        environment: Environment::Sandbox,
        service: "bank".into(),
        host: "bank.sandbox.cybrid.app".into(),
        port: 443,
    }));
    let mut durations = Histogram::new(HTTP_BOUNDS);
    durations.counts[3] = 2;
    durations.sum = 0.12;
    CallVitals {
        places: vec![PlaceVitals::new(place.clone())],
        server: vec![ServerSeries {
            place: None,
            method: "other",
            is_https: false,
            status: Some(405),
            error: Some("bad_method"),
            durations: durations.clone(),
        }],
        client: vec![ClientSeries {
            place: place.clone(),
            method: "POST",
            status: Some(503),
            error: None,
            durations,
        }],
        calls: vec![CallSeries {
            place: place.clone(),
            operation: Some("create_trade".into()),
            decision: Decision::Forwarded,
            outcome: Outcome::Success,
            count: 4,
        }],
        denials: vec![DenialSeries {
            place: place.clone(),
            decision: Decision::Denied,
            reason: "locked_down",
            count: 1,
        }],
        credentials: vec![CredentialSeries {
            place: place.clone(),
            token_type: TokenType::Customer,
            count: 5,
        }],
        mints: vec![MintSeries {
            place: place.clone(),
            kind: "customer_access_token".into(),
            token_type: TokenType::Bank,
            count: 2,
        }],
        resends: vec![ResendSeries {
            place: place.clone(),
            cause: "server_error",
            count: 1,
        }],
        redactions: vec![RedactionSeries {
            place,
            kept_from: KeptFrom::Record,
            kind: RecordValue::Subject.as_str(),
            count: 3,
        }],
        unlisted: 0,
    }
}

fn red(vitals: &Vitals) -> Vec<&'static str> {
    failing(vitals, &BOUNDS)
        .iter()
        .map(|(check, _)| check.name)
        .collect()
}

#[test]
fn each_cause_makes_its_own_check_red_and_no_other() {
    let journal = |change: fn(&mut JournalVitals)| {
        move |vitals: &mut Vitals| change(vitals.journal.as_mut().unwrap())
    };
    type Change = Box<dyn Fn(&mut Vitals)>;
    let table: Vec<(&str, Change)> = vec![
        ("startup", Box::new(|v| v.stage = Stage::Starting)),
        ("draining", Box::new(|v| v.stage = Stage::Draining)),
        (
            "listeners",
            Box::new(|v| v.listening.as_mut().unwrap().accepting = 3),
        ),
        (
            "journal",
            Box::new(journal(|j| j.failing_since = Some(NOW))),
        ),
        ("journal", Box::new(journal(|j| j.stalled = true))),
        (
            "workers",
            Box::new(|v| v.silence.workers = Duration::from_secs(31)),
        ),
        (
            "background",
            Box::new(|v| v.silence.background = Duration::from_secs(31)),
        ),
        ("journal_writer", Box::new(journal(|j| j.ended = true))),
        (
            "journal_space",
            Box::new(journal(|j| j.undrained_bytes = 1 << 20)),
        ),
        (
            "ledger",
            Box::new(|v| {
                let since = Micros(NOW.0 - 300_000_001);
                v.ledger.as_mut().unwrap().behind_since = Some(since);
            }),
        ),
        (
            "clock",
            Box::new(|v| v.clock_behind = Duration::from_millis(2_001)),
        ),
        (
            "clock",
            Box::new(|v| {
                v.now = Micros::from_secs(0);
                v.ledger.as_mut().unwrap().behind_since = None;
            }),
        ),
    ];
    assert!(red(&well()).is_empty());
    for (name, change) in &table {
        let mut vitals = well();
        change(&mut vitals);
        assert_eq!(red(&vitals), [*name]);
        let told = Report::of(Probe::Ready, &vitals, &BOUNDS);
        assert_eq!(told.status(), 503);
        assert_eq!(told.body["ok"], false);
        assert_eq!(told.body["checks"][*name]["ok"], false);
        assert!(
            !told.body["checks"][*name]["why"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        let alive = Report::of(Probe::Live, &vitals, &BOUNDS);
        let is_alive = !["workers", "background", "journal_writer"].contains(name);
        assert_eq!(alive.good, is_alive, "{name}");
        let started = Report::of(Probe::Startup, &vitals, &BOUNDS);
        assert_eq!(started.good, *name != "startup");
    }
    let tried: BTreeSet<_> = table.iter().map(|(name, _)| *name).collect();
    let all: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(tried, all, "every check is tried");
}

#[test]
fn a_stop_is_no_failure_of_its_parts() {
    let mut vitals = well();
    vitals.stage = Stage::Draining;
    vitals.listening.as_mut().unwrap().accepting = 0;
    vitals.journal.as_mut().unwrap().ended = true;
    assert_eq!(red(&vitals), ["draining"]);
    assert!(Report::of(Probe::Live, &vitals, &BOUNDS).good);
}

#[test]
fn before_the_journal_is_open_there_is_nothing_to_tell_of_it() {
    let vitals = Vitals {
        stage: Stage::Starting,
        journal: None,
        ledger: None,
        listening: None,
        journal_commits: None,
        ..well()
    };
    assert_eq!(red(&vitals), ["startup"]);
    let text = render(Format::Text, &vitals, &BOUNDS);
    assert!(!text.contains("egret_journal_"), "{text}");
    assert!(text.contains("\negret_ledger_lag 0\n"), "{text}");
    assert!(text.contains("\negret_ready 0\n"), "{text}");
}

#[test]
fn the_lag_is_the_age_of_the_oldest_event_that_the_ledger_lacks() {
    let mut vitals = well();
    assert_eq!(vitals.ledger_lag(), Duration::from_millis(1_500));
    assert_eq!(vitals.ledger_lag_events(), 20);
    vitals.ledger.as_mut().unwrap().behind_since = None;
    assert_eq!(vitals.ledger_lag(), Duration::ZERO);
}

/// Reads what Prometheus reads, by its description of the format.
#[test]
fn the_text_is_what_prometheus_reads() {
    let text = render(Format::Text, &well(), &BOUNDS);
    assert!(text.ends_with('\n'));
    let mut lines = text.lines().peekable();
    let mut names = Vec::new();
    while let Some(help) = lines.next() {
        let (name, words) = help
            .strip_prefix("# HELP ")
            .unwrap()
            .split_once(' ')
            .unwrap();
        assert!(words.ends_with('.'), "{help}");
        let kind = lines.next().unwrap();
        let kind = kind.strip_prefix(&format!("# TYPE {name} ")).unwrap();
        assert!(["counter", "gauge", "histogram"].contains(&kind));
        let mut samples = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let series = series.split('{').next().unwrap();
            let endings = ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}"));
            match kind {
                "histogram" => assert!(endings.iter().any(|known| known == series), "{line}"),
                _ => assert_eq!(series, name, "{line}"),
            }
            value.parse::<f64>().unwrap();
            samples += 1;
        }
        assert!(samples > 0, "{name}");
        names.push(name);
    }
    let expected: Vec<_> = metrics().map(|metric| metric.name).collect();
    assert_eq!(names, expected);
    for line in [
        "egret_build_info{version=\"1.2.3\"} 1",
        "egret_ready 1",
        "egret_budget_remaining{budget=\"cybrid.general\"} 40",
        "egret_budget_waited_seconds_total{budget=\"cybrid.general\"} 1.5",
        "egret_check_ok{check=\"journal\"} 1",
        "egret_journal_next_seq 120",
        "egret_journal_durable_seq 118",
        "egret_ledger_lag 1.5",
        "egret_ledger_lag_seconds 1.5",
        "egret_ledger_lag_events 20",
        "egret_ledger_rows_written_total 40",
        "egret_calls_in_flight 3",
        "http_server_request_duration_seconds_bucket{http_request_method=\"_OTHER\",url_scheme=\"http\",\
         http_response_status_code=\"405\",error_type=\"bad_method\",le=\"0.025\"} 0",
        "http_server_request_duration_seconds_sum{http_request_method=\"_OTHER\",url_scheme=\"http\",\
         http_response_status_code=\"405\",error_type=\"bad_method\"} 0.12",
        "http_client_request_duration_seconds_bucket{provider=\"cybrid\",environment=\"sandbox\",\
         service=\"bank\",http_request_method=\"POST\",server_address=\"bank.sandbox.cybrid.app\",\
         server_port=\"443\",http_response_status_code=\"503\",error_type=\"503\",le=\"+Inf\"} 2",
        "egret_calls_total{provider=\"cybrid\",environment=\"sandbox\",service=\"bank\",\
         operation=\"create_trade\",decision=\"forwarded\",outcome=\"success\"} 4",
        "egret_mints_total{provider=\"cybrid\",environment=\"sandbox\",service=\"bank\",\
         kind=\"customer_access_token\",token_type=\"bank\"} 2",
        "egret_journal_commit_duration_seconds_bucket{le=\"0.0005\"} 3",
        "egret_journal_commit_duration_seconds_count 4",
        "egret_certificate_expiry_days{use=\"upstream_ca\",file=\"/etc/egret/bank.pem\"} -1.5",
        "egret_redactions_total{provider=\"cybrid\",environment=\"sandbox\",service=\"bank\",\
         kept_from=\"record\",kind=\"subject\"} 3",
        "egret_breaker_open{group=\"cybrid.sandbox.bank\"} 1",
        "egret_breaker_state{group=\"cybrid.sandbox.bank\",state=\"half_open\"} 1",
        "egret_breaker_state{group=\"cybrid.sandbox.bank\",state=\"open\"} 0",
        "egret_captures_total{result=\"dropped\"} 1",
        "egret_log_dropped_total 2",
        "egret_redactions_total{kept_from=\"capture\",kind=\"iban\"} 7",
        "egret_telemetry_dropped_total{signal=\"traces\"} 4",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn openmetrics_tells_the_same_and_says_where_it_ends() {
    let text = render(Format::OpenMetrics, &well(), &BOUNDS);
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let samples = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        samples(&text),
        samples(&render(Format::Text, &well(), &BOUNDS))
    );
    for line in [
        "# TYPE egret_calls counter",
        "# TYPE egret_build info",
        "# TYPE http_server_request_duration_seconds histogram",
        "# UNIT http_server_request_duration_seconds seconds",
        "# UNIT egret_budget_waited_seconds seconds",
        "# UNIT egret_journal_waiting_bytes bytes",
        "# UNIT egret_certificate_expiry_days days",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn names_are_unique_and_keep_to_the_conventions() {
    let mut seen = BTreeSet::new();
    for metric in metrics() {
        let name = metric.name;
        assert!(seen.insert(name), "{name} twice");
        assert!(name.starts_with("egret_") || name.starts_with("http_"));
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        let is_histogram = metric.kind == MetricKind::Histogram;
        assert_eq!(name.ends_with("_duration_seconds"), is_histogram, "{name}");
        let is_counter = metric.kind == MetricKind::Counter;
        assert_eq!(name.ends_with("_total"), is_counter, "{name}");
    }
    let checks: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(checks.len(), CHECKS.len());
}

/// A list in `docs/operations.md` between two marks, as the code has it.
fn documented(mark: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let begin = format!(
        "<!-- {mark}: made by the test `the_reference_is_up_to_date_metrics_and_checks`, do not edit -->\n"
    );
    let end = format!("<!-- {mark} end -->\n");
    let (before, rest) = document.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    let wanted = format!("{before}{begin}{expected}{end}{after}");
    if std::env::var_os("EGRET_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        document == wanted,
        "docs/operations.md is old: run EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date -- --test-threads 1"
    );
}

/// `EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date` writes it.
#[test]
fn the_reference_is_up_to_date_metrics_and_checks() {
    let rows = metrics().map(|metric| {
        let kind = metric.kind.as_str();
        format!("| `{}` | {kind} | {} |\n", metric.name, metric.help)
    });
    let head = "\n| metric | type | meaning |\n| --- | --- | --- |\n";
    documented("metrics", &format!("{head}{}\n", rows.collect::<String>()));
    let rows = CHECKS
        .iter()
        .map(|check| format!("| `{}` | {} |\n", check.name, check.advice));
    let head = "\n| check | what to do when it is red |\n| --- | --- |\n";
    documented("checks", &format!("{head}{}\n", rows.collect::<String>()));
}
