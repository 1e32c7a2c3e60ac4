use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;

fn at(minutes: i64) -> Micros {
    Micros::from_secs(1_795_305_600 + minutes * MINUTE)
}

fn sign(minutes: i64) -> Sign {
    Sign {
        at: at(minutes),
        since: at(minutes - 1),
        rule: "cold-mints".into(),
        category: Category::MintUnused,
        severity: Severity::Medium,
        cause: None,
        environment: "production".into(),
        caller: "kite-web".into(),
        ip: "240.0.0.1".into(),
        subject: "5d1d000000000001".into(),
        token: String::new(),
        target: String::new(),
        baseline: Some(Baseline {
            count: 412.0,
            expected: 1.25,
            window_s: 600,
            score: 40.0,
            threshold: 14.0,
        }),
        calls: vec!["01990000-0000-7000-8000-000000000001".into()],
        sentence: String::new(),
    }
}

fn kinds(notices: &[Notice]) -> Vec<NoticeKind> {
    notices.iter().map(|notice| notice.kind).collect()
}

#[test]
fn an_incident_opens_gathers_and_closes() {
    let mut book = Book::new(Settings::default());
    let notices = book.take(&sign(0));
    assert_eq!(kinds(&notices), [NoticeKind::Opened]);
    let case = &notices[0].case;
    assert_eq!(case.id, "inc-20261122-0001");
    assert_eq!(
        case.sentence,
        "kite-web at 240.0.0.1 mints tokens that are not used as its tokens are: 412 in 10 minutes, where 1.2 are usual."
    );
    // More of the same, and another rule within half an hour: the same incident, nobody is told.
    assert_eq!(book.take(&sign(20)), []);
    let other = Sign {
        rule: "volume".into(),
        category: Category::Volume,
        ..sign(45)
    };
    assert_eq!(book.take(&other), []);
    assert_eq!(
        book.figures(),
        Figures {
            open: 1,
            acknowledged: 0,
            silences: 0
        }
    );
    // Minting is watched for two hours of quiet.
    assert_eq!(book.tick(at(45 + 120)), []);
    let notices = book.tick(at(45 + 121));
    assert_eq!(kinds(&notices), [NoticeKind::Closed]);
    let case = &notices[0].case;
    assert_eq!(case.closed_at, Some(at(45 + 120)));
    assert_eq!(
        (case.signs, case.rules.len(), case.ending),
        (3, 2, Some(Ending::Quiet))
    );
    assert_eq!(case.calls.len(), 1);
    assert_eq!(case.calls_named, 3);
    // The same again is another incident.
    assert_eq!(kinds(&book.take(&sign(300))), [NoticeKind::Opened]);
    assert_eq!(book.cases().count(), 2);
}

#[test]
fn what_is_another_thing_is_another_incident() {
    let mut book = Book::new(Settings::default());
    book.take(&sign(0));
    for other in [
        Sign {
            caller: "kite-hooks".into(),
            ip: "240.0.0.2".into(),
            ..sign(1)
        },
        Sign {
            environment: "sandbox".into(),
            ..sign(2)
        },
        Sign {
            rule: "hours".into(),
            category: Category::OffHours,
            ..sign(40)
        },
    ] {
        assert_eq!(kinds(&book.take(&other)), [NoticeKind::Opened], "{other:?}");
    }
    // Another caller, but the same address and rule: one thief.
    assert_eq!(
        book.take(&Sign {
            caller: "kite-recon".into(),
            ..sign(41)
        }),
        []
    );
    assert_eq!(book.figures().open, 4);
}

#[test]
fn causes_of_the_detector_go_before_names() {
    let mut book = Book::new(Settings::default());
    book.take(&Sign {
        cause: Some(7),
        ..sign(0)
    });
    assert_eq!(
        book.take(&Sign {
            cause: Some(7),
            caller: "other".into(),
            ip: String::new(),
            ..sign(50)
        }),
        []
    );
    assert_eq!(
        kinds(&book.take(&Sign {
            cause: Some(8),
            ..sign(51)
        })),
        [NoticeKind::Opened]
    );
}

