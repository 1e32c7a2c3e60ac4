//! Clients as users have them: the real Cybrid packages, and OBP and Wyre flows in Python, all
//! through the gateway. Every call that reaches the vendor must be on record as what it is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use egret::sim::{Request, Vendor};
use serde_json::Value;

use crate::harness::{Config, Gateway, Row, Sim};

/// Says why a test did not run; on the build server nothing may be skipped.
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "cannot run, and CI is set: {why}"
    );
    eprintln!("SKIPPED: {why}");
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/python")
        .join(name)
}

/// Python with the Cybrid packages; made once and kept below `target`.
pub(crate) fn python_with_clients() -> Result<PathBuf, String> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = home.join("bin/python");
    let wanted = std::fs::read_to_string(script("requirements.txt")).unwrap();
    let installed = home.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&home))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(script("requirements.txt")))?;
    std::fs::write(installed, wanted).unwrap();
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// Runs a script; gives what it says about itself.
pub(crate) fn drive(python: &Path, name: &str, variables: &[(&str, &str)]) -> Value {
    let output = Command::new(python)
        .arg(script(name))
        .envs(variables.iter().copied())
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{errors}"));
    assert_eq!(said["ok"], true, "{said:#}{errors}");
    said
}

fn has_python() -> bool {
    run(Command::new("python3").arg("--version")).is_ok()
}

/// A caller with a key; gives the value of `Proxy-Authorization`.
fn key(config: &Config) -> String {
    let key = config
        .egret(&["caller", "add", "python", "--key-only"])
        .ok();
    format!("Bearer {}", key.trim())
}

/// The operation of a Cybrid call by the naming rule of Cybrid's own clients.
fn cybrid_operation(request: &Request) -> String {
    let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let (method, plural) = (request.method.as_str(), segments[1]);
    let service = match plural {
        "bank_applications"
        | "organization_applications"
        | "customer_tokens"
        | "users"
        | "token" => "identity",
        "organizations" | "subscriptions" | "subscription_deliveries" | "subscription_events" => {
            "organization"
        }
        _ => "bank",
    };
    let singular = match plural {
        "counterparties" => "counterparty",
        "subscription_deliveries" => "subscription_delivery",
        "deposit_addresses" => "deposit_address",
        _ => plural.strip_suffix('s').unwrap_or(plural),
    };
    let name = match (method, plural, segments.len()) {
        ("POST", "token", _) => "oauth_token".to_owned(),
        ("GET", "users", 2) => "list_user".to_owned(),
        ("DELETE", "users", 3) => "disable_user".to_owned(),
        ("DELETE", "transfers", 3) => "cancel_transfer".to_owned(),
        ("PATCH", "external_bank_accounts", 3) => "patch_external_bank_account".to_owned(),
        ("POST", _, 2) => format!("create_{singular}"),
        ("GET", _, 2) => format!("list_{plural}"),
        ("GET", _, 3) => format!("get_{singular}"),
        ("PATCH", _, 3) => format!("update_{singular}"),
        ("DELETE", _, 3) => format!("delete_{singular}"),
        other => panic!("no operation for {other:?}"),
    };
    format!("{service}.{name}")
}

/// What the token of a Cybrid call says that it is.
fn cybrid_token_type(request: &Request) -> String {
    let Some(token) = request.header("Authorization") else {
        let is_mint = request.path == "/oauth/token";
        return if is_mint {
            "client_credentials"
        } else {
            "anonymous"
        }
        .to_owned();
    };
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["sub_type"].as_str().unwrap().to_owned()
}

