-- The ledger is fed from a journal (docs/design/journal.md). These tables say how far, so that each
-- call has one row whatever happens between two batches, and which events a row was made of.

PRAGMA user_version = 2;

-- How far the ledger has come with each journal, written in the transaction of the rows that it
-- stands for.
CREATE TABLE journals (
    id INTEGER PRIMARY KEY,
    journal BLOB NOT NULL UNIQUE,
    resume_at INTEGER NOT NULL,
    done_to INTEGER NOT NULL
) STRICT;

-- Numbers of the events in the journal; null in rows that were written without one.
ALTER TABLE records ADD COLUMN journal_id INTEGER;
ALTER TABLE records ADD COLUMN intent_seq INTEGER;
ALTER TABLE records ADD COLUMN outcome_seq INTEGER;
ALTER TABLE records ADD COLUMN completion_seq INTEGER;

-- What could not be recorded, as the journal itself says.
CREATE TABLE journal_gaps (
    journal_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    shed INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY (journal_id, seq)
) STRICT, WITHOUT ROWID;
