//! The web console: a page, its style sheets and scripts, compiled into the program.
//!
//! Files and nothing else: what they show they ask of the admin API, as the person who is signed in.
//! The path of a file holds a hash of all of them, so browsers keep files for ever and never mix
//! those of two versions; the page itself is asked for each time, and mostly answered with 304.

mod files;

use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use http::{Response, StatusCode};
use http_body_util::Full;
use ring::digest::{Context, SHA256, digest};

use files::{FILES, INDEX};

/// The first parts of paths that belong to pages. Which page it is, the script decides.
const PAGES: &[&str] = &["", "calls", "tokens", "incidents", "compliance", "policy"];

/// Where files are, with the hash and the name behind it.
const ASSETS: &str = "/assets/";

/// Digits of the hash: 64 bits tell versions apart.
const HASH_BYTES: usize = 8;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const DRAWING: &str = "image/svg+xml";

/// Asked for again each time.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");
/// Kept for a year (RFC 9111 has no "for ever"; RFC 8246 for `immutable`).
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// The console, ready to be served.
struct Console {
    version: String,
    index: File,
    files: Vec<(&'static str, File)>,
}

struct File {
    kind: HeaderValue,
    tag: HeaderValue,
    body: Bytes,
}

impl File {
    fn new(kind: &'static str, body: Bytes) -> Self {
        let tag = format!("\"{}\"", digits(digest(&SHA256, &body).as_ref()));
        Self {
            kind: HeaderValue::from_static(kind),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
            body,
        }
    }

    fn answer(&self, asked: &HeaderMap, keep: HeaderValue) -> Response<Full<Bytes>> {
        let is_known = asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == self.tag.as_bytes());
        let mut answer = Response::new(Full::new(if is_known {
            Bytes::new()
        } else {
            self.body.clone()
        }));
        if is_known {
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, keep);
        headers.insert(ETAG, self.tag.clone());
        if !is_known {
            headers.insert(CONTENT_TYPE, self.kind.clone());
        }
        answer
    }
}

/// The answer to a GET or HEAD; `None` if the console has nothing at this path.
pub fn answer(path: &str, asked: &HeaderMap) -> Option<Response<Full<Bytes>>> {
    static CONSOLE: LazyLock<Console> = LazyLock::new(Console::new);
    CONSOLE.answer(path, asked)
}

impl Console {
    /// Makes the page from its parts, with the addresses of this version's files.
    fn new() -> Self {
        let mut all = Context::new(&SHA256);
        for (name, body) in std::iter::once(&("", INDEX)).chain(FILES) {
            all.update(name.as_bytes());
            all.update(&body.len().to_be_bytes());
            all.update(body.as_bytes());
        }
        let version = digits(all.finish().as_ref());
        let at = format!("{ASSETS}{version}");
        // Named in the page, so that the browser asks for all of them at once instead of finding
        // them one by one.
        let modules: String = FILES
            .iter()
            .filter(|(name, _)| name.ends_with(".js") && *name != "boot.js")
            .map(|(name, _)| format!("<link rel=\"modulepreload\" href=\"{at}/{name}\">"))
            .collect();
        let index = INDEX
            .replace("{assets}", &at)
            .replace("<!-- modules -->", &modules);
        let files = FILES
            .iter()
            .map(|(name, body)| {
                (
                    *name,
                    File::new(kind_of(name), Bytes::from_static(body.as_bytes())),
                )
            })
            .collect();
        Self {
            version,
            index: File::new(HTML, Bytes::from(index)),
            files,
        }
    }

    fn answer(&self, path: &str, asked: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let Some(rest) = path.strip_prefix(ASSETS) else {
            let first = path.strip_prefix('/')?.split('/').next()?;
            return PAGES
                .contains(&first)
                .then(|| self.index.answer(asked, ASK));
        };
        let (version, name) = rest.split_once('/')?;
        let (_, file) = self.files.iter().find(|(known, _)| *known == name)?;
        // A page of another version, from before an upgrade or from another node, still gets its
        // files, but must not keep them under that name.
        let keep = if version == self.version { KEEP } else { ASK };
        Some(file.answer(asked, keep))
    }
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => SCRIPT,
        Some("css") => STYLE,
        _ => DRAWING,
    }
}

fn digits(hash: &[u8]) -> String {
    let first = hash.iter().take(HASH_BYTES);
    first.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
