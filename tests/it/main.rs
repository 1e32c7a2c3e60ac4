//! Integration tests: the gateway as a process, between real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod callers;
mod clients;
mod commands;
mod harness;
mod headers;
mod lifecycle;
mod outcomes;
mod protocols;
mod routing;
mod streaming;
