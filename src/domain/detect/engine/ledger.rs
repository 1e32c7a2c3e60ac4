//! Rows in the order in which the ledger has them, and the time that passes between them.
//!
//! A row is written when its call is over, so a slow call comes after faster ones that began later,
//! and in a quiet hour nothing comes at all. Live detection must let time pass all the same, and
//! what it says must be what a replay of the same rows says. So time is moved by a rule that both
//! can keep: before a row is judged, up to [`LATE`] before its call was over; with no row, up to
//! [`LATE`] and [`UNSEEN`] before the wall clock. As long as a row can be seen within [`UNSEEN`] of
//! its call's end, time never passed a point that the row itself would not have moved it to.

use serde::{Deserialize, Serialize};

use super::{Detection, LONGEST_GAP};
use crate::domain::detect::alert::Alert;
use crate::domain::detect::place::NetworkMap;
use crate::domain::detect::row::Row;

/// How long a call may last and still count as of its beginning, in milliseconds: few last longer.
const LATE: i64 = 5_000;
/// Within how many milliseconds of a call's end its row is in the ledger, where it is being fed: it
/// takes a quarter of a second, and the clocks of a fleet may differ by a few seconds.
const UNSEEN: i64 = 5_000;
/// Longest call whose end is believed, in milliseconds: a day.
const LONGEST_CALL: i64 = 86_400_000;

/// A place in the ledger, behind a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The row's number; 0 for the beginning.
    pub seq: i64,
    /// The id of its call, by which another ledger is known; `None` if there is no such row.
    pub call: Option<[u8; 16]>,
}

impl Detection {
    /// Takes in a row of the ledger; rows must come in the order of their numbers. Appends what is
    /// to be told.
    pub fn observe_row(&mut self, row: &Row, map: &dyn NetworkMap, told: &mut Vec<Alert>) {
        if !row.is_call() {
            return;
        }
        let event = row.event();
        let is_credible = self
            .state
            .clock
            .is_none_or(|clock| event.at.saturating_sub(clock) <= LONGEST_GAP);
        if let Some(done) = row.completed_at().filter(|_| is_credible)
            && self.state.clock.is_some()
        {
            let done = done.min(event.at.saturating_add(LONGEST_CALL));
            self.advance(done.saturating_sub(LATE), told);
        }
        self.observe(&event, map, told);
    }

    /// Lets time pass after the last row of the ledger was taken in and none has come since; `now`
    /// is the wall clock in milliseconds since 1970. Only while the ledger is being fed: what is
    /// missing for another reason must not look like silence.
    pub fn pass_time(&mut self, now: i64, told: &mut Vec<Alert>) {
        if self.state.clock.is_some() {
            self.advance(now.saturating_sub(LATE + UNSEEN), told);
        }
    }

    /// The newest moment that was seen, in milliseconds since 1970; `None` before the first event.
    #[must_use]
    pub fn clock(&self) -> Option<i64> {
        self.state.clock
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::detect::place::NoMap;
    use crate::domain::detect::settings::Settings;

    /// Cold mints and a few uses: begun at, lasting, and which customer.
    fn row(number: u32, begun: i64, lasts: i64, customer: u32) -> Row {
        let mints = !number.is_multiple_of(3);
        let line = json!({
            "call_id": format!("019a2b3c-4d5e-7f60-8123-{number:012x}"),
            "received_at": begun * 1000, "completed_at": (begun + lasts) * 1000,
            "caller": "app", "caller_address": "192.0.2.1:5", "provider": "cybrid",
            "environment": "production",
            "operation": if mints { "identity.create_customer_token" } else { "bank.list_trades" },
            "effect": if mints { "mint" } else { "read" },
            "token_type": if mints { "bank" } else { "customer" },
            "token_fingerprint": "aa".repeat(16),
            "subjects": [{ "kind": "customer", "role": "request", "subject": format!("{customer:032x}") }],
            "minted_kind": mints.then_some("customer_access_token"),
            "minted_fingerprint": mints.then(|| format!("{number:032x}")),
            "decision": "forwarded", "outcome": "success", "status": 200,
        });
        Row::read(line.to_string().as_bytes()).unwrap()
    }

    const START: i64 = 2_000_000_000_000;

    /// What two quiet weeks before [`START`] teach.
    fn learned() -> &'static [u8] {
        static LEARNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let mut detection = Detection::new(Settings::default());
            let mut told = Vec::new();
            for n in 0..2_000_u32 {
                let at = START - 15 * 86_400_000 + i64::from(n / 2) * 1_200_000;
                detection.observe_row(&row(3 * n + n % 2, at, 50, n % 100), &NoMap, &mut told);
            }
            let mut bytes = Vec::new();
            detection.snapshot(&mut bytes).unwrap();
            bytes
        });
        &LEARNED
    }

    /// What is told of rows in the order of their ends. With `looks`, a follower looks at these
    /// times after the last row that he could see: each row `delay` after its end.
    fn told(rows: &[(i64, i64, u32)], looks: &[i64], delay: i64) -> Vec<String> {
        let mut order: Vec<_> = rows.iter().enumerate().collect();
        order.sort_by_key(|(_, (begun, lasts, _))| begun + lasts);
        let mut detection = Detection::restore(Settings::default(), learned()).unwrap();
        let mut told = Vec::new();
        let mut looks = looks.iter().copied().peekable();
        for (number, (begun, lasts, customer)) in order {
            let seen_at = begun + lasts + delay;
            while let Some(look) = looks.next_if(|look| *look < seen_at) {
                detection.pass_time(look, &mut told);
            }
            let row = row(number as u32, *begun, *lasts, *customer);
            detection.observe_row(&row, &NoMap, &mut told);
        }
        detection.advance(START + 4_000_000, &mut told);
        told.iter()
            .map(|alert| serde_json::to_string(alert).unwrap())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn looking_while_nothing_comes_changes_nothing(
            rows in prop::collection::vec((0..2_000_000i64, 0..200_000i64, 0..400u32), 1..400),
            mut looks in prop::collection::vec(0..2_500_000i64, 0..200),
            delay in 0..UNSEEN,
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(at, lasts, whom)| (START + at, lasts, whom)).collect();
            looks.iter_mut().for_each(|look| *look += START);
            looks.sort_unstable();
            prop_assert_eq!(told(&rows, &looks, delay), told(&rows, &[], 0));
        }
    }

    #[test]
    fn such_rows_are_told_of() {
        // Else the property says nothing.
        let rows: Vec<_> = (0..600).map(|n| (START + n * 500, 100, n as u32)).collect();
        let told = told(&rows, &[], 0).concat();
        assert!(told.contains("mint-sweep"), "{told}");
    }

    #[test]
    fn time_does_not_begin_by_itself() {
        let mut detection = Detection::new(Settings::default());
        detection.pass_time(2_000_000_000_000, &mut Vec::new());
        assert_eq!(detection.clock(), None);
    }
}
