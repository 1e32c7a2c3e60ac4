//! Addresses and keys of blockchains, by checksum.

use ring::digest;

use super::super::kind::Kind;

const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";

/// Which bytes stand in both alphabets.
static BASE58: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 58 {
        table[BITCOIN[at] as usize] = true;
        at += 1;
    }
    table
};

/// Longest Base58Check text: an extended key has 111 characters. Decoding is quadratic in it.
const BASE58_MAX: usize = 112;

/// The kind of an address or key.
pub(crate) fn address(token: &[u8]) -> Option<Kind> {
    let token = [b"bitcoin:".as_slice(), b"ethereum:", b"litecoin:"]
        .iter()
        .find_map(|p| token.strip_prefix(*p))
        .unwrap_or(token);
    if let Some(hex) = token
        .strip_prefix(b"0x")
        .or_else(|| token.strip_prefix(b"0X"))
    {
        return match hex.len() {
            40 if is_ethereum(hex) => Some(Kind::Ethereum),
            64.. if hex.iter().all(u8::is_ascii_hexdigit) => Some(Kind::ChainKey),
            _ => None,
        };
    }
    if token.len() < 14 {
        return None;
    }
    if let Some(kind) = bech32(token) {
        return Some(kind);
    }
    if token.len() == 56 && matches!(token[0], b'G' | b'S' | b'M') && is_stellar(token) {
        return Some(if token[0] == b'S' {
            Kind::ChainKey
        } else {
            Kind::Chain
        });
    }
    // No text of this length without a capital is Base58Check but by a chance of one in a million.
    if (25..=BASE58_MAX).contains(&token.len())
        && token.iter().any(u8::is_ascii_uppercase)
        && token.iter().all(|b| BASE58[usize::from(*b)])
    {
        if let Some((version, length)) = base58check(token, BITCOIN) {
            return match (version, length) {
                (0x00 | 0x05 | 0x6f | 0xc4, 21) => Some(Kind::Bitcoin),
                (0x80 | 0xef, 33 | 34) => Some(Kind::ChainKey),
                (0x04, 78) => Some(Kind::ChainKey),
                (_, 20..=22 | 78) => Some(Kind::Chain),
                _ => None,
            };
        }
        if (token[0] == b'r' || token[0] == b's')
            && let Some((_, length)) = base58check(token, RIPPLE)
        {
            return Some(if length == 17 {
                Kind::ChainKey
            } else {
                Kind::Chain
            });
        }
    }
    None
}

/// Forty hexadecimal digits: in one case, or in the mixed case that is the checksum of EIP-55. What
/// has another case is no address that a wallet takes, and stays an opaque value.
fn is_ethereum(hex: &[u8]) -> bool {
    if !hex.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let upper = hex.iter().any(u8::is_ascii_uppercase);
    if !upper || !hex.iter().any(u8::is_ascii_lowercase) {
        return true;
    }
    let Some(hash) = super::keccak::hash(&hex.to_ascii_lowercase()) else {
        return false;
    };
    let nibbles = hash.iter().flat_map(|b| [b >> 4, b & 15]);
    hex.iter()
        .zip(nibbles)
        .all(|(b, nibble)| b.is_ascii_digit() || b.is_ascii_uppercase() == (nibble >= 8))
}

/// First byte and length of the payload, if the checksum is right.
fn base58check(token: &[u8], alphabet: &[u8; 58]) -> Option<(u8, usize)> {
    // 112 characters are at most 82 bytes.
    let mut bytes = [0_u8; 84];
    let mut used = 0;
    for c in token {
        let mut carry = u32::try_from(alphabet.iter().position(|a| a == c)?).ok()?;
        for b in bytes[..used].iter_mut() {
            carry += u32::from(*b) * 58;
            *b = carry as u8;
            carry >>= 8;
        }
        while carry > 0 {
            *bytes.get_mut(used)? = carry as u8;
            used += 1;
            carry >>= 8;
        }
    }
    let zeros = token.iter().take_while(|c| **c == alphabet[0]).count();
    let total = used + zeros;
    if !(9..=bytes.len()).contains(&total) {
        return None;
    }
    // Little endian so far; leading zeros of the number are at the end.
    bytes[..total].reverse();
    let (payload, check) = bytes[..total].split_at(total - 4);
    let hash = digest::digest(
        &digest::SHA256,
        digest::digest(&digest::SHA256, payload).as_ref(),
    );
    (hash.as_ref().get(..4) == Some(check)).then(|| (payload[0], payload.len()))
}

