//! The verdict.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::input::{Alert, Label, LabelType, Sort};

const DAY_MS: i64 = 86_400_000;

/// What the verdict depends on besides the files.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long after its end an attack may still be reported, in milliseconds.
    pub grace_ms: i64,
    /// Days from the start of each tenant that count as learning.
    pub learning_days: i64,
}

impl Default for Terms {
    /// Two hours, since a detector may wait five minutes for the use of a token and sum up an
    /// hour; two weeks.
    fn default() -> Self {
        Self {
            grace_ms: 2 * 3_600_000,
            learning_days: 14,
        }
    }
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many.
    pub found: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// From 0 to 1; none of none is 0.
    pub fn ratio(self) -> f64 {
        if self.of == 0 {
            0.0
        } else {
            self.found as f64 / self.of as f64
        }
    }

    fn count(&mut self, found: bool) {
        self.of += 1;
        self.found += u64::from(found);
    }
}

/// Attacks of one kind.
#[derive(Clone, Debug, Default, Serialize)]
pub struct KindScore {
    /// Kind of attack.
    pub kind: String,
    /// Of all difficulties.
    pub all: Share,
    /// By difficulty, in the order of their names.
    pub by_difficulty: BTreeMap<String, Share>,
    /// Median delay of those found, in milliseconds.
    pub median_delay_ms: Option<i64>,
    /// Rules that found them first, with how often.
    pub first_rules: BTreeMap<String, u64>,
}

/// What one rule said.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RuleScore {
    /// Which rule.
    pub rule: String,
    /// Alerts that wake nobody.
    pub notices: u64,
    /// Pages that fit an attack, and all of them.
    pub pages: Share,
    /// Attacks that it found before any other rule.
    pub first: u64,
    /// Attacks that no other rule found.
    pub alone: u64,
    /// False pages of the learning time.
    pub false_while_learning: u64,
    /// False pages afterwards.
    pub false_afterwards: u64,
}

/// False pages that a kind of trap explains.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrapScore {
    /// Kind of trap.
    pub kind: String,
    /// How many were played.
    pub played: u64,
    /// How many of them stayed quiet.
    pub quiet: u64,
    /// False pages during them.
    pub pages: u64,
}

/// What became of one attack.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The attack's name.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its difficulty.
    pub difficulty: String,
    /// Whose traffic.
    pub tenant: String,
    /// First moment, milliseconds since 1970.
    pub start: i64,
    /// Delay of the first page, in milliseconds; none if there was no page.
    pub delay_ms: Option<i64>,
    /// The rule of the first page.
    pub rule: Option<String>,
    /// Pages that fit.
    pub pages: u64,
    /// Notices that fit.
    pub notices: u64,
}

/// The verdict.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// Attacks found.
    pub recall: Share,
    /// By difficulty.
    pub by_difficulty: BTreeMap<String, Share>,
    /// By kind.
    pub by_kind: Vec<KindScore>,
    /// Pages that fit an attack.
    pub precision: Share,
    /// Alerts that wake nobody.
    pub notices: u64,
    /// Tenants watched.
    pub tenants: u64,
    /// Tenant-days of learning.
    pub learning_days: f64,
    /// Tenant-days afterwards.
    pub days: f64,
    /// False pages of the learning time.
    pub false_while_learning: u64,
    /// False pages afterwards.
    pub false_afterwards: u64,
    /// False pages per tenant and day of learning.
    pub false_rate_while_learning: f64,
    /// False pages per tenant and day afterwards.
    pub false_rate_afterwards: f64,
    /// Median delay of the attacks found, in milliseconds.
    pub median_delay_ms: Option<i64>,
    /// Nine of ten are found sooner, in milliseconds.
    pub late_delay_ms: Option<i64>,
    /// Pages per attack found.
    pub pages_per_attack: f64,
    /// First pages with one of the attack's categories.
    pub categories: Share,
    /// By rule.
    pub by_rule: Vec<RuleScore>,
    /// By kind of trap.
    pub by_trap: Vec<TrapScore>,
    /// Every attack.
    pub attacks: Vec<Found>,
    /// False pages, as places in the list of alerts.
    pub false_pages: Vec<usize>,
}

