//! Whole streams: what is told of them, that it does not matter how they are cut, and that
//! memory stays within its bounds.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A Monday, 2026-01-05.
const START: i64 = 1_767_571_200_000;

/// Lines of a feed, as text, so that reading them is tested too.
#[derive(Clone, Default)]
struct Feed {
    lines: Vec<(i64, String)>,
    tokens: u64,
    seed: u64,
}

/// One call of a feed.
#[derive(Clone, Copy)]
struct Say<'a> {
    at: i64,
    caller: &'a str,
    op: &'a str,
    ip: &'a str,
    country: &'a str,
    kind: &'a str,
    token: u64,
    subject: u64,
    status: u16,
    more: &'a str,
}

const SAY: Say<'static> = Say {
    at: 0,
    caller: "web",
    op: "accounts.list",
    ip: "192.0.2.10",
    country: "CA",
    kind: "customer",
    token: 0,
    subject: 0,
    status: 200,
    more: "",
};

impl Feed {
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below.max(1)
    }

    fn say(&mut self, say: Say<'_>) {
        let mut line = format!(
            r#""env":"production","provider":"cybrid","op":"{}","caller":"{}","ip":"{}","country":"{}","asn":64500,"token_type":"{}","status":{},"by":"upstream""#,
            say.op, say.caller, say.ip, say.country, say.kind, say.status
        );
        if say.token > 0 {
            line += &format!(r#","token":"{:016x}""#, say.token);
        }
        if say.subject > 0 {
            line += &format!(r#","subject":"c{:07}""#, say.subject);
        }
        line += say.more;
        self.lines.push((say.at, line));
    }

    /// Mints a token for a customer and returns it.
    fn mint(&mut self, say: Say<'_>) -> u64 {
        self.tokens += 1;
        let token = 0xabc0_0000_0000 + self.tokens;
        let mint = format!(
            r#","mint":{{"type":"customer","token":"{token:016x}","ttl":1800}},"scopes":["accounts:read"]{}"#,
            say.more
        );
        self.say(Say {
            op: "token.customer",
            kind: "bank",
            status: 201,
            more: &mint,
            ..say
        });
        token
    }

    /// A customer who comes, mints and makes calls.
    fn visit(&mut self, say: Say<'_>, calls: u64) {
        let token = self.mint(say);
        for n in 0..calls {
            let op = ["accounts.list", "trades.list", "prices.get"][(n % 3) as usize];
            let at = say.at + 2_000 + 20_000 * n as i64;
            self.say(Say {
                at,
                op,
                token,
                more: "",
                ..say
            });
        }
    }

    /// Ordinary days of an application with 300 customers.
    fn ordinary(days: i64) -> Self {
        let mut feed = Self {
            seed: 7,
            ..Self::default()
        };
        for hour in 0..days * 24 {
            let of_day = hour % 24;
            let visits = if (7..23).contains(&of_day) { 12 } else { 2 };
            for _ in 0..visits {
                let say = Say {
                    at: START + hour * HOUR + feed.random(3_500_000) as i64,
                    subject: 1 + feed.random(300),
                    ..SAY
                };
                let calls = 3 + feed.random(5);
                feed.visit(say, calls);
            }
        }
        feed
    }

    fn text(&self) -> String {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let mut text = String::new();
        for (at, (time, line)) in lines.iter().enumerate() {
            text += &format!("{{\"id\":{},\"ts\":{time},{line}}}\n", at + 1);
        }
        text
    }
}

fn run(detection: &mut Detection, text: &str) -> Vec<Alert> {
    let mut told = Vec::new();
    for line in text.lines() {
        let line = Line::read(line.as_bytes()).unwrap();
        detection.observe(&line.event(1), &NoMap, &mut told);
    }
    told
}

fn alerts(feed: &Feed) -> Vec<Alert> {
    let mut detection = Detection::new(Settings::default());
    let mut told = run(&mut detection, &feed.text());
    detection.advance(START + 60 * DAY, &mut told);
    told
}

fn pages(feed: &Feed) -> Vec<&'static str> {
    let told = alerts(feed);
    told.iter().filter(|alert| alert.severity.is_page()).map(|alert| alert.rule).collect()
}

#[test]
fn ordinary_days_call_nobody() {
    assert_eq!(pages(&Feed::ordinary(24)), [""; 0]);
}

const ATTACK: i64 = START + 18 * DAY + 13 * HOUR;

