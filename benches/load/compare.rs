//! The comparison: each proxy in turn for a short slice, round after round, so that whatever else
//! the machine does meanwhile meets all of them alike.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::client::{Load, Measured};
use crate::ledger::Ledger;
use crate::proxies::{Kind, Place, Stage, probe, tell};
use crate::{Failure, WARM_UP, client, ledger, paced, report, samples};

/// What to compare, and for how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rounds; each measures every proxy twice
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of one measurement in seconds
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Calls per second of the measurements at a fixed rate
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Connections, each with one call at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Size of the answers in bytes
    #[arg(long, default_value_t = samples::BODY_BYTES)]
    body: usize,
    /// What to measure
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "direct,bare,nginx,egret,egret-telemetry,egret-strict,egret-process-safe,egret-shed"
    )]
    only: Vec<Kind>,
    /// The gateway's program; the one built beside this one if left out
    #[arg(long)]
    egret: Option<PathBuf>,
    /// The pass-through's program; the one built beside this one if left out
    #[arg(long)]
    bare: Option<PathBuf>,
}

/// One proxy with all that was measured of it, one entry a round.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    place: Place,
    /// Egret's ledger.
    ledger: Option<PathBuf>,
    pub(crate) fastest: Vec<Measured>,
    pub(crate) paced: Vec<Measured>,
}

impl Subject {
    fn measurements(&self) -> impl Iterator<Item = &Measured> {
        self.fastest.iter().chain(&self.paced)
    }

    fn errors(&self) -> u64 {
        self.measurements().map(Measured::errors).sum()
    }

    fn first_error(&self) -> Option<&str> {
        self.measurements()
            .find_map(|measured| measured.first_error.as_deref())
    }
}

/// Starts everything, measures, prints.
///
/// # Errors
/// Something does not start, calls have failed, or the ledger does not hold what was called.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let programs = std::env::current_exe()?;
    let programs = programs.parent().ok_or("this program has no directory")?;
    let stage = Stage::new(programs)?;
    let origin = stage.origin(arguments.body)?;
    let collector = match arguments.only.contains(&Kind::EgretTelemetry) {
        true => Some(stage.collector()?),
        false => None,
    };
    let mut subjects = Vec::new();
    for kind in Kind::value_variants().iter().copied() {
        if !arguments.only.contains(&kind) {
            continue;
        }
        let mut ledger = None;
        let place = match kind {
            Kind::Direct => Some(origin),
            Kind::Bare => {
                let beside = programs.join("bare_pingora");
                let program = built(arguments.bare.as_deref(), &beside)?;
                Some(stage.bare(&program, origin.address)?)
            }
            Kind::Nginx => stage.nginx(origin.address)?,
            Kind::Egret
            | Kind::EgretTelemetry
            | Kind::EgretStrict
            | Kind::EgretProcessSafe
            | Kind::EgretShed => {
                let beside = programs.join("../egret");
                let program = built(arguments.egret.as_deref(), &beside)?;
                let told = collector.filter(|_| kind == Kind::EgretTelemetry);
                let (place, path) = stage.egret(kind, &program, origin.address, told)?;
                ledger = Some(path);
                Some(place)
            }
        };
        let Some(place) = place else {
            tell("!! nginx is not installed and left out (Debian: apt-get install nginx-light)");
            continue;
        };
        let requests = samples::requests(place.address)?;
        let request = requests.first().ok_or("there are no requests")?;
        probe(place.address, request).map_err(|error| format!("{}: {error}", kind.name()))?;
        subjects.push(Subject {
            kind,
            place,
            ledger,
            fastest: Vec::new(),
            paced: Vec::new(),
        });
    }
    measure(arguments, origin, &mut subjects)?;
    report::print(arguments.rate, arguments.connections, &subjects)?;
    let mut faults: Vec<String> = subjects.iter().filter_map(failed_calls).collect();
    for subject in &subjects {
        if let Some(path) = &subject.ledger {
            faults.extend(check_ledger(&stage, subject, path)?);
        }
    }
    if let Some(collector) = collector {
        let told = subjects.iter().find(|one| one.kind == Kind::EgretTelemetry);
        let calls: u64 = told.map_or(0, |one| one.measurements().map(|each| each.answered).sum());
        let spans = stage.end_collector(collector)?;
        // A call and its one attempt; and a collector that is too slow is not waited for.
        tell(&format!(
            "the collector was told {spans} spans of {calls} calls"
        ));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(faults.join("\n").into())
}

fn failed_calls(subject: &Subject) -> Option<String> {
    let answered: u64 = subject.measurements().map(|one| one.refused).sum();
    let broken: u64 = subject.measurements().map(|one| one.broken).sum();
    let first = subject.first_error()?;
    Some(format!(
        "{}: {answered} calls were answered with an error, {broken} not at all; the first: {first}",
        subject.kind.name(),
    ))
}

fn built(named: Option<&Path>, beside: &Path) -> Result<PathBuf, Failure> {
    let path = named.unwrap_or(beside);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let path = path.display();
    Err(format!("there is no {path}: `make bench` builds it").into())
}

fn measure(arguments: &Arguments, origin: Place, subjects: &mut [Subject]) -> Result<(), Failure> {
    let duration = Duration::try_from_secs_f64(arguments.seconds)?;
    let slices = arguments.rounds * subjects.len() * 2;
    tell(&format!(
        "measuring for about {} s",
        ((duration + WARM_UP) * u32::try_from(slices)?).as_secs(),
    ));
    for _ in 0..arguments.rounds {
        for subject in subjects.iter_mut() {
            let direct = subject.kind == Kind::Direct;
            let load = Load {
                address: subject.place.address,
                requests: samples::requests(subject.place.address)?,
                connections: arguments.connections.max(1),
                warm_up: WARM_UP,
                duration,
                pid: (!direct).then_some(subject.place.pid),
                origin: Some(origin.pid),
            };
            subject.fastest.push(client::saturate(&load)?);
            subject.paced.push(paced::drive(&load, arguments.rate)?);
        }
        // Each round begins with another one: what follows a heavy one is not always the same.
        subjects.rotate_left(1.min(subjects.len()));
    }
    subjects.sort_by_key(|subject| subject.kind as usize);
    Ok(())
}

/// Ends Egret and compares its ledger with the calls that were made; says what does not fit.
fn check_ledger(stage: &Stage, subject: &Subject, path: &Path) -> Result<Option<String>, Failure> {
    let name = subject.kind.name();
    stage.end(subject.place.pid)?;
    let Ledger {
        rows,
        complete,
        bytes,
    } = ledger::read(path)?;
    // One more: the probe.
    let answered = 1 + subject.measurements().map(|one| one.answered).sum::<u64>();
    let broken: u64 = subject.measurements().map(|one| one.broken).sum();
    report::ledger(name, rows, complete, answered, bytes)?;
    // A call that was broken off can have come to be recorded or not.
    if !(answered..=answered + broken).contains(&rows) {
        return Ok(Some(format!(
            "{name}: the ledger holds {rows} rows for {answered} answered calls"
        )));
    }
    if complete < answered.saturating_sub(subject.errors()) {
        return Ok(Some(format!(
            "{name}: only {complete} of {rows} rows tell the operation, the token, the caller and success"
        )));
    }
    Ok(None)
}
