//! The parameters that say which calls are meant: those of `egret audit query`.

use crate::adapters::ledger::{Question, RawSubject};
use crate::domain::moment::Moment;
use crate::domain::record::{Fingerprint, Pseudonym};
use crate::edge::admin::api::asked::{Asked, bad};
use crate::edge::admin::api::route::{Kind, Param, query};
use crate::edge::admin::desk::{Fault, Period};
use crate::types::{Decision, Effect, Environment, Outcome, PiiClass, Secret, TokenType};

/// A moment.
pub(super) const MOMENT: Kind = Kind::Form(
    "^(now|[0-9]{1,6}[smhdw]|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?Z)?)$",
);
/// A fingerprint or a pseudonym.
pub(super) const HEX: Kind = Kind::Form("^[0-9a-f]{32}$");
/// A call id.
pub(super) const CALL_ID: Kind =
    Kind::Form("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$");
/// A call id or its beginning.
pub(super) const ID_PREFIX: Kind = Kind::Form("^[0-9a-f]{1,8}$|^[0-9a-f]{8}-[0-9a-f-]{0,27}$");

/// How often a condition may be there that may be repeated.
const MANY: usize = 16;

/// Longest names and ids of the catalog and of callers.
const NAME: Kind = Kind::Text(255);

/// Words of a vocabulary.
pub(super) fn words<T: Copy>(all: &[T], spell: fn(T) -> &'static str) -> Kind {
    Kind::Words(all.iter().map(|word| spell(*word)).collect())
}

/// The parameters of a period.
pub(super) fn period() -> Vec<Param> {
    vec![
        query(
            "from",
            MOMENT,
            "Received at or after: 15m, 2h, 7d, a date or an RFC 3339 time",
        ),
        query("to", MOMENT, "Received before: same forms"),
    ]
}

/// Reads [`period`].
///
/// # Errors
/// [`Fault::BadParameter`].
pub(super) fn read_period(asked: &Asked) -> Result<Period, Fault> {
    Ok(Period {
        from: asked.parse::<Moment>("from")?,
        to: asked.parse::<Moment>("to")?,
    })
}

/// The parameters of a question.
pub(super) fn params() -> Vec<Param> {
    let mut params = period();
    params.extend([
        query("provider", NAME, "Provider id"),
        query("service", NAME, "Service of the provider"),
        query(
            "environment",
            words(Environment::ALL, Environment::as_str),
            "Installation of the provider",
        ),
        query(
            "operation",
            NAME,
            "Operation id; unknown for calls that matched none",
        ),
        query(
            "effect",
            words(Effect::ALL, Effect::as_str),
            "What the operation can do",
        ),
        query(
            "token_type",
            words(TokenType::ALL, TokenType::as_str),
            "Kind of credential",
        ),
        query(
            "fingerprint",
            HEX,
            "Token that was used, by its fingerprint",
        ),
        query(
            "minted",
            HEX,
            "Token that the answer handed out, by its fingerprint",
        ),
        query(
            "status",
            Kind::Form("^[1-5]([0-9]{2}|xx)$"),
            "Status that the caller got: 404, or a class such as 4xx",
        ),
        query(
            "error_code",
            NAME,
            "Error code of the vendor, such as OBP-20001",
        ),
        query("caller", NAME, "Name of the caller"),
        query(
            "decision",
            words(Decision::ALL, Decision::as_str),
            "What the gateway did",
        ),
        query(
            "outcome",
            words(Outcome::ALL, Outcome::as_str),
            "How it ended",
        ),
        query(
            "failed",
            Kind::Flag,
            "Did not end well: denied, failed, unknown or cancelled",
        ),
        query(
            "auth_failed",
            Kind::Flag,
            "Denied by the gateway, or answered 401 or 403",
        ),
        query("mints", Kind::Flag, "Handed out a token or another secret"),
        query(
            "has_pii",
            Kind::Flag,
            "Carried, or may have carried, personal data",
        ),
        query(
            "pii",
            words(PiiClass::ALL, PiiClass::as_str),
            "Carried, or may have carried, personal data of this class; one is enough",
        )
        .many(MANY),
        query(
            "customer",
            Kind::Text(128),
            "Concerns this customer, by its raw GUID; it is hashed before the search",
        ),
        query(
            "subject",
            Kind::Form("^[a-z_]{1,32}:[^\\x00-\\x1f\\x7f]{1,200}$"),
            "Concerns this identifier, as kind:value",
        )
        .many(MANY),
        query(
            "pseudonym",
            HEX,
            "Concerns this identifier, by its pseudonym as shown",
        )
        .many(MANY),
        query("call_id", ID_PREFIX, "Call id, or how it begins"),
        query(
            "banks_only",
            Kind::Flag,
            "Only calls to banks, not what was done with Egret itself",
        ),
    ]);
    params
}

/// Reads [`params`].
///
/// # Errors
/// [`Fault::BadParameter`].
pub(super) fn read(asked: &Asked) -> Result<Question, Fault> {
    let own = |name| asked.text(name).map(str::to_owned);
    let hex = |name| -> Result<Option<Fingerprint>, Fault> {
        let text = asked.text(name);
        text.map(|text| Fingerprint::parse_hex(text).ok_or_else(|| bad(name, DIGITS)))
            .transpose()
    };
    let pii = asked.all("pii").map(|class| {
        class
            .parse::<PiiClass>()
            .map_err(|why| bad("pii", why.to_string()))
    });
    let subject = asked.all("subject").map(|text| match text.split_once(':') {
        Some((kind, value)) if !kind.is_empty() && !value.is_empty() => Ok(RawSubject {
            kind: kind.to_owned(),
            value: Secret::new(value.to_owned()),
        }),
        _ => Err(bad(
            "subject",
            "use the kind and the value with a colon between, as in account:1234",
        )),
    });
    let pseudonym = asked
        .all("pseudonym")
        .map(|text| Pseudonym::parse_hex(text).ok_or_else(|| bad("pseudonym", DIGITS)));
    let Period { from, to } = read_period(asked)?;
    Ok(Question {
        from,
        to,
        provider: own("provider"),
        service: own("service"),
        environment: asked.parse("environment")?,
        operation: own("operation"),
        effect: asked.parse("effect")?,
        token_type: asked.parse("token_type")?,
        fingerprint: hex("fingerprint")?,
        minted: hex("minted")?,
        status: asked.parse("status")?,
        error_code: own("error_code"),
        caller: own("caller"),
        decision: asked.parse("decision")?,
        outcome: asked.parse("outcome")?,
        failed: asked.flag("failed")?,
        auth_failed: asked.flag("auth_failed")?,
        mints: asked.flag("mints")?,
        has_pii: asked.flag("has_pii")?,
        pii: pii.collect::<Result<_, _>>()?,
        customer: own("customer").map(Secret::new),
        subject: subject.collect::<Result<_, _>>()?,
        pseudonym: pseudonym.collect::<Result<_, _>>()?,
        call_id: asked.parse("call_id")?,
        banks_only: asked.flag("banks_only")?,
    })
}

/// What a fingerprint or a pseudonym is.
pub(super) const DIGITS: &str = "use its 32 hexadecimal digits";
