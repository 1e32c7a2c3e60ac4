//! The words of an investigation, explained.

use crate::domain::report::Term;

const fn term(word: &'static str, meaning: &'static str) -> Term {
    Term { word, meaning }
}

/// Every word that needs it.
pub(super) const TERMS: [Term; 6] = [
    term(
        "Token",
        "A credential that a bank has handed out. It appears as a fingerprint, from which no token \
         can be made.",
    ),
    term(
        "Obtained",
        "The call in whose answer the bank handed the token out. Not on record: it was obtained \
         past this gateway, or before the period.",
    ),
    term(
        "Touched",
        "Customers, accounts and others that a call named or whose data came back. They appear as \
         pseudonyms: --customer with the raw identifier finds the same.",
    ),
    term(
        "Personal data",
        "Classes of personal data that the answers may have carried, by what the operations return. \
         Calls that failed are not among them.",
    ),
    term(
        "In doubt",
        "The request may have reached the bank, but no valid answer came back. Only asking the bank \
         tells whether money moved.",
    ),
    term(
        "Denied",
        "The gateway did not know the caller, did not allow what it asked, or had locked it down; or \
         the bank did not accept its credentials.",
    ),
];
