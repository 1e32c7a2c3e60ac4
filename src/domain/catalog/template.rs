//! Path templates: `/api/trades/{trade_guid}`, `/obp/dynamic-entity/{ANY+}`.

/// Most segments of a template; one bit each in a matcher's mask.
pub const MAX_SEGMENTS: usize = 32;
/// Most parameters of a template: what a match holds without allocating.
pub const MAX_PARAMS: usize = 16;
/// Longest template in bytes.
const MAX_LEN: usize = 512;

/// The parameter that is replaced by a version when a provider is loaded.
pub const VERSION: &str = "version";

/// One segment of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Matches itself, byte for byte. Empty only at the end: a trailing slash.
    Literal(&'a str),
    /// `{NAME}`: matches one segment that is not empty.
    Param(&'a str),
    /// `{NAME+}`: matches the rest of the path, at least one segment that is not empty.
    Tail(&'a str),
}

/// Splits a template into segments and checks it.
///
/// # Errors
/// A sentence that says what to write instead.
pub fn parse(template: &str) -> Result<Vec<Segment<'_>>, String> {
    let Some(rest) = template.strip_prefix('/') else {
        return Err("start the path with /".to_owned());
    };
    if template.len() > MAX_LEN {
        return Err(format!("write at most {MAX_LEN} bytes"));
    }
    let mut segments = Vec::new();
    let mut names = Vec::new();
    let count = rest.split('/').count();
    if count > MAX_SEGMENTS {
        return Err(format!("write at most {MAX_SEGMENTS} segments"));
    }
    for (i, text) in rest.split('/').enumerate() {
        let last = i + 1 == count;
        let segment = segment(text)?;
        match segment {
            Segment::Literal("") if !last => return Err("remove the empty segment".to_owned()),
            Segment::Literal("." | "..") => return Err("remove the dot segment".to_owned()),
            Segment::Tail(_) if !last => {
                return Err("move the {NAME+} parameter to the end".to_owned());
            }
            Segment::Literal(_) => {}
            Segment::Param(name) | Segment::Tail(name) => {
                if names.contains(&name) {
                    return Err(format!(
                        "name the parameters differently: {name} is there twice"
                    ));
                }
                names.push(name);
            }
        }
        segments.push(segment);
    }
    if names.len() > MAX_PARAMS {
        return Err(format!("write at most {MAX_PARAMS} parameters"));
    }
    Ok(segments)
}

fn segment(text: &str) -> Result<Segment<'_>, String> {
    if let Some(name) = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        let (name, tail) = match name.strip_suffix('+') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let good = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        return match (good, tail) {
            (false, _) => Err("name parameters with letters, digits, _ and -".to_owned()),
            (true, false) => Ok(Segment::Param(name)),
            (true, true) => Ok(Segment::Tail(name)),
        };
    }
    // RFC 3986, section 3.3: pchar.
    if text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&b))
    {
        Ok(Segment::Literal(text))
    } else {
        Err("write whole segments: either {NAME} or path characters (RFC 3986)".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_apart() {
        assert_eq!(
            parse("/a/{B}/SEPA/{ANY+}").unwrap(),
            [
                Segment::Literal("a"),
                Segment::Param("B"),
                Segment::Literal("SEPA"),
                Segment::Tail("ANY")
            ]
        );
        assert_eq!(
            parse("/api/x/").unwrap().last(),
            Some(&Segment::Literal(""))
        );
        assert_eq!(parse("/").unwrap(), [Segment::Literal("")]);
    }

    #[test]
    fn bad_templates_are_refused() {
        let long = "/a".repeat(33);
        for bad in [
            "",
            "a",
            "/a//b",
            "/{ANY+}/b",
            "/a{B}",
            "/{}",
            "/{B}/{B}",
            "/a?b",
            "/a b",
            "/../a",
            &long,
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
