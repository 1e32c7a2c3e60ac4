//! Egret, the audited egress gateway for financial APIs. `ARCHITECTURE.md` draws the house.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that cannot go on says so and fails"
    )
)]

pub mod adapters;
pub mod app;
pub mod cli;
pub mod domain;
pub mod edge;
pub mod sim;
pub mod types;
