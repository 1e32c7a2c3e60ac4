//! How good alerts are, judged against labels: what was found, how soon, and at what price in
//! false pages.
//!
//! # The rule
//!
//! An alert of severity `medium` or above (or of none) is a *page*; others are notices. A page
//! *fits* an attack if
//!
//! 1. it was raised from the attack's start until [`Terms::grace_ms`] after its end, and
//! 2. it names at least one caller, address, subject, token or target of the attack's.
//!
//! An attack is *found* by the first page that fits; the delay runs from the attack's start to
//! that page. A page that fits no attack is *false*, also if a trap explains it. A page that fits
//! several attacks counts for each, and once among the pages. Categories do not decide: how many
//! first pages had one of the attack's is told apart.
//!
//! An attack that only notices fit counts as missed; how many there were is told.

mod input;
mod judge;
#[cfg(test)]
mod tests;
mod text;

pub use input::{Alert, InputFault, Label, LabelType, Severity, Sort, read_alerts, read_labels};
pub use judge::{Found, KindScore, RuleScore, Score, Share, Terms, TrapScore, judge};
pub use text::{Detail, render};