/// Bech32 and Bech32m (BIP-173, BIP-350): any human part of two to twelve letters with a right
/// checksum is an address; `bc` and `tb` are Bitcoin's.
fn bech32(token: &[u8]) -> Option<Kind> {
    const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    if !(14..=128).contains(&token.len()) {
        return None;
    }
    let split = token.iter().rposition(|b| *b == b'1')?;
    let (human, data) = (&token[..split], &token[split + 1..]);
    if !(2..=16).contains(&human.len())
        || data.len() < 8
        || !human.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
    {
        return None;
    }
    let mut check = 1_u32;
    let mut poly = |value: u32| {
        const GEN: [u32; 5] = [
            0x3b6a_57b2,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3,
        ];
        let top = check >> 25;
        check = (check & 0x1ff_ffff) << 5 ^ value;
        for (at, g) in GEN.iter().enumerate() {
            if top >> at & 1 == 1 {
                check ^= g;
            }
        }
    };
    human
        .iter()
        .for_each(|b| poly(u32::from(b.to_ascii_lowercase() >> 5)));
    poly(0);
    human
        .iter()
        .for_each(|b| poly(u32::from(b.to_ascii_lowercase() & 31)));
    for b in data {
        poly(u32::try_from(CHARSET.iter().position(|c| *c == b.to_ascii_lowercase())?).ok()?);
    }
    if check != 1 && check != 0x2bc8_30a3 {
        return None;
    }
    Some(match human.to_ascii_lowercase().as_slice() {
        b"bc" | b"tb" | b"bcrt" => Kind::Bitcoin,
        _ => Kind::Chain,
    })
}

/// Stellar (SEP-23): base 32 with CRC16-XModem.
fn is_stellar(token: &[u8]) -> bool {
    let mut bytes = [0_u8; 35];
    let (mut bits, mut held, mut at) = (0_u32, 0_u32, 0);
    for b in token {
        let value = match b {
            b'A'..=b'Z' => b - b'A',
            b'2'..=b'7' => b - b'2' + 26,
            _ => return false,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes[at] = (bits >> held) as u8;
            bits &= (1 << held) - 1;
            at += 1;
        }
    }
    let crc = bytes[..33].iter().fold(0_u16, |mut crc, b| {
        crc ^= u16::from(*b) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            };
        }
        crc
    });
    crc.to_le_bytes() == bytes[33..35]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_addresses_are_valid() {
        for (text, kind) in [
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", Kind::Bitcoin),
            ("3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", Kind::Bitcoin),
            ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Kind::Bitcoin),
            (
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                Kind::Bitcoin,
            ),
            ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", Kind::Bitcoin),
            (
                "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
                Kind::ChainKey,
            ),
            (
                "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
                Kind::ChainKey,
            ),
            ("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", Kind::Chain),
            (
                "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
                Kind::Chain,
            ),
            ("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", Kind::Chain),
            ("LM2WMpR1Rp6j3Sa59cMXMs1SPzj9eXpGc1", Kind::Chain),
            ("0x52908400098527886E0F7030069857D2E4169EE7", Kind::Ethereum),
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", Kind::Ethereum),
            ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", Kind::Ethereum),
            ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", Kind::Ethereum),
        ] {
            assert_eq!(address(text.as_bytes()), Some(kind), "{text}");
        }
    }

    #[test]
    fn a_wrong_character_is_noticed() {
        for text in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdr",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeaEd",
        ] {
            assert_eq!(address(text.as_bytes()), None, "{text}");
        }
    }
}
