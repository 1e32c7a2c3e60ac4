//! The words of the reports, explained to readers who do not know the product.

use super::ReportKind;
use super::document::Term;

const fn term(word: &'static str, meaning: &'static str) -> Term {
    Term { word, meaning }
}

/// Words of every report.
const COMMON: [Term; 7] = [
    term(
        "Call",
        "One request that a service of this company sent through the gateway to a bank, with all \
         that it became. Refused requests count too.",
    ),
    term(
        "Caller",
        "The service that made the call, as the gateway knows it by its key, certificate or address. \
         (none): the gateway did not know who it was.",
    ),
    term(
        "Operation",
        "What was asked of the bank, by provider and name in the catalog. unknown: the request \
         matched no operation of the catalog.",
    ),
    term(
        "Succeeded, failed",
        "Succeeded: the bank answered that it did as asked. Failed: the bank answered with an error, \
         or the request certainly never reached it, or the gateway refused it.",
    ),
    term(
        "Unknown",
        "The request may have reached the bank, but no valid answer came back. The bank may or may \
         not have acted: only asking the bank tells.",
    ),
    term(
        "Cancelled",
        "The caller went away before the whole answer had arrived. The bank has usually acted.",
    ),
    term(
        "Pseudonym",
        "Stands for an identifier of a person or an account: a keyed hash of it. Who knows the \
         identifier and holds the key can find the pseudonym; nobody can go back from it.",
    ),
];

const PII: [Term; 3] = [
    term(
        "Personal data",
        "By classes, which the catalog of the gateway lists for each operation. The gateway does not \
         keep the data: it records which classes the request carried or the answer may have carried.",
    ),
    term(
        "Read, sent",
        "Read: the operation only reads, so the data came from the bank. Sent: the operation creates \
         or changes something, so data went to the bank, and may have come back.",
    ),
    term(
        "Identity papers",
        "The classes government_id, document and security_question: numbers and pictures of papers, \
         and answers that identify a person.",
    ),
];

const TOKEN: [Term; 3] = [
    term(
        "Token",
        "A secret with which a service acts at the bank for some time. The ledger has no tokens, only \
         fingerprints: keyed hashes by which the same token is recognised again.",
    ),
    term(
        "Obtained through Egret",
        "The ledger has the call whose answer handed the token out. no: it came from elsewhere, or was \
         handed out before the ledger begins.",
    ),
    term(
        "Ends",
        "When the token ends by its own account. The gateway does not check that; the bank does.",
    ),
];

const AUTH: [Term; 3] = [
    term(
        "Denied by the gateway",
        "The gateway did not know the caller or does not allow what it asked. Nothing was sent to the \
         bank.",
    ),
    term(
        "401, 403",
        "The bank's words for: these credentials are not valid (401), and: they do not allow this \
         (403). At Cybrid's token endpoints 403 without an error code can also mean too many requests.",
    ),
    term(
        "Cause",
        "The gateway's reason, or the bank's error code. unlisted: a code that the catalog does not \
         know.",
    ),
];

const ACCESS: [Term; 1] = [term(
    "Change of access",
    "An operation that the catalog marks access-change: it gives or takes a right, a key, a consent \
     or a place on a list. Handing out tokens is told in the report token-use.",
)];

const MONEY: [Term; 2] = [
    term(
        "Movement of money",
        "An operation that the catalog marks money: it moves money or commits to it. That it succeeded \
         means that the bank took the order, not that it has been settled.",
    ),
    term(
        "Facts",
        "Values of the call that the catalog allows to be recorded, such as the id of a \
         quote, an asset or an amount.",
    ),
];

/// The words of a report.
pub(super) fn of(kind: ReportKind) -> Vec<Term> {
    let own: &[Term] = match kind {
        ReportKind::PiiAccess => &PII,
        ReportKind::TokenUse => &TOKEN,
        ReportKind::FailedAuth => &AUTH,
        ReportKind::AccessChanges => &ACCESS,
        ReportKind::Money => &MONEY,
    };
    own.iter().chain(&COMMON).copied().collect()
}
