//! Counts leaks and losses, by kind and by surface.

use std::collections::BTreeMap;
use std::fmt;

use egret::domain::redact::Surface;

use super::generate::Case;

/// Length of a run that counts as a leak.
const RUN: usize = 6;

#[derive(Default, Clone, Copy)]
struct Cell {
    planted: usize,
    leaked: usize,
    whole: usize,
    useful: usize,
    lost: usize,
}

impl Cell {
    fn add(&mut self, other: Self) {
        self.planted += other.planted;
        self.leaked += other.leaked;
        self.whole += other.whole;
        self.useful += other.useful;
        self.lost += other.lost;
    }
}

pub struct Report {
    kinds: BTreeMap<&'static str, Cell>,
    surfaces: BTreeMap<Surface, Cell>,
    negatives: Cell,
    notes: Vec<String>,
    invalid_json: usize,
}

/// Runs every case through `redact` and counts.
pub fn score(cases: &[Case], redact: impl Fn(&Case) -> Vec<u8>) -> Report {
    let mut report = Report {
        kinds: BTreeMap::new(),
        surfaces: BTreeMap::new(),
        negatives: Cell::default(),
        notes: Vec::new(),
        invalid_json: 0,
    };
    for case in cases {
        let output = redact(case);
        let views = decodings(&output);
        let mut cell = Cell {
            planted: case.secrets.len(),
            useful: case.useful.len(),
            ..Cell::default()
        };
        for secret in &case.secrets {
            let template = String::from_utf8_lossy(&case.input).replace(secret.as_str(), "");
            if let Some(run) = leak(secret, &template, &views) {
                cell.leaked += 1;
                let whole = views.iter().any(|view| view.contains(secret.as_str()));
                cell.whole += usize::from(whole);
                report.notes.push(format!(
                    "LEAK{} {} {run:?}\n   in  {}\n   out {}",
                    if whole { " (whole)" } else { "" },
                    case.id,
                    show(&case.input),
                    show(&output)
                ));
            }
        }
        for useful in &case.useful {
            if !views[0].contains(useful.as_str()) {
                cell.lost += 1;
                report.notes.push(format!(
                    "LOST {} {useful:?}\n   in  {}\n   out {}",
                    case.id,
                    show(&case.input),
                    show(&output)
                ));
            }
        }
        if case.surface == Surface::Json
            && serde_json::from_slice::<serde_json::Value>(&case.input).is_ok()
            && serde_json::from_slice::<serde_json::Value>(&output).is_err()
        {
            report.invalid_json += 1;
            report.notes.push(format!(
                "INVALID {}\n   in  {}\n   out {}",
                case.id,
                show(&case.input),
                show(&output)
            ));
        }
        report.kinds.entry(case.kind).or_default().add(cell);
        report.surfaces.entry(case.surface).or_default().add(cell);
        if case.negative {
            report.negatives.add(cell);
        }
    }
    report
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(700).collect()
}

/// The first run of six characters of the secret that is in the output and not in the input
/// around the secret.
fn leak(secret: &str, template: &str, views: &[String]) -> Option<String> {
    let chars: Vec<char> = secret.chars().collect();
    if chars.len() < RUN {
        return views
            .iter()
            .any(|view| view.contains(secret))
            .then(|| secret.to_owned());
    }
    chars
        .windows(RUN)
        .map(|run| run.iter().collect::<String>())
        .find(|run| {
            !template.contains(run.as_str()) && views.iter().any(|view| view.contains(run.as_str()))
        })
}

/// The output itself and what it decodes to.
fn decodings(output: &[u8]) -> Vec<String> {
    let mut views = vec![String::from_utf8_lossy(output).into_owned()];
    let mut now = output.to_vec();
    for _ in 0..3 {
        let next: Vec<u8> = percent_encoding::percent_decode(&now).collect();
        if next == now {
            break;
        }
        views.push(String::from_utf8_lossy(&next).into_owned());
        now = next;
    }
    let mut text = views[0].clone();
    for _ in 0..3 {
        let next = unescape(&text);
        if next == text {
            break;
        }
        views.push(next.clone());
        text = next;
    }
    let mut hidden = String::new();
    for token in views[0]
        .split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_=".contains(c)))
        .filter(|t| t.len() >= 8)
    {
        use base64::Engine;
        let bare = token
            .trim_end_matches('=')
            .replace('-', "+")
            .replace('_', "/");
        if let Ok(bytes) = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&bare) {
            hidden.push_str(&String::from_utf8_lossy(&bytes));
            hidden.push('\n');
        }
        if token.len().is_multiple_of(2) && token.bytes().all(|b| b.is_ascii_hexdigit()) {
            let bytes: Vec<u8> = (0..token.len() / 2)
                .map(|i| u8::from_str_radix(&token[i * 2..i * 2 + 2], 16).unwrap())
                .collect();
            hidden.push_str(&String::from_utf8_lossy(&bytes));
            hidden.push('\n');
        }
    }
    views.push(hidden);
    views.push(without_entities(&String::from_utf8_lossy(output)));
    views.push(String::from_utf8_lossy(&quoted_printable(output)).into_owned());
    views
}

