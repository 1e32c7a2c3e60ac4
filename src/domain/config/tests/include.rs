//! Configurations of several files.

use std::path::{Path, PathBuf};

use super::machine::Machine;
use crate::domain::config::settings::differences;
use crate::domain::config::{Config, Reading, read, show};

const MAIN: &str = "/etc/egret/egret.toml";

fn machine(files: &[(&str, &'static str)]) -> Machine {
    let mut machine = Machine::with_tls_files();
    for (path, text) in files {
        machine.files.insert(PathBuf::from(path), text);
    }
    machine
}

fn read_with(text: &str, files: &[(&str, &'static str)]) -> Result<Reading, Vec<String>> {
    read(Path::new(MAIN), text, &machine(files))
        .map_err(|faults| faults.list().iter().map(ToString::to_string).collect())
}

fn one_fault(text: &str, files: &[(&str, &'static str)], wanted: &str) {
    let faults = read_with(text, files).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].contains(wanted), "{}", faults[0]);
}

#[test]
fn files_are_taken_in_by_name_and_put_together() {
    let reading = read_with(
        "include = [\"banks.toml\", \"conf.d/*.toml\"]\n[timeouts]\nrequest = \"9s\"\n",
        &[
            (
                "/etc/egret/banks.toml",
                "[providers.cybrid]\nenvironment = \"production\"\n",
            ),
            (
                "/etc/egret/conf.d/b.toml",
                "[timeouts]\nidle = \"8s\"\n[[capture]]\nprovider = \"cybrid\"\nsample = 2\n",
            ),
            (
                "/etc/egret/conf.d/a.toml",
                "[[capture]]\nprovider = \"cybrid\"\nsample = 3\n",
            ),
            ("/etc/egret/conf.d/.hidden.toml", "nonsense"),
            ("/etc/egret/conf.d/note.txt", "nonsense"),
        ],
    );
    let Reading { config, settings } = reading.unwrap();
    assert_eq!(config.timeouts.request.as_secs(), 9);
    assert_eq!(config.timeouts.idle.as_secs(), 8);
    let samples: Vec<usize> = config.captures.iter().map(|rule| rule.sample).collect();
    assert_eq!(samples, [3, 2]);
    let of = |path: &str| {
        let found = settings.iter().find(|one| one.path() == path).unwrap();
        found.origin.to_string()
    };
    assert_eq!(of("timeouts.idle"), "/etc/egret/conf.d/b.toml:2");
    assert_eq!(of("timeouts.request"), "/etc/egret/egret.toml:3");
    assert_eq!(
        of("providers.cybrid.environment"),
        "/etc/egret/banks.toml:2"
    );
    assert_eq!(of("timeouts.connect"), "default");
}

#[test]
fn every_fault_has_its_own_file_and_line() {
    let faults = read_with(
        "include = [\"a.toml\", \"b.toml\"]\nworker = 1\n[providers.cybrid]\n",
        &[
            ("/etc/egret/a.toml", "# ä\n[timeouts]\nidel = \"8s\"\n"),
            ("/etc/egret/b.toml", "[log]\nformat = \"jason\"\n"),
        ],
    );
    let faults = faults.unwrap_err();
    let places: Vec<&str> = faults
        .iter()
        .map(|fault| fault.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "/etc/egret/egret.toml:2:1",
            "/etc/egret/a.toml:3:1",
            "/etc/egret/b.toml:2:10"
        ],
        "{faults:#?}"
    );
}

#[test]
fn what_is_written_twice_names_both_places() {
    one_fault(
        "include = [\"a.toml\"]\nworkers = 1\n[providers.cybrid]\n",
        &[("/etc/egret/a.toml", "\nworkers = 2\n")],
        "/etc/egret/a.toml:2:1: workers: this is written in /etc/egret/egret.toml:2, too",
    );
    one_fault(
        "include = [\"a.toml\"]\n[providers.cybrid.services]\nbank = { sandbox = \"https://a.example\" }\n",
        &[(
            "/etc/egret/a.toml",
            "[providers.cybrid.services.bank]\nsandbox = \"https://b.example\"\n",
        )],
        "providers.cybrid.services.bank.sandbox: this is written in /etc/egret/egret.toml:3, too",
    );
}

#[test]
fn includes_are_bounded_and_never_in_a_circle() {
    let cybrid = "[providers.cybrid]\n";
    let with = |include: &str| format!("include = [\"{include}\"]\n{cybrid}");
    one_fault(
        &with("nowhere.toml"),
        &[],
        "/etc/egret/nowhere.toml: the file cannot be read",
    );
    one_fault(
        &with("egret.toml"),
        &[],
        "/etc/egret/egret.toml is included already",
    );
    one_fault(
        &with("a.toml"),
        &[
            ("/etc/egret/a.toml", "include = [\"x/../b.toml\"]"),
            ("/etc/egret/b.toml", "include = [\"a.toml\"]"),
        ],
        "/etc/egret/b.toml:1:11: include: /etc/egret/a.toml is included already",
    );
    one_fault(
        &with("1.toml"),
        &[
            ("/etc/egret/1.toml", "include = [\"2.toml\"]"),
            ("/etc/egret/2.toml", "include = [\"3.toml\"]"),
            ("/etc/egret/3.toml", "include = [\"4.toml\"]"),
            ("/etc/egret/4.toml", "include = [\"5.toml\"]"),
            ("/etc/egret/5.toml", ""),
        ],
        "/etc/egret/4.toml:1:11: include: more than 4 files deep",
    );
    one_fault(&with("*/a.toml"), &[], "a * in a directory");
    assert!(read_with(&with("none.d/*.toml"), &[]).is_ok());
}

#[test]
fn the_hash_covers_every_file() {
    let hash = |text: &'static str| {
        let main = "include = [\"a.toml\"]\n[providers.cybrid]\n";
        read_with(main, &[("/etc/egret/a.toml", text)])
            .unwrap()
            .config
            .config_hash
    };
    assert_ne!(hash("[timeouts]\n"), hash("[timeouts] \n"));
    assert_eq!(hash("[timeouts]\n"), hash("[timeouts]\n"));
}

/// Parts that can stand together, each of which changes something.
const PARTS: [&str; 12] = [
    "[timeouts]\nrequest = \"45s\"\n",
    "[limits]\nhead_bytes = \"32KiB\"\n[limits.priority]\ntreasury = \"money\"\n",
    "[callers]\nlocal = \"app\"\n[callers.certificates]\n\"spiffe://a/b \\\"c\\\"\" = \"x\"\n",
    "[[capture]]\nprovider = \"cybrid\"\noperations = [\"bank.get_trade\"]\n[[capture]]\nprovider = \"cybrid\"\n",
    "[providers.obp]\ndauth_callers = [\"a\", \"b\"]\n[providers.obp.services.api]\nsandbox = { url = \"https://obp.example/x\", ca = \"ca.pem\" }\n",
    "[[listener]]\naddress = \"unix:a b.sock\"\n[[listener]]\naddress = \"127.0.0.1:9\"\ntls = { certificate = \"tls.pem\", key = \"tls.key\" }\n",
    "[journal.policy]\nread = \"strict\"\n",
    "[retention]\nprofile = \"pci-12m\"\n[retention.keep]\nmoney = \"1830d\"\n",
    "[providers.cybrid.retries]\nattempts = 5\n[providers.cybrid.budgets.general]\nlimit = 5\n",
    "[redaction]\nrule_sets = [\"payment\"]\n",
    "[reload]\non_change = false\n",
    "[log]\nfilter = \"info,egret=debug\"\n",
];

fn whole(chosen: u16) -> String {
    let parts = PARTS.iter().enumerate();
    let parts = parts.filter(|(at, _)| chosen & (1 << at) != 0);
    let parts: String = parts.map(|(_, part)| *part).collect();
    format!("{parts}[providers.cybrid]\n")
}

fn of(text: &str) -> (Config, Vec<crate::domain::config::settings::Setting>) {
    let mut reading = read_with(text, &[]).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    reading.config.config_hash = Box::default();
    (reading.config, reading.settings)
}

proptest::proptest! {
    /// What is shown can be read again and means the same.
    #[test]
    fn what_is_shown_is_what_is_read(chosen in 0_u16..(1 << PARTS.len())) {
        let (config, settings) = of(&whole(chosen));
        let (again, read) = of(&show::as_toml(&settings));
        proptest::prop_assert_eq!(config, again);
        proptest::prop_assert!(differences(&settings, &read).is_empty());
    }

    /// Two configurations differ if and only if something is said to.
    #[test]
    fn a_difference_is_a_difference(left in 0_u16..(1 << PARTS.len()), right in 0_u16..(1 << PARTS.len())) {
        let (before, was) = of(&whole(left));
        let (after, is) = of(&whole(right));
        proptest::prop_assert_eq!(before == after, differences(&was, &is).is_empty());
    }
}
