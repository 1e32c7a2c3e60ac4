//! Names of figures as OpenTelemetry writes them.

/// A figure's name and unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// With dots: `egret.journal.waiting`, `http.server.request.duration`.
    pub name: String,
    /// In UCUM: `s`, `By`, or empty.
    pub unit: &'static str,
}

/// What names end in by Prometheus' conventions, and the unit that it stands for.
const UNITS: [(&str, &str); 3] = [("_seconds", "s"), ("_bytes", "By"), ("_days", "d")];

impl Named {
    /// From the name that Prometheus reads. Its unit becomes the figure's, and the first word after
    /// `egret` a namespace. Whatever turns figures of OpenTelemetry into Prometheus' own makes the same
    /// name of it again.
    pub fn of(prometheus: &str) -> Self {
        let name = prometheus.strip_suffix("_total").unwrap_or(prometheus);
        let (name, unit) = UNITS
            .iter()
            .find_map(|(ending, unit)| Some((name.strip_suffix(ending)?, *unit)))
            .unwrap_or((name, ""));
        let dotted = if name.starts_with("http_") {
            name.replace('_', ".")
        } else {
            name.replacen('_', ".", 2)
        };
        Self { name: dotted, unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::health::{MetricKind, metrics};

    /// As the specification of OpenTelemetry's Prometheus compatibility says.
    fn as_prometheus(named: &Named, kind: MetricKind) -> String {
        let mut name = named.name.replace('.', "_");
        match named.unit {
            "s" => name.push_str("_seconds"),
            "By" => name.push_str("_bytes"),
            "d" => name.push_str("_days"),
            _ => {}
        }
        if kind == MetricKind::Counter {
            name.push_str("_total");
        }
        name
    }

    #[test]
    fn every_figure_comes_back_under_its_name() {
        for metric in metrics() {
            let named = Named::of(metric.name);
            assert_eq!(as_prometheus(&named, metric.kind), metric.name);
        }
    }

    #[test]
    fn the_names_of_the_conventions_are_as_they_are_there() {
        for (prometheus, name, unit) in [
            (
                "http_server_request_duration_seconds",
                "http.server.request.duration",
                "s",
            ),
            ("egret_journal_waiting_bytes", "egret.journal.waiting", "By"),
            ("egret_mints_total", "egret.mints", ""),
            ("egret_budget_remaining", "egret.budget.remaining", ""),
        ] {
            let named = Named::of(prometheus);
            assert_eq!((named.name.as_str(), named.unit), (name, unit));
        }
    }
}
