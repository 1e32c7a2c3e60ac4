//! What is typed after `egret audit`, and the filter that it means.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::erase::{ERASE_EXAMPLES, EraseArgs};
use super::export::{self, ExportArgs};
use super::hold::{HOLD_EXAMPLES, HoldArgs};
use super::proof::{self, KeyArgs, ProveArgs, VerifyProofArgs};
use super::prune::{PRUNE_EXAMPLES, PruneArgs};
use super::report::{EXAMPLES as REPORT_EXAMPLES, ReportArgs};
use super::verify::{self, VerifyArgs};
use super::{AuditError, Context};
use crate::adapters::ledger::{
    Filter, IdPrefix, Question, QuestionFault, RawSubject, StatusFilter,
};
use crate::domain::config::is_caller_name;
use crate::domain::moment::Moment;
use crate::domain::own::{OwnCall, OwnOperation};
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::types::{CallId, Decision, Effect, Environment, Outcome, PiiClass, Secret, TokenType};

/// Read the audit ledger.
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// The commands of `egret audit`.
#[derive(Subcommand, Clone, Debug)]
pub enum AuditCommand {
    /// List calls, newest first
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArgs),
    /// Show everything about one call, and the history of its token
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Show the last calls, and with --follow those to come
    #[command(after_help = TAIL_EXAMPLES)]
    Tail(TailArgs),
    /// Count calls by operation, status, token type, outcome and caller
    #[command(after_help = STATS_EXAMPLES)]
    Stats(StatsArgs),
    /// Report on a period: personal data, tokens, failed authentication, access, money
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Copy calls into a file or a pipe, all of them or from where the last export stopped
    #[command(after_help = export::EXAMPLES)]
    Export(ExportArgs),
    /// Erase a person from the records; proofs stay valid
    #[command(after_help = ERASE_EXAMPLES)]
    Erase(EraseArgs),
    /// Give up records that need not be kept any longer
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Legal holds: keep records from being pruned and erased
    #[command(after_help = HOLD_EXAMPLES)]
    Hold(HoldArgs),
    /// Make the ledger anew from the journal, with the gateway stopped
    #[command(after_help = REBUILD_EXAMPLES)]
    Rebuild(RebuildArgs),
    /// Make the ledger, or bring it up to date
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate,
    /// Check that nothing was changed: journal, ledger, checkpoints and signatures
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
    /// Write a file that proves what was recorded of a call
    #[command(after_help = proof::PROVE_EXAMPLES)]
    Prove(ProveArgs),
    /// Check such a file, with nothing but the log's public key
    #[command(after_help = proof::VERIFY_PROOF_EXAMPLES)]
    VerifyProof(VerifyProofArgs),
    /// Print the public key of this node's log
    #[command(after_help = proof::KEY_EXAMPLES)]
    Key(KeyArgs),
    /// Change the key that signs for this node's log
    #[command(after_help = proof::ROTATE_EXAMPLES)]
    RotateKey,
}

/// What to rebuild.
#[derive(Args, Clone, Debug)]
pub struct RebuildArgs {
    /// Go ahead although the journal does not begin at the beginning: the new ledger lacks what
    /// came before
    #[arg(long)]
    pub partial: bool,
}

const REBUILD_EXAMPLES: &str = "\
The old ledger is kept beside the new one, with .before-rebuild after its name.

Examples:
      egret audit rebuild";

const MIGRATE_EXAMPLES: &str = "\
`egret serve` does this with its start where it may. Gateways that share a ledger in Postgres should
not be its owner: then its owner says this once for each new version, and grants them the role
egret_writer, and auditors egret_auditor.

Examples:
      EGRET_LEDGER_URL=postgres://owner@db/egret egret audit migrate";

const QUERY_EXAMPLES: &str = "\
Examples:
  What happened in the last quarter of an hour:
      egret audit query --from 15m
  Everything that touched a customer (the GUID is hashed before the search):
      egret audit query --customer 3f1c6b0e-8f55-4f0e-a6a5-3e4f3a0f9c11
  Money that may or may not have moved:
      egret audit query --effect money --outcome unknown --from 7d
  Every token that a service obtained:
      egret audit query --mints --caller onboarding
  Who read bank accounts of customers this month:
      egret audit query --pii bank_account --effect read --from 2026-11-01
  Everything of today that was denied or failed:
      egret audit query --failed --from 24h
  A month as CSV, all of it:
      egret audit query --from 2026-11-01 --to 2026-12-01 --limit 0 --format csv
  The next page:
      egret audit query --from 7d --after 019a2b3c-4d5e-7f60-8123-456789abcdef";

