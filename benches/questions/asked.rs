//! What auditors ask.

use egret::adapters::ledger::Filter;
use egret::types::{Effect, Micros, Outcome, PiiClass};

use super::year::{self, BEGIN, CALLERS, CUSTOMERS, DAY, YEAR, Year};

/// What is asked for beside the first page.
#[derive(Clone, Copy, PartialEq)]
pub enum Also {
    Nothing,
    /// How many calls there are.
    Count,
    /// How many by whom and how they ended.
    ByWhom,
}

/// Its name, what is asked for beside the first page, and the conditions from a number drawn.
pub type Question<'a> = (&'static str, Also, Box<dyn Fn(u64) -> Filter + 'a>);

fn period(drawn: u64, length: i64) -> Filter {
    let from = BEGIN.0 + (drawn % (YEAR - length) as u64) as i64;
    Filter {
        from: Some(Micros(from)),
        to: Some(Micros(from + length)),
        ..Filter::default()
    }
}

fn class(drawn: u64) -> PiiClass {
    let classes = [
        PiiClass::PersonName,
        PiiClass::DateOfBirth,
        PiiClass::BankAccount,
        PiiClass::Financial,
        PiiClass::GovernmentId,
        // In no call at all.
        PiiClass::SecurityQuestion,
    ];
    classes[(drawn % classes.len() as u64) as usize]
}

/// All of them.
pub fn questions(year: &Year) -> Vec<Question<'_>> {
    let none = Filter::default;
    let caller = |drawn: u64| Some(year::caller_name(drawn % CALLERS));
    let reads = |filter: Filter| Filter {
        has_pii: true,
        effect: Some(Effect::Read),
        ..filter
    };
    vec![
        (
            "who touched this customer",
            Also::Count,
            Box::new(move |drawn| Filter {
                subjects: vec![year::customer(drawn % CUSTOMERS)],
                ..none()
            }),
        ),
        (
            "who touched this bank, in a month",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                subjects: vec![year::bank()],
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "every use of this token",
            Also::Count,
            Box::new(move |drawn| Filter {
                fingerprint: Some(year::customer_token(drawn % year.tokens())),
                ..none()
            }),
        ),
        (
            "every use of this bank token",
            Also::Count,
            Box::new(move |drawn| Filter {
                fingerprint: Some(year::bank_token(drawn % CALLERS, (drawn >> 20) % 365)),
                ..none()
            }),
        ),
        (
            "every mint by this caller",
            Also::Count,
            Box::new(move |drawn| Filter {
                mints: true,
                caller: caller(drawn),
                ..none()
            }),
        ),
        (
            "every mint by this caller, in a month",
            Also::Count,
            Box::new(move |drawn| Filter {
                mints: true,
                caller: caller(drawn >> 32),
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "denied or failed, in a day",
            Also::Count,
            Box::new(|drawn| Filter {
                failed: true,
                ..period(drawn, DAY)
            }),
        ),
        (
            "denied or failed, in a month",
            Also::Count,
            Box::new(|drawn| Filter {
                failed: true,
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "denied, in a month",
            Also::Count,
            Box::new(|drawn| Filter {
                decision: Some(egret::types::Decision::Denied),
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "failed authentication, in a month",
            Also::Nothing,
            Box::new(|drawn| Filter {
                auth_failed: true,
                ..period(drawn, 30 * DAY)
            }),
        ),
        (
            "failed calls of this caller, ever",
            Also::Count,
            Box::new(move |drawn| Filter {
                failed: true,
                caller: caller(drawn),
                ..none()
            }),
        ),
        (
            "money with unknown outcome, ever",
            Also::Count,
            Box::new(move |_| Filter {
                outcome: Some(Outcome::Unknown),
                effect: Some(Effect::Money),
                ..none()
            }),
        ),
        (
            "personal data read, in a day",
            Also::Count,
            Box::new(move |drawn| reads(period(drawn, DAY))),
        ),
        (
            "personal data read in a day, by whom",
            Also::ByWhom,
            Box::new(move |drawn| reads(period(drawn, DAY))),
        ),
        (
            "personal data read, in a month",
            Also::Nothing,
            Box::new(move |drawn| reads(period(drawn, 30 * DAY))),
        ),
        (
            "personal data of a class read, in a month",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                pii: vec![class(drawn >> 40)],
                ..reads(period(drawn, 30 * DAY))
            }),
        ),
        (
            "personal data of a class read, ever",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                pii: vec![class(drawn)],
                ..reads(none())
            }),
        ),
        (
            "personal data read by this caller, ever",
            Also::Nothing,
            Box::new(move |drawn| Filter {
                caller: caller(drawn),
                ..reads(none())
            }),
        ),
        (
            "personal data read by this caller, in a month",
            Also::Count,
            Box::new(move |drawn| Filter {
                caller: caller(drawn >> 40),
                ..reads(period(drawn, 30 * DAY))
            }),
        ),
    ]
}
