//! Where an address is: what the operator's network map says, and its prefix.

use std::net::IpAddr;

use super::hash;

/// What a map says of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Two letters; zeros if it is not known.
    pub country: [u8; 2],
    /// Autonomous system; 0 if it is not known.
    pub asn: u32,
    /// One of the operator's own networks.
    pub own: bool,
}

/// Looks addresses up.
pub trait NetworkMap {
    /// What is known of an address.
    fn look_up(&self, address: IpAddr) -> Option<Place>;
}

/// No map: events say where they come from, or prefixes must do.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMap;

impl NetworkMap for NoMap {
    fn look_up(&self, _: IpAddr) -> Option<Place> {
        None
    }
}

/// The two letters of a country, in capitals; zeros for anything else.
#[must_use]
pub fn country(text: &str) -> [u8; 2] {
    match *text.as_bytes() {
        [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
            [first.to_ascii_uppercase(), second.to_ascii_uppercase()]
        }
        _ => [0; 2],
    }
}

/// The address with IPv4 inside IPv6 taken out.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The hash of the address's network: its /24, or its /48 for IPv6, which is what one customer of
/// a provider usually has. Never 0.
pub(super) fn network(address: IpAddr) -> u64 {
    match plain(address) {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            hash::bytes(&[4, a, b, c])
        }
        IpAddr::V6(six) => {
            let [a, b, c, ..] = six.segments();
            hash::pair(u64::from(a) << 32 | u64::from(b) << 16 | u64::from(c), 6).max(1)
        }
    }
}

/// A map of networks given one by one. The longest prefix wins.
#[derive(Clone, Debug, Default)]
pub struct NetworkList {
    /// Prefix lengths that occur, the longest first.
    lengths: Vec<u8>,
    /// Length, masked address and place, in order.
    networks: Vec<(u8, u128, Place)>,
}

impl NetworkList {
    /// Puts networks in order. Of two with the same prefix the later counts.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = (Prefix, Place)>) -> Self {
        let mut networks: Vec<_> = networks
            .into_iter()
            .map(|(prefix, place)| (prefix.length, prefix.bits, place))
            .collect();
        networks.sort_by_key(|(length, bits, _)| (*length, *bits));
        networks.reverse();
        // The sort is stable, so after turning round the later of two equal ones comes first.
        networks.dedup_by_key(|(length, bits, _)| (*length, *bits));
        networks.reverse();
        let mut lengths: Vec<u8> = networks.iter().map(|(length, ..)| *length).collect();
        lengths.dedup();
        lengths.reverse();
        Self { lengths, networks }
    }
}

impl NetworkMap for NetworkList {
    fn look_up(&self, address: IpAddr) -> Option<Place> {
        let bits = wide(address);
        self.lengths.iter().find_map(|length| {
            let wanted = (*length, bits & mask(*length));
            let found = self
                .networks
                .binary_search_by_key(&wanted, |(length, bits, _)| (*length, *bits));
            self.networks.get(found.ok()?).map(|(_, _, place)| *place)
        })
    }
}

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    length: u8,
    bits: u128,
}

impl Prefix {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let (most, lead) = if address.is_ipv4() {
            (32, 96)
        } else {
            (128, 0)
        };
        let length = length.unwrap_or(most);
        if length > most {
            return None;
        }
        let length = length + lead;
        Some(Self {
            length,
            bits: wide(address) & mask(length),
        })
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

/// The address as 128 bits, IPv4 as `::ffff:a.b.c.d`.
fn wide(address: IpAddr) -> u128 {
    match plain(address) {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(asn: u32) -> Place {
        Place {
            asn,
            ..Place::default()
        }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let list = NetworkList::new(
            [
                ("10.0.0.0/8", 1),
                ("10.1.0.0/16", 2),
                ("2001:db8::/32", 3),
                ("0.0.0.0/0", 4),
                ("10.1.2.3", 5),
                ("10.0.0.0/8", 6),
            ]
            .map(|(text, asn)| (Prefix::parse(text).unwrap(), at(asn))),
        );
        for (address, asn) in [
            ("10.2.0.1", 6),
            ("10.1.9.9", 2),
            ("::ffff:10.1.9.9", 2),
            ("10.1.2.3", 5),
            ("192.0.2.1", 4),
            ("2001:db8:5::1", 3),
        ] {
            let found = list.look_up(address.parse().unwrap());
            assert_eq!(found, Some(at(asn)), "{address}");
        }
        assert_eq!(list.look_up("2001:dead::1".parse().unwrap()), None);
    }

    #[test]
    fn nonsense_is_no_network() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/", "::/129"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
    }

    #[test]
    fn networks_are_prefixes() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("192.0.2.1", "192.0.2.200"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.7"));
        assert!(!same("192.0.2.1", "192.0.3.1"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:ffff::9"));
        assert!(!same("2001:db8:1::1", "2001:db8:2::1"));
    }
}