/// Numeric entities of HTML undone.
fn without_entities(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("&#");
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        match digits.parse().ok().and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                let rest = &part[digits.len()..];
                out.push_str(rest.strip_prefix(';').unwrap_or(rest));
            }
            None => out.push_str(part),
        }
    }
    out
}

/// Quoted-printable undone.
fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(b) = text.get(at) {
        let pair = text.get(at + 1..at + 3).filter(|_| *b == b'=');
        let pair = pair.and_then(|hex| std::str::from_utf8(hex).ok());
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(plain) => {
                out.push(plain);
                at += 3;
            }
            None => {
                out.push(*b);
                at += 1;
            }
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let unit = tail
            .strip_prefix('u')
            .and_then(|t| t.get(..4))
            .and_then(|h| u32::from_str_radix(h, 16).ok())
            .and_then(char::from_u32);
        if let Some(c) = unit {
            out.push(c);
            rest = &tail[5..];
        } else if let Some(c) = tail.chars().next() {
            out.push(if c == 'n' { '\n' } else { c });
            rest = &tail[c.len_utf8()..];
        } else {
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

impl Report {
    fn sum(&self) -> Cell {
        let mut all = Cell::default();
        self.surfaces.values().for_each(|cell| all.add(*cell));
        all
    }

    pub fn leaks(&self) -> usize {
        self.sum().leaked
    }

    pub fn planted(&self) -> usize {
        self.sum().planted
    }

    pub fn lost(&self) -> usize {
        self.sum().lost
    }

    pub fn useful(&self) -> usize {
        self.sum().useful
    }

    /// The thresholds of the engine: no leak where there is structure, at most 0.2 % in free text
    /// and never a whole secret, at most 2 % of useful values lost and 1 % on hard negatives,
    /// JSON stays JSON.
    pub fn assert_thresholds(&self) {
        let shown = self
            .notes
            .iter()
            .take(40)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        for (surface, cell) in &self.surfaces {
            let allowed = if *surface == Surface::Text {
                cell.planted as f64 * 0.002
            } else {
                0.0
            };
            assert!(
                cell.leaked as f64 <= allowed,
                "{surface}: {} of {} secrets leak\n{shown}",
                cell.leaked,
                cell.planted
            );
            assert_eq!(cell.whole, 0, "{surface}: a whole secret leaks\n{shown}");
        }
        let all = self.sum();
        assert!(
            all.lost as f64 <= all.useful as f64 * 0.02,
            "{} of {} useful values lost\n{shown}",
            all.lost,
            all.useful
        );
        assert!(
            self.negatives.lost as f64 <= self.negatives.useful as f64 * 0.01,
            "{} of {} lost on hard negatives\n{shown}",
            self.negatives.lost,
            self.negatives.useful
        );
        assert_eq!(self.invalid_json, 0, "{shown}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, c: &Cell| {
            writeln!(
                f,
                "| {name:<14} | {:>6} | {:>5} | {:>5} | {:>6} | {:>5} |",
                c.planted, c.leaked, c.whole, c.useful, c.lost
            )
        };
        writeln!(
            f,
            "| surface / kind | secret | leaks | whole | useful |  lost |\n| --- | --- | --- | --- | --- | --- |"
        )?;
        for (surface, cell) in &self.surfaces {
            row(f, surface.as_str(), cell)?;
        }
        row(f, "hard negatives", &self.negatives)?;
        row(f, "all", &self.sum())?;
        for (kind, cell) in &self.kinds {
            row(f, kind, cell)?;
        }
        self.notes
            .iter()
            .take(60)
            .try_for_each(|note| writeln!(f, "{note}"))
    }
}
