//! Integration tests: the gateway as a process, between real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod admin;
mod bad_input;
mod callers;
mod canary;
mod cli_demo;
mod clients;
mod commands;
mod crash;
mod detect;
mod evidence;
mod export;
mod faults;
mod harness;
mod headers;
mod house;
mod known_tokens;
mod lifecycle;
mod outcomes;
mod postgres;
mod proofs;
mod protocols;
mod readings;
mod redaction;
mod redaction_wired;
mod reports;
mod retention;
mod routing;
mod streaming;
