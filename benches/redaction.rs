//! Speed of the redactor on one core. Goals: 300 MB/s on clean JSON and text, 60 MB/s on dense
//! hits, 5 µs for a request line with its headers, 2 ms for a value of 64 KiB, and nothing
//! superlinear on the worst inputs that we could construct (twice the size, twice the time).

use divan::counter::BytesCount;
use egret::domain::redact::{Context, Redactor, Surface};

fn main() {
    divan::main();
}

fn bench(bencher: divan::Bencher<'_, '_>, surface: Surface, input: &[u8]) {
    let redactor = Redactor::default();
    bencher
        .counter(BytesCount::new(input.len()))
        .bench(|| redactor.redact(surface, divan::black_box(input), Context::default()));
}

fn repeat(unit: &str, bytes: usize) -> Vec<u8> {
    unit.as_bytes()
        .iter()
        .copied()
        .cycle()
        .take(bytes / unit.len() * unit.len())
        .collect()
}

const KIB: usize = 1024;

/// An answer of a list operation: guids, states, times, amounts.
fn clean_json(bytes: usize) -> Vec<u8> {
    let unit = "{\"guid\":\"0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e\",\"bank_guid\":\"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b\",\"customer_guid\":\"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c\",\"type\":\"trading\",\"state\":\"completed\",\"symbol\":\"BTC-USD\",\"side\":\"buy\",\"deliver_amount\":100000,\"receive_amount\":\"0.00412\",\"fee\":25,\"created_at\":\"2026-01-02T03:04:05.678Z\",\"updated_at\":\"2026-01-02T03:04:05.678Z\"},";
    let mut out = b"{\"total\":208,\"page\":0,\"per_page\":10,\"objects\":[".to_vec();
    out.extend(repeat(unit, bytes));
    out.pop();
    out.extend(b"]}");
    out
}

fn clean_text(bytes: usize) -> Vec<u8> {
    repeat(
        "2026-11-22T02:31:07.123Z INFO transfer completed in 12 ms, status=200 and nothing else was written to the ledger by this worker\n",
        bytes,
    )
}

const DENSE_JSON: &str = "{\"first_name\":\"Zyxanthe\",\"last_name\":\"Quillfeather\",\"ssn\":\"078-05-1120\",\"email\":\"z.q@example.com\",\"phone_number\":\"+15550137742\",\"card_number\":\"4111111111111111\",\"iban\":\"DE89370400440532013000\",\"note\":\"call me\"},";
const DENSE_TEXT: &str = "card 4111 1111 1111 1111 of john.doe@example.com, SSN 078-05-1120, IBAN DE89 3704 0044 0532 0130 00, token=abcDEF123456xyz password is hunter2x\n";

#[divan::bench(args = [KIB, 16 * KIB, 256 * KIB])]
fn json_clean(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    bench(bencher, Surface::Json, &clean_json(bytes));
}

#[divan::bench(args = [KIB, 16 * KIB, 256 * KIB])]
fn text_clean(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    bench(bencher, Surface::Text, &clean_text(bytes));
}

#[divan::bench(args = [KIB, 256 * KIB])]
fn text_prose(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    bench(
        bencher,
        Surface::Text,
        &repeat(
            "the worker that writes the ledger waits until the last segment of the journal has been read and then goes on with the next one as usual\n",
            bytes,
        ),
    );
}

#[divan::bench(args = [KIB, 256 * KIB])]
fn json_dense(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let mut input = b"[".to_vec();
    input.extend(repeat(DENSE_JSON, bytes));
    input.pop();
    input.push(b']');
    bench(bencher, Surface::Json, &input);
}

#[divan::bench(args = [KIB, 256 * KIB])]
fn text_dense(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    bench(bencher, Surface::Text, &repeat(DENSE_TEXT, bytes));
}

#[divan::bench]
fn request_with_headers(bencher: divan::Bencher<'_, '_>) {
    bench(
        bencher,
        Surface::Header,
        b"GET /api/customers/0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e?include_pii=true HTTP/1.1\r\nHost: bank.sandbox.cybrid.app\r\nAuthorization: Bearer eyJraWQiOiJrMSIsImFsZyI6IlJTNTEyIn0.eyJzdWIiOiIwZTBlIn0.c2lnbmF0dXJl\r\nAccept: application/json\r\nAccept-Version: 2026-04-01\r\nContent-Type: application/json\r\nX-Request-ID: 5d1d0000-0000-4000-8000-00000000000a\r\nUser-Agent: okhttp/4.12.0\r\nConnection: keep-alive\r\n\r\n",
    );
}

#[divan::bench]
fn value_of_64_kib(bencher: divan::Bencher<'_, '_>) {
    let mut input = b"{\"message\":\"".to_vec();
    input.extend(repeat(
        "Invalid scopes for john@example.com. Required: trades:execute. ",
        64 * KIB,
    ));
    input.extend(b"\"}");
    bench(bencher, Surface::Json, &input);
}

/// Inputs made to be slow: each is measured at two sizes, and the throughput must not fall.
const WORST: &[(&str, &str)] = &[
    ("digits", "4"),
    ("groups", "4111-"),
    ("blanks", "1 1 1 "),
    ("ats", "a@"),
    ("dots", "a.b@c."),
    ("percents", "%25"),
    ("backslashes", "\\"),
    ("escapes", "\\u0034"),
    ("quotes", "\"'"),
    ("braces", "{\"a\":"),
    ("escaped braces", "{\\\""),
    ("brackets", "["),
    ("keys", "a=b:"),
    ("labels", "password: "),
    ("words", "abandon ability "),
    ("names", "Zyxanthe Q. "),
    ("pems", "-----BEGIN "),
    ("urls", "http://a@"),
    ("masks", "[redacted:"),
    ("base58", "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf "),
    ("streets", "1 A A A A A "),
    ("quotes after keys", "ssn=\"\\\\"),
];

fn worst() -> impl Iterator<Item = (usize, usize)> {
    (0..WORST.len()).flat_map(|n| [(n, 32 * KIB), (n, 256 * KIB)])
}

#[derive(Clone, Copy)]
struct Worst(usize, usize);

impl std::fmt::Display for Worst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}k", WORST[self.0].0, self.1 / KIB)
    }
}

#[divan::bench(args = worst().map(|(n, size)| Worst(n, size)), sample_count = 5)]
fn worst_text(bencher: divan::Bencher<'_, '_>, Worst(n, size): Worst) {
    bench(bencher, Surface::Text, &repeat(WORST[n].1, size));
}

#[divan::bench(args = worst().map(|(n, size)| Worst(n, size)), sample_count = 5)]
fn worst_json(bencher: divan::Bencher<'_, '_>, Worst(n, size): Worst) {
    let mut input = b"{\"message\":\"".to_vec();
    input.extend(repeat(WORST[n].1, size));
    bench(bencher, Surface::Json, &input);
}
