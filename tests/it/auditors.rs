//! Auditors with logins that may only read: what they read is on record in the shared ledger all the
//! same, and that is all that they can put there.

use egret::sim::Vendor;

use crate::harness::postgres::{Server, execute, number, try_execute};
use crate::harness::{Config, Sim};

#[test]
fn who_may_only_read_is_on_record() {
    let Some(server) = Server::start() else {
        return;
    };
    execute(&server.url("postgres"), "CREATE DATABASE ledger");
    let url = server.url("ledger");
    let sim = Sim::start(Vendor::Cybrid);
    let ledger = |login: &str| {
        let url = url.replace("postgres@", login);
        format!("[ledger]\nurl = \"{url}\"")
    };
    let owner = Config::new()
        .cybrid(&sim.url())
        .section(&ledger("postgres@"))
        .section("[evidence]\ninterval = \"20ms\"");
    owner.egret(&["audit", "migrate"]).ok();
    execute(
        &url,
        "CREATE ROLE gateway LOGIN; GRANT egret_writer TO gateway; \
         CREATE ROLE ann LOGIN; GRANT egret_auditor TO ann; \
         CREATE ROLE bob LOGIN; GRANT egret_auditor TO bob",
    );
    let as_gateway = url.replace("postgres@", "gateway@");
    let gateway = owner.variable("EGRET_LEDGER_URL", &as_gateway).start();
    gateway.get("/cybrid/bank/api/banks", &[]);
    gateway.rows(1, &[]);

    // A machine of her own, where no gateway is.
    let auditor = Config::new().cybrid(&sim.url()).section(&ledger("ann@"));
    let query = ["audit", "query", "--banks-only", "--format", "json"];
    for _ in 0..2 {
        let ran = auditor.egret(&query);
        assert!(!ran.stderr.contains("on record in"), "{ran:?}");
        assert_eq!(ran.ok().lines().count(), 1);
    }
    let of_ann = |what: &str| {
        let sql = format!(
            "SELECT count(*) FROM egret.calls AS c JOIN egret.records AS r USING (call_id) \
             JOIN egret.journals AS j ON j.id = r.journal_id \
             JOIN egret.reading_journals AS a ON a.journal = j.journal \
             WHERE a.login = 'ann' AND c.provider = 'egret' AND c.caller_via = 'user' AND {what}"
        );
        number(&url, &sql)
    };
    let queries = "c.operation = 'audit.query' AND c.outcome = 'success'";
    assert_eq!(of_ann(queries), 2);
    let hold = ["audit", "hold", "add", "--caller", "app", "--reason", "x"];
    auditor.egret(&hold).failed();
    auditor.egret(&query).ok();
    assert_eq!(of_ann(queries), 3);
    assert_eq!(number(&url, "SELECT count(*) FROM egret.holds"), 0);

    let verified = gateway.egret(&["audit", "verify"]).ok();
    assert!(
        verified.contains("rows of commands, node node-1/cli are not covered here"),
        "{verified}"
    );

    // Neither rows of calls, nor cursors, nor the journal of somebody else.
    let refused = |login: &str, sql: &str, why: &str| {
        let error = try_execute(&url.replace("postgres@", login), sql).unwrap_err();
        assert!(error.to_string().contains(why), "{sql}: {error}");
    };
    let journal =
        |whose: &str| format!("(SELECT journal FROM egret.journals WHERE journal {whose} LIMIT 1)");
    let of_auditors = "(SELECT journal FROM egret.reading_journals)";
    let (ours, gateways) = (
        journal(&format!("IN {of_auditors}")),
        journal(&format!("NOT IN {of_auditors}")),
    );
    let record = |journal: &str, readings: &str| {
        format!("SELECT egret.record_readings({journal}, 1000, 1000, {readings})")
    };
    refused("ann@", &record(&gateways, "'[]'"), "by a gateway");
    refused("bob@", &record(&ours, "'[]'"), "by the login ann");
    let call = "jsonb_build_array((SELECT to_jsonb(c) || jsonb_build_object('call_id', \
        encode(c.call_id, 'hex')) FROM egret.calls AS c WHERE c.provider = 'cybrid' LIMIT 1))";
    refused("ann@", &record(&ours, call), "not the record of a reading");
    refused("ann@", "INSERT INTO egret.records DEFAULT VALUES", "denied");
    refused("ann@", "DELETE FROM egret.reading_journals", "denied");
}