#[test]
fn people_are_told_of_rises_and_once_again_and_not_of_small_things() {
    let mut book = Book::new(Settings::default());
    assert_eq!(
        book.take(&Sign {
            severity: Severity::Low,
            ..sign(0)
        }),
        []
    );
    assert_eq!(kinds(&book.take(&sign(1))), [NoticeKind::Opened]);
    let high = Sign {
        severity: Severity::High,
        category: Category::Money,
        rule: "money".into(),
        ..sign(2)
    };
    let notices = book.take(&high);
    assert_eq!(kinds(&notices), [NoticeKind::Raised]);
    assert_eq!(notices[0].case.category, Category::Money);
    assert_eq!(notices[0].was, Some(Severity::Medium));
    assert_eq!(book.take(&high), []);
    let mut told = Vec::new();
    for minutes in (10..1_500).step_by(20) {
        told.extend(book.take(&Sign {
            severity: Severity::High,
            ..sign(minutes)
        }));
    }
    assert_eq!(kinds(&told), [NoticeKind::Reminder]);
    assert!(told[0].at >= at(2 + 360));
}

#[test]
fn who_takes_an_incident_is_not_reminded_and_an_end_is_told() {
    let mut book = Book::new(Settings::default());
    let id = book.take(&sign(0)).remove(0).case.id;
    let act = Act::Acknowledge { id: id.clone() };
    let notices = book.act(act.clone(), "dora", at(3)).unwrap();
    assert_eq!(kinds(&notices), [NoticeKind::Acknowledged]);
    assert_eq!(book.act(act, "dora", at(4)).unwrap(), []);
    for minutes in (10..1_000).step_by(20) {
        assert_eq!(book.take(&sign(minutes)), []);
    }
    let close = Act::Close {
        id: id.clone(),
        reason: "a test of the app team".into(),
    };
    let notices = book.act(close.clone(), "dora", at(1_000)).unwrap();
    assert_eq!(kinds(&notices), [NoticeKind::Closed]);
    assert_eq!(
        book.act(close, "dora", at(1_001)),
        Err(ActFault::Closed(id.clone()))
    );
    assert_eq!(
        book.act(Act::Acknowledge { id: "inc-1".into() }, "dora", at(1_001)),
        Err(ActFault::Unknown("inc-1".into()))
    );
    let text = show(book.case(&id).unwrap());
    assert!(
        text.contains("closed by dora: a test of the app team"),
        "{text}"
    );
    assert!(
        text.contains("egret lockdown caller kite-web --reason"),
        "{text}"
    );
    assert!(list(book.cases()).starts_with(&id));
}

#[test]
fn a_silence_keeps_the_record_and_not_the_noise() {
    let mut book = Book::new(Settings::default());
    let silence = Silence {
        number: 0,
        rule: None,
        category: None,
        caller: Some("kite-web".into()),
        environment: None,
        from: at(0),
        until: at(60),
        who: "dora".into(),
        reason: "migration".into(),
    };
    let everything = Silence {
        caller: None,
        ..silence.clone()
    };
    assert_eq!(
        book.act(Act::Silence(everything), "dora", at(0)),
        Err(ActFault::Silence(SilenceFault::Everything))
    );
    let endless = Silence {
        until: at(100 * 1_440),
        ..silence.clone()
    };
    assert!(book.act(Act::Silence(endless), "dora", at(0)).is_err());
    book.act(Act::Silence(silence), "dora", at(0)).unwrap();
    assert_eq!(book.take(&sign(1)), []);
    assert_eq!(book.take(&sign(2)), []);
    assert_eq!(book.figures().open, 1);
    assert_eq!(
        kinds(&book.take(&Sign {
            caller: "kite-hooks".into(),
            ip: String::new(),
            ..sign(3)
        })),
        [NoticeKind::Opened]
    );
    // It goes on after the silence has ended: now somebody must know.
    assert_eq!(kinds(&book.take(&sign(61))), [NoticeKind::Opened]);
    assert!(book.silences().is_empty());
    assert_eq!(
        book.act(Act::Unsilence { number: 1 }, "dora", at(62)),
        Err(ActFault::NoSilence(1))
    );
}

#[test]
fn a_restart_neither_forgets_nor_repeats() {
    let signs: Vec<Sign> = (0..60)
        .map(|n| Sign {
            severity: if n == 40 {
                Severity::Critical
            } else {
                Severity::Medium
            },
            caller: format!("caller-{}", n % 7),
            ip: String::new(),
            ..sign(n * 13)
        })
        .collect();
    let mut whole = Book::new(Settings::default());
    let mut parts = Book::new(Settings::default());
    for sign in &signs {
        let text = parts.save();
        parts = Book::load(&text, Settings::default()).unwrap();
        assert_eq!(parts.take(sign), whole.take(sign));
    }
    assert_eq!(parts, whole);
    assert!(matches!(
        Book::load("{\"format\":9}", Settings::default()),
        Err(LoadFault::Format { found: 9 })
    ));
    assert!(matches!(
        Book::load("{", Settings::default()),
        Err(LoadFault::Damaged { .. })
    ));
}

