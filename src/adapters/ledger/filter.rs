//! Which calls are meant.

use std::fmt;
use std::str::FromStr;

use super::sql::Sql;
use crate::domain::own::OWN_PROVIDER;
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{CallId, Decision, Effect, Environment, Micros, Outcome, PiiClass, TokenType};

/// How far the time inside a call id and the recorded time of reception may lie apart: the two may
/// come from two looks at the clock. The id narrows a search, the recorded time decides.
pub(super) const ID_SLACK_MILLIS: i64 = 1_000;

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
    /// Carried, or may have carried, personal data of one of these classes; empty: no condition.
    pub pii: Vec<PiiClass>,
    /// Carried, or may have carried, personal data of any class.
    pub has_pii: bool,
    /// Handed out a token or another secret.
    pub mints: bool,
    /// Ended otherwise than well: denied, failed, unknown or cancelled.
    pub failed: bool,
    /// Denied by the gateway, or answered 401 or 403.
    pub auth_failed: bool,
    /// Whom it concerns: all of them.
    pub subjects: Vec<Pseudonym>,
    /// Not what Egret's own commands have put on record.
    pub banks_only: bool,
}

/// From how many tokens on that name a subject its calls are looked for in the order of time. A
/// person is named by a few tokens, a bank by nearly all: to gather their calls first would be to
/// read the whole ledger. Few in tests.
pub(super) const MANY_CREDENTIALS: i64 = if cfg!(test) { 10 } else { 1_000 };

/// From how many activities on Postgres looks at all calls of a rare outcome: fewer are looked up
/// one by one in each month. Few in tests.
pub(super) const MANY_ACTIVITIES: i64 = if cfg!(test) { 4 } else { 64 };

/// A filter and what had to be looked up for it.
pub(super) struct Resolved<'a> {
    pub(super) filter: &'a Filter,
    /// The entries of the token that was used. Nearly always there is at most one, and to know it
    /// lets SQLite read a token's calls in the order of the index instead of sorting all of them.
    pub(super) credentials: Vec<i64>,
    /// For each subject, whether [`MANY_CREDENTIALS`] or more name it.
    pub(super) is_wide: Vec<bool>,
    /// Whether it is about [`MANY_ACTIVITIES`] or more, and a rare outcome: in Postgres.
    pub(super) is_broad: bool,
    /// Which database is asked.
    pub(super) is_sqlite: bool,
}

/// What conditions are asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The view `calls`.
    Calls,
    /// The table `records`.
    Records,
}

impl Over {
    const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Records => "records",
        }
    }
}

/// The index that leads to the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The one that SQLite chooses: of the token, of the subject or of the time.
    Planned,
    /// That of the activities. It gives calls by activity, so those of several must be put in order.
    Activities,
    /// That of the calls that did not end well, by outcome.
    NotSuccessful,
    /// That of the calls that did not end well, by activity.
    FailedActivities,
    /// That of the statuses from 400 on.
    Statuses,
    /// That of the banks' error codes.
    ErrorCodes,
}

impl Path {
    /// What stands after `FROM`. SQLite is told which index to use; Postgres knows its numbers.
    pub(super) const fn table(self, is_sqlite: bool) -> &'static str {
        match self {
            Self::Activities if is_sqlite => "records INDEXED BY records_by_activity",
            Self::NotSuccessful if is_sqlite => "records INDEXED BY records_not_successful",
            Self::FailedActivities if is_sqlite => "records INDEXED BY records_failed_by_activity",
            Self::Statuses if is_sqlite => "records INDEXED BY records_by_status",
            Self::ErrorCodes if is_sqlite => "records INDEXED BY records_by_error",
            _ => "records",
        }
    }
}

