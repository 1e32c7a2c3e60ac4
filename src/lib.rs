//! Egret, the audited egress gateway for financial APIs. `ARCHITECTURE.md` draws the house.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod cli;
pub mod domain;
pub mod types;
