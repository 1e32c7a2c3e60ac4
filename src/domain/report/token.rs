//! What became of tokens.

use std::collections::BTreeSet;

use super::document::{Asked, Cell, Column, Table};
use crate::types::{Micros, Outcome};

/// Rows of each list of tokens.
const TOKEN_ROWS: usize = 50;

/// Callers of one token that are named.
const CALLERS_NAMED: usize = 5;

/// How one activity used one token in the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// Number of the token in the ledger: the uses of one token come one after the other.
    pub token: i64,
    /// Its fingerprint as hexadecimal digits.
    pub fingerprint: String,
    /// Kind of the credential.
    pub token_type: String,
    /// Name of the caller; `None` if it was not identified.
    pub caller: Option<String>,
    /// How the calls ended.
    pub outcome: Outcome,
    /// When the token ends, as it says.
    pub expires_at: Option<Micros>,
    /// Whether the ledger has the call that obtained it.
    pub was_minted_here: bool,
    /// How many calls.
    pub calls: u64,
    /// When the first was received.
    pub first: Micros,
    /// When the last was received.
    pub last: Micros,
}

/// A token with all its uses in the period.
#[derive(Clone, Debug)]
struct Token {
    number: i64,
    fingerprint: String,
    token_type: String,
    callers: BTreeSet<String>,
    /// There were more callers than are named.
    has_more_callers: bool,
    expires_at: Option<Micros>,
    was_minted_here: bool,
    calls: u64,
    first: Micros,
    last: Micros,
    last_success: Option<Micros>,
}

impl Token {
    fn new(used: &TokenUse) -> Self {
        let mut token = Self {
            number: used.token,
            fingerprint: used.fingerprint.clone(),
            token_type: used.token_type.clone(),
            callers: BTreeSet::new(),
            has_more_callers: false,
            expires_at: used.expires_at,
            was_minted_here: used.was_minted_here,
            calls: 0,
            first: used.first,
            last: used.last,
            last_success: None,
        };
        token.add(used);
        token
    }

    fn add(&mut self, used: &TokenUse) {
        self.calls = self.calls.saturating_add(used.calls);
        self.first = self.first.min(used.first);
        self.last = self.last.max(used.last);
        if used.outcome == Outcome::Success {
            self.last_success = self.last_success.max(Some(used.last));
        }
        let caller = used.caller.as_deref().unwrap_or(super::tally::NONE);
        if !self.callers.contains(caller) {
            if self.callers.len() < CALLERS_NAMED {
                self.callers.insert(caller.to_owned());
            } else {
                self.has_more_callers = true;
            }
        }
    }

    fn worked_after_its_end(&self) -> bool {
        match (self.expires_at, self.last_success) {
            (Some(end), Some(last)) => last > end,
            _ => false,
        }
    }

    fn row(&self) -> Vec<Cell> {
        let mut callers: Vec<&str> = self.callers.iter().map(String::as_str).collect();
        if self.has_more_callers {
            callers.push("and more");
        }
        vec![
            Cell::id(&*self.fingerprint),
            Cell::text(&*self.token_type),
            Cell::text(callers.join(", ")),
            Cell::Count(self.calls),
            Cell::Time(self.first),
            Cell::Time(self.last),
            self.expires_at.map_or(Cell::Empty, Cell::Time),
            Cell::text(if self.was_minted_here { "yes" } else { "no" }),
        ]
    }
}

const COLUMNS: [Column; 8] = [
    Column::new("token_fingerprint", "Fingerprint"),
    Column::new("token_type", "Kind"),
    Column::new("callers", "Callers"),
    Column::new("calls", "Calls"),
    Column::new("first", "First use"),
    Column::new("last", "Last use"),
    Column::new("expires_at", "Ends"),
    Column::new("minted_here", "Obtained through Egret"),
];

/// Tokens with the most calls, up to [`TOKEN_ROWS`].
#[derive(Default)]
struct Top {
    all: u64,
    tokens: Vec<Token>,
}

impl Top {
    fn offer(&mut self, token: &Token) {
        self.all += 1;
        self.tokens.push(token.clone());
        // Sorted now and then, not each time.
        if self.tokens.len() >= 4 * TOKEN_ROWS {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.tokens
            .sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.number.cmp(&b.number)));
        self.tokens.truncate(TOKEN_ROWS);
    }

    fn table(mut self, key: &'static str, title: &str, note: &str, more: Option<String>) -> Table {
        self.cut();
        Table {
            key,
            title: title.to_owned(),
            note: note.to_owned(),
            columns: COLUMNS.to_vec(),
            rows: self.tokens.iter().map(Token::row).collect(),
            all: self.all,
            more: more.filter(|_| self.all > TOKEN_ROWS as u64),
        }
    }
}

/// Adds up the tokens of a period, of which it keeps only those that are shown.
#[derive(Default)]
pub(super) struct Tokens {
    current: Option<Token>,
    pub(super) used: u64,
    pub(super) foreign: u64,
    shared: Top,
    late: Top,
    busiest: Top,
}

impl Tokens {
    pub(super) fn add(&mut self, used: &TokenUse) {
        match &mut self.current {
            Some(token) if token.number == used.token => token.add(used),
            _ => {
                self.end_token();
                self.current = Some(Token::new(used));
            }
        }
    }

    fn end_token(&mut self) {
        let Some(token) = self.current.take() else {
            return;
        };
        self.used += 1;
        self.foreign += u64::from(!token.was_minted_here);
        if token.callers.len() > 1 {
            self.shared.offer(&token);
        }
        if token.worked_after_its_end() {
            self.late.offer(&token);
        }
        self.busiest.offer(&token);
    }

    /// Ends the last token; the numbers hold from then on.
    pub(super) fn finish(&mut self) {
        self.end_token();
    }

    pub(super) fn shared(&self) -> u64 {
        self.shared.all
    }

    pub(super) fn late(&self) -> u64 {
        self.late.all
    }

    pub(super) fn tables(self, asked: &Asked) -> [Table; 3] {
        [
            self.shared.table(
                "shared_tokens",
                "Tokens used by more than one caller",
                "A token belongs to one caller. Two names for one token mean that it was passed on, \
                 or that one program is known under two names.",
                None,
            ),
            self.late.table(
                "late_tokens",
                "Tokens that worked after their end",
                "The bank accepted them after the time at which they end by their own account. \
                 A clock that is wrong by minutes explains a few; nothing else should.",
                None,
            ),
            self.busiest.table(
                "busiest_tokens",
                "Tokens with the most calls",
                "Every use of one of them: egret audit query --fingerprint and the fingerprint.",
                Some(asked.query("--limit 0 --format csv")),
            ),
        ]
    }
}
