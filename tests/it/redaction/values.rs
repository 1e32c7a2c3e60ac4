//! Values of every kind: public test vectors and generated ones with right check digits.

use ring::digest;

/// SplitMix64: small, seeded, good enough to pick from lists.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub fn chars(&mut self, alphabet: &str, n: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..n).map(|_| *self.pick(&letters)).collect()
    }

    pub fn digits(&mut self, n: usize) -> String {
        self.chars("0123456789", n)
    }
}

pub const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const CARDS: &[&str] = &[
    "4242424242424242",
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3056930009020004",
    "3566002020360505",
    "6200000000000005",
];
const IBANS: &[&str] = &[
    "DE89370400440532013000",
    "GB29NWBK60161331926819",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "ES9121000418450200051332",
    "CH9300762011623852957",
];
const BTC: &[&str] = &[
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
];
const ETH: &[&str] = &[
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
];
const FIRST: &[&str] = &[
    "Zyxanthe",
    "Oluwaseun",
    "Bryndis",
    "Quillon",
    "Margarethe",
    "Siobhan",
    "Thandiwe",
    "Xiomara",
];
const LAST: &[&str] = &[
    "Quillfeather",
    "Brackenbury",
    "Okonkwo",
    "Thistlewood",
    "Vandermolen",
    "Pemberton",
    "Ashgrove",
    "Nightingale",
];