impl Resolved<'_> {
    /// Appends the conditions, each led by ` AND `.
    pub(super) fn push(&self, sql: &mut Sql, over: Over) {
        self.filter.push_ids(sql);
        self.push_others(sql, over);
    }

    /// As [`Resolved::push`], without the bounds of the call id.
    pub(super) fn push_others(&self, sql: &mut Sql, over: Over) {
        let filter = self.filter;
        filter.push_received(sql, self.is_sqlite);
        filter.push_common(sql, over, self.is_sqlite, self.is_broad);
        filter.push_ended(sql, over);
        match self.path() {
            // In these words the partial index is defined.
            Path::Statuses => {
                sql.push(" AND status >= 400");
            }
            Path::ErrorCodes => {
                sql.push(" AND error_code IS NOT NULL");
            }
            _ => {}
        }
        if filter.banks_only && !(over == Over::Records && filter.asks_activity()) {
            // It leaves nearly all activities, so no index leads there; but most indexes name the
            // activity, so that this needs no look at the row.
            sql.push(match over {
                Over::Calls => " AND profile_id NOT IN (SELECT id FROM profiles WHERE provider = ",
                Over::Records => {
                    " AND activity_id NOT IN (SELECT id FROM activities WHERE provider = "
                }
            });
            sql.push_bind(OWN_PROVIDER).push(")");
        }
        if filter.fingerprint.is_some() {
            match self.credentials[..] {
                // Postgres knows no empty list.
                [] => {
                    sql.push(" AND false");
                }
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
        for (subject, is_wide) in filter.subjects.iter().zip(&self.is_wide) {
            if *is_wide {
                push_wide_subject(sql, over, *subject);
                continue;
            }
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

    /// The index that leads to the calls soonest.
    pub(super) fn path(&self) -> Path {
        let filter = self.filter;
        let leads_by_itself = filter.fingerprint.is_some()
            || filter.minted.is_some()
            || filter.call_id.is_some()
            || !filter.subjects.is_empty();
        if leads_by_itself {
            return Path::Planned;
        }
        if filter.error_code.is_some() {
            return Path::ErrorCodes;
        }
        if filter.status.is_some_and(StatusFilter::is_bad) {
            return Path::Statuses;
        }
        match (filter.is_not_successful(), filter.asks_activity()) {
            (true, true) if self.is_broad => Path::NotSuccessful,
            (true, true) => Path::FailedActivities,
            (true, false) => Path::NotSuccessful,
            (false, true) => Path::Activities,
            (false, false) => Path::Planned,
        }
    }

    /// Whether it is about one token, one person or one call.
    pub(super) fn is_narrow(&self) -> bool {
        let filter = self.filter;
        filter.fingerprint.is_some()
            || filter.minted.is_some()
            || filter.call_id.is_some()
            || self.is_wide.iter().any(|is_wide| !is_wide)
    }

    /// Whether calls are looked at one by one, as the index that leads to them does not know all
    /// conditions, or none leads to them: then all of a period may have to be looked at for one
    /// page.
    pub(super) fn is_slow(&self) -> bool {
        let filter = self.filter;
        let has_status = filter.status.is_some();
        match self.path() {
            Path::Planned => !self.is_narrow() && (has_status || !filter.subjects.is_empty()),
            Path::Activities => has_status,
            Path::NotSuccessful | Path::FailedActivities => has_status || filter.auth_failed,
            Path::Statuses => filter.is_not_successful(),
            Path::ErrorCodes => has_status || filter.is_not_successful(),
        }
    }
}

/// Looks at each call whether it names the subject. Not with `EXISTS`: Postgres would first put all
/// tokens that name it into a table.
fn push_wide_subject(sql: &mut Sql, over: Over, subject: Pseudonym) {
    let name = over.name();
    sql.push(" AND coalesce((SELECT 1 FROM credential_subjects AS s WHERE s.subject = ");
    sql.push_bind(subject.as_bytes().to_vec());
    sql.push(format!(
        " AND s.credential_id = {name}.credential_id), \
         (SELECT 1 FROM call_subjects AS s WHERE s.subject = "
    ));
    sql.push_bind(subject.as_bytes().to_vec());
    sql.push(format!(" AND s.call_id = {name}.call_id)) IS NOT NULL"));
}

impl Filter {
    /// Whether only calls that did not end well can be meant.
    fn is_not_successful(&self) -> bool {
        self.failed || self.auth_failed || self.outcome.is_some_and(|o| o != Outcome::Success)
    }

    /// Whether there is a condition on who did what.
    fn asks_activity(&self) -> bool {
        self.words().iter().any(|(_, word)| word.is_some())
            || !self.pii.is_empty()
            || self.has_pii
            || self.mints
    }

    /// Whether it is about activities, and about an outcome that few calls have.
    pub(super) fn asks_rare_ends(&self) -> bool {
        let is_rare = matches!(self.outcome, Some(Outcome::Unknown | Outcome::Cancelled));
        is_rare && self.asks_activity()
    }

    /// Columns of an activity, and what they must be.
    fn words(&self) -> [(&'static str, Option<&str>); 8] {
        [
            ("caller", self.caller.as_deref()),
            ("provider", self.provider.as_deref()),
            ("service", self.service.as_deref()),
            ("environment", self.environment.map(Environment::as_str)),
            ("operation", self.operation.as_deref()),
            ("effect", self.effect.map(Effect::as_str)),
            ("token_type", self.token_type.map(TokenType::as_str)),
            ("decision", self.decision.map(Decision::as_str)),
        ]
    }

    /// The conditions but for the period: names of the options of `egret audit query`, and values.
    /// Identifiers come as pseudonyms.
    pub fn conditions(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let mut add = |name: &str, value: String| out.push((name.to_owned(), value));
        for (column, word) in self.words() {
            if let Some(word) = word {
                add(&column.replace('_', "-"), word.to_owned());
            }
        }
        for (name, hash) in [("fingerprint", self.fingerprint), ("minted", self.minted)] {
            if let Some(hash) = hash {
                add(name, hash.to_string());
            }
        }
        if let Some(outcome) = self.outcome {
            add("outcome", outcome.to_string());
        }
        if let Some(status) = self.status {
            add("status", status.to_string());
        }
        if let Some(code) = &self.error_code {
            add("error-code", code.clone());
        }
        for (name, holds) in [
            ("failed", self.failed),
            ("auth-failed", self.auth_failed),
            ("mints", self.mints),
            ("has-pii", self.has_pii),
            ("banks-only", self.banks_only),
        ] {
            if holds {
                add(name, String::new());
            }
        }
        for class in &self.pii {
            add("pii", class.to_string());
        }
        for subject in &self.subjects {
            add("pseudonym", subject.to_string());
        }
        if let Some(prefix) = self.call_id {
            add("call-id", prefix.to_string());
        }
        out
    }

    /// The lowest call id that can be meant, and the one that is higher than all that can.
    pub(super) fn id_bounds(&self) -> (Option<CallId>, Option<CallId>) {
        let low = |at: Micros| CallId::floor(at.as_millis().saturating_sub(ID_SLACK_MILLIS));
        let high = |at: Micros| CallId::floor(at.as_millis().saturating_add(ID_SLACK_MILLIS));
        (self.from.map(low), self.to.map(high))
    }

    /// Bounds of the call id.
    fn push_ids(&self, sql: &mut Sql) {
        let (low, high) = self.id_bounds();
        if let Some(low) = low {
            push_id(sql, ">=", low);
        }
        if let Some(high) = high {
            push_id(sql, "<", high);
        }
        if let Some(prefix) = self.call_id {
            push_id(sql, ">=", CallId::from_bytes(prefix.low));
            push_id(sql, "<=", CallId::from_bytes(prefix.high));
        }
    }

    /// The recorded time decides, but only near the ends of the period: between them the id says
    /// enough, and what an index holds can be counted without a look at the rows.
    fn push_received(&self, sql: &mut Sql, is_sqlite: bool) {
        if let Some(from) = self.from {
            let inside = CallId::floor(from.as_millis().saturating_add(ID_SLACK_MILLIS));
            if is_sqlite {
                sql.push(" AND (call_id >= ");
                sql.push_bind(inside.as_bytes().to_vec());
                sql.push(" OR received_at >= ").push_bind(from.0).push(")");
            } else {
                let low = CallId::floor(from.as_millis().saturating_sub(ID_SLACK_MILLIS));
                push_not_of(sql, low, inside, "<", from);
            }
        }
        if let Some(to) = self.to {
            let inside = CallId::floor(to.as_millis().saturating_sub(ID_SLACK_MILLIS));
            if is_sqlite {
                sql.push(" AND (call_id < ");
                sql.push_bind(inside.as_bytes().to_vec());
                sql.push(" OR received_at < ").push_bind(to.0).push(")");
            } else {
                let high = CallId::floor(to.as_millis().saturating_add(ID_SLACK_MILLIS));
                push_not_of(sql, inside, high, ">=", to);
            }
        }
    }

    /// What calls have in common is asked of a dictionary, which is small, and not of each call.
    fn push_common(&self, sql: &mut Sql, over: Over, is_sqlite: bool, is_broad: bool) {
        if !self.asks_activity() {
            return;
        }
        // An array, so that Postgres looks each activity up in the index. A join it would rather
        // begin with all calls of the period, since it takes no activity to be rare.
        let (begin, end) = match (over, is_sqlite) {
            (Over::Calls, _) => ("profile_id IN (SELECT id FROM profiles", ")"),
            // With few calls to begin with, a join is right: each activity apart would be
            // thousands of looks into the index.
            (Over::Records, false) if is_broad => {
                ("activity_id IN (SELECT id FROM activities", ")")
            }
            (Over::Records, true) => ("activity_id IN (SELECT id FROM activities", ")"),
            (Over::Records, false) => ("activity_id = ANY (ARRAY(SELECT id FROM activities", "))"),
        };
        sql.push(" AND ").push(begin).push(" WHERE true");
        self.push_activity(sql);
        sql.push(end);
    }

    /// Conditions on a row of `activities`, or of `profiles`, whose columns have the same names.
    pub(super) fn push_activity(&self, sql: &mut Sql) {
        for (column, word) in self.words() {
            if let Some(word) = word {
                sql.push(" AND ").push(column).push(" = ");
                sql.push_bind(word.to_owned());
            }
        }
        if self.has_pii {
            sql.push(" AND pii IS NOT NULL");
        }
        if !self.pii.is_empty() {
            // A JSON array of words: a quoted word in it is a member.
            sql.push(" AND (false");
            for class in &self.pii {
                sql.push(" OR replace(pii, ");
                sql.push_bind(format!("\"{class}\"")).push(", '') <> pii");
            }
            sql.push(")");
        }
        if self.mints {
            sql.push(" AND minted_kind IS NOT NULL");
        }
        if self.banks_only {
            sql.push(" AND provider IS DISTINCT FROM ")
                .push_bind(OWN_PROVIDER);
        }
    }

    /// How it ended.
    fn push_ended(&self, sql: &mut Sql, over: Over) {
        if self.is_not_successful() {
            // In these words the partial index is defined.
            sql.push(" AND outcome <> 'success'");
            if self.outcome.is_none() {
                // Implied, but said it leads into the index once per outcome.
                sql.push(" AND outcome IN (");
                let others = Outcome::ALL.iter().filter(|o| **o != Outcome::Success);
                for (index, outcome) in others.enumerate() {
                    sql.push(if index == 0 { "" } else { ", " });
                    sql.push_bind(outcome.as_str());
                }
                sql.push(")");
            }
        }
        if let Some(outcome) = self.outcome {
            sql.push(" AND outcome = ").push_bind(outcome.as_str());
        }
        if self.auth_failed {
            sql.push(match over {
                Over::Calls => {
                    " AND (status IN (401, 403) OR profile_id IN (SELECT id FROM profiles"
                }
                Over::Records => {
                    " AND (status IN (401, 403) OR activity_id IN (SELECT id FROM activities"
                }
            });
            sql.push(" WHERE decision = ")
                .push_bind(Decision::Denied.as_str());
            sql.push("))");
        }
        if let Some(status) = self.status
            && status.is_bad()
        {
            // One by one, so that an index of statuses is read in the order of calls within each.
            sql.push(" AND status IN (");
            for one in status.first..=status.last {
                sql.push(if one == status.first { "" } else { ", " })
                    .push(one);
            }
            sql.push(")");
        } else if let Some(status) = self.status {
            sql.push(" AND status BETWEEN ")
                .push_bind(i64::from(status.first));
            sql.push(" AND ").push_bind(i64::from(status.last));
        }
        if let Some(code) = self.error_code.as_deref() {
            sql.push(" AND error_code = ").push_bind(code.to_owned());
        }
    }
}

/// Leaves out what was received on the wrong side of a moment, among the calls near it. Postgres
/// does not look into the row for a column only where that matters: a condition that names one
/// makes it fetch every row, so those near the end are looked for apart.
fn push_not_of(sql: &mut Sql, low: CallId, high: CallId, wrong: &str, at: Micros) {
    sql.push(" AND call_id NOT IN (SELECT call_id FROM records WHERE true");
    push_id(sql, ">=", low);
    push_id(sql, "<", high);
    sql.push(" AND received_at ").push(wrong).push(" ");
    sql.push_bind(at.0).push(")");
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

impl StatusFilter {
    /// Whether only what did not go well has such a status.
    const fn is_bad(self) -> bool {
        self.first >= 400
    }
}

impl fmt::Display for StatusFilter {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}xx", self.first / 100)
        }
    }
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

impl fmt::Display for IdPrefix {
    /// The digits that all ids in the range begin with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = |bytes: &[u8; 16]| {
            let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            nibbles.collect::<Vec<_>>()
        };
        let pairs = digits(&self.low).into_iter().zip(digits(&self.high));
        let mut same = pairs.take_while(|(low, high)| low == high);
        same.try_for_each(|(digit, _)| write!(f, "{digit:x}"))
    }
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
