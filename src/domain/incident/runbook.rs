//! What to do: suggested steps per category, with the names of the incident put in.
//!
//! They go from looking to acting: what costs nothing comes first. Commands are suggestions for
//! people; nothing here is run.

use super::Category;
use super::case::{Case, StepKind};

/// The suggested steps for an incident.
pub fn steps(case: &Case) -> Vec<String> {
    let common = ["See who did what: `egret investigate caller {caller}`."];
    let done = case.steps.iter();
    let done = done.filter(|step| step.kind == StepKind::Responded);
    let done = done.map(|step| {
        let note = &step.note;
        if note.starts_with("locked ") {
            format!("Egret {note}: `egret lockdown lift` ends it.")
        } else {
            format!("Egret {note}.")
        }
    });
    let steps = common.iter().chain(of(case.category));
    let steps = steps.chain(&["When it is settled: `egret alert close {id} --reason '...'`."]);
    done.chain(steps.filter_map(|step| fill(step, case)))
        .collect()
}

const fn of(category: Category) -> &'static [&'static str] {
    match category {
        Category::MintVolume | Category::MintUnused => &[
            "Ask the team of {caller} whether a job, a test or a release explains it.",
            "Compare with what the tokens were used for: `egret audit query --caller {caller} --mints`.",
            "If nobody can explain it, stop it: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
            "Change the client secret of {caller} at the bank. Tokens that were minted live on: up to 30 minutes in production, 8 hours in the sandbox.",
            "Have the bank watch the accounts of the customers concerned.",
        ],
        Category::Dormant => &[
            "Ask customer care whether these customers were written to or have called.",
            "If nobody can explain it, stop it: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
            "Look for money and bank accounts that were changed: `egret audit report money --from 24h --caller {caller}`.",
            "Change the client secret of {caller} at the bank.",
        ],
        Category::TokenReplay => &[
            "Follow the token from its mint to each use: `egret investigate token {token}`.",
            "Stop this token alone: `egret lockdown token {token} --reason '{id}' --for 8h`.",
            "Find where it leaked: logs, crash reports and browsers of the service that minted it.",
            "If it was a bank token, change the client secret: whoever has the token may have the secret.",
        ],
        Category::NewOrigin => &[
            "Ask whether {ip} is an office, a data centre or a partner that is new; if so, add it to the own networks.",
            "If it is nobody's, stop the caller: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
            "Change the caller's key (`egret caller rotate {caller}`) and the client secret at the bank; pin allowed addresses at the bank.",
        ],
        Category::NewIdentity | Category::Novelty | Category::TokenType | Category::Scope => &[
            "Ask the team of {caller} whether a release brought this.",
            "If it is meant, acknowledge: `egret alert ack {id}`. What is new is then learned.",
            "If it is not, stop it: `egret lockdown caller {caller} --reason '{id}' --for 1h`, and take back what was granted.",
            "Ask for no more scopes at the bank's key than the service needs.",
        ],
        Category::AuthFail => &[
            "See what fails: `egret audit report failed-auth --from 24h --caller {caller}`.",
            "If a secret was changed and one service does not know it, give it the secret.",
            "If passwords or secrets are being tried from {ip}, block that address in front of the gateway.",
            "If one try succeeded after many, treat the credential as stolen: change it, and stop its tokens.",
        ],
        Category::MintDenied => &[
            "See who uses up the allowance (20 bank tokens, 200 customer tokens in 5 minutes per address, with Cybrid): `egret audit stats`.",
            "If a service mints for every call, have it keep tokens until they end.",
            "If it is nobody's doing, stop the caller that mints most.",
        ],
        Category::Enumeration => &[
            "Look at what was asked for and what was found: `egret audit query --caller {caller} --failed`.",
            "If a list of customers is out of date somewhere, have it brought up to date.",
            "If identifiers are being guessed, stop the caller: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
        ],
        Category::Pii | Category::Exfil => &[
            "See whose data was read: `egret audit report pii-access --from 24h --caller {caller}`.",
            "Stop it: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
            "Tell the data protection officer: the time to notify the authority (72 hours, GDPR article 33) may have begun.",
            "Keep the records of this case from being pruned: `egret audit hold add`.",
        ],
        Category::Money => &[
            "Stop it first: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
            "List what was moved: `egret audit report money --from 24h --caller {caller}`.",
            "Call the bank and have transfers that are not settled cancelled.",
            "Remove the wallets and bank accounts that were added, and tell the customers.",
        ],
        Category::Privilege => &[
            "See what was given to whom: `egret audit report access-changes --from 24h`.",
            "Take it back: revoke the views and roles of {target}, undo the setting.",
            "Ask who did it, by another way than the one that may be stolen.",
            "If it was nobody, change the administrator's credentials.",
        ],
        Category::OffHours => &[
            "Ask the person on duty at {caller}.",
            "If nobody was there, stop it: `egret lockdown caller {caller} --reason '{id}' --for 8h`.",
            "Look at what was read and changed meanwhile: `egret audit query --caller {caller}`.",
        ],
        Category::EnvMix => &[
            "Ask the team of {caller} whether a setting points to the wrong environment.",
            "A test identity in production is a way in: take its production credentials away.",
        ],
        Category::Volume => &[
            "Ask the team of {caller} for releases, retries without pause, or a service that stopped.",
            "If calls stopped, check that they do not go past the gateway.",
            "If there are too many, throttle the caller before the bank does it for everybody.",
        ],
        Category::AccountAbuse => &[
            "See the account's day: `egret investigate customer {subject}`.",
            "Ask whether the account is the house's own, or a customer's who trades by program.",
            "If it is not, stop the caller: `egret lockdown caller {caller} --reason '{id}' --for 1h`.",
        ],
        Category::AuditGap => &[
            "Find out what was not recorded and since when: `egret audit verify`.",
            "Check disk and database: `egret health`, `egret doctor`.",
            "Treat the time of the gap as unwatched.",
        ],
    }
}

/// Puts names in; a step whose name is not known is left out.
fn fill(step: &str, case: &Case) -> Option<String> {
    let mut out = String::with_capacity(step.len() + 32);
    let mut rest = step;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, later) = after.split_once('}')?;
        let value = match key {
            "caller" => case.callers.one(),
            "token" => case.tokens.one(),
            "ip" => case.ips.one(),
            "subject" => case.subjects.one(),
            "target" => case.targets.one(),
            "id" => Some(case.id.as_str()),
            _ => None,
        };
        out.push_str(before);
        out.push_str(value.filter(|value| is_plain(value))?);
        rest = later;
    }
    out.push_str(rest);
    Some(out)
}

/// Whether a name can stand in a command as it is: commands are copied into shells.
fn is_plain(name: &str) -> bool {
    name.len() <= 128
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
}
