//! Events from a file or a pipe, a line each.

use std::io::{BufRead, BufReader, Read, Write};

use super::{BUFFER, Judge};
use crate::cli::{Failure, Outcome};
use crate::domain::detect::{Line, LineFault, MAX_LINE, Row};

/// Shows the detectors what is read, to the end. The first line tells which of the two forms it is.
///
/// # Errors
/// A line is no event and `lenient` is not set; or the input or the output fails.
pub(super) fn run(
    judge: &mut Judge<'_>,
    input: impl Read,
    lenient: bool,
    out: &mut impl Write,
) -> Outcome {
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut line = Vec::with_capacity(1024);
    let mut of_ledger = None;
    loop {
        line.clear();
        // One byte more than is allowed tells a line that is too long from one that fits.
        let mut limited = (&mut input).take(MAX_LINE as u64 + 2);
        let read = limited.read_until(b'\n', &mut line).map_err(|error| {
            Failure::new(format!(
                "cannot read line {}: {error}",
                judge.count.read + 1
            ))
        })?;
        if read == 0 {
            return Ok(());
        }
        judge.count.read += 1;
        if line.len() > MAX_LINE && !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let done = if *of_ledger.get_or_insert_with(|| is_of_ledger(text)) {
            Row::read(text).map(|row| judge.row(&row))
        } else {
            let number = judge.count.read;
            Line::read(text).map(|line| judge.event(&line.event(number)))
        };
        match done {
            Ok(()) => {}
            Err(_) if lenient => judge.count.faulty += 1,
            Err(fault) => return Err(refusal(judge.count.read, &fault)),
        }
        judge.write(out)?;
    }
}

fn refusal(line: u64, fault: &LineFault) -> Failure {
    Failure::new(format!(
        "line {line}: {fault}; --lenient goes on after such lines"
    ))
}

/// Whether a line is a row of the ledger. Only those have a `received_at`.
fn is_of_ledger(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"\"received_at\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::super::Count;
    use super::*;
    use crate::domain::detect::{Detection, NoMap, Settings};

    fn replay(text: &str, lenient: bool) -> (Result<(), String>, Count) {
        let mut detection = Detection::new(Settings::default());
        let mut judge = Judge::new(&mut detection, &NoMap, (0, 1_000));
        let done = run(&mut judge, text.as_bytes(), lenient, &mut Vec::new());
        (done.map_err(|failure| failure.message), judge.count)
    }

    #[test]
    fn a_faulty_line_is_named_by_its_number() {
        let text = "{\"ts\":1}\n\n  \n{\"ts\":2,\"x\":[{}]}\nnonsense\n{\"ts\":3}";
        let (done, count) = replay(text, false);
        let message = done.unwrap_err();
        assert!(
            message.starts_with("line 5: it is not JSON (column "),
            "{message}"
        );
        assert_eq!(count.read, 5);
        let (done, count) = replay(text, true);
        assert_eq!(done, Ok(()));
        assert_eq!((count.read, count.faulty), (6, 1));
    }

    #[test]
    fn a_line_without_end_is_a_fault_and_the_next_is_read() {
        let text = format!(
            "{{\"ts\":1,\"x\":\"{}\"}}\n{{\"ts\":2}}\n",
            "y".repeat(3 * MAX_LINE)
        );
        let (done, count) = replay(&text, true);
        assert_eq!(done, Ok(()));
        assert_eq!((count.read, count.faulty), (2, 1));
    }

    #[test]
    fn events_outside_the_span_are_left_out() {
        let (_, count) = replay("{\"ts\":-1}\n{\"ts\":999}\n{\"ts\":1000}\n", false);
        assert_eq!(count.left_out, 2);
    }
}