#[test]
fn the_real_cybrid_clients_work_and_every_call_of_theirs_is_on_record() {
    let python = match python_with_clients() {
        Ok(python) => python,
        Err(why) => return skip(&why),
    };
    let sim = Sim::start(Vendor::Cybrid);
    let config = Config::new().callers("").cybrid(&sim.url());
    let key = key(&config);
    let gateway = config.start();
    let url = gateway.url();
    let said = drive(
        &python,
        "cybrid_smoke.py",
        &[
            ("EGRET_IDENTITY_URL", &format!("{url}/cybrid/identity")),
            ("EGRET_BANK_URL", &format!("{url}/cybrid/bank")),
            (
                "EGRET_ORGANIZATION_URL",
                &format!("{url}/cybrid/organization"),
            ),
            ("EGRET_PROXY_AUTHORIZATION", &key),
            ("EGRET_WIDE", "1"),
        ],
    );
    let seen = sim.requests();
    assert!(seen.len() > 100, "only {} calls", seen.len());
    let rows = gateway.rows(seen.len(), &[]);
    for (seen, row) in seen.iter().zip(&rows) {
        row.expect(&[
            ("operation", &cybrid_operation(&seen.request)),
            ("token_type", &cybrid_token_type(&seen.request)),
            ("method", &seen.request.method),
            ("status", &seen.status.to_string()),
            ("provider", "cybrid"),
            ("caller", "python"),
            ("caller_via", "key"),
            (
                "outcome",
                if seen.status < 400 {
                    "success"
                } else {
                    "failure"
                },
            ),
            ("attempts", "1"),
        ]);
        assert!(seen.request.header("Proxy-Authorization").is_none());
    }
    let kinds: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row.text("token_type")).collect();
    // Some lists are open to everybody; the clients send no token for them.
    let all = [
        "anonymous",
        "bank",
        "client_credentials",
        "customer",
        "organization",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);

    every_token_leads_to_its_mint(&rows);
    the_customer_is_found(&gateway, &rows, said["customer"].as_str().unwrap());
}

/// Every token that was used was minted through the gateway, so each has a row that made it.
fn every_token_leads_to_its_mint(rows: &[Row]) {
    for (at, row) in rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.text("token_type") != "client_credentials")
    {
        let fingerprint = row.text("token_fingerprint");
        if row.text("token_type") == "anonymous" {
            row.expect(&[("token_fingerprint", ""), ("effect", "read")]);
            continue;
        }
        assert_eq!(fingerprint.len(), 32, "{row:?}");
        let made = rows[..at]
            .iter()
            .find(|mint| mint.text("minted_fingerprint") == fingerprint);
        let made = made.unwrap_or_else(|| panic!("no mint of {row:?}"));
        let by = match row.text("token_type") {
            "customer" => "identity.create_customer_token",
            _ => "identity.oauth_token",
        };
        made.expect(&[
            ("operation", by),
            ("effect", "mint"),
            ("outcome", "success"),
        ]);
    }
}

fn the_customer_is_found(gateway: &Gateway, rows: &[Row], guid: &str) {
    let found = gateway.query(&["--customer", guid]);
    let operations: Vec<&str> = found.iter().map(|row| row.text("operation")).collect();
    for operation in [
        "bank.create_customer",
        "bank.get_customer",
        "identity.create_customer_token",
        "bank.create_quote",
        "bank.create_account",
        "bank.list_accounts",
        "bank.create_identity_verification",
    ] {
        assert!(
            operations.contains(&operation),
            "{operation} is not among {operations:?}"
        );
    }
    // With the customer's own token, whatever was asked for.
    assert!(found.iter().any(|row| row.text("token_type") == "customer"));
    assert!(!operations.contains(&"bank.list_assets"));
    assert!(found.len() < rows.len());
    assert!(gateway.query(&["--customer", &"0f".repeat(16)]).is_empty());
    for row in rows {
        assert!(!row.0.to_string().contains(guid), "{row:?}");
    }
}

