//! The identity provider of the admin API.

use std::time::Duration;

use super::files::Files;
use crate::domain::access::jwt::TokenRules;
use crate::domain::access::{ROLES, roles_of};
use crate::domain::catalog::BaseUrl;
use crate::domain::config::admin::Oidc;
use crate::domain::config::reader::{DurationIn, FilePath, Found, Problem, Table, Text};

/// Where browsers come back to.
pub(in crate::domain) const RETURN: &str = "/auth/oidc/return";

/// Longest texts here.
const MAX_TEXT: usize = 512;

/// Most words that mean roles.
const MAX_ROLES: usize = 256;

/// Difference of clocks that is put up with unless it is written, and the longest.
const SKEW: Duration = Duration::from_secs(60);
const MAX_SKEW: Duration = Duration::from_secs(600);

pub(super) fn read(table: &Table<'_>, files: &Files<'_>) -> Option<Oidc> {
    let is_present = table.is_present();
    let text = |what| Text {
        max: MAX_TEXT,
        what,
    };
    let needed = |key, what, meaning| match is_present {
        true => table.required(key, &text(what), meaning),
        false => table.optional(key, &text(what), "required", meaning),
    };
    let issuer = needed(
        "issuer",
        "URL",
        "The identity provider: `iss` of its tokens, and where its \
         `/.well-known/openid-configuration` is.",
    );
    let audience = needed(
        "audience",
        "text",
        "`aud` of tokens, and the client id of browsers' logins.",
    );
    let or = |key, what, default: &str, meaning| {
        let found = table.optional(key, &text(what), &format!("`\"{default}\"`"), meaning);
        found.map_or_else(|| default.to_owned(), |found| found.value)
    };
    let roles_claim = or(
        "roles_claim",
        "name",
        "roles",
        "Claim that holds the roles; inner members with dots, such as `realm_access.roles`.",
    );
    let name_claim = or(
        "name_claim",
        "name",
        "preferred_username",
        "Claim that names the person in records; `sub` where a token lacks it. The name stands in \
         records for as long as they are kept: an id says less about people than an address does.",
    );
    let scopes = or(
        "scopes",
        "text",
        "openid profile",
        "Scopes that browsers' logins ask for.",
    );
    let skew = table.optional(
        "clock_skew",
        &DurationIn(Duration::ZERO..=MAX_SKEW),
        "`\"1m\"`",
        "How far the clocks of the identity provider and this machine may be apart.",
    );
    let secret = table.optional(
        "client_secret_file",
        &FilePath,
        "none",
        "File with the secret of this client, for browsers' logins; none for a public client.",
    );
    let redirect = table.optional(
        "redirect",
        &text("URL"),
        "none",
        "Where browsers come back to, as registered with the identity provider; ends in \
         `/auth/oidc/return`. Without it only tokens are taken.",
    );
    let mut roles = Vec::new();
    let entries = table.table("roles").entries();
    if entries.len() > MAX_ROLES {
        let hint = format!("use at most {MAX_ROLES}");
        table.fault(table.place(), Problem::new("too many roles", hint));
    }
    for entry in entries.iter().take(MAX_ROLES) {
        let found = entry.value("<word>", &ROLES, "Roles that a word in the claim means.");
        roles.extend(found.map(|found| (entry.name.to_owned(), roles_of(&found.value))));
    }
    if !is_present {
        return None;
    }
    if roles.is_empty() {
        let hint = "map words of the roles claim under [admin.oidc.roles]";
        let problem = Problem::new("no token could have a role", hint);
        table.fault(table.place(), problem);
    }
    let issuer = issuer?;
    let url = base_url(table, &issuer)?;
    let redirect = redirect.and_then(|found| {
        let url = base_url(table, &found)?;
        if !url.path().ends_with(RETURN) {
            let problem = Problem::new(
                "browsers would not come back",
                format!("end it in {RETURN}"),
            );
            table.fault(&found.place, problem);
        }
        Some(url)
    });
    Some(Oidc {
        issuer: url,
        rules: TokenRules {
            issuer: issuer.value,
            audience: audience?.value,
            roles_claim,
            roles,
            name_claim,
            skew: skew.map_or(SKEW, |found| found.value),
        },
        client_secret_file: secret.map(|path| files.resolve(&path.value)),
        redirect,
        scopes,
    })
}

fn base_url(table: &Table<'_>, found: &Found<String>) -> Option<BaseUrl> {
    BaseUrl::parse(&found.value)
        .map_err(|hint| table.fault(&found.place, Problem::new("not a usable URL", hint)))
        .ok()
}
