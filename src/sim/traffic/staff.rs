//! Which services a tenant has: drawn anew for each, so that no two are alike.

use super::habit::{Batch, Habit, Script, Season, Visits};
use super::operation::Op;
use super::random::Random;

/// What is known of a caller before it is made.
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) habit: Habit,
    pub(super) scopes: u16,
    pub(super) bank_scopes: u16,
    pub(super) replicas: u64,
    /// Addresses: how many, and whether in the office.
    pub(super) pool: u64,
    pub(super) is_office: bool,
    pub(super) sandbox: bool,
    /// Whether phones use the tokens themselves.
    pub(super) has_phones: bool,
}

impl Plan {
    fn new(name: &'static str, habit: Habit, scopes: u16) -> Self {
        Self {
            name,
            habit,
            scopes,
            bank_scopes: 8,
            replicas: 1,
            pool: 1,
            is_office: false,
            sandbox: false,
            has_phones: false,
        }
    }

    fn key(mut self, scopes: u16) -> Self {
        self.bank_scopes = scopes;
        self
    }

    fn replicas(mut self, replicas: u64, pool: u64) -> Self {
        self.replicas = replicas;
        self.pool = pool.max(replicas);
        self
    }

    fn at_office(mut self, pool: u64) -> Self {
        self.is_office = true;
        self.pool = pool;
        self
    }

    fn in_sandbox(mut self) -> Self {
        self.sandbox = true;
        self.pool = 4;
        self
    }
}

