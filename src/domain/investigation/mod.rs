//! Everything about one token, caller or customer: where tokens came from, what was done with them,
//! whom it touched, what personal data came back, what money moved.
//!
//! A [`Builder`] is fed the calls that are found, in any order; it ends in a
//! [`Document`](crate::domain::report::Document), as reports do, so that both are written alike.
//! What it keeps is bounded, whatever it is fed.

mod build;
mod call;
mod group;
mod terms;

pub use build::{Builder, MAX_TOKENS};
pub use call::{Call, Subject, Whom};

#[cfg(test)]
mod tests;
