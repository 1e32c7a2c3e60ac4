//! The verdict as text for a terminal.

use std::fmt::Write as _;

use super::judge::{Score, Share};

/// What is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// Every attack that was missed.
    pub missed: bool,
}

/// The verdict as lines of text.
pub fn render(score: &Score, detail: Detail) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = overall(&mut out, score);
    let _ = by_rule(&mut out, score);
    let _ = by_kind(&mut out, score);
    let _ = by_trap(&mut out, score);
    if detail.missed {
        let _ = missed(&mut out, score);
    }
    out
}

fn overall(out: &mut String, score: &Score) -> std::fmt::Result {
    let share = |share: Share| format!("{:>6}  {} of {}", percent(share), share.found, share.of);
    writeln!(out, "recall                  {}", share(score.recall))?;
    for word in ["easy", "medium", "hard"] {
        if let Some(found) = score.by_difficulty.get(word) {
            writeln!(out, "  {word:<21} {}", share(*found))?;
        }
    }
    writeln!(out, "precision of pages      {}", share(score.precision))?;
    writeln!(
        out,
        "false pages, learning   {:>6.3}  per tenant and day; {} in {:.0} days",
        score.false_rate_while_learning, score.false_while_learning, score.learning_days
    )?;
    writeln!(
        out,
        "false pages, after      {:>6.3}  per tenant and day; {} in {:.0} days",
        score.false_rate_afterwards, score.false_afterwards, score.days
    )?;
    writeln!(
        out,
        "delay                   {:>6}  half of the attacks found; nine of ten within {}",
        delay(score.median_delay_ms),
        delay(score.late_delay_ms)
    )?;
    writeln!(
        out,
        "pages per attack found  {:>6.2}",
        score.pages_per_attack
    )?;
    writeln!(out, "fitting category        {}", share(score.categories))?;
    writeln!(out, "notices                 {:>6}", score.notices)
}

fn by_rule(out: &mut String, score: &Score) -> std::fmt::Result {
    let width = score
        .by_rule
        .iter()
        .map(|rule| rule.rule.len())
        .max()
        .unwrap_or(0)
        .max(4);
    writeln!(
        out,
        "\n{:<width$}  {:>6} {:>6} {:>9} {:>6} {:>6} {:>9} {:>8}",
        "rule", "pages", "true", "precision", "first", "alone", "learning", "notices"
    )?;
    for rule in &score.by_rule {
        writeln!(
            out,
            "{:<width$}  {:>6} {:>6} {:>9} {:>6} {:>6} {:>9} {:>8}",
            rule.rule,
            rule.pages.of,
            rule.pages.found,
            percent(rule.pages),
            rule.first,
            rule.alone,
            rule.false_while_learning,
            rule.notices
        )?;
    }
    Ok(())
}

fn by_kind(out: &mut String, score: &Score) -> std::fmt::Result {
    let width = score
        .by_kind
        .iter()
        .map(|kind| kind.kind.len())
        .max()
        .unwrap_or(0)
        .max(6);
    writeln!(
        out,
        "\n{:<width$}  {:>7} {:>7} {:>7} {:>8}  found first by",
        "attack", "easy", "medium", "hard", "delay"
    )?;
    for kind in &score.by_kind {
        let of = |word: &str| {
            kind.by_difficulty.get(word).map_or_else(
                || "-".to_owned(),
                |share| format!("{}/{}", share.found, share.of),
            )
        };
        let rules: Vec<String> = kind
            .first_rules
            .iter()
            .map(|(rule, times)| format!("{rule} {times}"))
            .collect();
        writeln!(
            out,
            "{:<width$}  {:>7} {:>7} {:>7} {:>8}  {}",
            kind.kind,
            of("easy"),
            of("medium"),
            of("hard"),
            delay(kind.median_delay_ms),
            rules.join(", ")
        )?;
    }
    Ok(())
}

fn by_trap(out: &mut String, score: &Score) -> std::fmt::Result {
    let loud: Vec<_> = score.by_trap.iter().filter(|trap| trap.pages > 0).collect();
    let quiet: u64 = score.by_trap.iter().map(|trap| trap.quiet).sum();
    let played: u64 = score.by_trap.iter().map(|trap| trap.played).sum();
    writeln!(out, "\ntraps that stayed quiet: {quiet} of {played}")?;
    for trap in loud {
        writeln!(out, "  {:<28} {} false pages", trap.kind, trap.pages)?;
    }
    Ok(())
}

fn missed(out: &mut String, score: &Score) -> std::fmt::Result {
    writeln!(out, "\nmissed")?;
    for attack in score
        .attacks
        .iter()
        .filter(|attack| attack.delay_ms.is_none())
    {
        let notices = match attack.notices {
            0 => String::new(),
            notices => format!(" ({notices} notices)"),
        };
        writeln!(
            out,
            "  {:<6} {}:{} of {} at {}{notices}",
            attack.id, attack.kind, attack.difficulty, attack.tenant, attack.start
        )?;
    }
    Ok(())
}

fn percent(share: Share) -> String {
    if share.of == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", share.ratio() * 100.0)
}

/// Milliseconds for people.
fn delay(ms: Option<i64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms < 100_000 => format!("{:.1} s", ms as f64 / 1e3),
        Some(ms) if ms < 6_000_000 => format!("{:.1} min", ms as f64 / 6e4),
        Some(ms) => format!("{:.1} h", ms as f64 / 3.6e6),
    }
}