fn luhn(body: &str) -> String {
    let sum: u32 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0');
            if i % 2 == 0 {
                if d > 4 { d * 2 - 9 } else { d * 2 }
            } else {
                d
            }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn card(r: &mut Rng) -> String {
    let number = if r.below(3) == 0 {
        (*r.pick(CARDS)).to_owned()
    } else {
        let (prefix, len) = *r.pick(&[
            ("4", 16),
            ("51", 16),
            ("55", 16),
            ("2221", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("65", 16),
            ("3528", 16),
            ("36", 14),
        ]);
        let body = r.digits(len - 1 - prefix.len());
        luhn(&format!("{prefix}{body}"))
    };
    match r.below(3) {
        0 if number.len() == 16 => number
            .as_bytes()
            .chunks(4)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join(" "),
        1 if number.len() == 16 => number
            .as_bytes()
            .chunks(4)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join("-"),
        _ => number,
    }
}

pub fn iban(r: &mut Rng) -> String {
    let iban = if r.below(2) == 0 {
        (*r.pick(IBANS)).to_owned()
    } else {
        let (country, bban) = match r.below(3) {
            0 => ("DE", r.digits(18)),
            1 => ("GB", format!("{}{}", r.chars(UPPER, 4), r.digits(14))),
            _ => ("NL", format!("{}{}", r.chars(UPPER, 4), r.digits(10))),
        };
        let number = format!("{bban}{country}00");
        let rest = number.bytes().fold(0_u32, |m, b| {
            if b.is_ascii_digit() {
                (m * 10 + u32::from(b - b'0')) % 97
            } else {
                (m * 100 + u32::from(b - b'A') + 10) % 97
            }
        });
        format!("{country}{:02}{bban}", 98 - rest)
    };
    if r.below(2) == 0 {
        iban
    } else {
        iban.as_bytes()
            .chunks(4)
            .map(|c| String::from_utf8_lossy(c).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

pub fn aba(r: &mut Rng) -> String {
    let body = format!(
        "{}{}",
        r.pick(&["02", "11", "12", "07", "26", "31"]),
        r.digits(6)
    );
    let sum: u32 = body
        .bytes()
        .zip([3, 7, 1, 3, 7, 1, 3, 7])
        .map(|(b, w)| u32::from(b - b'0') * w)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

pub fn account(r: &mut Rng) -> String {
    let n = 8 + r.below(6);
    format!("{}{}", 1 + r.below(9), r.digits(n - 1))
}

pub fn ssn(r: &mut Rng) -> String {
    if r.below(4) == 0 {
        return (*r.pick(&["078-05-1120", "219-09-9999", "987-65-4321"])).to_owned();
    }
    let area = loop {
        let area = 1 + r.below(899);
        if area != 666 {
            break area;
        }
    };
    format!("{area:03}-{:02}-{:04}", 1 + r.below(99), 1 + r.below(9998))
}

pub fn itin(r: &mut Rng) -> String {
    format!(
        "9{:02}-{}-{:04}",
        r.below(100),
        r.pick(&[70, 71, 80, 88, 90, 92, 94, 99, 50, 65]),
        1 + r.below(9998)
    )
}

pub fn ein(r: &mut Rng) -> String {
    format!(
        "{}-{}",
        r.pick(&["12", "20", "27", "33", "45", "82", "91", "98"]),
        r.digits(7)
    )
}

pub fn national(r: &mut Rng) -> String {
    match r.below(6) {
        0 => format!(
            "{}{}{}",
            r.pick(&["AB", "CE", "JK", "PX"]),
            r.digits(6),
            r.pick(&["A", "B", "C", "D"])
        ),
        1 => {
            let body = loop {
                let d = r.digits(9);
                if d.bytes().any(|b| b != d.as_bytes()[0]) {
                    break d;
                }
            };
            let check = |d: &str| {
                let n = d.len() as u32;
                let sum: u32 = d
                    .bytes()
                    .enumerate()
                    .map(|(i, b)| u32::from(b - b'0') * (n + 1 - i as u32))
                    .sum();
                sum * 10 % 11 % 10
            };
            let one = format!("{body}{}", check(&body));
            let d = format!("{one}{}", check(&one));
            format!("{}.{}.{}-{}", &d[..3], &d[3..6], &d[6..9], &d[9..])
        }
        2 => {
            let d = luhn(&format!("{}{}", 1 + r.below(7), r.digits(7)));
            format!("{}-{}-{}", &d[..3], &d[3..6], &d[6..])
        }
        3 => {
            let d = r.digits(8);
            let n: u32 = d.parse().unwrap();
            format!(
                "{d}{}",
                char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[(n % 23) as usize])
            )
        }
        4 => (*r.pick(&[
            "RSSMRA85T10A562S",
            "HEGG560427MVZRRL04",
            "ABCPE1234F",
            "S1234567D",
        ]))
        .to_owned(),
        _ => (*r.pick(&["44051401359", "131052-308T", "811218-9876"])).to_owned(),
    }
}

pub fn email(r: &mut Rng) -> String {
    let (first, last) = (r.pick(FIRST).to_lowercase(), r.pick(LAST).to_lowercase());
    let domain = r.pick(&[
        "example.com",
        "mail.example.org",
        "corp.example.co.uk",
        "example.invalid",
    ]);
    match r.below(3) {
        0 => format!("{first}.{last}@{domain}"),
        1 => format!("{first}+bank{}@{domain}", r.below(99)),
        _ => format!("{}_{last}{}@{domain}", &first[..1], r.below(999)),
    }
}

pub fn phone(r: &mut Rng) -> String {
    let (area, exchange, line) = (200 + r.below(790), 200 + r.below(790), r.digits(4));
    match r.below(5) {
        0 => format!("+1{area}{exchange}{line}"),
        1 => format!("+1 ({area}) {exchange}-{line}"),
        2 => format!("({area}) {exchange}-{line}"),
        3 => format!("+44 20 {} {}", r.digits(4), r.digits(4)),
        _ => format!("{area}-{exchange}-{line}"),
    }
}

pub fn dob(r: &mut Rng) -> String {
    let (y, m, d) = (1940 + r.below(65), 1 + r.below(12), 1 + r.below(28));
    match r.below(3) {
        0 => format!("{y}-{m:02}-{d:02}"),
        1 => format!("{m:02}/{d:02}/{y}"),
        _ => format!(
            "{d} {} {y}",
            r.pick(&["January", "March", "May", "August", "December"])
        ),
    }
}

pub fn passport(r: &mut Rng) -> String {
    match r.below(2) {
        0 => format!("{}{}", r.chars(UPPER, 1), r.digits(8)),
        _ => r.digits(9),
    }
}

pub fn licence(r: &mut Rng) -> String {
    match r.below(2) {
        0 => format!(
            "{}{}-{}-{}",
            r.chars(UPPER, 1),
            r.digits(3),
            r.digits(4),
            r.digits(4)
        ),
        _ => format!("{}{}", r.chars(UPPER, 1), r.digits(12)),
    }
}

pub fn name(r: &mut Rng) -> String {
    format!("{} {}", r.pick(FIRST), r.pick(LAST))
}

pub fn address(r: &mut Rng) -> String {
    format!(
        "{} {} {}, {}",
        1 + r.below(9000),
        r.pick(&["Nonesuch", "Thornbury", "Larkspur", "Elderflower"]),
        r.pick(&["Lane", "Street", "Avenue", "Road"]),
        r.pick(&["Brackenford", "Millhaven", "Eastmarsh"])
    )
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

pub fn btc(r: &mut Rng) -> String {
    if r.below(2) == 0 {
        return (*r.pick(BTC)).to_owned();
    }
    let mut payload = vec![*r.pick(&[0_u8, 5])];
    payload.extend((0..20).map(|_| r.next() as u8));
    let check = sha256(&sha256(&payload));
    payload.extend(&check[..4]);
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u8> = vec![];
    for byte in &payload {
        let mut carry = u32::from(*byte);
        for d in &mut digits {
            carry += u32::from(*d) << 8;
            *d = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = payload.iter().take_while(|b| **b == 0).count();
    "1".repeat(zeros)
        + &digits
            .iter()
            .rev()
            .map(|d| char::from(ALPHABET[*d as usize]))
            .collect::<String>()
}

pub fn eth(r: &mut Rng) -> String {
    if r.below(2) == 0 {
        (*r.pick(ETH)).to_owned()
    } else {
        format!("0x{}", r.chars(HEX, 40))
    }
}

pub fn mnemonic(r: &mut Rng) -> String {
    let words: Vec<&str> = include_str!("../../../src/domain/redact/data/bip39_english.txt")
        .lines()
        .collect();
    if r.below(4) == 0 {
        return "legal winner thank year wave sausage worth useful legal winner thank yellow"
            .to_owned();
    }
    let entropy: Vec<u8> = (0..16).map(|_| r.next() as u8).collect();
    let check = sha256(&entropy)[0] >> 4;
    let bit = |i: usize| {
        if i < 128 {
            entropy[i / 8] >> (7 - i % 8) & 1
        } else {
            check >> (3 - (i - 128)) & 1
        }
    };
    (0..12)
        .map(|w| words[(0..11).fold(0_usize, |v, b| v << 1 | usize::from(bit(w * 11 + b)))])
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn b64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn b64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

pub fn jwt(r: &mut Rng) -> String {
    if r.below(4) == 0 {
        return "eyJhbGciOiJIUzI1NiJ9.eyIiOiIifQ.Zm9yLWRvY3VtZW50YXRpb24tb25seQ".to_owned();
    }
    let claims = format!(
        "{{\"sub\":\"{}\",\"exp\":1795305338,\"sub_type\":\"customer\"}}",
        r.chars(HEX, 32)
    );
    let signature: Vec<u8> = (0..64).map(|_| r.next() as u8).collect();
    format!(
        "{}.{}.{}",
        b64url(br#"{"alg":"RS512","kid":"k1"}"#),
        b64url(claims.as_bytes()),
        b64url(&signature)
    )
}

pub fn opaque(r: &mut Rng) -> String {
    let n = 24 + r.below(20);
    r.chars(ALNUM, n)
}

pub fn basic(r: &mut Rng) -> String {
    if r.below(3) == 0 {
        return "QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned();
    }
    let (user, password) = (r.chars(HEX, 6), r.chars(ALNUM, 9));
    b64(format!("{user}:{password}").as_bytes())
}

pub fn api_key(r: &mut Rng) -> String {
    match r.below(3) {
        0 => format!(
            "AK-{}-{}-{}",
            r.chars(UPPER, 4),
            r.chars(UPPER, 4),
            r.digits(4)
        ),
        1 => r.chars("abcdefghijklmnopqrstuvwxyz0123456789", 40),
        _ => format!("TEST-SK-{}", r.chars(ALNUM, 24)),
    }
}

pub fn signature(r: &mut Rng) -> String {
    r.chars(HEX, 64)
}

pub fn cloud(r: &mut Rng) -> String {
    match r.below(3) {
        0 => format!("AKIA{}", r.chars("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        1 => format!("AIza{}", r.chars(ALNUM, 35)),
        _ => "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
    }
}

pub fn saas(r: &mut Rng) -> String {
    match r.below(5) {
        0 => format!("sk_live_{}", r.chars(ALNUM, 24)),
        1 => format!("ghp_{}", r.chars(ALNUM, 36)),
        2 => format!(
            "xoxb-{}-{}-{}",
            r.digits(11),
            r.digits(12),
            r.chars(ALNUM, 24)
        ),
        3 => format!("SG.{}.{}", r.chars(ALNUM, 22), r.chars(ALNUM, 43)),
        _ => format!("access-sandbox-{}", uuid(r)),
    }
}

pub fn pem(r: &mut Rng) -> String {
    let body: Vec<String> = (0..4).map(|_| r.chars(ALNUM, 64)).collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n{}==\n-----END PRIVATE KEY-----",
        body.join("\n"),
        r.chars(ALNUM, 20)
    )
}

pub fn password(r: &mut Rng) -> String {
    let stem = r.pick(&[
        "Tr0ub4dor",
        "hunter2x",
        "C0rrectH0rse",
        "p4ssW0rdz",
        "Zx9!mnQ",
    ]);
    format!(
        "{stem}{}{}",
        r.pick(&["!", "#", "$", "-", "_"]),
        r.digits(3)
    )
}

pub fn uuid(r: &mut Rng) -> String {
    let h = r.chars(HEX, 32);
    format!(
        "{}-{}-4{}-a{}-{}",
        &h[..8],
        &h[8..12],
        &h[13..16],
        &h[17..20],
        &h[20..]
    )
}

pub fn guid(r: &mut Rng) -> String {
    loop {
        let guid = r.chars(HEX, 32);
        if guid.bytes().any(|b| b.is_ascii_lowercase()) {
            return guid;
        }
    }
}

pub fn session(r: &mut Rng) -> String {
    format!(
        "node0{}",
        r.chars("abcdefghijklmnopqrstuvwxyz0123456789", 26)
    )
}
