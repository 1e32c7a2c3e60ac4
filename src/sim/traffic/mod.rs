//! Weeks of labelled traffic from a seed: what a gateway would record of several fintechs, with
//! attacks in three difficulties and harmless events that look like attacks.
//!
//! The same options give the same bytes. Nobody is meant: addresses come from 10.0.0.0/8 and from
//! reserved ranges, identifiers are pseudo-random words. `docs/design/detection-evidence.md` says
//! why it is built this way; `docs/traffic.md` how to use it.

mod attack;
mod calendar;
mod caller;
mod event;
mod habit;
mod label;
mod network;
mod operation;
mod random;
mod scene;
mod schedule;
mod site;
mod staff;
mod tenant;
mod tokens;
mod trap;
mod world;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use calendar::{DAY, HOUR};
use label::Label;
use random::Random;
use scene::{Scenario, Scene};
use schedule::Item;
use tenant::Tenant;
use world::World;

pub use label::{Difficulty, LabelType};

/// Days at the start that belong to learning: attacks begin after them.
pub const LEARNING_DAYS: i64 = 14;

/// Most tenants of one run; their names and networks stay distinct below it.
pub const MAX_TENANTS: u64 = 1_000;

/// Most days of one run.
pub const MAX_DAYS: i64 = 400;

/// What to make.
#[derive(Clone, Debug)]
pub struct TrafficOptions {
    /// The same seed gives the same bytes.
    pub seed: u64,
    /// Whole days, from [`TrafficOptions::start`].
    pub days: i64,
    /// How many fintechs share the stream.
    pub tenants: u64,
    /// Which scenes are played.
    pub scenarios: Selection,
    /// First day, as days since 1970-01-01 UTC.
    pub start: i64,
    /// Size of the tenants; 1 is near 14,000 events per tenant and day.
    pub volume: f64,
    /// Operations under the names of Egret's provider files instead of the short ones.
    pub catalog_names: bool,
    /// Days before the first attack.
    pub learning_days: i64,
    /// Thieves act from the services' own addresses, whatever the difficulty; only what leaves
    /// the house by its nature (a stolen token, a stolen key) is used elsewhere. A detector that
    /// knows nothing but new networks finds little then.
    pub inside: bool,
}

impl TrafficOptions {
    /// Four weeks of ten tenants with every scene; begins so that clock changes of Europe and
    /// America and two month ends lie in the weeks after learning.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            days: 28,
            tenants: 10,
            scenarios: Selection::All,
            start: calendar::days_from_civil(2026, 10, 5),
            volume: 1.0,
            catalog_names: false,
            learning_days: LEARNING_DAYS,
            inside: false,
        }
    }
}

/// Which scenes are played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// None: everyday life only.
    None,
    /// Every attack in every difficulty, and every trap.
    All,
    /// Every attack in every difficulty.
    Attacks,
    /// Every trap.
    Traps,
    /// One scene, once in each tenant that it suits; an attack in one or in every difficulty.
    One(&'static str, Option<Difficulty>),
}

impl Selection {
    /// Reads `all`, `none`, `attacks`, `traps`, the name of a scene, or a name and a difficulty
    /// as in `mint_storm:hard`.
    ///
    /// # Errors
    /// A sentence that names what is known.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            "attacks" => return Ok(Self::Attacks),
            "traps" => return Ok(Self::Traps),
            _ => {}
        }
        let (name, difficulty) = match text.split_once(':') {
            None => (text, None),
            Some((name, word)) => {
                let difficulty = Difficulty::ALL
                    .into_iter()
                    .find(|known| known.as_str() == word);
                if difficulty.is_none() {
                    return Err(format!("`{word}` is no difficulty: easy, medium, hard"));
                }
                (name, difficulty)
            }
        };
        match find(name) {
            Some((scenario, _)) => Ok(Self::One(scenario.name, difficulty)),
            None => {
                let names: Vec<_> = scenes().map(|(scenario, _)| scenario.name).collect();
                Err(format!(
                    "no scene is called `{name}`. Write all, none, attacks, traps or one of: {}",
                    names.join(", ")
                ))
            }
        }
    }
}

/// Every scene with what it is.
fn scenes() -> impl Iterator<Item = (&'static Scenario, LabelType)> {
    let attacks = attack::ATTACKS.iter().flat_map(|group| group.iter());
    let traps = trap::TRAPS.iter().flat_map(|group| group.iter());
    attacks
        .map(|scenario| (scenario, LabelType::Attack))
        .chain(traps.map(|scenario| (scenario, LabelType::Trap)))
}

fn find(name: &str) -> Option<(&'static Scenario, LabelType)> {
    scenes().find(|(scenario, _)| scenario.name == name)
}

/// Names of all scenes, with what each is.
pub fn scene_names() -> Vec<(&'static str, LabelType)> {
    scenes()
        .map(|(scenario, label_type)| (scenario.name, label_type))
        .collect()
}

/// What was made.
#[derive(Clone, Debug, Default)]
pub struct TrafficSummary {
    /// Lines of events.
    pub events: u64,
    /// Attacks that were played.
    pub attacks: u64,
    /// Traps that were played.
    pub traps: u64,
    /// Scenes that found no room: more tenants or days would help.
    pub left_out: Vec<String>,
}