const SHOW_EXAMPLES: &str = "\
Examples:
      egret audit show 019a2b3c-4d5e-7f60-8123-456789abcdef
      egret audit show 019a2b3c-4d5e-7f6 --format json";

const TAIL_EXAMPLES: &str = "\
Examples:
  Watch what fails:
      egret audit tail --follow --outcome failure
  Feed another program:
      egret audit tail --follow --format json";

const STATS_EXAMPLES: &str = "\
Examples:
      egret audit stats --from 24h
      egret audit stats --from 7d --caller billing --format json";

/// How results are written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// One JSON object a line, with every field
    Json,
    /// Comma separated with a header, every field; safe to open in a spreadsheet
    Csv,
}

/// Which calls; all conditions must be met.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which calls")]
pub struct FilterArgs {
    /// Received at or after: 15m, 2h, 7d, a date or an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// Received before: same forms; a date means its first moment
    #[arg(long, value_name = "TIME")]
    pub to: Option<Moment>,
    /// Provider id
    #[arg(long, value_name = "ID")]
    pub provider: Option<String>,
    /// Service of the provider
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Installation of the provider
    #[arg(long, value_parser = words(Environment::ALL, Environment::as_str))]
    pub environment: Option<Environment>,
    /// Operation id; "unknown" for calls that matched none
    #[arg(long, value_name = "ID")]
    pub operation: Option<String>,
    /// What the operation can do
    #[arg(long, value_parser = words(Effect::ALL, Effect::as_str))]
    pub effect: Option<Effect>,
    /// Kind of credential
    #[arg(long, value_name = "TYPE", hide_possible_values = true,
        value_parser = words(TokenType::ALL, TokenType::as_str))]
    pub token_type: Option<TokenType>,
    /// Token that was used, by its fingerprint
    #[arg(long, value_name = "HEX", value_parser = parse_fingerprint)]
    pub fingerprint: Option<Fingerprint>,
    /// Token that the answer handed out, by its fingerprint
    #[arg(long, value_name = "HEX", value_parser = parse_fingerprint)]
    pub minted: Option<Fingerprint>,
    /// Status that the caller got: 404, or a class such as 4xx
    #[arg(long)]
    pub status: Option<StatusFilter>,
    /// Error code of the vendor, such as OBP-20001
    #[arg(long, value_name = "CODE")]
    pub error_code: Option<String>,
    /// Name of the caller
    #[arg(long, value_name = "NAME")]
    pub caller: Option<String>,
    /// What the gateway did
    #[arg(long, value_parser = words(Decision::ALL, Decision::as_str))]
    pub decision: Option<Decision>,
    /// How it ended
    #[arg(long, value_parser = words(Outcome::ALL, Outcome::as_str))]
    pub outcome: Option<Outcome>,
    /// Did not end well: denied, failed, unknown or cancelled
    #[arg(long)]
    pub failed: bool,
    /// Denied by the gateway, or answered 401 or 403
    #[arg(long)]
    pub auth_failed: bool,
    /// Handed out a token or another secret
    #[arg(long)]
    pub mints: bool,
    /// Carried, or may have carried, personal data
    #[arg(long)]
    pub has_pii: bool,
    /// Carried, or may have carried, personal data of this class; may be repeated, one is enough
    #[arg(long, value_name = "CLASS", value_parser = words(PiiClass::ALL, PiiClass::as_str))]
    pub pii: Vec<PiiClass>,
    /// Concerns this customer, by its raw GUID
    #[arg(long, value_name = "GUID", value_parser = parse_customer)]
    pub customer: Option<Secret<String>>,
    /// Concerns this identifier, by its raw value; may be repeated
    #[arg(long, value_name = "KIND:VALUE", value_parser = parse_subject)]
    pub subject: Vec<RawSubject>,
    /// Concerns this identifier, by its pseudonym as shown; may be repeated
    #[arg(long, value_name = "HEX", value_parser = parse_pseudonym)]
    pub pseudonym: Vec<Pseudonym>,
    /// Call id, or how it begins
    #[arg(long, value_name = "ID")]
    pub call_id: Option<IdPrefix>,
    /// Only calls to banks, not what Egret's own commands put on record (provider egret)
    #[arg(long)]
    pub banks_only: bool,
}

