//! Attacks that must be told, and bursts that must not.

use super::feed::{Feed, MINUTE, SAY, Say};
use super::{ATTACK, learned, told_after};

#[test]
fn attacks_on_ordinary_days_call_somebody() {
    let (learned, ordinary) = learned();
    type Attack = fn(&mut Feed);
    let attacks: &[(&str, Attack)] = &[
        ("thin-mints", |feed| {
            for n in 0..60 {
                feed.mint(Say {
                    at: ATTACK + n * 5_000,
                    subject: 1 + n as u64 * 4,
                    ..SAY
                });
            }
        }),
        ("mint-shape", |feed| {
            for n in 0..60 {
                feed.visit(
                    Say {
                        at: ATTACK + n * 30_000,
                        subject: 1 + n as u64 * 4,
                        ..SAY
                    },
                    2,
                );
            }
        }),
        ("mints-for-one", |feed| {
            for n in 0..60 {
                feed.visit(
                    Say {
                        at: ATTACK + n * 20_000,
                        subject: 5,
                        ..SAY
                    },
                    1,
                );
            }
        }),
        ("unknown-customers", |feed| {
            for n in 0..30 {
                let subject = 900_000 + n as u64;
                feed.say(Say {
                    at: ATTACK + n * 20_000,
                    op: "customers.get",
                    subject,
                    status: 404,
                    ..SAY
                });
            }
        }),
        ("token-moved", |feed| {
            let token = feed.mint(Say {
                at: ATTACK,
                subject: 5,
                ..SAY
            });
            feed.say(Say {
                at: ATTACK + 5_000,
                subject: 5,
                token,
                ip: "203.0.113.5",
                country: "BR",
                ..SAY
            });
        }),
        ("new-origin", |feed| {
            feed.mint(Say {
                at: ATTACK,
                subject: 5,
                ip: "203.0.113.5",
                country: "BR",
                ..SAY
            });
        }),
        ("new-caller", |feed| {
            feed.mint(Say {
                at: ATTACK,
                subject: 5,
                caller: "stranger",
                ..SAY
            });
        }),
        ("failed-authentication", |feed| {
            for n in 0..40 {
                feed.say(Say {
                    at: ATTACK + n * 3_000,
                    op: "token.bank",
                    kind: "none",
                    status: 401,
                    more: r#","err":"invalid_client""#,
                    ..SAY
                });
            }
        }),
        ("mint-denied", |feed| {
            for n in 0..60 {
                feed.say(Say {
                    at: ATTACK + n * 6_000,
                    op: "token.customer",
                    kind: "bank",
                    status: 403,
                    more: r#","err":"token_rate_limit""#,
                    ..SAY
                });
            }
        }),
        ("personal-data", |feed| {
            for n in 0..60 {
                feed.say(Say {
                    at: ATTACK + n * 6_000,
                    op: "accounts.list",
                    subject: 1 + n as u64 * 4,
                    more: r#","pii":true"#,
                    ..SAY
                });
            }
        }),
        ("new-destination", |feed| {
            for n in 0..5 {
                let say = Say {
                    at: ATTACK + n * 400_000,
                    subject: 1 + n as u64,
                    ..SAY
                };
                feed.say(Say {
                    op: "external_wallets.create",
                    ..say
                });
                feed.say(Say {
                    at: say.at + 9_000,
                    op: "transfers.create",
                    ..say
                });
            }
        }),
        ("one-subject", |feed| {
            for n in 0..200 {
                feed.say(Say {
                    at: ATTACK + n * 9_000,
                    subject: 5,
                    ..SAY
                });
            }
        }),
        ("new-scope", |feed| {
            feed.mint(Say {
                at: ATTACK,
                subject: 5,
                more: r#","scopes":["accounts:read","trades:execute"]"#,
                ..SAY
            });
        }),
        ("missing-things", |feed| {
            for n in 0..30 {
                feed.say(Say {
                    at: ATTACK + n * 20_000,
                    op: "accounts.get",
                    subject: 5,
                    status: 404,
                    ..SAY
                });
            }
        }),
        ("unminted-token", |feed| {
            for n in 0..2 {
                feed.say(Say {
                    at: ATTACK + n * 600_000,
                    subject: 5,
                    token: 0xf0f0 + n as u64,
                    ..SAY
                });
            }
        }),
        ("eager-grants", |feed| {
            for n in 0..6 {
                feed.say(Say {
                    at: ATTACK + n * 120_000,
                    op: "obp.access.grant",
                    kind: "direct_login",
                    subject: 1 + n as u64,
                    more: r#","target":"somebody","view":"auditor""#,
                    ..SAY
                });
            }
        }),
        ("consent-burst", |feed| {
            for n in 0..30 {
                feed.say(Say {
                    at: ATTACK + n * 40_000,
                    op: "consents.create",
                    kind: "direct_login",
                    subject: 1 + n as u64 * 4,
                    status: 201,
                    ..SAY
                });
            }
        }),
        ("configuration", |feed| {
            feed.say(Say {
                at: ATTACK,
                more: r#","provider":"egret","op":"audit.gap""#,
                ..SAY
            });
        }),
    ];
    for (rule, attack) in attacks {
        let mut feed = ordinary.clone();
        // The second key of the same name would be a fault of the line.
        attack(&mut feed);
        for (_, line) in &mut feed.lines {
            if let Some(rest) = line.strip_suffix(r#","provider":"egret","op":"audit.gap""#) {
                *line = rest
                    .replace("\"cybrid\"", "\"egret\"")
                    .replace("accounts.list", "audit.gap");
            }
            if line.matches("\"scopes\"").count() > 1 {
                *line = line.replacen(r#","scopes":["accounts:read"]"#, "", 1);
            }
        }
        let told = told_after(&learned, &feed);
        let found = told.iter().find(|alert| alert.rule == *rule);
        let found = found.unwrap_or_else(|| panic!("{rule} is not told; told was {told:#?}"));
        assert!(found.at >= ATTACK, "{rule}");
        let pages: Vec<_> = told
            .iter()
            .filter(|alert| alert.severity.is_page())
            .collect();
        assert!((1..=3).contains(&pages.len()), "{rule}: {pages:#?}");
        assert_eq!(
            pages[0].incident,
            pages[pages.len() - 1].incident,
            "{rule}: {pages:#?}"
        );
    }
}

#[test]
fn harmless_bursts_call_nobody() {
    type Burst = fn(&mut Feed);
    let bursts: &[(&str, Burst)] = &[
        ("a campaign", |feed| {
            for n in 0..150 {
                let calls = 3 + feed.random(5);
                feed.visit(
                    Say {
                        at: ATTACK + n * 12_000,
                        subject: 1 + n as u64 * 2,
                        ..SAY
                    },
                    calls,
                );
            }
        }),
        ("an outage with retries", |feed| {
            for n in 0..600 {
                feed.say(Say {
                    at: ATTACK + n * 1_000,
                    subject: 1 + n as u64 % 9,
                    status: 502,
                    more: r#","err":"upstream_5xx""#,
                    ..SAY
                });
            }
        }),
        ("an open breaker", |feed| {
            for n in 0..600 {
                feed.mint(Say {
                    at: ATTACK + n * 1_000,
                    subject: 1 + n as u64 % 300,
                    ..SAY
                });
            }
            let opened = r#","err":"circuit_open""#;
            for (_, line) in feed.lines.iter_mut().rev().take(600) {
                *line = line.replace(
                    "\"status\":201,\"by\":\"upstream\"",
                    "\"status\":503,\"by\":\"proxy\"",
                );
                line.push_str(opened);
            }
        }),
        ("expired tokens", |feed| {
            for n in 0..200 {
                feed.say(Say {
                    at: ATTACK + n * 1_000,
                    subject: 1 + n as u64,
                    status: 401,
                    more: r#","err":"token_expired""#,
                    ..SAY
                });
            }
        }),
        (
            "a release that mints anew for those who are there",
            |feed| {
                for n in 0..30 {
                    let calls = 3 + feed.random(5);
                    feed.visit(
                        Say {
                            at: ATTACK + n * 9_000,
                            subject: 1 + n as u64,
                            ..SAY
                        },
                        calls,
                    );
                    feed.mint(Say {
                        at: ATTACK + 10 * MINUTE + n,
                        subject: 1 + n as u64,
                        ..SAY
                    });
                }
            },
        ),
        ("a second token at the end of each visit", |feed| {
            for n in 0..150 {
                let say = Say {
                    at: ATTACK + n * 20_000,
                    subject: 1 + n as u64 * 2,
                    ..SAY
                };
                let token = feed.mint(say);
                for call in 0..3 + feed.random(5) as i64 {
                    let at = say.at + 1_000 + call * 4_000;
                    feed.say(Say { at, token, ..say });
                }
                feed.mint(Say {
                    at: say.at + 35_000,
                    ..say
                });
            }
        }),
        (
            "tokens whose mint is seen a little after their first use",
            |feed| {
                for n in 0..200 {
                    let say = Say {
                        at: ATTACK + n * 20_000,
                        subject: 1 + n as u64,
                        ..SAY
                    };
                    let token = feed.mint(say);
                    for call in -1..3 + feed.random(5) as i64 {
                        let at = say.at + call * 4_000;
                        feed.say(Say { at, token, ..say });
                    }
                }
            },
        ),
        ("a release that mints ahead for many", |feed| {
            for n in 0..150 {
                let say = Say {
                    at: ATTACK + n * 300,
                    subject: 1 + n as u64 * 2,
                    ..SAY
                };
                let token = feed.mint(say);
                let first = feed.random(55_000) as i64;
                for n in 0..3 + feed.random(5) as i64 {
                    let at = say.at + first + n * 20_000;
                    feed.say(Say { at, token, ..say });
                }
            }
        }),
        (
            "a version of the application that makes more calls",
            |feed| {
                for n in 0..200 {
                    let calls = 4 + feed.random(9);
                    feed.visit(
                        Say {
                            at: ATTACK + n * 60_000,
                            subject: 1 + n as u64,
                            ..SAY
                        },
                        calls,
                    );
                }
            },
        ),
        ("a marked load test", |feed| {
            for n in 0..900 {
                feed.mint(Say {
                    at: ATTACK + n * 500,
                    subject: 1 + n as u64,
                    ip: "203.0.113.5",
                    country: "BR",
                    more: r#","load_test":true"#,
                    ..SAY
                });
            }
        }),
    ];
    let (learned, ordinary) = learned();
    for (name, burst) in bursts {
        let mut feed = ordinary.clone();
        burst(&mut feed);
        let told = told_after(&learned, &feed);
        let pages: Vec<_> = told
            .iter()
            .filter(|alert| alert.severity.is_page())
            .collect();
        assert!(pages.is_empty(), "{name}: {pages:#?}");
    }
}
