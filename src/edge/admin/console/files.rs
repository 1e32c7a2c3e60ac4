//! Every file of the console, compiled in. A test compares this list with the directory.

/// The page; what stands in it for addresses is filled in by `Console::new`.
pub(super) const INDEX: &str = include_str!("index.html");

macro_rules! files {
    ($($name:literal,)*) => {
        /// The other files: the name behind the hash, and what is in them.
        pub(super) const FILES: &[(&str, &str)] = &[$(($name, include_str!($name)),)*];
    };
}

files! {
    "app.js",
    "boot.js",
    "icon.svg",
    "lib/api.js",
    "lib/dom.js",
    "lib/format.js",
    "lib/hooks.js",
    "lib/icons.js",
    "lib/keys.js",
    "lib/plot.js",
    "lib/pulse.js",
    "lib/router.js",
    "lib/session.js",
    "lib/theme.js",
    "lib/ui.js",
    "pages/call.js",
    "pages/calls.js",
    "pages/compliance.js",
    "pages/incidents.js",
    "pages/now.js",
    "pages/parts/call.js",
    "pages/parts/filters.js",
    "pages/parts/incident.js",
    "pages/parts/report.js",
    "pages/parts/search.js",
    "pages/policy.js",
    "pages/signin.js",
    "pages/tokens.js",
    "style/base.css",
    "style/parts.css",
    "style/shell.css",
    "style/tokens.css",
    "vendor/htm.js",
    "vendor/preact-hooks.js",
    "vendor/preact.js",
    "vendor/uplot.css",
    "vendor/uplot.js",
}
