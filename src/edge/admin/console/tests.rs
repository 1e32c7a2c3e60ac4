use std::fs;
use std::path::Path;

use http_body_util::BodyExt;

use super::*;
use crate::types::{Decision, Effect, Environment, Outcome, PiiClass, TokenType};

fn header<'a>(answer: &'a Response<Full<Bytes>>, name: &http::HeaderName) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

fn text(answer: Response<Full<Bytes>>) -> String {
    let body = futures_now(answer.into_body().collect())
        .unwrap()
        .to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// A body in memory is ready at once.
fn futures_now<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn get(path: &str) -> Option<Response<Full<Bytes>>> {
    Console::new().answer(path, &HeaderMap::new())
}

#[test]
fn every_page_is_the_page_and_nothing_else_is() {
    for path in [
        "/",
        "/calls",
        "/calls/019a2b3c",
        "/policy",
        "/incidents/inc-1",
    ] {
        let answer = get(path).unwrap();
        assert_eq!(header(&answer, &CONTENT_TYPE), HTML, "{path}");
        assert_eq!(header(&answer, &CACHE_CONTROL), "no-cache");
    }
    for path in [
        "/api/v1/me",
        "/callsx",
        "/assets",
        "/assets/x",
        "/metrics",
        "",
        "x",
        "/assets/x/../app.js",
    ] {
        assert!(get(path).is_none(), "{path}");
    }
}

#[test]
fn what_the_page_names_is_there_and_may_be_kept() {
    let page = text(get("/").unwrap());
    assert!(
        !page.contains("{assets}") && !page.contains("<!--"),
        "{page}"
    );
    let named: Vec<_> = page
        .split(['"'])
        .filter(|part| part.starts_with(ASSETS))
        .collect();
    assert!(named.len() > 25, "{named:?}");
    for path in named {
        let answer = get(path).unwrap();
        assert!(
            header(&answer, &CACHE_CONTROL).contains("immutable"),
            "{path}"
        );
        let expected = match path.rsplit('.').next() {
            Some("js") => SCRIPT,
            Some("css") => STYLE,
            _ => DRAWING,
        };
        assert_eq!(header(&answer, &CONTENT_TYPE), expected, "{path}");
    }
}

#[test]
fn a_page_of_another_version_gets_files_that_it_must_not_keep() {
    let answer = get("/assets/0011223344556677/app.js").unwrap();
    assert_eq!(header(&answer, &CACHE_CONTROL), "no-cache");
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let console = Console::new();
    let first = console.answer("/calls", &HeaderMap::new()).unwrap();
    let tag = first.headers()[ETAG].clone();
    assert_eq!(tag.len(), 2 * HASH_BYTES + 2);
    for known in [
        tag.to_str().unwrap().to_owned(),
        format!("\"x\", W/{}", tag.to_str().unwrap()),
        "*".to_owned(),
    ] {
        let mut asked = HeaderMap::new();
        asked.insert(IF_NONE_MATCH, known.parse().unwrap());
        let second = console.answer("/calls", &asked).unwrap();
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(second.headers()[ETAG], tag);
        assert!(text(second).is_empty());
    }
    let mut asked = HeaderMap::new();
    asked.insert(IF_NONE_MATCH, "\"other\"".parse().unwrap());
    assert_eq!(
        console.answer("/calls", &asked).unwrap().status(),
        StatusCode::OK
    );
}

/// Files of the directory that are served: paths below it.
fn on_disk(dir: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            on_disk(&path, below, found);
        } else if path
            .extension()
            .is_some_and(|ending| ["js", "css", "svg"].iter().any(|one| ending == *one))
        {
            found.push(
                path.strip_prefix(below)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
}

#[test]
fn the_list_is_the_directory() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/admin/console");
    let mut found = Vec::new();
    on_disk(&dir, &dir, &mut found);
    found.sort();
    let mut listed: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(listed, found);
}

/// Ours, not what others wrote.
fn ours() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    FILES
        .iter()
        .filter(|(name, _)| !name.starts_with("vendor/"))
}

#[test]
fn imports_lead_to_files() {
    for (name, text) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
        let folder = Path::new(name).parent().unwrap();
        for line in text
            .lines()
            .filter(|line| line.contains("from \"") || line.starts_with("import"))
        {
            let Some(target) = line
                .split("from \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            let mut path = folder.to_path_buf();
            for part in target.split('/') {
                match part {
                    "." => {}
                    ".." => assert!(path.pop(), "{name}: {target}"),
                    part => path.push(part),
                }
            }
            let path = path.to_str().unwrap();
            assert!(
                FILES.iter().any(|(known, _)| *known == path),
                "{name} imports {target}"
            );
        }
    }
}

#[test]
fn nothing_of_a_call_can_become_markup_and_nothing_comes_from_elsewhere() {
    for (name, text) in ours().chain(std::iter::once(&("index.html", INDEX))) {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "https://",
            "//cdn",
            "style=\"",
            "onclick=",
            "console.log",
        ] {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
        // The name of SVG's vocabulary is no address.
        assert!(
            !text
                .replace("http://www.w3.org/2000/svg", "")
                .contains("http://"),
            "{name}"
        );
    }
}

#[test]
fn what_others_wrote_is_as_they_published_it() {
    let readme = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edge/admin/console/vendor/README.md"),
    )
    .unwrap();
    for (name, text) in FILES.iter().filter(|(name, _)| name.starts_with("vendor/")) {
        let hash = digest(&SHA256, text.as_bytes());
        let hash: String = hash
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let file = name.trim_start_matches("vendor/");
        let row = readme
            .lines()
            .find(|line| line.contains(&format!("`{file}`")))
            .unwrap_or_default();
        assert!(row.contains(&hash), "{file} has the SHA-256 {hash}");
    }
}

/// The words of a list of a script.
fn words_of<'a>(script: &'a str, list: &str) -> Vec<&'a str> {
    let (_, rest) = script.split_once(&format!("const {list} = [")).expect(list);
    let (words, _) = rest.split_once(']').expect(list);
    words.split('"').skip(1).step_by(2).collect()
}

#[test]
fn conditions_know_the_words_of_the_record() {
    let (_, script) = FILES
        .iter()
        .find(|(name, _)| *name == "pages/parts/filters.js")
        .unwrap();
    macro_rules! same {
        ($list:literal, $words:ty) => {
            let all: Vec<_> = <$words>::ALL.iter().map(|word| word.as_str()).collect();
            assert_eq!(words_of(script, $list), all, $list);
        };
    }
    same!("EFFECTS", Effect);
    same!("OUTCOMES", Outcome);
    same!("DECISIONS", Decision);
    same!("ENVIRONMENTS", Environment);
    same!("TOKEN_TYPES", TokenType);
    same!("PII_CLASSES", PiiClass);
}
