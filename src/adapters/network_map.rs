//! The operator's map of networks: a MaxMind database, or a JSON list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::Reader;
use serde::Deserialize;

use crate::domain::detect::{NetworkList, NetworkMap, Place, Prefix, country};

/// Answers of the database that are kept at hand. A service calls from few addresses; a flood of
/// others empties the store, which is only slower.
const KEPT: usize = 65_536;

/// What ends a MaxMind database: its metadata, in the last 128 KiB.
const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// Why a map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkMapError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, io::Error),
    /// It is neither form of map.
    #[error(
        "{0} is no network map: {1}; it must be a MaxMind database (.mmdb) or a JSON list of \
         {{\"cidr\", \"country\", \"asn\", \"own\"}}"
    )]
    Form(PathBuf, String),
}

/// A map, read whole.
#[derive(Debug)]
pub struct MapFile {
    kind: Kind,
}

enum Kind {
    List(NetworkList),
    Database {
        reader: Reader<Vec<u8>>,
        kept: RefCell<HashMap<IpAddr, Option<Place>>>,
    },
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::List(_) => "List",
            Self::Database { .. } => "Database",
        })
    }
}

#[derive(Deserialize)]
struct Entry {
    cidr: String,
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    asn: Option<u32>,
    #[serde(default)]
    own: Option<bool>,
}

/// What databases of MaxMind and others say under these names (GeoLite2-Country, -City, -ASN).
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow, default)]
    country: Option<Country<'a>>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(default)]
    asn: Option<u32>,
    #[serde(default)]
    own: Option<bool>,
}

#[derive(Deserialize)]
struct Country<'a> {
    #[serde(borrow, default)]
    iso_code: Option<&'a str>,
}

/// Reads a map. Which form it has is told from its content.
///
/// # Errors
/// The file cannot be read or is no map.
pub fn read(path: &Path) -> Result<MapFile, NetworkMapError> {
    let bytes = fs::read(path).map_err(|error| NetworkMapError::Read(path.to_owned(), error))?;
    let form = |reason: String| NetworkMapError::Form(path.to_owned(), reason);
    let tail = bytes.len().saturating_sub(128 << 10);
    let is_database = bytes
        .get(tail..)
        .is_some_and(|tail| memchr::memmem::find(tail, MARK).is_some());
    let kind = if is_database {
        let reader = Reader::from_source(bytes).map_err(|error| form(error.to_string()))?;
        Kind::Database {
            reader,
            kept: RefCell::new(HashMap::new()),
        }
    } else {
        let entries: Vec<Entry> =
            serde_json::from_slice(&bytes).map_err(|error| form(error.to_string()))?;
        let mut networks = Vec::with_capacity(entries.len());
        for entry in entries {
            let prefix = Prefix::parse(&entry.cidr)
                .ok_or_else(|| form(format!("{:?} is no network", entry.cidr)))?;
            let place = Place {
                country: country(entry.country.as_deref().unwrap_or_default()),
                asn: entry.asn.unwrap_or(0),
                own: entry.own.unwrap_or(false),
            };
            networks.push((prefix, place));
        }
        Kind::List(NetworkList::new(networks))
    };
    Ok(MapFile { kind })
}

fn search(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Place> {
    let found: Found<'_> = reader.lookup(address).ok()?.decode().ok()??;
    Some(Place {
        country: country(
            found
                .country
                .and_then(|country| country.iso_code)
                .unwrap_or_default(),
        ),
        asn: found.autonomous_system_number.or(found.asn).unwrap_or(0),
        own: found.own.unwrap_or(false),
    })
}

impl NetworkMap for MapFile {
    fn look_up(&self, address: IpAddr) -> Option<Place> {
        match &self.kind {
            Kind::List(list) => list.look_up(address),
            Kind::Database { reader, kept } => {
                if let Some(found) = kept.borrow().get(&address) {
                    return *found;
                }
                let found = search(reader, address);
                let mut kept = kept.borrow_mut();
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(address, found);
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        file
    }

    /// A database with one record for 192.0.2.0/24, by hand after the format's specification
    /// (version 2.0): a tree of 24-bit records, a zero section, data, metadata.
    fn database() -> Vec<u8> {
        let nodes: u32 = 24;
        let mut bytes = Vec::new();
        let network: u32 = u32::from_be_bytes([192, 0, 2, 0]);
        for depth in 0..nodes {
            let bit = network >> (31 - depth) & 1;
            // The last node points at the first byte of the data, 16 behind the nodes.
            let next = if depth + 1 == nodes {
                nodes + 16
            } else {
                depth + 1
            };
            let pair = if bit == 0 {
                [next, nodes]
            } else {
                [nodes, next]
            };
            for record in pair {
                bytes.extend_from_slice(record.to_be_bytes().get(1..).unwrap());
            }
        }
        bytes.extend_from_slice(&[0; 16]);
        let text = |text: &str| {
            let mut out = vec![0x40 | text.len() as u8];
            out.extend_from_slice(text.as_bytes());
            out
        };
        let u32s = |n: u32| {
            let mut out = vec![0xc4];
            out.extend_from_slice(&n.to_be_bytes());
            out
        };
        let u16s = |n: u16| {
            let mut out = vec![0xa2];
            out.extend_from_slice(&n.to_be_bytes());
            out
        };
        // A map of two: the country with its code, and the operator's number.
        bytes.push(0xe2);
        bytes.extend(text("country"));
        bytes.push(0xe1);
        bytes.extend(text("iso_code"));
        bytes.extend(text("CA"));
        bytes.extend(text("autonomous_system_number"));
        bytes.extend(u32s(64_500));
        bytes.extend_from_slice(MARK);
        bytes.push(0xe9);
        for (key, value) in [
            ("node_count", u32s(nodes)),
            ("record_size", u16s(24)),
            ("ip_version", u16s(4)),
            ("database_type", text("Test")),
            ("languages", vec![0x00, 0x04]),
            ("binary_format_major_version", u16s(2)),
            ("binary_format_minor_version", u16s(0)),
            ("build_epoch", vec![0x04, 0x02, 0x60, 0, 0, 0]),
            ("description", vec![0xe0]),
        ] {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        bytes
    }

    #[test]
    fn both_forms_say_where_an_address_is() {
        let list = br#"[{"cidr":"192.0.2.0/24","country":"CA","asn":64500},
                        {"cidr":"198.51.100.0/24","own":true}, {"cidr":"2001:db8::/32","country":null}]"#;
        for bytes in [list.to_vec(), database()] {
            let map = read(file(&bytes).path()).unwrap();
            for _ in 0..2 {
                let place = map.look_up("192.0.2.9".parse().unwrap()).unwrap();
                assert_eq!(
                    (place.country, place.asn, place.own),
                    (*b"CA", 64_500, false)
                );
                assert_eq!(map.look_up("203.0.113.1".parse().unwrap()), None);
            }
        }
        let map = read(file(list).path()).unwrap();
        assert!(map.look_up("198.51.100.7".parse().unwrap()).unwrap().own);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for bytes in [&b"{}"[..], b"", b"[{\"cidr\":\"x\"}]", MARK] {
            assert!(read(file(bytes).path()).is_err());
        }
    }
}
