//! Who is attacked or trapped when: spread over tenants and days, so that scenes of one tenant do
//! not run into each other.

use super::calendar::{DAY, HOUR, MINUTE};
use super::label::{Difficulty, LabelType};
use super::random::Random;
use super::scene::{Scenario, When};
use super::tenant::Tenant;
use super::world::World;

/// Quiet hours after a scene, so that an incident can close before the next one.
const APART: i64 = 9 * HOUR;

/// A scene that will be played.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    pub(super) at: i64,
    pub(super) tenant: usize,
    pub(super) who: usize,
    pub(super) scenario: &'static Scenario,
    pub(super) difficulty: Difficulty,
    pub(super) label_type: LabelType,
}

/// What to place.
pub(super) type Item = (&'static Scenario, Difficulty, LabelType);

/// Places items between two moments; gives the plan in order of time, and what found no room.
pub(super) fn plan(
    world: &World,
    tenants: &[Tenant],
    items: &[Item],
    windows: (i64, i64, i64),
    random: &mut Random,
) -> (Vec<Planned>, Vec<String>) {
    let (start, learned, end) = windows;
    let mut plan: Vec<Planned> = Vec::new();
    let mut taken: Vec<Vec<(i64, i64)>> = vec![Vec::new(); tenants.len()];
    let mut left = Vec::new();
    // Attacks first: traps may also stand in the weeks before.
    for (scenario, difficulty, label_type) in items {
        let [easy, medium, hard] = scenario.hours;
        let lasts = i64::from(difficulty.of(easy, medium, hard)) * HOUR;
        let from = if *label_type == LabelType::Attack {
            learned
        } else {
            start + 2 * DAY
        };
        let able: Vec<(usize, usize)> = tenants
            .iter()
            .enumerate()
            .filter_map(|(place, tenant)| {
                let who = scenario
                    .needs
                    .iter()
                    .find_map(|name| tenant.find(world, name))?;
                Some((place, who))
            })
            .collect();
        let mut found = None;
        for _ in 0..400 {
            let Some((place, who)) = random.pick_some(&able) else {
                break;
            };
            let Some(tenant) = tenants.get(place) else {
                continue;
            };
            let room = end - lasts - 2 * HOUR - from;
            if room <= 0 {
                break;
            }
            let at = moment(
                tenant,
                from + random.below(room as u64) as i64,
                scenario.when,
                *difficulty,
                random,
            );
            if at < from || at + lasts + HOUR > end {
                continue;
            }
            let Some(spans) = taken.get_mut(place) else {
                continue;
            };
            let is_free = spans
                .iter()
                .all(|(begin, over)| at + lasts + APART < *begin || at > *over + APART);
            if is_free {
                spans.push((at, at + lasts));
                found = Some((at, place, who));
                break;
            }
        }
        match found {
            Some((at, tenant, who)) => plan.push(Planned {
                at,
                tenant,
                who,
                scenario,
                difficulty: *difficulty,
                label_type: *label_type,
            }),
            None => left.push(format!("{}:{}", scenario.name, difficulty.as_str())),
        }
    }
    plan.sort_by_key(|planned| planned.at);
    (plan, left)
}

/// Moves a moment to an hour that suits.
fn moment(
    tenant: &Tenant,
    at: i64,
    when: When,
    difficulty: Difficulty,
    random: &mut Random,
) -> i64 {
    let zone = tenant.site.zone;
    let hours = match when {
        When::Work => (10, 15),
        When::WorkMorning => (8, 9),
        When::Night => (1, 3),
        // The quiet ones hide in busy hours.
        When::Any if difficulty == Difficulty::Hard => (9, 19),
        When::Any => return at,
    };
    let mut day = at;
    while when != When::Any && zone.local(day).is_weekend() {
        day += DAY;
    }
    zone.at_local(day, random.between(hours.0, hours.1), random.between(1, 50))
        + random.below(MINUTE as u64) as i64
}
