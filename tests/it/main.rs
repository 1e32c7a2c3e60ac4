//! Integration tests: the gateway as a process, between real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so and fails"
)]

mod admin;
mod admin_api;
mod alerts;
mod asking;
mod auditors;
mod bad_input;
mod callers;
mod canary;
mod changes;
mod cli_demo;
mod clients;
mod commands;
mod console;
mod crash;
mod deploy;
mod detect;
mod detection;
mod evidence;
mod export;
mod faults;
mod found_by_subject;
mod harness;
mod headers;
mod house;
mod investigate;
mod known_tokens;
mod lifecycle;
mod limits;
mod lockdown;
mod log_of_commands;
mod outcomes;
mod postgres;
mod postgres_retention;
mod proofs;
mod protocols;
mod readings;
mod redaction;
mod redaction_wired;
mod reload;
mod reports;
mod resilience;
mod retention;
mod routing;
mod service;
mod streaming;
mod surroundings;
mod telemetry;
mod top;
mod traffic;
mod upgrade;