/// `egret audit query`
#[derive(Args, Clone, Debug)]
pub struct QueryArgs {
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// At most so many calls; 0 for all
    #[arg(long, default_value_t = 50)]
    pub limit: u64,
    /// Go on after this call: the last one of the page before
    #[arg(long, value_name = "CALL_ID", value_parser = parse_cursor)]
    pub after: Option<CallId>,
    /// The oldest first
    #[arg(long)]
    pub oldest_first: bool,
    // Last, since its heading would hold for what follows.
    /// Which calls.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// `egret audit show`
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// Call id, or how it begins
    pub call_id: IdPrefix,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `egret audit tail`
#[derive(Args, Clone, Debug)]
pub struct TailArgs {
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Begin with so many calls
    #[arg(long, default_value_t = 10)]
    pub limit: u32,
    /// Go on with new calls as they are recorded
    #[arg(long, short)]
    pub follow: bool,
    // Last, since its heading would hold for what follows.
    /// Which calls.
    #[command(flatten)]
    pub filter: FilterArgs,
}

/// `egret audit stats`
#[derive(Args, Clone, Debug)]
pub struct StatsArgs {
    /// How to write them
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    // Last, since its heading would hold for what follows.
    /// Which calls.
    #[command(flatten)]
    pub filter: FilterArgs,
}

impl FilterArgs {
    /// The question that was typed.
    fn question(&self) -> Question {
        Question {
            from: self.from,
            to: self.to,
            provider: self.provider.clone(),
            service: self.service.clone(),
            environment: self.environment,
            operation: self.operation.clone(),
            effect: self.effect,
            token_type: self.token_type,
            fingerprint: self.fingerprint,
            minted: self.minted,
            status: self.status,
            error_code: self.error_code.clone(),
            caller: self.caller.clone(),
            decision: self.decision,
            outcome: self.outcome,
            failed: self.failed,
            auth_failed: self.auth_failed,
            mints: self.mints,
            has_pii: self.has_pii,
            pii: self.pii.clone(),
            customer: self.customer.clone(),
            subject: self.subject.clone(),
            pseudonym: self.pseudonym.clone(),
            call_id: self.call_id,
            banks_only: self.banks_only,
        }
    }

    /// What was typed, with times and pseudonyms worked out.
    ///
    /// # Errors
    /// [`AuditError::EmptyPeriod`].
    pub fn resolve(&self, context: &Context<'_>) -> Result<Filter, AuditError> {
        let resolved = self.question().resolve(context.now, context.pseudonymise);
        resolved.map_err(|fault| match fault {
            QuestionFault::EmptyPeriod { from, to } => AuditError::EmptyPeriod { from, to },
            QuestionFault::Key(error) => error.into(),
        })
    }

    /// What is put on record of a question: which conditions it has, and whom it is about.
    pub fn on_record(&self, operation: OwnOperation, filter: &Filter) -> OwnCall {
        self.question().on_record(operation, filter)
    }
}

/// Accepts the words of a vocabulary and offers them to completions.
pub(in crate::cli) fn words<T>(
    all: &'static [T],
    spell: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static + std::str::FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    PossibleValuesParser::new(all.iter().map(move |word| spell(*word)))
        .try_map(|word| word.parse::<T>())
}

pub(in crate::cli) fn parse_caller(text: &str) -> Result<String, String> {
    if is_caller_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use the name of a caller as `egret audit query` shows it".to_owned())
    }
}

pub(in crate::cli) fn parse_fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse_hex(text)
        .ok_or_else(|| "use the 32 hexadecimal digits of token_fingerprint".to_owned())
}

pub(super) fn parse_pseudonym(text: &str) -> Result<Pseudonym, String> {
    Pseudonym::parse_hex(text)
        .ok_or_else(|| "use the 32 hexadecimal digits of a subject as `show` prints it".to_owned())
}

pub(super) fn parse_customer(text: &str) -> Result<Secret<String>, String> {
    match text.trim() {
        "" => Err("give the GUID of the customer".to_owned()),
        guid => Ok(Secret::new(guid.to_owned())),
    }
}

pub(super) fn parse_subject(text: &str) -> Result<RawSubject, String> {
    match text.split_once(':') {
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => Ok(RawSubject {
            kind: kind.to_owned(),
            value: Secret::new(value.to_owned()),
        }),
        _ => Err("use the kind and the value with a colon between, as in account:1234".to_owned()),
    }
}

pub(super) fn parse_cursor(text: &str) -> Result<CallId, String> {
    text.parse().map_err(|_| {
        "use a whole call id; for --after, that of the last call of the page before".to_owned()
    })
}
