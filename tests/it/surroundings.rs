//! What a gateway needs around it, and what is said when that is missing or another.

use std::fs;

use crate::harness::{Bank, Config, Gateway, reply};

const BANKS: &str = "/cybrid/bank/api/banks";

fn start() -> (Gateway, Bank) {
    let bank = Bank::answering(reply(200, "{}"));
    (Config::new().cybrid(&bank.url()).start(), bank)
}

#[test]
fn a_lost_fingerprint_key_is_not_made_anew_beside_records() {
    let (gateway, _bank) = start();
    let answer = gateway.get(BANKS, &[("Authorization", "Bearer t")]);
    let before = gateway.row_of(&answer).text("token_fingerprint").to_owned();
    let (_, config) = gateway.stop();
    let key = config.directory().join("data/fingerprint.key");
    let copy = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let said = config.egret(&["serve"]).failed();
    assert!(
        said.contains("fingerprint.key") && said.contains("restore"),
        "{said}"
    );
    assert!(!key.exists());
    let ran = config.egret(&["doctor", "--offline", "--no-self-test"]);
    assert!(
        ran.stdout.contains("FAILED   fingerprint key"),
        "{}",
        ran.stdout
    );

    // Nor is another taken, by a start or by a question that would find nothing with it.
    let config = config.private_file("data/fingerprint.key", &format!("{}\n", "5a".repeat(32)));
    for command in [
        vec!["serve"],
        vec![
            "audit",
            "query",
            "--customer",
            "3f1c6b0e8f554f0ea6a53e4f3a0f9c11",
        ],
        vec!["doctor", "--offline", "--no-self-test"],
    ] {
        let ran = config.egret(&command);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!ran.status.success(), "{command:?}: {said}");
        assert!(said.contains("is not the one"), "{command:?}: {said}");
        assert!(!said.contains("5a5a"), "{command:?}: {said}");
    }

    fs::write(&key, copy).unwrap();
    let gateway = config.start();
    let answer = gateway.get(BANKS, &[("Authorization", "Bearer t")]);
    let row = gateway.row_of(&answer);
    assert_eq!(row.text("token_fingerprint"), before);
}

#[test]
fn check_looks_for_every_file_that_the_configuration_names() {
    let config = Config::new()
        .cybrid("http://127.0.0.1:1")
        .section(
            "[ledger]\nurl = \"postgres://egret@127.0.0.1:1/egret?sslmode=verify-full&sslrootcert=%2Fno%2Froots.pem\"\n\
             password_file = \"no-password\"\n",
        )
        .section("[telemetry]\nendpoint = \"https://127.0.0.1:1\"\nheaders_file = \"no-headers\"\n")
        .section(
            "[admin.oidc]\nissuer = \"https://login.example\"\naudience = \"egret\"\n\
             client_secret_file = \"no-client-secret\"\n[admin.oidc.roles]\nops = [\"operator\"]\n",
        )
        .section(
            "[[alerts.channel]]\nname = \"soc\"\nkind = \"webhook\"\nurl = \"https://127.0.0.1:1\"\n\
             secret_file = \"no-secret\"\n\
             [[alerts.channel]]\nname = \"pager\"\nkind = \"command\"\ncommand = [\"/no/page\"]\n",
        );
    let names = [
        "/no/roots.pem",
        "no-password",
        "no-headers",
        "no-client-secret",
        "no-secret",
        "/no/page",
    ];
    for command in [vec!["check"], vec!["doctor", "--offline", "--no-self-test"]] {
        let ran = config.egret(&command);
        assert!(!ran.status.success());
        for name in names {
            assert!(
                ran.stdout.contains(name),
                "{command:?} {name}: {}",
                ran.stdout
            );
        }
    }
}

#[test]
fn the_doctor_looks_into_files_that_a_start_refuses() {
    let (gateway, _bank) = start();
    let (_, config) = gateway.stop();
    for name in [
        "callers.toml",
        "admins.toml",
        "lockdown.toml",
        "protections.json",
        "alerts/incidents.json",
    ] {
        let path = config.directory().join("data").join(name);
        let before = fs::read(&path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "{broken").unwrap();
        let ran = config.egret(&["doctor", "--offline", "--no-self-test"]);
        let file = name.rsplit('/').next().unwrap();
        let line = ran
            .stdout
            .lines()
            .find(|line| line.starts_with("FAILED") && line.contains(file));
        assert!(line.is_some(), "{name}: {}", ran.stdout);
        match before {
            Some(content) => fs::write(&path, content).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
    }
}

#[test]
fn a_lock_of_nobody_known_holds_and_says_so() {
    let (gateway, _bank) = start();
    let known = gateway.egret(&["caller", "add", "payments", "--key-only"]);
    known.ok();
    let lock = |name| {
        gateway.egret(&[
            "lockdown", "caller", name, "--reason", "a case", "--for", "4h",
        ])
    };
    let known = lock("payments");
    assert!(
        known.status.success() && !known.stderr.contains("stands for"),
        "{known:?}"
    );
    let unknown = lock("paymnets");
    assert!(unknown.status.success(), "{unknown:?}");
    assert!(unknown.stderr.contains("a caller paymnets"), "{unknown:?}");
    let listed = gateway.egret(&["lockdown", "list"]).ok();
    assert!(
        listed.contains("caller:paymnets") && listed.contains("for 3h 59m"),
        "{listed}"
    );
    let said = gateway
        .egret(&["lockdown", "lift", "zzz", "--reason", "x"])
        .failed();
    assert!(said.contains("egret lockdown list"), "{said}");
    let said = gateway.egret(&["audit", "hold", "list"]).ok();
    assert!(said.contains("nothing is held"), "{said}");
}
