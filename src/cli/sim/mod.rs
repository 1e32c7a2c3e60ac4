//! `egret sim`: vendors that are not there, and traffic that never was.

mod traffic;
mod vendor;

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Failure, Outcome};
use crate::sim::Vendor;

/// Options of `egret sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Simulate Cybrid: identity, bank and organization API on one address.
    Cybrid(vendor::VendorArgs),
    /// Simulate the Open Bank Project.
    Obp(vendor::VendorArgs),
    /// Simulate Wyre v2 and v3.
    Wyre(vendor::VendorArgs),
    /// Write weeks of labelled calls, with attacks and harmless events that look like attacks.
    Traffic(traffic::TrafficArgs),
}

/// Runs `egret sim`.
pub fn run(args: &SimArgs, out: &mut impl Write) -> Outcome {
    match &args.what {
        What::Cybrid(args) => vendor::run(Vendor::Cybrid, args, out),
        What::Obp(args) => vendor::run(Vendor::Obp, args, out),
        What::Wyre(args) => vendor::run(Vendor::Wyre, args, out),
        What::Traffic(args) => traffic::run(args, out),
    }
}
