//! Which calls are meant.

use std::str::FromStr;

use super::sql::Sql;
use crate::domain::own::OWN_PROVIDER;
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{CallId, Decision, Effect, Environment, Micros, Outcome, TokenType};

/// How far the time inside a call id and the recorded time of reception may lie apart: the two may
/// come from two looks at the clock. The id narrows a search, the recorded time decides.
const ID_SLACK_MILLIS: i64 = 1_000;

/// Conditions on calls; a call must meet all that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Received at or after.
    pub from: Option<Micros>,
    /// Received before.
    pub to: Option<Micros>,
    /// The call id, or how it begins.
    pub call_id: Option<IdPrefix>,
    /// Name of the caller.
    pub caller: Option<String>,
    /// Provider id.
    pub provider: Option<String>,
    /// Service of the provider.
    pub service: Option<String>,
    /// Installation of the provider.
    pub environment: Option<Environment>,
    /// Operation id.
    pub operation: Option<String>,
    /// Effect of the operation.
    pub effect: Option<Effect>,
    /// Kind of the credential.
    pub token_type: Option<TokenType>,
    /// The token that was used.
    pub fingerprint: Option<Fingerprint>,
    /// The token that the answer handed out.
    pub minted: Option<Fingerprint>,
    /// What the gateway did.
    pub decision: Option<Decision>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Status that the caller got.
    pub status: Option<StatusFilter>,
    /// The vendor's error code.
    pub error_code: Option<String>,
    /// Whom it concerns: all of them.
    pub subjects: Vec<Pseudonym>,
    /// Not what Egret's own commands have put on record.
    pub banks_only: bool,
}

/// A filter and what had to be looked up for it.
pub(super) struct Resolved<'a> {
    pub(super) filter: &'a Filter,
    /// The entries of the token that was used. Nearly always there is at most one, and to know it
    /// lets SQLite read a token's calls in the order of the index instead of sorting all of them.
    pub(super) credentials: Vec<i64>,
}

impl Resolved<'_> {
    /// Appends the conditions, each led by ` AND `. They need only columns that the table `records` has
    /// and the view `calls` shows, so they fit both: what is only counted needs no dictionary.
    pub(super) fn push(&self, sql: &mut Sql) {
        let filter = self.filter;
        filter.push_ids(sql);
        if let Some(from) = filter.from {
            sql.push(" AND received_at >= ").push_bind(from.0);
        }
        if let Some(to) = filter.to {
            sql.push(" AND received_at < ").push_bind(to.0);
        }
        filter.push_profile(sql);
        if filter.banks_only {
            sql.push(
                " AND profile_id IN (SELECT id FROM profiles WHERE coalesce(provider, '') <> ",
            );
            sql.push_bind(OWN_PROVIDER).push(")");
        }
        if filter.fingerprint.is_some() {
            match self.credentials[..] {
                [one] => {
                    sql.push(" AND credential_id = ").push_bind(one);
                }
                _ => {
                    sql.push(" AND credential_id IN (");
                    for (index, id) in self.credentials.iter().enumerate() {
                        sql.push(if index == 0 { "" } else { ", " }).push_bind(*id);
                    }
                    sql.push(")");
                }
            }
        }
        if let Some(minted) = filter.minted {
            sql.push(" AND minted_fingerprint = ");
            sql.push_bind(minted.as_bytes().to_vec());
        }
        if let Some(outcome) = filter.outcome {
            if outcome != Outcome::Success {
                // Lets SQLite use the partial index.
                sql.push(" AND outcome <> 'success'");
            }
            sql.push(" AND outcome = ").push_bind(outcome.as_str());
        }
        if let Some(status) = filter.status {
            sql.push(" AND status BETWEEN ")
                .push_bind(i64::from(status.first));
            sql.push(" AND ").push_bind(i64::from(status.last));
        }
        if let Some(code) = filter.error_code.as_deref() {
            sql.push(" AND error_code = ").push_bind(code);
        }
        for subject in &filter.subjects {
            // Both parts give ids in a range of an index, so the period narrows them, too.
            sql.push(" AND call_id IN (SELECT call_id FROM call_subjects WHERE subject = ");
            sql.push_bind(subject.as_bytes().to_vec());
            filter.push_ids(sql);
            sql.push(
                " UNION ALL SELECT call_id FROM records WHERE credential_id IN \
                 (SELECT credential_id FROM credential_subjects WHERE subject = ",
            );
            sql.push_bind(subject.as_bytes().to_vec()).push(")");
            filter.push_ids(sql);
            sql.push(")");
        }
    }
}

