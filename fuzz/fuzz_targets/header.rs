//! The surface `header`: see `property.rs`.
#![no_main]

mod property;

use egret::domain::redact::Surface;

libfuzzer_sys::fuzz_target!(|data: &[u8]| property::check(Surface::Header, data));
