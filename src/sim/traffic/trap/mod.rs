//! What looks like an attack and is none. Each trap is played once per run (or once per tenant,
//! if asked for by name); everyday life has seasons, pay days, month ends, releases and short
//! faults besides.

mod change;
mod crowd;
mod people;
mod weather;

use super::scene::Scenario;

/// Every trap.
pub(super) const TRAPS: &[&[Scenario]] = &[
    weather::SCENES,
    change::SCENES,
    crowd::SCENES,
    people::SCENES,
];