/// Operation, token type, status and error code of each call of a flow.
type Step = (&'static str, &'static str, u16, &'static str);

fn expect_steps(gateway: &Gateway, provider: &str, steps: &[Step]) -> Vec<Row> {
    let rows = gateway.rows(steps.len(), &[]);
    for ((operation, token_type, status, code), row) in steps.iter().zip(&rows) {
        row.expect(&[
            ("operation", operation),
            ("token_type", token_type),
            ("status", &status.to_string()),
            ("error_code", code),
            ("provider", provider),
            ("caller", "python"),
            ("outcome", if *status < 400 { "success" } else { "failure" }),
        ]);
    }
    rows
}

#[test]
fn an_obp_flow_is_on_record_call_by_call() {
    if !has_python() {
        return skip("there is no python3");
    }
    let sim = Sim::start(Vendor::Obp);
    let config = Config::new().callers("").provider(
        "obp",
        "dauth_callers = [\"python\"]",
        &[("api", &sim.url())],
    );
    let key = key(&config);
    let gateway = config.start();
    let said = drive(
        Path::new("python3"),
        "obp_flow.py",
        &[
            ("EGRET_OBP_URL", &format!("{}/obp", gateway.url())),
            ("EGRET_PROXY_AUTHORIZATION", &key),
        ],
    );
    const CREATE: &str = "DirectLogin-createToken";
    const USER: &str = "OBPv3.0.0-getCurrentUser";
    const READ: &str = "OBPv3.0.0-getTransactionsForBankAccount";
    const GRANT: &str = "OBPv4.0.0-grantUserAccessToView";
    let login = "direct_login";
    let rows = expect_steps(
        &gateway,
        "obp",
        &[
            (CREATE, "direct_login_credentials", 201, ""),
            (CREATE, "direct_login_credentials", 201, ""),
            (USER, login, 200, ""),
            (USER, login, 200, ""),
            (READ, login, 403, "OBP-20017"),
            (GRANT, login, 400, "OBP-20047"),
            (GRANT, login, 201, ""),
            (READ, login, 200, ""),
            ("OBPv4.0.0-revokeUserAccessToView", login, 201, ""),
            (READ, login, 403, "OBP-20017"),
            ("OBPv5.1.0-grantUserAccessToViewById", login, 201, ""),
            ("OBPv5.1.0-revokeUserAccessToViewById", login, 201, ""),
            ("OBPv4.0.0-createUserWithAccountAccess", login, 201, ""),
            ("OBPv4.0.0-revokeGrantUserAccessToViews", login, 201, ""),
            (USER, "dauth", 200, ""),
            (USER, login, 401, "OBP-20003"),
            (USER, "anonymous", 401, "OBP-20001"),
        ],
    );
    assert_eq!(said["steps"].as_array().unwrap().len(), rows.len());
    assert_eq!(sim.count() as usize, rows.len());
    for (effect, range) in [("mint", 0..2), ("access-change", 10..14)] {
        for row in &rows[range] {
            row.expect(&[("effect", effect)]);
        }
    }
    // The token in its new and in its old form, and whoever reads with it, lead to the mints.
    for (use_of, mint) in [(2, 0), (3, 1), (6, 0), (7, 1)] {
        let made = rows[mint].text("minted_fingerprint");
        assert_eq!(made.len(), 32);
        assert_eq!(
            rows[use_of].text("token_fingerprint"),
            made,
            "call {use_of}"
        );
    }
    // Whom was access granted to? The auditor is found by the raw user id.
    let found = gateway.query(&["--subject", "user:5d1d0000-0000-4000-8000-000000000002"]);
    let found: Vec<&str> = found.iter().map(|row| row.text("operation")).collect();
    assert!(found.contains(&GRANT), "{found:?}");
    // And as detection reads it: a grant and its end are about the same user and view, a user who is
    // made with access is a contract, and so is whoever calls with DAuth.
    let export = gateway.directory().join("calls.jsonl");
    let export = export.to_str().unwrap();
    gateway.egret(&["audit", "export", "-o", export]).ok();
    let lines = std::fs::read_to_string(export).unwrap();
    let given: Vec<(String, String)> = lines
        .lines()
        .map(|line| egret::domain::detect::Row::read(line.as_bytes()).unwrap())
        .filter(|row| !row.event().target.is_empty() && row.event().status < 300)
        .map(|row| (row.event().target.to_owned(), row.event().view.to_owned()))
        .collect();
    assert_eq!(given.len(), 6, "{given:?}");
    assert_eq!(given[0].1, "auditor", "{given:?}");
    assert_eq!(given[0], given[1], "{given:?}");
    assert_eq!(given[2], given[3], "{given:?}");
    assert!(given[4].0.starts_with("dauth/0x"), "{given:?}");
    assert!(given[5].0.starts_with("dauth/0x"), "{given:?}");
}

#[test]
fn dauth_is_for_the_callers_that_are_listed() {
    let sim = Sim::start(Vendor::Obp);
    let gateway = Config::new()
        .provider("obp", "", &[("api", &sim.url())])
        .start();
    for headers in [
        &[("DAuth", "e30.e30.c2ln")][..],
        &[
            ("DAuth", "e30.e30.c2ln"),
            ("DirectLogin", "token=e30.e30.c2ln"),
        ],
        &[("Authorization", "GatewayLogin token=\"e30.e30.c2ln\"")],
    ] {
        let answer = gateway.get("/obp/obp/v4.0.0/users/current", headers);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (403, "scheme_not_allowed")
        );
        gateway.row_of(&answer).expect(&[
            ("decision", "denied"),
            ("reason", "scheme_not_allowed"),
            ("operation", "OBPv3.0.0-getCurrentUser"),
        ]);
    }
    assert_eq!(sim.count(), 0);
}