/// Writes events, labels and, if wanted, the map of networks.
///
/// # Errors
/// Whatever the writers answer.
pub fn generate(
    options: &TrafficOptions,
    events: &mut impl Write,
    labels: &mut impl Write,
    netmap: Option<&mut impl Write>,
) -> io::Result<TrafficSummary> {
    let start = options.start * DAY;
    let end = start + options.days.clamp(1, MAX_DAYS) * DAY;
    let mut world = World::new(start, end, options.catalog_names);
    let mut tenants: Vec<Tenant> = (0..options.tenants.clamp(1, MAX_TENANTS))
        .map(|index| Tenant::new(&mut world, options.seed, index, options.volume, start, end))
        .collect();
    for tenant in &tenants {
        world.label(tenant_label(&world, tenant, start, end));
    }
    let learned = start + options.learning_days.clamp(0, options.days) * DAY;
    let mut random = Random::new(options.seed, &[2]);
    let items = items(&options.scenarios, tenants.len(), &mut random);
    let (plan, left_out) =
        schedule::plan(&world, &tenants, &items, (start, learned, end), &mut random);
    let mut summary = TrafficSummary {
        left_out,
        ..TrafficSummary::default()
    };
    let mut next = plan.into_iter().peekable();
    let mut hour = start;
    while hour < end {
        let mut late = Vec::new();
        while let Some(planned) = next.next_if(|planned| planned.at < hour + HOUR) {
            let label = open(&mut world, &tenants, &planned);
            // What changes everyday life must be known before the hour; a thief needs what the
            // hour brings.
            if planned.label_type == LabelType::Trap || planned.scenario.name.starts_with("silence")
            {
                play(&mut world, &mut tenants, &planned, label, options);
            } else {
                late.push((planned, label));
            }
        }
        for tenant in &mut tenants {
            tenant.step(&mut world, hour);
        }
        for (planned, label) in late {
            play(&mut world, &mut tenants, &planned, label, options);
        }
        world.close_hour(events)?;
        hour += HOUR;
    }
    for label in world.labels.iter().filter(|label| !label.is_void()) {
        match label.label_type {
            LabelType::Attack => summary.attacks += 1,
            LabelType::Trap => summary.traps += 1,
            LabelType::Tenant => {}
        }
        label.write(labels)?;
    }
    if let Some(netmap) = netmap {
        world.map.write(netmap)?;
    }
    summary.events = world.written();
    Ok(summary)
}

/// What is to be played, in an order of chance.
fn items(selection: &Selection, tenants: usize, random: &mut Random) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for (scenario, label_type) in scenes() {
        let times = match selection {
            Selection::None => 0,
            Selection::All => 1,
            Selection::Attacks => usize::from(label_type == LabelType::Attack),
            Selection::Traps => usize::from(label_type == LabelType::Trap),
            Selection::One(name, _) if *name == scenario.name => tenants,
            Selection::One(..) => 0,
        };
        for difficulty in Difficulty::ALL {
            let wanted = match selection {
                Selection::One(_, Some(only)) => *only == difficulty,
                _ => true,
            };
            // A trap has no difficulty: it is played once.
            if wanted && (label_type == LabelType::Attack || difficulty == Difficulty::Medium) {
                items.extend(std::iter::repeat_n(
                    (scenario, difficulty, label_type),
                    times,
                ));
            }
        }
    }
    for place in (1..items.len()).rev() {
        let other = random.below(place as u64 + 1) as usize;
        items.swap(place, other);
    }
    items.sort_by_key(|(scenario, difficulty, label_type)| {
        let [easy, medium, hard] = scenario.hours;
        let lasts = difficulty.of(easy, medium, hard);
        // Long ones find room only early.
        (
            *label_type != LabelType::Attack,
            std::cmp::Reverse(lasts / 24),
        )
    });
    items
}

fn tenant_label(world: &World, tenant: &Tenant, start: i64, end: i64) -> Label {
    let mut label = Label::new(LabelType::Tenant, "tenant", &tenant.site.name, start);
    label.id = format!("tenant-{}", tenant.site.name);
    label.end = end;
    label.is_fixed = true;
    label.callers.extend(
        tenant
            .callers
            .iter()
            .map(|caller| world.caller_name(caller.id).to_owned()),
    );
    label
}

/// Opens the label of a scene.
fn open(world: &mut World, tenants: &[Tenant], planned: &schedule::Planned) -> u32 {
    let name = tenants
        .get(planned.tenant)
        .map_or("", |tenant| tenant.site.name.as_str());
    let mut label = Label::new(planned.label_type, planned.scenario.name, name, planned.at);
    label.categories = planned.scenario.categories;
    let letter = if planned.label_type == LabelType::Attack {
        label.difficulty = Some(planned.difficulty);
        'a'
    } else {
        'b'
    };
    label.id = format!("{letter}{}", world.labels.len() + 1 - tenants.len());
    world.label(label)
}

fn play(
    world: &mut World,
    tenants: &mut [Tenant],
    planned: &schedule::Planned,
    label: u32,
    options: &TrafficOptions,
) {
    let Some(tenant) = tenants.get_mut(planned.tenant) else {
        return;
    };
    let mut scene = Scene {
        world,
        tenant,
        who: planned.who,
        at: planned.at,
        difficulty: planned.difficulty,
        inside: options.inside,
        random: Random::new(options.seed, &[3, u64::from(label), planned.at as u64]),
        label,
    };
    (planned.scenario.play)(&mut scene);
}
