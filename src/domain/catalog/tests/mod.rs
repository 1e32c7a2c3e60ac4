//! Tests of the catalog as a whole.

mod builtin;
mod faults;
mod import;
mod matching;
mod registry;
mod shape;

use super::Provider;

/// A provider that is part of the program.
fn provider(id: &str) -> Provider {
    let file = format!("{id}.toml");
    let (_, text) = super::builtin()
        .into_iter()
        .find(|(name, _)| *name == file)
        .unwrap();
    Provider::parse(&file, text).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}
