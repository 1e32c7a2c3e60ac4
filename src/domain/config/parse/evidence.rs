//! `[evidence]`: what lets auditors check that history was not changed.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::files::Files;
use crate::domain::catalog::BaseUrl;
use crate::domain::config::model::{Evidence, WatchedBy};
use crate::domain::config::reader::{
    DurationIn, Flag, Kind, Problem, Raw, Shape, Table, Text, quoted,
};
use crate::domain::evidence::{SignatureType, VerifierKey};

/// Most witnesses: each checkpoint is posted to all of them.
const MAX_WITNESSES: usize = 16;

/// Longest time between two checkpoints while there are new records: what lies behind the last
/// checkpoint is not vouched for.
const MAX_INTERVAL: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Reads `[evidence]`.
pub(super) fn read(top: &Table<'_>, files: &Files<'_>, data_dir: &Path) -> Evidence {
    let table = top.table("evidence");
    let enabled = table.value(
        "enabled",
        &Flag,
        true,
        "Whether records are put into a Merkle tree whose root is signed. Without it nobody can \
         prove that the log was not changed.",
    );
    let origin = table.optional(
        "origin",
        &Origin,
        "`egret/` and the node's name; once the log has begun, the name that it began with",
        "Name of this node's log and of its key; no two logs may have the same. It cannot be \
         changed once the log has begun.",
    );
    let key_file = files.in_data_dir(
        &table,
        "key_file",
        data_dir,
        "signing.key",
        "Ed25519 key that checkpoints are signed with; made on first start, and readable by its \
         owner only. The environment variable `EGRET_SIGNING_KEY` can hold the key itself instead.",
    );
    let interval = table.value(
        "interval",
        &DurationIn(MIN_INTERVAL..=MAX_INTERVAL),
        MAX_INTERVAL,
        "New records are under a signed checkpoint after this long.",
    );
    Evidence {
        enabled: enabled.value,
        origin: origin.map(|origin| origin.value.into()),
        key_file,
        interval: interval.value,
        witnesses: read_witnesses(&table),
    }
}

fn read_witnesses(table: &Table<'_>) -> Vec<WatchedBy> {
    let tables = table.tables("witness");
    if tables.len() > MAX_WITNESSES {
        let problem = Problem::new("too many witnesses", format!("use at most {MAX_WITNESSES}"));
        table.fault(&table.place_of("witness"), problem);
    }
    let mut names = HashSet::new();
    let mut witnesses = Vec::new();
    for table in tables.iter().take(MAX_WITNESSES) {
        let url = table.required(
            "url",
            &Text {
                max: 2_048,
                what: "base URL, such as `\"https://witness.example\"`",
            },
            "Base URL of a witness; every checkpoint goes to `add-checkpoint` below it (C2SP \
             tlog-witness). It sees sizes, hashes and signatures, never a record.",
        );
        let key = table.required(
            "key",
            &WitnessKey,
            "Public key that the witness cosigns with.",
        );
        let (Some(url), Some(key)) = (url, key) else {
            continue;
        };
        if !names.insert(key.value.name().to_owned()) {
            let problem = Problem::new(
                "a witness of this name is named already",
                "give every witness once",
            );
            table.fault(&key.place, problem);
        }
        match BaseUrl::parse(&url.value) {
            Ok(url) => witnesses.push(WatchedBy {
                url,
                key: key.value,
            }),
            Err(hint) => table.fault(&url.place, Problem::new("not a URL for a witness", hint)),
        }
    }
    witnesses
}

const ORIGIN_FORM: &str = "use 1 to 255 printable ASCII characters without blanks and plus signs, \
                           such as \"egret.example.com/node-1\"";

/// The name of a log.
struct Origin;

impl Kind for Origin {
    type Value = String;

    fn read(&self, raw: Raw<'_>) -> Result<String, Problem> {
        match raw.text() {
            Some(text) if is_origin(text) => Ok(text.to_owned()),
            _ => Err(Problem::new("not the name of a log", ORIGIN_FORM)),
        }
    }

    fn describe(&self) -> String {
        "name of a log".to_owned()
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }

    fn shape(&self) -> Shape {
        Shape::Text(1_024)
    }
}

fn is_origin(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

/// The public key of a witness.
struct WitnessKey;

impl Kind for WitnessKey {
    type Value = VerifierKey;

    fn read(&self, raw: Raw<'_>) -> Result<VerifierKey, Problem> {
        let hint = "write the key as the witness prints it, `name+id+base64`";
        let text = raw.text().unwrap_or_default();
        let key = VerifierKey::parse(text)
            .map_err(|fault| Problem::new(format!("not a public key: {fault}"), hint))?;
        key.check_use(SignatureType::CosignatureV1)
            .map_err(|fault| Problem::new(format!("not the key of a witness: {fault}"), hint))?;
        Ok(key)
    }

    fn describe(&self) -> String {
        "public key, `name+id+base64`".to_owned()
    }

    fn show(&self, value: &VerifierKey) -> String {
        quoted(&value.to_string())
    }

    fn shape(&self) -> Shape {
        Shape::Pattern(vec![r"^[^+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$"])
    }
}