#[test]
fn a_wyre_flow_is_on_record_call_by_call() {
    if !has_python() {
        return skip("there is no python3");
    }
    let sim = Sim::start(Vendor::Wyre);
    let config = Config::new()
        .callers("")
        .provider("wyre", "", &[("api", &sim.url())]);
    let key = key(&config);
    let gateway = config.start();
    drive(
        Path::new("python3"),
        "wyre_flow.py",
        &[
            ("EGRET_WYRE_URL", &format!("{}/wyre", gateway.url())),
            ("EGRET_WYRE_SIGNED_URL", &sim.url()),
            ("EGRET_PROXY_AUTHORIZATION", &key),
        ],
    );
    let (mint, session, signed) = ("wyre_session_mint", "wyre_session_token", "wyre_signature");
    let rows = expect_steps(
        &gateway,
        "wyre",
        &[
            ("initializeAuthToken", mint, 200, ""),
            ("initializeAuthToken", mint, 200, ""),
            ("createAccount", session, 200, ""),
            ("getAccount", session, 200, ""),
            ("getAccount", signed, 200, ""),
            ("getRates", "anonymous", 200, ""),
            ("getAccountV2", signed, 200, ""),
            ("getAccount", signed, 401, "accessDenied.account"),
            ("getAccount", signed, 200, ""),
            ("createTransfer", signed, 200, ""),
            ("confirmTransfer", signed, 200, ""),
            ("confirmTransfer", signed, 400, "transfer.alreadyConfirmed"),
            ("getAccountV2", signed, 401, "accessDenied.invalidSignature"),
            (
                "getAccountV2",
                "anonymous",
                401,
                "accessDenied.invalidSession",
            ),
        ],
    );
    assert_eq!(sim.count() as usize, rows.len());
    // The secret is the session token: however it is sent, it is the same, and what was signed
    // with the key that the mint gave leads to the mint.
    let secret = rows[0].text("token_fingerprint");
    let key = rows[0].text("minted_fingerprint");
    assert_eq!((secret.len(), key.len()), (32, 32), "{:?}", rows[0]);
    for (at, made) in [(1, secret), (2, secret), (3, secret), (4, key)] {
        assert_eq!(
            rows[at].text("token_fingerprint"),
            made,
            "call {at}: {:?}",
            rows[at]
        );
    }
    assert_eq!(rows[1].text("minted_fingerprint"), key);
    let acting: Vec<bool> = rows.iter().map(|row| !row.lacks("on_behalf_of")).collect();
    assert_eq!(acting.iter().filter(|acts| **acts).count(), 1);
    assert!(acting[8]);
    let ledger = rows.iter().map(|row| row.0.to_string()).collect::<String>();
    for secret in ["pyflow", "AC_SIMCHILD001", "SK-SIM", "AK-SIM"] {
        assert!(!ledger.contains(secret), "{secret}");
    }
}