/// Which services it has.
pub(super) fn plans(random: &mut Random, volume: f64) -> Vec<Plan> {
    let size = volume * random.lognormal(1.0, 0.55);
    let consumer = random.pick(
        &[Season::Evening, Season::Commute, Season::Business],
        Season::Evening,
    );
    let replicas = random.between(1, 4) as u64;
    let web = Visits {
        per_day: 420.0 * size,
        season: consumer,
        script: random.pick(&[Script::Trading, Script::Banking], Script::Banking),
        steps: (random.range(4.0, 13.0), random.between(1, 3) as u64, 40),
        think_ms: random.range(3_000.0, 12_000.0),
        bounce: random.range(0.01, 0.05),
        keeps: random.chance(0.7),
        pii: random.range(0.0, 0.06),
    };
    let scopes = if web.script == Script::Trading { 2 } else { 3 };
    let mut plans = vec![
        Plan::new("web", Habit::Visits(web), scopes)
            .replicas(replicas, random.between(2, 12) as u64),
        Plan::new(
            "hooks",
            Habit::Hooks {
                per_day: 300.0 * size,
                season: consumer,
            },
            1,
        )
        .key(9)
        .replicas(random.between(1, 2) as u64, 3),
    ];
    if random.chance(0.6) {
        let mobile = Visits {
            per_day: 700.0 * size,
            season: Season::Commute,
            script: random.pick(&[Script::Glance, Script::Trading], Script::Glance),
            steps: (random.range(1.5, 5.0), 1, 14),
            think_ms: 2_500.0,
            bounce: random.range(0.02, 0.08),
            keeps: random.chance(0.5),
            pii: 0.0,
        };
        let scopes = if mobile.script == Script::Glance {
            1
        } else {
            2
        };
        let count = random.between(2, 5) as u64;
        let mut plan =
            Plan::new("mobile", Habit::Visits(mobile), scopes).replicas(count, count * 4);
        plan.has_phones = random.chance(0.2);
        plans.push(plan);
    }
    if random.chance(0.85) {
        let batch = Batch {
            hour: random.between(0, 6),
            minute: random.between(0, 50),
            weekdays_only: random.chance(0.3),
            lists: random.pick(
                &[
                    &[Op::TransfersList, Op::AccountsList] as &[Op],
                    &[Op::TransfersList, Op::TradesList, Op::AccountsList],
                    &[Op::CustomersList, Op::TransfersList],
                ],
                &[Op::TransfersList],
            ),
            pages: (random.range(15.0, 90.0) * volume.min(3.0)) as u64 + 2,
            pause_ms: random.range(900.0, 4_000.0),
            customers: if random.chance(0.45) {
                (random.range(60.0, 400.0) * volume.min(3.0)) as u64 + 5
            } else {
                0
            },
            pii: random.chance(0.2),
        };
        plans.push(Plan::new("recon", Habit::Batch(batch), 1).key(17));
    }
    if random.chance(0.5) {
        let roster = (random.range(60.0, 900.0) * volume.min(3.0)) as u64 + 5;
        let pay = Habit::PayDay {
            roster,
            hour: random.between(5, 11),
            minutes: random.between(15, 55),
        };
        plans.push(Plan::new("payroll", pay, 5).replicas(2, 2));
    }
    if random.chance(0.75) {
        let support = Visits {
            per_day: random.range(25.0, 160.0) * volume.clamp(0.1, 2.0),
            season: random.pick(
                &[Season::Office, Season::Office, Season::LateShift],
                Season::Office,
            ),
            script: Script::Support,
            steps: (random.range(1.0, 3.0), 0, 8),
            think_ms: 20_000.0,
            bounce: random.range(0.03, 0.15),
            keeps: random.chance(0.5),
            pii: random.range(0.3, 0.9),
        };
        let seats = random.between(4, 20) as u64;
        plans.push(
            Plan::new("support", Habit::Visits(support), 4)
                .at_office(seats)
                .replicas(seats.min(6), seats),
        );
    }
    if random.chance(0.8) {
        let new = Visits {
            per_day: 18.0 * size.max(0.3),
            season: consumer,
            script: Script::Onboarding,
            steps: (5.0, 3, 25),
            think_ms: 15_000.0,
            bounce: 0.02,
            keeps: true,
            pii: 0.1,
        };
        plans.push(Plan::new("signup", Habit::Visits(new), 6).replicas(2, 3));
    }
    if random.chance(0.8) {
        let every_s =
            (f64::from(random.pick(&[30, 60, 60, 120, 300], 60)) / volume.clamp(0.05, 1.0)) as i64;
        let ops = random.pick(
            &[
                &[Op::PricesList] as &[Op],
                &[Op::PricesList, Op::SymbolsList],
                &[Op::BanksGet],
            ],
            &[Op::PricesList],
        );
        plans.push(Plan::new("ticker", Habit::Poll { every_s, ops }, 1).key(9));
    }
    if random.chance(0.5) {
        plans.push(
            Plan::new(
                "console",
                Habit::Admin {
                    per_day: random.range(4.0, 16.0),
                },
                1,
            )
            .key(10)
            .at_office(3),
        );
    }
    if random.chance(0.4) {
        let season = random.pick(&[Season::Even, Season::Business], Season::Even);
        let treasury = Habit::Treasury {
            per_hour: random.range(4.0, 40.0) * volume.min(3.0),
            season,
        };
        plans.push(Plan::new("treasury", treasury, 2));
    }
    if random.chance(0.4) {
        let statements = Habit::Statements {
            hour: random.between(1, 8),
            share: random.range(0.2, 0.8),
            pii: random.chance(0.5),
        };
        plans.push(Plan::new("statements", statements, 7));
    }
    if random.chance(0.55) {
        let viewer = Habit::ObpViewer {
            per_day: 160.0 * size,
            season: consumer,
            users: random.between(60, 900) as u64,
        };
        plans.push(Plan::new("aisp", viewer, 0).replicas(2, 4));
        plans.push(
            Plan::new(
                "obp-admin",
                Habit::ObpAdmin {
                    per_day: random.range(3.0, 14.0),
                },
                0,
            )
            .at_office(2),
        );
        if random.chance(0.6) {
            let dauth = Habit::Dauth {
                per_day: random.range(20.0, 200.0) * volume.clamp(0.2, 3.0),
                network: random.pick(&["ETHEREUM", "POLYGON"], "ETHEREUM"),
                contracts: random.between(4, 40) as u64,
            };
            plans.push(Plan::new("dapp", dauth, 0));
        }
    }
    if random.chance(0.45) {
        let wyre = Habit::Wyre {
            per_day: 260.0 * size,
            season: consumer,
            accounts: random.between(30, 500) as u64,
        };
        plans.push(Plan::new("ramp", wyre, 0).replicas(2, 3));
    }
    if random.chance(0.7) {
        let runs = Habit::Pipeline {
            runs_per_day: random.range(4.0, 25.0),
        };
        plans.push(Plan::new("ci", runs, 14).key(14).in_sandbox());
    }
    plans
}
