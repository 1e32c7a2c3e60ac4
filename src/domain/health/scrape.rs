//! What [`prometheus`](super::prometheus) has written, read again: for those who look at a gateway from outside.

use std::collections::BTreeMap;

/// Longest text that is read, in bytes: a gateway with a thousand series has a tenth of it.
pub const MAX_TEXT: usize = 8 << 20;

/// Values at one moment, by name and labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    /// By name, each list in the order of its labels.
    figures: BTreeMap<String, Vec<Figure>>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its labels, in the order in which they stood.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: f64,
}

impl Figure {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A line that is no sample of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no figure in Prometheus' text format")]
pub struct ScrapeFault {
    /// Its number, from 1.
    pub line: usize,
}

impl Scrape {
    /// Reads the text format 0.0.4 without timestamps.
    ///
    /// # Errors
    /// A line is neither a comment nor a sample, or the text is longer than [`MAX_TEXT`].
    pub fn read(text: &str) -> Result<Self, ScrapeFault> {
        if text.len() > MAX_TEXT {
            return Err(ScrapeFault { line: 0 });
        }
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, figure) = sample(line).ok_or(ScrapeFault { line: index + 1 })?;
            all.figures.entry(name.to_owned()).or_default().push(figure);
        }
        for figures in all.figures.values_mut() {
            figures.sort_by(|one, other| one.labels.cmp(&other.labels));
        }
        Ok(all)
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> &[Figure] {
        self.figures.get(name).map_or(&[], Vec::as_slice)
    }

    /// The sum of all values of a name; `None` if there are none.
    pub fn sum(&self, name: &str) -> Option<f64> {
        let all = self.all(name);
        (!all.is_empty()).then(|| all.iter().map(|figure| figure.value).sum())
    }

    /// By how much a counter has grown since an earlier look, over all its series that fit. A series
    /// that has become smaller began anew, so all of it is new.
    pub fn growth(&self, earlier: &Self, name: &str, fits: impl Fn(&Figure) -> bool) -> f64 {
        let figures = self.all(name).iter().filter(|figure| fits(figure));
        // The sum of no floats is -0.0, and would be shown with its sign.
        figures.fold(0.0, |sum, figure| sum + earlier.growth_to(name, figure))
    }

    /// By how much a series has grown since this look.
    fn growth_to(&self, name: &str, later: &Figure) -> f64 {
        let all = self.all(name);
        let at = all.binary_search_by(|figure| figure.labels.cmp(&later.labels));
        match at.ok().and_then(|at| all.get(at)) {
            Some(before) if before.value <= later.value => later.value - before.value,
            _ => later.value,
        }
    }

    /// The value that a part of what a histogram has counted since an earlier look does not exceed;
    /// between the bounds of a bucket it is taken to be spread evenly. `None` if nothing was counted.
    pub fn quantile(
        &self,
        earlier: &Self,
        name: &str,
        part: f64,
        fits: impl Fn(&Figure) -> bool,
    ) -> Option<f64> {
        let name = format!("{name}_bucket");
        let mut bounds: Vec<(f64, f64)> = Vec::new();
        for figure in self.all(&name).iter().filter(|figure| fits(figure)) {
            let bound = figure.label("le").and_then(number)?;
            let grown = earlier.growth_to(&name, figure);
            match bounds.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += grown,
                None => bounds.push((bound, grown)),
            }
        }
        bounds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let total = bounds.last().map(|(_, count)| *count)?;
        if total <= 0.0 {
            return None;
        }
        let wanted = total * part.clamp(0.0, 1.0);
        let (mut low, mut before) = (0.0, 0.0);
        for (bound, count) in bounds {
            if count >= wanted && count > before {
                let within = (wanted - before) / (count - before);
                // Beyond the last bound nothing more is known.
                return Some(if bound.is_finite() {
                    low + (bound - low) * within
                } else {
                    low
                });
            }
            (low, before) = (bound, count);
        }
        None
    }
}

/// `name{a="b",c="d"} 1.5`
fn sample(line: &str) -> Option<(&str, Figure)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = number(rest.strip_prefix(' ')?)?;
    Some((name, Figure { labels, value }))
}

/// A value up to its closing quotation mark, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c @ ('\\' | '"') => value.push(c),
                _ => return None,
            },
            c => value.push(c),
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a what\n# TYPE a counter\na 1\na_b{x=\"1\",y=\"q\\\"\\\\\\n\"} 2.5\n\n";
        let scrape = Scrape::read(text).unwrap();
        assert_eq!(scrape.sum("a"), Some(1.0));
        let figure = &scrape.all("a_b")[0];
        assert_eq!(figure.label("y"), Some("q\"\\\n"));
        assert_eq!(figure.value, 2.5);
        assert_eq!(scrape.sum("none"), None);
    }

    #[test]
    fn what_is_no_sample_is_named_by_its_line() {
        for (line, text) in [
            (1, "a"),
            (2, "a 1\n b 2"),
            (1, "a{x=\"1} 2"),
            (1, "a{x} 2"),
            (1, "a x"),
            (1, "{} 1"),
        ] {
            assert_eq!(Scrape::read(text), Err(ScrapeFault { line }), "{text}");
        }
    }

    #[test]
    fn a_counter_that_began_anew_counts_from_nothing() {
        let read = |text| Scrape::read(text).unwrap();
        let (early, late) = (
            read("c{a=\"1\"} 10\nc{a=\"2\"} 5"),
            read("c{a=\"1\"} 12\nc{a=\"2\"} 3\nc{a=\"3\"} 4"),
        );
        assert_eq!(late.growth(&early, "c", |_| true), 2.0 + 3.0 + 4.0);
        assert_eq!(
            late.growth(&early, "c", |figure| figure.label("a") == Some("1")),
            2.0
        );
    }

    #[test]
    fn a_quantile_is_that_of_what_came_since() {
        let buckets = |a: u32, b: u32, c: u32| {
            let text = format!(
                "h_bucket{{le=\"1\"}} {a}\nh_bucket{{le=\"2\"}} {b}\nh_bucket{{le=\"+Inf\"}} {c}"
            );
            Scrape::read(&text).unwrap()
        };
        let (early, late) = (buckets(100, 100, 100), buckets(100, 110, 110));
        assert_eq!(late.quantile(&early, "h", 0.5, |_| true), Some(1.5));
        assert_eq!(late.quantile(&late, "h", 0.5, |_| true), None);
        let beyond = buckets(100, 100, 120);
        assert_eq!(beyond.quantile(&early, "h", 0.5, |_| true), Some(2.0));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,200}|([a-z]{1,3}(\\{[a-z]=\"[^\\n]{0,4}\"\\})? [0-9.]{1,4}\n){0,5}") {
            let _ = Scrape::read(&text);
        }
    }
}
