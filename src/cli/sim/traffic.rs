//! `egret sim traffic`

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Outcome};
use crate::sim::traffic::{self, LabelType, MAX_DAYS, MAX_TENANTS, Selection, TrafficOptions};

/// Options of `egret sim traffic`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  egret sim traffic --events events.jsonl --labels labels.jsonl --netmap netmap.json\n  \
egret sim traffic --seed 7 --days 35 --tenants 24 --events events.jsonl --labels labels.jsonl\n  egret sim traffic \
--scenario mint_drip:hard --events events.jsonl --labels labels.jsonl\n  egret sim traffic --list\n\nThe same \
options give the same bytes. docs/traffic.md describes the files."
)]
pub struct TrafficArgs {
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days of traffic.
    #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(i64).range(1..=MAX_DAYS))]
    days: i64,
    /// Fintechs that share the stream.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MAX_TENANTS))]
    tenants: u64,
    /// Scenes to play: all, none, attacks, traps, a name, or a name and a difficulty.
    #[arg(long, default_value = "all", value_name = "NAME", value_parser = Selection::parse)]
    scenario: Selection,
    /// Size of the tenants; 1 is near 14,000 events per tenant and day.
    #[arg(long, default_value_t = 1.0, value_parser = parse_volume)]
    volume: f64,
    /// Days before the first attack.
    #[arg(long, value_name = "DAYS", default_value_t = traffic::LEARNING_DAYS, value_parser = clap::value_parser!(i64).range(0..=MAX_DAYS))]
    learning: i64,
    /// Call operations what the provider files call them, not by the short names of the format.
    #[arg(long)]
    catalog_names: bool,
    /// Let attackers act from the services' own addresses, whatever the difficulty.
    #[arg(long)]
    inside: bool,
    /// Where the events go, one JSON object a line.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    events: Option<PathBuf>,
    /// Where the truth goes: tenants, attacks and traps, one JSON object a line.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    labels: Option<PathBuf>,
    /// Where the map of networks goes, as a JSON list.
    #[arg(long, value_name = "FILE")]
    netmap: Option<PathBuf>,
    /// Name the scenes and make nothing.
    #[arg(long)]
    list: bool,
}

fn parse_volume(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(volume) if (0.01..=1_000.0).contains(&volume) => Ok(volume),
        _ => Err("write a number from 0.01 to 1000".to_owned()),
    }
}

/// Makes traffic.
pub(super) fn run(args: &TrafficArgs, out: &mut impl Write) -> Outcome {
    if args.list {
        for (name, label_type) in traffic::scene_names() {
            let what = match label_type {
                LabelType::Attack => "attack",
                LabelType::Trap | LabelType::Tenant => "trap",
            };
            writeln!(out, "{what:<7} {name}")?;
        }
        return Ok(());
    }
    let (Some(events), Some(labels)) = (&args.events, &args.labels) else {
        return Err(Failure::usage("--events and --labels are needed"));
    };
    let mut options = TrafficOptions::new(args.seed);
    options.days = args.days;
    options.tenants = args.tenants;
    options.scenarios = args.scenario.clone();
    options.volume = args.volume;
    options.learning_days = args.learning;
    options.catalog_names = args.catalog_names;
    options.inside = args.inside;
    let mut events_file = create(events)?;
    let mut labels_file = create(labels)?;
    let mut netmap_file = args.netmap.as_deref().map(create).transpose()?;
    let made = traffic::generate(
        &options,
        &mut events_file,
        &mut labels_file,
        netmap_file.as_mut(),
    );
    let made = made
        .and_then(|made| {
            events_file.flush()?;
            labels_file.flush()?;
            netmap_file.iter_mut().try_for_each(Write::flush)?;
            Ok(made)
        })
        .map_err(|error| Failure::new(format!("cannot write the traffic: {error}")))?;
    writeln!(
        out,
        "{} events, {} attacks, {} traps",
        made.events, made.attacks, made.traps
    )?;
    if !made.left_out.is_empty() {
        writeln!(
            out,
            "no room for {} (more days or tenants make room): {}",
            made.left_out.len(),
            made.left_out.join(", ")
        )?;
    }
    Ok(())
}

fn create(path: impl AsRef<Path>) -> Result<BufWriter<File>, Failure> {
    let path = path.as_ref();
    let cannot =
        |error: io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    Ok(BufWriter::with_capacity(
        1 << 20,
        File::create(path).map_err(cannot)?,
    ))
}
