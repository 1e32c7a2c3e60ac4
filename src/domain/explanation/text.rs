//! An explanation for a terminal.

use std::fmt::{self, Write};

use super::{Explanation, Why, number};

/// Longest line, in characters.
const WIDTH: usize = 110;
/// Where the text begins, behind its name.
const INDENT: usize = 14;

/// Writes an explanation. The calls behind it are for the caller to show.
///
/// # Errors
/// The output fails.
pub fn write(out: &mut impl Write, explanation: &Explanation) -> fmt::Result {
    writeln!(out, "{}: {}", explanation.incident, explanation.sentence)?;
    let kept = explanation.why.len();
    let signs = match explanation.signs {
        1 => "one sign".to_owned(),
        many if kept as u64 == many => format!("{many} signs"),
        many => format!("{many} signs, of which {kept} are kept"),
    };
    writeln!(out, "{}, {signs}", explanation.severity.as_str())?;
    for (place, why) in explanation.why.iter().enumerate() {
        writeln!(
            out,
            "\n{}. {}, {}, {}",
            place + 1,
            why.rule,
            why.severity.as_str(),
            why.at
        )?;
        sign(out, why)?;
    }
    Ok(())
}

fn sign(out: &mut impl Write, why: &Why) -> fmt::Result {
    line(out, "said", &why.sentence)?;
    line(out, "looks for", why.looks_for)?;
    line(out, "tells", why.tells)?;
    if let Some(measured) = &why.measured {
        line(
            out,
            "counted",
            &format!(
                "{} in {} seconds",
                number(measured.count),
                measured.window_s
            ),
        )?;
        line(
            out,
            "expected",
            &format!("{}: {}", number(measured.expected), measured.expected_is),
        )?;
        let told = if measured.threshold > 0.0 {
            format!("told from {} on", number(measured.threshold))
        } else {
            "a fixed limit decides".to_owned()
        };
        line(out, "score", &format!("{}; {told}", measured.formula))?;
    }
    if !why.quiet.is_empty() {
        line(out, "quiet", &why.quiet.join("; "))?;
    }
    for (place, setting) in why.settings.iter().enumerate() {
        let name = if place == 0 { "settings" } else { "" };
        line(out, name, &format!("{}: {}", setting.write, setting.does))?;
    }
    Ok(())
}

/// A name and a text behind it, broken between words.
fn line(out: &mut impl Write, name: &str, text: &str) -> fmt::Result {
    if text.is_empty() {
        return Ok(());
    }
    write!(out, "   {name:<width$}", width = INDENT - 3)?;
    let mut column = INDENT;
    let mut is_first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !is_first && column + 1 + length > WIDTH {
            write!(out, "\n{:INDENT$}", "")?;
            column = INDENT;
            is_first = true;
        }
        if !is_first {
            out.write_char(' ')?;
            column += 1;
        }
        out.write_str(word)?;
        column += length;
        is_first = false;
    }
    writeln!(out)
}