/// Where labels are looked up by what an alert names.
struct Index<'a> {
    by_name: HashMap<(Sort, &'a str), Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(labels: &'a [Label], label_type: LabelType) -> Self {
        let mut by_name: HashMap<(Sort, &str), Vec<usize>> = HashMap::new();
        for (place, label) in labels.iter().enumerate() {
            if label.label_type == label_type {
                for name in label.names() {
                    by_name.entry(name).or_default().push(place);
                }
            }
        }
        Self { by_name }
    }

    /// Places of the labels that an alert fits, each once and in order.
    fn fitting(&self, labels: &[Label], alert: &Alert, grace_ms: i64) -> Vec<usize> {
        let mut places: Vec<usize> = alert
            .names()
            .filter_map(|name| self.by_name.get(&name))
            .flatten()
            .copied()
            .filter(|place| {
                labels.get(*place).is_some_and(|label| {
                    alert.ts >= label.start && alert.ts <= label.end.saturating_add(grace_ms)
                })
            })
            .collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// Judges alerts by labels; see the module for the rule.
pub fn judge(labels: &[Label], alerts: &[Alert], terms: Terms) -> Score {
    let attacks = Index::new(labels, LabelType::Attack);
    let traps = Index::new(labels, LabelType::Trap);
    let watch = Watch::new(labels, alerts, terms.learning_days);
    let mut score = Score {
        tenants: watch.tenants,
        learning_days: watch.learning_days,
        days: watch.days,
        ..Score::default()
    };
    let mut hits: Vec<Vec<usize>> = vec![Vec::new(); labels.len()];
    let mut notices = vec![0_u64; labels.len()];
    let mut trapped: BTreeMap<usize, u64> = BTreeMap::new();
    let mut rules: BTreeMap<&str, RuleScore> = BTreeMap::new();
    // By time, so that the first page is the earliest, whatever the order of the file.
    let mut order: Vec<usize> = (0..alerts.len()).collect();
    order.sort_by_key(|place| alerts.get(*place).map_or(0, |alert| alert.ts));
    for place in order {
        let Some(alert) = alerts.get(place) else {
            continue;
        };
        let rule = rules.entry(&alert.rule).or_insert_with(|| RuleScore {
            rule: alert.rule.clone(),
            ..RuleScore::default()
        });
        let fitting = attacks.fitting(labels, alert, terms.grace_ms);
        if !alert.severity.is_page() {
            rule.notices += 1;
            score.notices += 1;
            for at in fitting {
                if let Some(count) = notices.get_mut(at) {
                    *count += 1;
                }
            }
            continue;
        }
        rule.pages.count(!fitting.is_empty());
        score.precision.count(!fitting.is_empty());
        for at in &fitting {
            if let Some(pages) = hits.get_mut(*at) {
                pages.push(place);
            }
        }
        if fitting.is_empty() {
            score.false_pages.push(place);
            if watch.is_learning(alert) {
                rule.false_while_learning += 1;
                score.false_while_learning += 1;
            } else {
                rule.false_afterwards += 1;
                score.false_afterwards += 1;
            }
            for at in traps.fitting(labels, alert, terms.grace_ms) {
                *trapped.entry(at).or_default() += 1;
            }
        }
    }
    let mut kinds: BTreeMap<&str, (KindScore, Vec<i64>)> = BTreeMap::new();
    let mut delays = Vec::new();
    let mut pages = 0;
    for (place, label) in labels.iter().enumerate() {
        if label.label_type != LabelType::Attack {
            continue;
        }
        let hits = hits.get(place).map_or(&[] as &[usize], Vec::as_slice);
        let first = hits.first().and_then(|at| alerts.get(*at));
        let delay_ms = first.map(|alert| alert.ts - label.start);
        score.recall.count(first.is_some());
        score
            .by_difficulty
            .entry(label.difficulty.clone())
            .or_default()
            .count(first.is_some());
        let (kind, kind_delays) = kinds.entry(&label.kind).or_default();
        kind.kind.clone_from(&label.kind);
        kind.all.count(first.is_some());
        kind.by_difficulty
            .entry(label.difficulty.clone())
            .or_default()
            .count(first.is_some());
        if let (Some(alert), Some(delay)) = (first, delay_ms) {
            delays.push(delay);
            kind_delays.push(delay);
            pages += hits.len() as u64;
            *kind.first_rules.entry(alert.rule.clone()).or_default() += 1;
            score
                .categories
                .count(label.categories.contains(&alert.category));
            let is_alone = hits.iter().all(|at| {
                alerts
                    .get(*at)
                    .is_some_and(|other| other.rule == alert.rule)
            });
            if let Some(rule) = rules.get_mut(alert.rule.as_str()) {
                rule.first += 1;
                rule.alone += u64::from(is_alone);
            }
        }
        score.attacks.push(Found {
            id: label.id.clone(),
            kind: label.kind.clone(),
            difficulty: label.difficulty.clone(),
            tenant: label.tenant.clone(),
            start: label.start,
            delay_ms,
            rule: first.map(|alert| alert.rule.clone()),
            pages: hits.len() as u64,
            notices: notices.get(place).copied().unwrap_or_default(),
        });
    }
    score.pages_per_attack = ratio(pages as f64, score.recall.found as f64);
    score.median_delay_ms = quantile(&mut delays, 0.5);
    score.late_delay_ms = quantile(&mut delays, 0.9);
    score.false_rate_while_learning = ratio(score.false_while_learning as f64, watch.learning_days);
    score.false_rate_afterwards = ratio(score.false_afterwards as f64, watch.days);
    score.by_kind = kinds
        .into_values()
        .map(|(mut kind, mut delays)| {
            kind.median_delay_ms = quantile(&mut delays, 0.5);
            kind
        })
        .collect();
    score.by_rule = rules.into_values().collect();
    score.by_trap = traps_of(labels, &trapped);
    score
}

fn traps_of(labels: &[Label], trapped: &BTreeMap<usize, u64>) -> Vec<TrapScore> {
    let mut kinds: BTreeMap<&str, TrapScore> = BTreeMap::new();
    for (place, label) in labels.iter().enumerate() {
        if label.label_type == LabelType::Trap {
            let pages = trapped.get(&place).copied().unwrap_or_default();
            let kind = kinds.entry(&label.kind).or_default();
            kind.kind.clone_from(&label.kind);
            kind.played += 1;
            kind.quiet += u64::from(pages == 0);
            kind.pages += pages;
        }
    }
    kinds.into_values().collect()
}

/// Who was watched for how long.
struct Watch<'a> {
    tenants: u64,
    learning_days: f64,
    days: f64,
    /// When learning ends for a caller.
    learned: HashMap<&'a str, i64>,
    /// When it ends for whoever is not listed.
    learned_all: i64,
}

