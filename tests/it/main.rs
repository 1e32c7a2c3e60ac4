//! Integration tests: the gateway as a process, between real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod bad_input;
mod callers;
mod canary;
mod cli_demo;
mod clients;
mod commands;
mod crash;
mod evidence;
mod harness;
mod headers;
mod house;
mod known_tokens;
mod lifecycle;
mod outcomes;
mod protocols;
mod redaction;
mod redaction_wired;
mod routing;
mod streaming;