impl Filter {
    /// Bounds of the call id.
    fn push_ids(&self, sql: &mut Sql) {
        if let Some(from) = self.from {
            let millis = from.as_millis().saturating_sub(ID_SLACK_MILLIS);
            push_id(sql, ">=", CallId::floor(millis));
        }
        if let Some(to) = self.to {
            let millis = to.as_millis().saturating_add(ID_SLACK_MILLIS);
            push_id(sql, "<", CallId::floor(millis));
        }
        if let Some(prefix) = self.call_id {
            push_id(sql, ">=", CallId::from_bytes(prefix.low));
            push_id(sql, "<=", CallId::from_bytes(prefix.high));
        }
    }

    /// What calls have in common is asked of the dictionary, which is small, and not of each call.
    fn push_profile(&self, sql: &mut Sql) {
        let mut asked = false;
        for (column, value) in [
            ("caller", self.caller.as_deref()),
            ("provider", self.provider.as_deref()),
            ("service", self.service.as_deref()),
            ("environment", self.environment.map(Environment::as_str)),
            ("operation", self.operation.as_deref()),
            ("effect", self.effect.map(Effect::as_str)),
            ("token_type", self.token_type.map(TokenType::as_str)),
            ("decision", self.decision.map(Decision::as_str)),
        ] {
            if let Some(value) = value {
                sql.push(if asked {
                    " AND "
                } else {
                    " AND profile_id IN (SELECT id FROM profiles WHERE "
                });
                asked = true;
                sql.push(column).push(" = ").push_bind(value.to_owned());
            }
        }
        if asked {
            sql.push(")");
        }
    }
}

/// Appends a comparison with the call id.
pub(super) fn push_id(sql: &mut Sql, comparison: &str, id: CallId) {
    sql.push(" AND call_id ").push(comparison).push(" ");
    sql.push_bind(id.as_bytes().to_vec());
}

/// One status, or a class of them such as `4xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusFilter {
    first: u16,
    last: u16,
}

/// Text that is neither a status nor a class of statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a status: use a number from 100 to 599, or a class such as 4xx")]
pub struct NotAStatus(String);

impl FromStr for StatusFilter {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAStatus(text.to_owned());
        let (first, last) = match text.strip_suffix("xx").or(text.strip_suffix("XX")) {
            Some(class) => {
                let class: u16 = class.parse().map_err(|_| wrong())?;
                let first = class.checked_mul(100).ok_or_else(wrong)?;
                (first, first.saturating_add(99))
            }
            None => {
                let status = text.parse().map_err(|_| wrong())?;
                (status, status)
            }
        };
        if first < 100 || last > 599 {
            return Err(wrong());
        }
        Ok(Self { first, last })
    }
}

/// A call id, or how it begins, as the range of ids that begin so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    low: [u8; 16],
    high: [u8; 16],
}

/// Text that no call id begins with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a call id: use the hexadecimal digits of the id, as in \
     019a2b3c-4d5e-7f60-8123-456789abcdef, or how it begins"
)]
pub struct NotAnId(String);

impl FromStr for IdPrefix {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnId(text.to_owned());
        let mut digits = [None; 32];
        let mut slots = digits.iter_mut();
        for character in text.chars().filter(|character| *character != '-') {
            let digit = character
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok());
            *slots.next().ok_or_else(wrong)? = Some(digit.ok_or_else(wrong)?);
        }
        if digits.first() == Some(&None) {
            return Err(wrong());
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        for ((pair, low), high) in digits.chunks(2).zip(&mut low).zip(&mut high) {
            let fill = |with: u8| pair.iter().fold(0, |byte, d| byte << 4 | d.unwrap_or(with));
            (*low, *high) = (fill(0), fill(0xf));
        }
        Ok(Self { low, high })
    }
}

impl From<CallId> for IdPrefix {
    fn from(id: CallId) -> Self {
        Self {
            low: *id.as_bytes(),
            high: *id.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_and_classes() {
        let parse = |text: &str| text.parse::<StatusFilter>().map(|s| (s.first, s.last));
        assert_eq!(parse("404"), Ok((404, 404)));
        assert_eq!(parse("5xx"), Ok((500, 599)));
        for wrong in [
            "", "xx", "4x", "9xx", "0xx", "99", "600", "-404", "65535xx", "70000",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_prefix_covers_the_ids_that_begin_with_it() {
        let id = CallId::from_parts(1_767_323_045_000, [0x5a; 10]);
        let whole = id.to_string();
        for length in 1..=whole.len() {
            let prefix: IdPrefix = whole[..length].parse().unwrap();
            assert!(prefix.low <= *id.as_bytes() && *id.as_bytes() <= prefix.high);
        }
        assert_eq!(whole.parse::<IdPrefix>().unwrap(), IdPrefix::from(id));
        let odd: IdPrefix = "019".parse().unwrap();
        assert_eq!((odd.low[1], odd.high[1]), (0x90, 0x9f));
        for wrong in ["", "-", "xyz", "019g", &format!("{whole}0"), "é"] {
            assert!(wrong.parse::<IdPrefix>().is_err(), "{wrong}");
        }
    }
}
