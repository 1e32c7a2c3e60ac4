//! The reference of all commands is made from what reads them.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory};

use super::Cli;

const HEAD: &str = "\
# Commands

<!-- Made by the test `the_reference_is_up_to_date`, do not edit. -->

What `--help` says of each command. Exit codes: 0 done, 1 not done, 2 not understood. Errors go to standard error; results to
standard output, coloured only on a terminal and never with `NO_COLOR`. `egret completions SHELL` prints a completion script.
";

fn render() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = HEAD.to_owned();
    describe(&mut command, &mut text);
    text
}

/// A command and those below it.
fn describe(command: &mut Command, text: &mut String) {
    // After `build` this is the whole name, as one types it.
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.trim()).unwrap();
    for below in command.get_subcommands_mut() {
        if below.get_name() != "help" {
            describe(below, text);
        }
    }
}

/// `EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date` writes it.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let expected = render();
    if std::env::var_os("EGRET_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    let document = std::fs::read_to_string(&path).unwrap();
    assert!(
        document == expected,
        "docs/cli.md is old: run EGRET_WRITE_DOCS=1 cargo test the_reference_is_up_to_date"
    );
}

/// Flags that clash would only be noticed when somebody uses the command.
#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples() {
    fn check(command: &Command) {
        let below: Vec<_> = command.get_subcommands().collect();
        let is_group = !below.is_empty();
        let help = command
            .get_after_long_help()
            .or(command.get_after_help())
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            is_group || help.contains(&format!("{} ", "egret")),
            "{} has no example",
            command.get_name()
        );
        below.into_iter().for_each(check);
    }
    // The root's subcommands, with clap's own `help` left out: it is made at build time.
    check(&Cli::command());
}
