//! Which format is asked for.

/// A format of figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4: for everybody who does not ask for another.
    #[default]
    Text,
    /// OpenMetrics 1.0.0: units and exemplars, too.
    OpenMetrics,
}

/// Longest list of `Accept` that is read, in bytes; Prometheus sends some 150.
const MAX_ACCEPT: usize = 4 << 10;

/// Quality of a media type in thousandths (RFC 9110, section 12.4.2).
type Quality = u16;

/// A media type that is asked for.
struct Wanted<'a> {
    media: &'a str,
    version: Option<&'a str>,
    quality: Quality,
}

impl Format {
    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that whoever asks likes best, by the values of its `Accept` fields: OpenMetrics if it
    /// is named, in version 1.0.0 or in none, and liked no less than the text format. Nobody is refused,
    /// for an agent that asks for something else reads the text format all the same.
    pub fn of<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let fields = accept.into_iter();
        let ranges = fields
            .filter(|field| field.len() <= MAX_ACCEPT)
            .flat_map(|field| field.split(','));
        let (mut open_metrics, mut text) = (0, 0);
        for wanted in ranges.filter_map(Wanted::read) {
            if wanted
                .media
                .eq_ignore_ascii_case("application/openmetrics-text")
            {
                if wanted.version.is_none_or(|version| version == "1.0.0") {
                    open_metrics = open_metrics.max(wanted.quality);
                }
            } else if ["text/plain", "text/*"]
                .iter()
                .any(|media| wanted.media.eq_ignore_ascii_case(media))
            {
                text = text.max(wanted.quality);
            }
        }
        if open_metrics > 0 && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

impl<'a> Wanted<'a> {
    /// One of the list; `None` if its quality is no number, so that nothing is made of it.
    fn read(range: &'a str) -> Option<Self> {
        let mut parts = range.split(';').map(str::trim);
        let mut wanted = Self {
            media: parts.next()?,
            version: None,
            quality: 1_000,
        };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => wanted.quality = quality(value)?,
                name if name.eq_ignore_ascii_case("version") => wanted.version = Some(value),
                _ => {}
            }
        }
        Some(wanted)
    }
}

fn quality(text: &str) -> Option<Quality> {
    let quality: f64 = text.parse().ok()?;
    (0.0..=1.0)
        .contains(&quality)
        .then_some((quality * 1_000.0) as Quality)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whoever_asks_for_openmetrics_gets_it_and_nobody_else_does() {
        const OM: Format = Format::OpenMetrics;
        const TEXT: Format = Format::Text;
        for (accept, wanted) in [
            // Prometheus 2.42, 3.0; an agent of VictoriaMetrics; curl; a browser.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OM,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OM,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),
            ("*/*", TEXT),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                TEXT,
            ),
            ("application/openmetrics-text", OM),
            (
                "Application/OpenMetrics-Text; Version=\"1.0.0\"; charset=utf-8",
                OM,
            ),
            ("application/openmetrics-text;version=0.0.1", TEXT),
            (
                "application/openmetrics-text;version=2.0.0, text/plain",
                TEXT,
            ),
            ("application/openmetrics-text;q=0", TEXT),
            ("application/openmetrics-text;q=0.3, text/plain;q=0.7", TEXT),
            ("application/openmetrics-text;q=x", TEXT),
            ("", TEXT),
        ] {
            assert_eq!(Format::of([accept]), wanted, "{accept}");
        }
        let two = ["text/plain;q=0.5", "application/openmetrics-text"];
        assert_eq!(Format::of(two), OM);
        assert_eq!(Format::of([]), TEXT);
    }

    proptest! {
        #[test]
        fn any_list_is_read(accept in "[ -~]{0,200}") {
            let format = Format::of([accept.as_str()]);
            prop_assert!(format == Format::Text || accept.to_ascii_lowercase().contains("openmetrics"));
        }
    }
}
