//! Header fields for the collector: from a file that others cannot read, or from the environment.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use http::{HeaderName, HeaderValue};

use crate::types::Secret;

/// The variable of OpenTelemetry's specification: `name=value` with commas between, in percent form.
pub const VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Largest file: some tokens.
const MAX_FILE: u64 = 64 << 10;

/// Header fields; their values cannot be shown.
pub type Headers = Vec<(HeaderName, Secret<String>)>;

/// Why there are no header fields. Nothing of their values is in it.
#[derive(Debug, thiserror::Error)]
pub enum HeadersError {
    /// The file cannot be read.
    #[error("cannot read {path} ([telemetry] headers_file): {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others could read it.
    #[error(
        "{path} ([telemetry] headers_file) has mode {mode:o}; others could read it: run `chmod 600 {path}`"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A field is none.
    #[error("{place}: field {number} is no header field; write {form}")]
    Malformed {
        /// Where.
        place: String,
        /// Which, counted from 1.
        number: usize,
        /// What to write.
        form: &'static str,
    },
}

/// Reads the fields of the file and of the variable; those of the variable go before.
///
/// # Errors
/// [`HeadersError`].
pub fn read(file: Option<&Path>, variable: Option<String>) -> Result<Headers, HeadersError> {
    let mut fields = Vec::new();
    if let Some(path) = file {
        let text = read_file(path)?;
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (index, line) in lines.enumerate() {
            let field = line
                .split_once(':')
                .and_then(|(name, value)| field(name, value));
            fields.push(field.ok_or_else(|| HeadersError::Malformed {
                place: path.display().to_string(),
                number: index + 1,
                form: "`name: value` on a line of its own",
            })?);
        }
    }
    for (index, pair) in variable.iter().flat_map(|text| text.split(',')).enumerate() {
        if pair.trim().is_empty() {
            continue;
        }
        let decoded = pair.split_once('=').and_then(|(name, value)| {
            let value = percent_encoding::percent_decode_str(value.trim());
            field(name, &value.decode_utf8().ok()?)
        });
        let (name, value) = decoded.ok_or_else(|| HeadersError::Malformed {
            place: format!("the environment variable {VARIABLE}"),
            number: index + 1,
            form: "`name=value` with commas between",
        })?;
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }
    Ok(fields)
}

fn read_file(path: &Path) -> Result<String, HeadersError> {
    let unreadable = |cause| HeadersError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(HeadersError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    if meta.len() > MAX_FILE {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

fn field(name: &str, value: &str) -> Option<(HeaderName, Secret<String>)> {
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let value = value.trim();
    // Printable, as gRPC demands it of metadata.
    let is_plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    HeaderValue::from_str(value).ok().filter(|_| is_plain)?;
    Some((name, Secret::new(value.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    fn shown(fields: &Headers) -> Vec<(&str, &str)> {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (name.as_str(), value.expose().as_str()))
            .collect()
    }

    #[test]
    fn the_variable_goes_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headers");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        drop(file.unwrap());
        std::fs::write(
            &path,
            "# for the collector\nAuthorization: Bearer x\n\nx-team: a\n",
        )
        .unwrap();
        let fields = read(Some(&path), Some("x-team=b%20c,".to_owned())).unwrap();
        assert_eq!(
            shown(&fields),
            [("authorization", "Bearer x"), ("x-team", "b c")]
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(Some(&path), None).err().unwrap();
        assert!(matches!(error, HeadersError::TooOpen { mode: 0o640, .. }));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for text in ["canary", "a b=canary", "x=canary%0ay"] {
            let error = read(None, Some(text.to_owned())).err().unwrap();
            let said = error.to_string();
            assert!(
                said.contains(VARIABLE) && !said.contains("canary"),
                "{said}"
            );
        }
    }
}
