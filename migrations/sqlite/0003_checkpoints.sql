-- Signed checkpoints of the journals that feed this ledger (docs/design/evidence.md), a copy of what
-- stands beside their segments. Rows are only added. A checkpoint that witnesses have cosigned is a
-- further row of the same size.

PRAGMA user_version = 3;

CREATE TABLE checkpoints (
    journal BLOB NOT NULL,
    size INTEGER NOT NULL,
    cosignatures INTEGER NOT NULL,
    note TEXT NOT NULL,
    origin TEXT NOT NULL,
    root BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (journal, size, cosignatures, note)
) STRICT, WITHOUT ROWID;
