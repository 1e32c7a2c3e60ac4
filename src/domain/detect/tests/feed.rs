//! Made-up feeds.

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// A Monday, 2026-01-05.
pub(super) const START: i64 = 1_767_571_200_000;

/// Lines of a feed, as text, so that reading them is tested too.
#[derive(Clone, Default)]
pub(super) struct Feed {
    pub(super) lines: Vec<(i64, String)>,
    tokens: u64,
    seed: u64,
}

/// One call of a feed.
#[derive(Clone, Copy)]
pub(super) struct Say<'a> {
    pub(super) at: i64,
    pub(super) caller: &'a str,
    pub(super) op: &'a str,
    pub(super) ip: &'a str,
    pub(super) country: &'a str,
    pub(super) kind: &'a str,
    pub(super) token: u64,
    pub(super) subject: u64,
    pub(super) status: u16,
    pub(super) more: &'a str,
}

pub(super) const SAY: Say<'static> = Say {
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
    pub(super) fn random(&mut self, below: u64) -> u64 {
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below.max(1)
    }

    pub(super) fn say(&mut self, say: Say<'_>) {
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
    pub(super) fn mint(&mut self, say: Say<'_>) -> u64 {
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
    pub(super) fn visit(&mut self, say: Say<'_>, calls: u64) {
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
    pub(super) fn ordinary(days: i64) -> Self {
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

    pub(super) fn text(&self) -> String {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let mut text = String::new();
        for (at, (time, line)) in lines.iter().enumerate() {
            text += &format!("{{\"id\":{},\"ts\":{time},{line}}}\n", at + 1);
        }
        text
    }
}