impl<'a> Watch<'a> {
    fn new(labels: &'a [Label], alerts: &[Alert], learning_days: i64) -> Self {
        let learning = learning_days.max(0).saturating_mul(DAY_MS);
        let mut watch = Self {
            tenants: 0,
            learning_days: 0.0,
            days: 0.0,
            learned: HashMap::new(),
            learned_all: i64::MAX,
        };
        for label in labels
            .iter()
            .filter(|label| label.label_type == LabelType::Tenant)
        {
            watch.add(label.start, label.end, learning);
            for caller in &label.callers {
                watch
                    .learned
                    .insert(caller, label.start.saturating_add(learning));
            }
        }
        if watch.tenants == 0 {
            // Without tenants, one is taken to be watched from the first line to the last.
            let moments = labels
                .iter()
                .flat_map(|label| [label.start, label.end])
                .chain(alerts.iter().map(|alert| alert.ts));
            let (start, end) = moments.fold((i64::MAX, i64::MIN), |(low, high), at| {
                (low.min(at), high.max(at))
            });
            if start <= end {
                watch.add(start, end, learning);
            }
        }
        watch
    }

    fn add(&mut self, start: i64, end: i64, learning: i64) {
        let learned = start.saturating_add(learning);
        self.tenants += 1;
        self.learning_days += (learned.min(end) - start).max(0) as f64 / DAY_MS as f64;
        self.days += (end - learned).max(0) as f64 / DAY_MS as f64;
        self.learned_all = self.learned_all.min(learned);
    }

    fn is_learning(&self, alert: &Alert) -> bool {
        let of_caller = alert
            .callers
            .iter()
            .find_map(|caller| self.learned.get(caller.as_str()));
        alert.ts < of_caller.copied().unwrap_or(self.learned_all)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The value below which this share lies.
fn quantile(values: &mut [i64], share: f64) -> Option<i64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((last as f64 * share).round() as usize).copied()
}
