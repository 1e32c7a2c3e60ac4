//! Reports for those who must show what happened: data in, a document out.
//!
//! A [`Builder`] is told what kind of report is wanted, then fed counts of calls day by day, the
//! use of tokens, and the few calls that are shown one by one; it ends in a [`Document`], which
//! renderers turn into a table, CSV, JSON or a page. Nothing here reads a ledger, a clock or an
//! identifier of a person: people come as pseudonyms, as the ledger knows them.

mod build;
mod dimension;
mod document;
mod kind;
mod tally;
mod terms;
mod token;

pub use build::{Builder, CheckpointMark, Gap, JournalMark, Source};
pub use document::{Asked, Cell, Column, DAY, Day, Document, Heading, Month, Table, Term, Total};
pub use kind::ReportKind;
pub use tally::{Activity, Counted, Shown};
pub use token::TokenUse;

#[cfg(test)]
mod tests;
