//! A sign from a line of the neutral alert format, as `egret detect replay --alerts` writes it.

use serde::Deserialize;

use super::{Baseline, Category, Severity, Sign};
use crate::types::Micros;

/// Longest line, in bytes: an alert names five calls.
const MAX_LINE: usize = 64 << 10;
/// Most names of one sort that are read from a list.
const MAX_NAMES: usize = 1_000;

/// The line is no alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It is too long.
    #[error("longer than {MAX_LINE} bytes")]
    Long,
    /// It has not the keys of an alert.
    #[error("no alert: `ts` (milliseconds), `rule` and `category` are needed (column {column})")]
    Form {
        /// Where reading stopped.
        column: usize,
    },
}

/// One name or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    fn of(names: Option<Self>) -> Vec<String> {
        match names {
            None => Vec::new(),
            Some(Self::One(name)) => vec![name],
            Some(Self::Many(mut names)) => {
                names.truncate(MAX_NAMES);
                names
            }
        }
    }
}

/// An id: a position in a feed, or a call's UUID.
#[derive(Deserialize)]
#[serde(untagged)]
enum Call {
    Position(u64),
    Id(String),
}

#[derive(Deserialize)]
struct Line {
    ts: i64,
    rule: String,
    category: Category,
    severity: Option<Severity>,
    incident: Option<u64>,
    since: Option<i64>,
    #[serde(default)]
    env: String,
    caller: Option<Names>,
    ip: Option<Names>,
    subject: Option<Names>,
    token: Option<Names>,
    target: Option<Names>,
    n: Option<f64>,
    expected: Option<f64>,
    window_s: Option<u32>,
    score: Option<f64>,
    threshold: Option<f64>,
    #[serde(default)]
    calls: Vec<Call>,
    #[serde(default)]
    text: String,
}

/// Reads a line. Where it names several of a sort, there is a further sign for each of them beyond
/// the first, which shares the other names.
///
/// # Errors
/// [`LineFault`]; it never repeats the line.
pub fn read_line(line: &str) -> Result<Vec<Sign>, LineFault> {
    if line.len() > MAX_LINE {
        return Err(LineFault::Long);
    }
    let line: Line = serde_json::from_str(line).map_err(|error| LineFault::Form {
        column: error.column(),
    })?;
    let millis = |ms: i64| Micros(ms.saturating_mul(1_000));
    let baseline = match (line.n, line.expected, line.window_s) {
        (Some(count), Some(expected), Some(window_s)) => Some(Baseline {
            count,
            expected,
            window_s,
            score: line.score.unwrap_or(0.0),
            threshold: line.threshold.unwrap_or(0.0),
        }),
        _ => None,
    };
    let lists = [line.caller, line.ip, line.subject, line.token, line.target].map(Names::of);
    let [caller, ip, subject, token, target] =
        [0, 1, 2, 3, 4].map(|sort| lists[sort].first().cloned().unwrap_or_default());
    let first = Sign {
        at: millis(line.ts),
        since: millis(line.since.unwrap_or(line.ts)),
        rule: line.rule,
        category: line.category,
        severity: line.severity.unwrap_or(Severity::Medium),
        cause: line.incident,
        environment: line.env,
        caller,
        ip,
        subject,
        token,
        target,
        baseline,
        calls: line.calls.iter().map(name).collect(),
        sentence: line.text,
    };
    let mut signs = vec![first.clone()];
    for (sort, names) in lists.into_iter().enumerate() {
        for name in names.into_iter().skip(1) {
            let mut sign = Sign {
                calls: Vec::new(),
                ..first.clone()
            };
            *match sort {
                0 => &mut sign.caller,
                1 => &mut sign.ip,
                2 => &mut sign.subject,
                3 => &mut sign.token,
                _ => &mut sign.target,
            } = name;
            signs.push(sign);
        }
    }
    Ok(signs)
}

fn name(call: &Call) -> String {
    match call {
        Call::Position(position) => position.to_string(),
        Call::Id(id) => id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_of_the_detector_is_a_sign() {
        let line = r#"{"ts":1795305600000,"rule":"cold-mints","severity":"high","category":"mint_unused","caller":"kite-web","ip":"240.0.0.1","env":"production","incident":3,"signs":2,"since":1795305000000,"n":412.0,"expected":1.25,"score":900.1,"threshold":14.0,"window_s":600,"calls":[7,"01990000-0000-7000-8000-000000000001"],"text":"It mints."}"#;
        let signs = read_line(line).unwrap();
        assert_eq!(signs.len(), 1);
        let sign = &signs[0];
        assert_eq!(
            (sign.at, sign.since),
            (
                Micros::from_secs(1_795_305_600),
                Micros::from_secs(1_795_305_000)
            )
        );
        assert_eq!(
            (sign.severity, sign.category, sign.cause),
            (Severity::High, Category::MintUnused, Some(3))
        );
        assert_eq!(
            (sign.caller.as_str(), sign.environment.as_str()),
            ("kite-web", "production")
        );
        assert_eq!(sign.baseline.map(|baseline| baseline.window_s), Some(600));
        assert_eq!(sign.calls, ["7", "01990000-0000-7000-8000-000000000001"]);
    }

    #[test]
    fn several_names_of_several_sorts_are_one_incident() {
        let line = r#"{"ts":1,"rule":"moved","category":"token_replay","caller":["a","b"],"token":["t1","t2","t3"]}"#;
        let signs = read_line(line).unwrap();
        let mut book = super::super::Book::new(super::super::Settings::default());
        for sign in &signs {
            book.take(sign);
        }
        assert_eq!((signs.len(), book.figures().open), (4, 1));
        let case = book.cases().next().unwrap();
        assert_eq!((case.callers.first.len(), case.tokens.first.len()), (2, 3));
        assert_eq!(case.severity, Severity::Medium);
    }

    #[test]
    fn what_is_no_alert_is_refused_and_not_repeated() {
        for line in [
            "",
            "{}",
            "{\"ts\":\"s3cret\"}",
            "{\"ts\":1,\"rule\":\"x\",\"category\":\"s3cret\"}",
        ] {
            let fault = read_line(line).unwrap_err();
            assert!(!fault.to_string().contains("s3cret"));
        }
        assert_eq!(read_line(&" ".repeat(MAX_LINE + 1)), Err(LineFault::Long));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = read_line(&text);
        }
    }
}
