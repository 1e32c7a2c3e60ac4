//! A configuration as it takes effect, written out: as TOML that can be read again, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::reload::is_reloadable;
use super::schema::json_of;
use super::settings::{Origin, Setting, Value};

/// Where the remarks begin.
const REMARKS: usize = 48;

/// The configuration as TOML, each value with where it came from. What may not be shown is a remark, so
/// that nobody takes it for the value.
pub fn as_toml(settings: &[Setting]) -> String {
    let mut tables: Vec<(&str, Vec<&Setting>)> = Vec::new();
    for setting in settings {
        match tables.iter_mut().find(|(at, _)| *at == setting.at) {
            Some((_, of_table)) => of_table.push(setting),
            None => tables.push((&setting.at, vec![setting])),
        }
    }
    // What is at the top must stand there: a header ends it.
    tables.sort_by_key(|(at, _)| !at.is_empty());
    let mut text = String::new();
    for (at, of_table) in tables {
        if !at.is_empty() {
            header(&mut text, &of_table);
        }
        for setting in of_table
            .iter()
            .filter(|setting| setting.value != Value::Present)
        {
            line(&mut text, setting);
        }
    }
    text
}

fn header(text: &mut String, of_table: &[&Setting]) {
    let Some(first) = of_table.first() else {
        return;
    };
    let holds = |setting: &&Setting| matches!(setting.value, Value::Literal(_) | Value::Present);
    // Without a value the header alone could say something: that there is TLS, for example.
    let remark = if of_table.iter().any(holds) { "" } else { "# " };
    let (open, close) = if first.is_item {
        ("[[", "]]")
    } else {
        ("[", "]")
    };
    let _ = writeln!(text, "\n{remark}{open}{}{close}", first.table);
}

fn line(text: &mut String, setting: &Setting) {
    let (name, origin) = (&setting.name, &setting.origin);
    let written = match &setting.value {
        Value::Literal(literal) => format!("{name} = {literal}"),
        Value::Described(words) => format!("# {name}: {words}"),
        Value::Secret(shown, _) => format!("# {name} = {shown}"),
        Value::Present => return,
    };
    let hidden = match setting.value {
        Value::Secret(..) => ", not all of it is shown",
        _ => "",
    };
    let _ = writeln!(text, "{written:<REMARKS$} # {origin}{hidden}");
}

/// The configuration as JSON: a list of values with where each came from.
pub fn as_json(settings: &[Setting]) -> Json {
    let values = settings.iter().filter(|one| one.value != Value::Present);
    let values = values.map(|setting| {
        let mut object = json!({
            "key": setting.path(),
            "origin": origin(&setting.origin),
            "reloadable": is_reloadable(&setting.key),
        });
        let (name, value) = match &setting.value {
            Value::Literal(literal) => ("value", json_of(literal)),
            Value::Described(words) => ("default", Some(json!(words))),
            Value::Secret(shown, _) => ("shown", json_of(shown)),
            Value::Present => ("value", None),
        };
        object[name] = value.unwrap_or(Json::Null);
        object
    });
    Json::Array(values.collect())
}

fn origin(origin: &Origin) -> Json {
    match origin {
        Origin::File(file, line) => json!({ "file": file, "line": line }),
        Origin::Variable(name) => json!({ "variable": name }),
        Origin::Default => json!("default"),
    }
}
