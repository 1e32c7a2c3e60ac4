//! The bank's rate limits as budgets: who may send next, who waits, who is told to come back.
//!
//! Pure: the time is handed in, and comes from a clock that never goes back. The edge only asks
//! ([`Budget::ask`]), tells ([`Budget::settle`], [`Budget::throttled`]) and wakes whom
//! [`Budget::grant`] names.
//!
//! - [`Window`] counts what the bank counts, so that it never sees more than it allows.
//! - [`Room`] is where calls wait: by priority, fair between callers, each until its deadline.
//! - [`Pressure`] is what the bank's refusals teach: tighten at once, relax slowly.

mod budget;
mod fleet;
mod plan;
mod pressure;
mod room;
mod shares;
mod told;
mod window;
mod wish;

#[cfg(test)]
mod fleet_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod tests;

pub use budget::{Answer, Ask, Budget, BudgetSettings, Granted, Refused, Standing, Throttle};
pub use fleet::{Fleet, FleetSettings, Message, Reply};
pub use plan::{Part, Plan, Plans};
pub use pressure::Pressure;
pub use room::{Full, Room, RoomSettings, Ticket, Waiter};
pub use shares::{Shares, priority_of};
pub use told::Told;
pub use window::Window;
pub use wish::{PATIENCE_FIELD, PRIORITY_FIELD, Wish};
