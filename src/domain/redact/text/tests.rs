use crate::domain::redact::{Context, Redactor, Surface};

fn text(input: &str) -> String {
    let out = Redactor::default().redact(Surface::Text, input.as_bytes(), Context::default());
    String::from_utf8(out.bytes.into_inner()).unwrap()
}

#[test]
fn pem_blocks_go_as_a_whole() {
    let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf\nAoGBAK\n-----END RSA PRIVATE KEY-----";
    assert_eq!(
        text(&format!("key:\n{block}\ndone")),
        "key:\n[redacted:private_key]\ndone"
    );
    assert_eq!(
        text("x -----BEGIN PRIVATE KEY-----\nMIIBOgIB\nAoGBAK"),
        "x [redacted:private_key]"
    );
}

#[test]
fn a_label_at_the_end_of_a_line_reaches_into_the_next() {
    assert_eq!(
        text("password:\nhunter2x\n"),
        "password:\n[redacted:password]\n"
    );
}

#[test]
fn useful_text_stands() {
    for line in [
        "ERROR OBP-20001: User not logged in. Authentication is required!",
        "upstream bank.sandbox.cybrid.app:443 answered 429, retry after 300 s",
        "commit 3e60cc4f0a1b2c3d4e5f60718293a4b5c6d7e8f9 deployed to us-east-1",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 duration_ms=12.5",
        "OBPv4.0.0-grantUserAccessToView returned 403 (version v5.1.0)",
        "token expired for customer 0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e",
        "order 1234567812345678 shipped",
        "quoted 1,234.56 USD at 2026-11-22",
    ] {
        assert_eq!(text(line), line);
    }
}

#[test]
fn a_block_scalar_belongs_to_its_key() {
    assert_eq!(
        text("db:\n  password: |-\n    open sesame\n    twice\n\n  state: ready\n"),
        "db:\n  password: |-\n    [redacted:password]\n    [redacted:password]\n\n  state: ready\n"
    );
    let plain = "description: |\n  the worker waits\nstate: ready\n";
    assert_eq!(text(plain), plain);
}

#[test]
fn a_short_option_is_a_password_beside_a_user() {
    assert_eq!(
        text("ldapsearch -u admin -p dragon"),
        "ldapsearch -u admin -p [redacted:password]"
    );
    assert_eq!(text("tool -p Hunter2x!"), "tool -p [redacted:password]");
    for line in [
        "docker run -p 8080:80 web",
        "mkdir -p /var/log/egret",
        "cargo test -p egret",
        "ssh -p 22 host",
    ] {
        assert_eq!(text(line), line);
    }
}

#[test]
fn a_number_between_letters_of_a_script_without_blanks_is_found() {
    for line in [
        "\u{5361}\u{53f7}4012888888881881\u{88ab}",
        "\u{ff}~\u{ff}4012888888881881\u{ff}$",
    ] {
        assert!(!text(line).contains("4012888888881881"), "{line}");
    }
}

#[test]
fn secrets_are_found_in_other_languages_and_documents() {
    for line in [
        "le mot de passe est vD9-krumpel!7",
        "hasło: vD9-krumpel!7",
        "Пароль: vD9-krumpel!7",
        "$env:API_SECRET = 'vD9-krumpel!7'",
        "<wsse:Password Type=\"x\">vD9-krumpel!7</wsse:Password>",
        "Credentials { user: \"x\", password: \"vD9-krumpel!7\" }",
    ] {
        assert!(!text(line).contains("krumpel"), "{}", text(line));
    }
    assert_eq!(
        text("账户GB33 BUKB 2020 1555 5555 55不存在"),
        "账户[redacted:iban]不存在"
    );
}
