//! `egret redact`: a filter that anything can be piped through.
//!
//! Plain mode takes text and gives text, line by line as it comes. With `jsonl`, each line in is
//! `{"id", "surface", "api", "operation", "input"}` (`api` and `operation` may be missing;
//! `input_b64` instead of `input` for bytes that are not UTF-8) and each line out is
//! `{"id", "output", "counts"}` (`output_b64` for output that is not UTF-8). A line that is not
//! understood gives `{"id", "error"}`; its content is never repeated.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::redact::{Context, Counts, Hit, Redaction, Redactor, Surface};

/// What was asked for on the command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The surface of plain input, and of JSON lines that name none.
    pub surface: Surface,
    /// JSON lines in and out.
    pub jsonl: bool,
    /// Show which rule fired where.
    pub explain: bool,
    /// The provider, for field rules; a JSON line's own `api` comes first.
    pub provider: Option<String>,
    /// The operation, for field rules.
    pub operation: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            surface: Surface::Text,
            jsonl: false,
            explain: false,
            provider: None,
            operation: None,
        }
    }
}

impl Options {
    fn context(&self) -> Context<'_> {
        Context {
            api: self.provider.as_deref(),
            operation: self.operation.as_deref(),
            explain: self.explain,
        }
    }
}

/// Longest JSON line, in bytes: base64 of a body of 40 MiB.
const LINE_MAX: usize = 64 * 1024 * 1024;

/// Filters `input` into `output` until its end; answers the tally of all masks.
///
/// # Errors
/// Only those of reading and writing; an end of the reader behind `output` is a
/// [`io::ErrorKind::BrokenPipe`].
pub fn run(
    redactor: &Redactor,
    mut input: impl BufRead,
    mut output: impl Write,
    options: &Options,
) -> io::Result<Counts> {
    if options.jsonl {
        json_lines(redactor, &mut input, &mut output, options)
    } else if matches!(
        options.surface,
        Surface::Query | Surface::Path | Surface::Form
    ) {
        lines(redactor, &mut input, &mut output, options)
    } else {
        stream(redactor, &mut input, &mut output, options)
    }
}

/// One stream, flushed whenever something is ready, so that `tail -f | egret redact` works. The
/// reasons come line by line for text, and behind the whole where they would break its structure.
fn stream(
    redactor: &Redactor,
    input: &mut impl BufRead,
    output: &mut impl Write,
    options: &Options,
) -> io::Result<Counts> {
    let mut stream = redactor.stream(options.surface, options.context());
    let mut hits = Vec::new();
    let mut last = b'\n';
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        let len = piece.len();
        let ready = stream.push(piece);
        input.consume(len);
        output.write_all(ready.get())?;
        last = ready.get().last().copied().unwrap_or(last);
        hits.append(&mut stream.take_hits());
        if options.surface == Surface::Text && last == b'\n' {
            explain(redactor, &std::mem::take(&mut hits), options, output)?;
        }
        output.flush()?;
    }
    let mut rest = stream.finish();
    output.write_all(rest.bytes.get())?;
    last = rest.bytes.get().last().copied().unwrap_or(last);
    hits.append(&mut rest.hits);
    if last != b'\n' && !hits.is_empty() {
        output.write_all(b"\n")?;
    }
    explain(redactor, &hits, options, output)?;
    output.flush()?;
    Ok(rest.counts)
}

/// One input a line, for queries, paths and forms.
fn lines(
    redactor: &Redactor,
    input: &mut impl BufRead,
    output: &mut impl Write,
    options: &Options,
) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    loop {
        match next_line(input, &mut line)? {
            Line::End => break,
            Line::TooLong => {
                output.write_all(b"[redacted:oversize]\n")?;
                output.flush()?;
                continue;
            }
            Line::Whole => {}
        }
        let redaction = redactor.redact(options.surface, &line, options.context());
        output.write_all(redaction.bytes.get())?;
        explain(redactor, &redaction.hits, options, output)?;
        output.flush()?;
        counts.merge(&redaction.counts);
    }
    Ok(counts)
}

fn explain(
    redactor: &Redactor,
    hits: &[Hit],
    options: &Options,
    output: &mut impl Write,
) -> io::Result<()> {
    if !options.explain {
        return Ok(());
    }
    for hit in hits {
        writeln!(
            output,
            "# byte {}: {} by {}",
            hit.at,
            redactor.kind_name(hit.kind),
            hit.why.as_str()
        )?;
    }
    Ok(())
}