#[test]
fn what_it_keeps_is_bounded() {
    let mut book = Book::new(Settings {
        max_open: 100,
        ..Settings::default()
    });
    for n in 0..150_u64 {
        let other = Sign {
            caller: format!("c{n}"),
            ip: String::new(),
            ..sign(0)
        };
        book.take(&other);
    }
    assert_eq!(book.figures().open, 100);
    for n in 0..2_000_u64 {
        let other = Sign {
            caller: "c149".into(),
            subject: format!("s{n}"),
            calls: vec![format!("call-{n}")],
            sentence: "x".repeat(4_000),
            ..sign(1)
        };
        book.take(&other);
    }
    let case = book.cases().find(|case| case.callers.has("c149")).unwrap();
    assert_eq!((case.subjects.first.len(), case.subjects.more), (50, true));
    assert_eq!((case.calls.len(), case.calls_named), (1_000, 2_001));
    assert!(case.steps.len() <= 100);
}

#[test]
fn suggested_commands_hold_nothing_that_a_shell_would_read() {
    let mut book = Book::new(Settings::default());
    let evil = Sign {
        caller: "kite-web; rm -rf ~".into(),
        token: "--all".into(),
        category: Category::TokenReplay,
        ..sign(0)
    };
    let case = book.take(&evil).remove(0).case;
    let text = steps(&case).join("\n");
    assert!(
        !text.contains("rm -rf") && !text.contains("--all"),
        "{text}"
    );
    assert!(text.contains("Find where it leaked"), "{text}");
    for category in Category::ALL {
        let full = Sign {
            category: *category,
            token: "00ff00ff00ff00ff".into(),
            target: "5d1d".into(),
            ..sign(0)
        };
        let case = Book::new(Settings::default()).take(&full).remove(0).case;
        let steps = steps(&case);
        assert!(steps.len() >= 3, "{category}: {steps:?}");
        assert!(steps.iter().all(|step| !step.contains('{')), "{steps:?}");
        assert_eq!(category.as_str().parse::<Category>(), Ok(*category));
    }
}

#[test]
fn a_sentence_is_one_line() {
    let odd = Sign {
        sentence: "kite-web\n\u{1b}[31m mints".into(),
        ..sign(0)
    };
    let case = Book::new(Settings::default()).take(&odd).remove(0).case;
    assert_eq!(case.sentence, "kite-web  [31m mints");
}

fn any_sign() -> impl Strategy<Value = (u8, u8, u8, u8, Option<u64>)> {
    (
        0..200_u8,
        0..5_u8,
        0..6_u8,
        0..21_u8,
        proptest::option::of(0..4_u64),
    )
}

proptest! {
    #[test]
    fn a_life_has_few_notices_that_begin_with_an_opening(
        steps in proptest::collection::vec((any_sign(), 0..12_u8), 1..200)
    ) {
        let mut book = Book::new(Settings { quiet: Duration::from_secs(1_800), ..Settings::default() });
        let mut minutes = 0;
        let mut all = Vec::new();
        for ((gap, severity, caller, category, cause), act) in steps {
            minutes += i64::from(gap);
            let sign = Sign {
                severity: Severity::ALL[usize::from(severity)],
                category: Category::ALL[usize::from(category)],
                caller: format!("caller-{caller}"),
                cause,
                ..sign(minutes)
            };
            all.extend(book.take(&sign));
            let id = book.cases().next().map(|case| case.id.clone()).unwrap_or_default();
            let asked = match act {
                0 => book.act(Act::Acknowledge { id }, "dora", at(minutes)),
                1 => book.act(Act::Close { id, reason: String::new() }, "dora", at(minutes)),
                _ => Ok(Vec::new()),
            };
            all.extend(asked.unwrap_or_default());
        }
        all.extend(book.tick(at(minutes + 10_000)));
        prop_assert_eq!(book.figures().open + book.figures().acknowledged, 0);
        let mut lives: std::collections::HashMap<String, Vec<NoticeKind>> = Default::default();
        for notice in &all {
            let life = lives.entry(notice.case.id.clone()).or_default();
            life.push(notice.kind);
            prop_assert_eq!(usize::from(notice.number), life.len());
        }
        for life in lives.values() {
            prop_assert!(life.len() <= 6, "{:?}", life);
            prop_assert_eq!(life[0], NoticeKind::Opened);
            prop_assert_eq!(life.iter().filter(|kind| **kind == NoticeKind::Opened).count(), 1);
            prop_assert_eq!(*life.last().unwrap(), NoticeKind::Closed);
        }
    }
}
