//! Addresses and the map that says whose they are.
//!
//! Own networks lie in 10.0.0.0/8, all others in 240.0.0.0/4 (reserved, RFC 1112 section 4) and
//! 2001:db8::/32 (documentation, RFC 3849), so that no address means anybody.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::random::Random;

/// A network of the map: a /24, or a /48 of version 6.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    /// The upper 24 or 48 bits.
    base: Base,
    pub(super) country: &'static str,
    /// 0 is none.
    pub(super) asn: u32,
    pub(super) own: bool,
}

#[derive(Clone, Copy, Debug)]
enum Base {
    V4(u32),
    V6(u64),
}

/// An address and the place of its network in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    pub(super) network: u32,
}

/// Countries where strangers come from.
const COUNTRIES: &[&str] = &[
    "US", "GB", "DE", "NL", "FR", "BR", "RU", "CN", "VN", "NG", "RO", "IN", "TR", "ID", "UA", "SG",
    "HK", "PL",
];

/// Every network that was given out.
#[derive(Debug, Default)]
pub(super) struct NetMap {
    networks: Vec<Network>,
    own: u32,
    foreign: u32,
    v6: u64,
}

impl NetMap {
    pub(super) fn get(&self, place: u32) -> Option<&Network> {
        self.networks.get(place as usize)
    }

    fn push(&mut self, network: Network) -> u32 {
        self.networks.push(network);
        (self.networks.len() - 1) as u32
    }

    /// A network inside the house.
    pub(super) fn own_inside(&mut self, country: &'static str) -> u32 {
        self.own += 1;
        let base = Base::V4((10 << 24) | (self.own << 8));
        self.push(Network {
            base,
            country,
            asn: 0,
            own: true,
        })
    }

    /// A network of the house's at a cloud or an office line.
    pub(super) fn own_outside(&mut self, country: &'static str, asn: u32) -> u32 {
        let base = self.next_foreign();
        self.push(Network {
            base,
            country,
            asn,
            own: true,
        })
    }

    /// A network of somebody else's.
    pub(super) fn foreign(&mut self, country: &'static str, asn: u32) -> u32 {
        let base = self.next_foreign();
        self.push(Network {
            base,
            country,
            asn,
            own: false,
        })
    }

    /// A network of somebody else's, version 6.
    pub(super) fn foreign_v6(&mut self, country: &'static str, asn: u32) -> u32 {
        self.v6 += 1;
        let base = Base::V6((0x2001_0db8 << 16) | self.v6);
        self.push(Network {
            base,
            country,
            asn,
            own: false,
        })
    }

    /// Scattered, so that neighbours in the list are not neighbours in address.
    fn next_foreign(&mut self) -> Base {
        self.foreign += 1;
        let scattered = self.foreign.wrapping_mul(0x9_e375) & 0x0f_ffff;
        Base::V4((0xf0 << 24) | (scattered << 8))
    }

    /// Some address of a network.
    pub(super) fn address(&self, place: u32, random: &mut Random) -> Address {
        let host = random.word();
        let ip = match self.get(place).map(|network| network.base) {
            Some(Base::V4(base)) => IpAddr::V4(Ipv4Addr::from(base | (1 + (host % 254) as u32))),
            Some(Base::V6(base)) => {
                let low = host | 1;
                IpAddr::V6(Ipv6Addr::from((u128::from(base) << 80) | u128::from(low)))
            }
            None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        Address { ip, network: place }
    }

    /// A country other than the given one.
    pub(super) fn other_country(random: &mut Random, than: &str) -> &'static str {
        loop {
            let country = random.pick(COUNTRIES, "US");
            if country != than {
                return country;
            }
        }
    }

    /// The map as a JSON list of `{"cidr","country","asn","own"}`.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"[\n")?;
        for (place, network) in self.networks.iter().enumerate() {
            let comma = if place + 1 == self.networks.len() {
                ""
            } else {
                ","
            };
            let cidr = match network.base {
                Base::V4(base) => format!("{}/24", Ipv4Addr::from(base)),
                Base::V6(base) => format!("{}/48", Ipv6Addr::from(u128::from(base) << 80)),
            };
            write!(out, "{{\"cidr\":\"{cidr}\"")?;
            if !network.country.is_empty() {
                write!(out, ",\"country\":\"{}\"", network.country)?;
            }
            if network.asn > 0 {
                write!(out, ",\"asn\":{}", network.asn)?;
            }
            writeln!(out, ",\"own\":{}}}{comma}", network.own)?;
        }
        out.write_all(b"]\n")
    }
}