/// What was read.
enum Line {
    /// One line with its end.
    Whole,
    /// A line beyond [`LINE_MAX`]. It was passed over: cutting it could cut a secret in two.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads one line.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let read = io::Read::take(&mut *input, LINE_MAX as u64).read_until(b'\n', line)?;
    if read < LINE_MAX || line.last() == Some(&b'\n') {
        return Ok(if read > 0 { Line::Whole } else { Line::End });
    }
    line.clear();
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

#[derive(Deserialize)]
struct LineIn<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    surface: Option<String>,
    api: Option<String>,
    operation: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    input_b64: Option<String>,
}

#[derive(Serialize)]
struct LineOut<'a> {
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<BTreeMap<&'a str, u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Vec<Explained<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Explained<'a> {
    at: usize,
    kind: &'a str,
    rule: &'static str,
}

fn json_lines(
    redactor: &Redactor,
    input: &mut impl BufRead,
    output: &mut impl Write,
    options: &Options,
) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        let read = next_line(input, &mut line)?;
        if matches!(read, Line::End) {
            break;
        }
        number += 1;
        if matches!(read, Line::Whole) && line.trim_ascii().is_empty() {
            continue;
        }
        let parsed: Option<LineIn<'_>> = serde_json::from_slice(&line).ok();
        let id = parsed.as_ref().and_then(|line| line.id);
        let refused = if matches!(read, Line::TooLong) {
            format!("is longer than {LINE_MAX} bytes")
        } else {
            "is not a JSON object with \"id\", \"surface\" and \"input\"".to_owned()
        };
        match parsed
            .as_ref()
            .ok_or(refused)
            .and_then(|line| one(redactor, line, options))
        {
            Ok(redaction) => {
                counts.merge(&redaction.counts);
                write_line(redactor, id, &redaction, options, output)?;
            }
            Err(error) => {
                let line = LineOut {
                    id,
                    output: None,
                    output_b64: None,
                    counts: None,
                    explain: None,
                    error: Some(format!("line {number} {error}")),
                };
                serde_json::to_writer(&mut *output, &line)?;
            }
        }
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(counts)
}

/// Errors name the line and what is wrong with it, never what stands in it.
fn one(redactor: &Redactor, line: &LineIn<'_>, options: &Options) -> Result<Redaction, String> {
    let surface = match line.surface.as_deref() {
        Some(name) => name
            .parse::<Surface>()
            .map_err(|error| format!("names an unknown surface; use one of: {}", error.allowed))?,
        None => options.surface,
    };
    let decoded;
    let input: &[u8] = match (line.input, &line.input_b64) {
        (Some(value), None) if value.get().starts_with('"') => {
            decoded = serde_json::from_str::<String>(value.get())
                .map_err(|_| "has an input that is not Unicode; use input_b64".to_owned())?
                .into_bytes();
            &decoded
        }
        // A document that was not put into a string.
        (Some(value), None) if surface == Surface::Json => value.get().as_bytes(),
        (Some(_), None) => return Err("has an input that is not a string".to_owned()),
        (None, Some(text)) => {
            decoded = STANDARD
                .decode(text)
                .map_err(|_| "has an input_b64 that is not base64".to_owned())?;
            decoded.as_slice()
        }
        _ => return Err("needs either \"input\" or \"input_b64\"".to_owned()),
    };
    let context = Context {
        api: line.api.as_deref().or(options.provider.as_deref()),
        operation: line.operation.as_deref().or(options.operation.as_deref()),
        explain: options.explain,
    };
    Ok(redactor.redact(surface, input, context))
}

