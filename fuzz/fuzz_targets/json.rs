//! The json surface: see `property.rs`.
#![no_main]

mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(egret::domain::redact::Surface::Json, data));