#[test]
fn attacks_on_ordinary_days_call_somebody() {
    type Attack = fn(&mut Feed);
    let attacks: &[(&str, Attack)] = &[
        ("thin-mints", |feed| {
            for n in 0..60 {
                feed.mint(Say { at: ATTACK + n * 5_000, subject: 1 + n as u64 * 4, ..SAY });
            }
        }),
        ("mint-shape", |feed| {
            for n in 0..60 {
                feed.visit(Say { at: ATTACK + n * 30_000, subject: 1 + n as u64 * 4, ..SAY }, 2);
            }
        }),
        ("mints-for-one", |feed| {
            for n in 0..60 {
                feed.visit(Say { at: ATTACK + n * 20_000, subject: 5, ..SAY }, 1);
            }
        }),
        ("unknown-customers", |feed| {
            for n in 0..30 {
                let subject = 900_000 + n as u64;
                feed.say(Say { at: ATTACK + n * 20_000, op: "customers.get", subject, status: 404, ..SAY });
            }
        }),
        ("token-moved", |feed| {
            let token = feed.mint(Say { at: ATTACK, subject: 5, ..SAY });
            feed.say(Say { at: ATTACK + 5_000, subject: 5, token, ip: "203.0.113.5", country: "BR", ..SAY });
        }),
        ("new-origin", |feed| {
            feed.mint(Say { at: ATTACK, subject: 5, ip: "203.0.113.5", country: "BR", ..SAY });
        }),
        ("new-caller", |feed| {
            feed.mint(Say { at: ATTACK, subject: 5, caller: "stranger", ..SAY });
        }),
        ("failed-authentication", |feed| {
            for n in 0..40 {
                feed.say(Say { at: ATTACK + n * 3_000, op: "token.bank", kind: "none", status: 401, more: r#","err":"invalid_client""#, ..SAY });
            }
        }),
        ("mint-denied", |feed| {
            for n in 0..60 {
                feed.say(Say { at: ATTACK + n * 6_000, op: "token.customer", kind: "bank", status: 403, more: r#","err":"token_rate_limit""#, ..SAY });
            }
        }),
        ("personal-data", |feed| {
            for n in 0..60 {
                feed.say(Say { at: ATTACK + n * 6_000, op: "accounts.list", subject: 1 + n as u64 * 4, more: r#","pii":true"#, ..SAY });
            }
        }),
        ("new-destination", |feed| {
            for n in 0..5 {
                let say = Say { at: ATTACK + n * 400_000, subject: 1 + n as u64, ..SAY };
                feed.say(Say { op: "external_wallets.create", ..say });
                feed.say(Say { at: say.at + 9_000, op: "transfers.create", ..say });
            }
        }),
        ("one-subject", |feed| {
            for n in 0..200 {
                feed.say(Say { at: ATTACK + n * 9_000, subject: 5, ..SAY });
            }
        }),
        ("new-scope", |feed| {
            feed.mint(Say { at: ATTACK, subject: 5, more: r#","scopes":["accounts:read","trades:execute"]"#, ..SAY });
        }),
        ("configuration", |feed| {
            feed.say(Say { at: ATTACK, more: r#","provider":"egret","op":"audit.gap""#, ..SAY });
        }),
    ];
    for (rule, attack) in attacks {
        let mut feed = Feed::ordinary(19);
        // The second key of the same name would be a fault of the line.
        attack(&mut feed);
        for (_, line) in &mut feed.lines {
            if let Some(rest) = line.strip_suffix(r#","provider":"egret","op":"audit.gap""#) {
                *line = rest.replace("\"cybrid\"", "\"egret\"").replace("accounts.list", "audit.gap");
            }
            if line.matches("\"scopes\"").count() > 1 {
                *line = line.replacen(r#","scopes":["accounts:read"]"#, "", 1);
            }
        }
        let told = alerts(&feed);
        let found = told.iter().find(|alert| alert.rule == *rule);
        let found = found.unwrap_or_else(|| panic!("{rule} is not told; told was {told:#?}"));
        assert!(found.at >= ATTACK, "{rule}");
        let pages: Vec<_> = told.iter().filter(|alert| alert.severity.is_page()).collect();
        assert!((1..=3).contains(&pages.len()), "{rule}: {pages:#?}");
        assert_eq!(pages[0].incident, pages[pages.len() - 1].incident, "{rule}: {pages:#?}");
    }
}

#[test]
fn harmless_bursts_call_nobody() {
    type Burst = fn(&mut Feed);
    let bursts: &[(&str, Burst)] = &[
        ("a campaign", |feed| {
            for n in 0..150 {
                let calls = 3 + feed.random(5);
                feed.visit(Say { at: ATTACK + n * 12_000, subject: 1 + n as u64 * 2, ..SAY }, calls);
            }
        }),
        ("an outage with retries", |feed| {
            for n in 0..600 {
                feed.say(Say { at: ATTACK + n * 1_000, subject: 1 + n as u64 % 9, status: 502, more: r#","err":"upstream_5xx""#, ..SAY });
            }
        }),
        ("an open breaker", |feed| {
            for n in 0..600 {
                feed.mint(Say { at: ATTACK + n * 1_000, subject: 1 + n as u64 % 300, ..SAY });
            }
            let opened = r#","err":"circuit_open""#;
            for (_, line) in feed.lines.iter_mut().rev().take(600) {
                *line = line.replace("\"status\":201,\"by\":\"upstream\"", "\"status\":503,\"by\":\"proxy\"");
                line.push_str(opened);
            }
        }),
        ("expired tokens", |feed| {
            for n in 0..200 {
                feed.say(Say { at: ATTACK + n * 1_000, subject: 1 + n as u64, status: 401, more: r#","err":"token_expired""#, ..SAY });
            }
        }),
        ("a release that mints anew for those who are there", |feed| {
            for n in 0..30 {
                let calls = 3 + feed.random(5);
                feed.visit(Say { at: ATTACK + n * 9_000, subject: 1 + n as u64, ..SAY }, calls);
                feed.mint(Say { at: ATTACK + 10 * MINUTE + n, subject: 1 + n as u64, ..SAY });
            }
        }),
        ("a marked load test", |feed| {
            for n in 0..900 {
                feed.mint(Say { at: ATTACK + n * 500, subject: 1 + n as u64, ip: "203.0.113.5", country: "BR", more: r#","load_test":true"#, ..SAY });
            }
        }),
    ];
    for (name, burst) in bursts {
        let mut feed = Feed::ordinary(20);
        burst(&mut feed);
        let told = alerts(&feed);
        let pages: Vec<_> = told.iter().filter(|alert| alert.severity.is_page()).collect();
        assert!(pages.is_empty(), "{name}: {pages:#?}");
    }
}

/// A feed with a bit of everything, made of numbers.
fn anything(choices: &[(u8, u8, u16, u8)]) -> String {
    let mut feed = Feed::default();
    let mut at = START;
    for (what, who, pause, how) in choices {
        // Mostly seconds, now and then hours: timers run out between calls.
        at += i64::from(*pause) * if how % 16 == 0 { 60_000 } else { 97 };
        let caller = ["web", "batch", "desk", ""][usize::from(who % 4)];
        let ip = ["192.0.2.10", "198.51.100.1", "2001:db8::7", "203.0.113.9", ""][usize::from(how % 5)];
        let country = ["CA", "US", "", "BR"][usize::from(how / 5 % 4)];
        let subject = u64::from(who % 23);
        let say = Say { at, caller, ip, country, subject, ..SAY };
        match what % 9 {
            0 | 1 => {
                feed.mint(say);
            }
            2 => feed.visit(say, u64::from(how % 4)),
            3 => feed.say(Say { status: 401, ..say }),
            4 => feed.say(Say { status: 404, op: "customers.get", subject: 1000 + u64::from(*how), ..say }),
            5 => feed.say(Say { op: "obp.grant", kind: "direct_login", more: r#","target":"ETH/0x01","view":"owner""#, ..say }),
            6 => feed.say(Say { token: 0xabc0_0000_0000 + u64::from(*how), ..say }),
            7 => feed.say(Say { status: 503, more: r#","err":"upstream_5xx""#, ..say }),
            _ => feed.say(Say { more: r#","pii":true"#, ..say }),
        }
    }
    feed.text()
}

fn lines(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|alert| serde_json::to_string(alert).unwrap()).collect()
}

/// So that short feeds tell much: nothing is waited for.
fn eager() -> Settings {
    Settings {
        learning_days: 0,
        sensitivity: Sensitivity::High,
        ..Settings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        choices in proptest::collection::vec(any::<(u8, u8, u16, u8)>(), 50..400),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let text = anything(&choices);
        let mut whole = Detection::new(eager());
        let expected = run(&mut whole, &text);
        let all: Vec<&str> = text.lines().collect();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        at.sort_unstable();
        let mut told = Vec::new();
        let mut part = Detection::new(eager());
        let mut from = 0;
        for cut in at {
            told.extend(run(&mut part, &all[from..cut].join("\n")));
            let mut bytes = Vec::new();
            part.snapshot(&mut bytes).unwrap();
            part = Detection::restore(eager(), &bytes).unwrap();
            from = cut;
        }
        told.extend(run(&mut part, &all[from..].join("\n")));
        prop_assert_eq!(lines(&told), lines(&expected));
    }

    #[test]
    fn time_that_passes_between_calls_changes_nothing(
        choices in proptest::collection::vec(any::<(u8, u8, u16, u8)>(), 50..300),
    ) {
        let text = anything(&choices);
        let expected = run(&mut Detection::new(eager()), &text);
        let mut live = Detection::new(eager());
        let mut told = Vec::new();
        let mut clock = START;
        for line in text.lines() {
            let line = Line::read(line.as_bytes()).unwrap();
            let event = line.event(1);
            // A live feed says every so often how far it has seen everything.
            while clock < event.at {
                live.advance(clock, &mut told);
                clock += 17_000;
            }
            live.observe(&event, &NoMap, &mut told);
        }
        prop_assert_eq!(lines(&told), lines(&expected));
    }

    #[test]
    fn nothing_makes_it_stumble(
        lines in proptest::collection::vec((any::<i64>(), "[a-z.]{0,12}", any::<u16>(), any::<bool>()), 0..60),
    ) {
        let mut detection = Detection::new(eager());
        let mut told = Vec::new();
        for (ts, op, status, minted) in lines {
            let mint = if minted { r#","mint":{"type":"bank","token":"t","ttl":-1}"# } else { "" };
            let line = format!(r#"{{"ts":{ts},"op":"{op}","status":{status}{mint}}}"#);
            let line = Line::read(line.as_bytes()).unwrap();
            detection.observe(&line.event(1), &NoMap, &mut told);
        }
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    for bytes in [&b""[..], b"egretdet", b"egretdet\x02\0\0\0", b"egretdet\x01\0\0\0\xff", b"nonsense of some length"] {
        assert!(Detection::restore(Settings::default(), bytes).is_err());
    }
}

#[test]
fn a_flood_of_new_identifiers_stays_within_the_bounds() {
    let bounds = Bounds {
        subjects: 1000,
        tokens: 1000,
        callers: 16,
        pending: 100,
    };
    let settings = Settings { bounds, ..Settings::default() };
    let mut detection = Detection::new(settings);
    let mut told = Vec::new();
    for n in 0..20_000_i64 {
        let line = format!(
            r#"{{"ts":{},"caller":"s{n}","op":"token.customer{n}","ip":"2001:db8:{:x}::1","country":"CA","asn":{n},"subject":"c{n}","scopes":["s{n}:read"],"target":"t{n}","mint":{{"type":"customer","token":"m{n}","ttl":1800}},"token":"u{n}","status":201}}"#,
            START + n * 100,
            n % 65_536
        );
        let line = Line::read(line.as_bytes()).unwrap();
        detection.observe(&line.event(1), &NoMap, &mut told);
    }
    let figures = detection.figures();
    assert_eq!(figures.callers, 16);
    assert!(figures.subjects <= 1000 && figures.tokens <= 1000);
    assert!(figures.mints_overflowed > 0 && figures.subjects_evicted > 0);
    let mut bytes = Vec::new();
    detection.snapshot(&mut bytes).unwrap();
    assert!(bytes.len() < 2_000_000, "{}", bytes.len());
    assert!(told.len() < 200, "{}", told.len());
}

#[test]
fn settings_can_silence_a_rule_and_faults_are_all_named() {
    let mut feed = Feed::ordinary(19);
    feed.mint(Say { at: ATTACK, subject: 5, ip: "203.0.113.5", country: "BR", ..SAY });
    let off = RuleSettings { enabled: Some(false), ..RuleSettings::default() };
    let settings = Settings { rules: [("new-origin".to_owned(), off)].into(), ..Settings::default() };
    assert!(settings.faults().is_empty());
    let told = run(&mut Detection::new(settings), &feed.text());
    assert!(told.iter().all(|alert| alert.rule != "new-origin"));
    let wrong = Settings {
        rules: [("nonsense".to_owned(), off)].into(),
        own_networks: vec!["x".into()],
        load_tests: vec![LoadTest { caller: "a".into(), from: 5, to: 5 }],
        bounds: Bounds { callers: 0, ..Bounds::default() },
        ..Settings::default()
    };
    assert_eq!(wrong.faults().len(), 4);
}