fn write_line(
    redactor: &Redactor,
    id: Option<&RawValue>,
    redaction: &Redaction,
    options: &Options,
    output: &mut impl Write,
) -> io::Result<()> {
    let bytes = redaction.bytes.get();
    let text = std::str::from_utf8(bytes).ok();
    let mut counts = BTreeMap::new();
    for (kind, n) in redaction.counts.iter() {
        *counts.entry(redactor.kind_name(kind)).or_insert(0) += n;
    }
    let explain = options.explain.then(|| {
        redaction
            .hits
            .iter()
            .map(|hit| Explained {
                at: hit.at,
                kind: redactor.kind_name(hit.kind),
                rule: hit.why.as_str(),
            })
            .collect()
    });
    let line = LineOut {
        id,
        output: text,
        output_b64: text.is_none().then(|| STANDARD.encode(bytes)),
        counts: Some(counts),
        explain,
        error: None,
    };
    serde_json::to_writer(output, &line)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(input: &str, options: &Options) -> String {
        let mut output = Vec::new();
        run(&Redactor::default(), input.as_bytes(), &mut output, options).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn plain_lines_come_out_redacted_with_the_reasons_if_asked() {
        let options = Options {
            explain: true,
            ..Options::default()
        };
        assert_eq!(
            filter("password=hunter2x ok\nstatus=200\n", &Options::default()),
            "password=[redacted:password] ok\nstatus=200\n"
        );
        assert_eq!(
            filter("password=hunter2x ok\n", &options),
            "password=[redacted:password] ok\n# byte 9: password by name\n"
        );
    }

    #[test]
    fn json_lines_carry_id_output_and_counts() {
        let options = Options {
            jsonl: true,
            ..Options::default()
        };
        let input = concat!(
            "{\"id\":7,\"surface\":\"query\",\"api\":\"wyre\",\"input\":\"secretKey=abc123def&page=2\"}\n",
            "{\"id\":\"b\",\"surface\":\"text\",\"input_b64\":\"/zQxMTEgMTExMSAxMTExIDExMTE=\"}\n",
            "\n",
            "{\"id\":3,\"surface\":\"nothing\",\"input\":\"s3cret\"}\n",
            "password=s3cret\n",
        );
        let output = filter(input, &options);
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"id":7,"output":"secretKey=[redacted:secret]&page=2","counts":{"secret":1}}"#
        );
        assert!(
            lines[1].starts_with(r#"{"id":"b","output_b64":""#),
            "{}",
            lines[1]
        );
        assert_eq!(
            lines[2],
            r#"{"id":3,"error":"line 4 names an unknown surface; use one of: header, query, path, json, form, multipart, text"}"#
        );
        assert_eq!(
            lines[3],
            r#"{"id":null,"error":"line 5 is not a JSON object with \"id\", \"surface\" and \"input\""}"#
        );
        assert!(!output.contains("s3cret"));
    }

    #[test]
    fn json_lines_go_on_behind_a_bad_line_and_take_documents_and_synonyms() {
        let options = Options {
            jsonl: true,
            ..Options::default()
        };
        let input = concat!(
            "{\"id\":1,\"surface\":\"Plain text\",\"input\":\"\"}\n",
            "{\"id\":2,\"surface\":\"json\",\"input\":{\"ssn\":\"078-05-1120\"}}\n",
            "{\"id\":3,\"surface\":\"query\",\"input\":{\"ssn\":\"078-05-1120\"}}\n",
            "{\"id\":4,\"surface\":\"json\",\"input\":\"\\ud800 078-05-1120\"}\n",
            "{\"id\":5,\"input\":null}\n",
            "{\"input\":\"pwd=hunter2x\"}",
        );
        let output = filter(input, &options);
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[0], r#"{"id":1,"output":"","counts":{}}"#);
        assert_eq!(
            lines[1],
            r#"{"id":2,"output":"{\"ssn\":\"[redacted:ssn]\"}","counts":{"ssn":1}}"#
        );
        assert!(lines[2].contains("is not a string"), "{}", lines[2]);
        assert!(lines[3].contains("use input_b64"), "{}", lines[3]);
        assert!(lines[4].contains("needs either"), "{}", lines[4]);
        assert!(
            lines[5].starts_with(r#"{"id":null,"output":"pwd=[redacted"#),
            "{}",
            lines[5]
        );
        assert!(!output.contains("078-05"));
    }

    #[test]
    fn documents_of_several_lines_are_one_input() {
        let options = Options {
            surface: Surface::Json,
            explain: true,
            ..Options::default()
        };
        let output = filter("{\n  \"ssn\": [\n    \"078-05-1120\"\n  ]\n}", &options);
        assert_eq!(
            output,
            "{\n  \"ssn\": [\n    \"[redacted:ssn]\"\n  ]\n}\n# byte 18: ssn by name\n"
        );
    }

    #[test]
    fn field_rules_apply_to_the_named_operation() {
        use crate::domain::redact::{Action, FieldRules};
        let rules = FieldRules::compile([("guid", Action::Keep), ("side", Action::Keep)]).unwrap();
        let redactor = Redactor::builder()
            .operation("cybrid", "create_trade", rules)
            .build()
            .unwrap();
        let options = Options {
            surface: Surface::Json,
            provider: Some("cybrid".into()),
            operation: Some("create_trade".into()),
            ..Options::default()
        };
        let mut output = Vec::new();
        run(
            &redactor,
            b"{\"guid\":\"g-1\",\"side\":\"buy\",\"state\":\"storing\"}".as_slice(),
            &mut output,
            &options,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "{\"guid\":\"g-1\",\"side\":\"buy\",\"state\":\"[redacted:unknown]\"}"
        );
    }
}
