-- The audit ledger: one row per call. docs/audit-schema.md explains every column.
--
-- A row is cheap to write: the fields that queries filter by are columns of the table `records`,
-- the rest is one JSON text (`detail`). The view `calls` shows every field by name and is what
-- people and programs read. It is a view and not a set of generated columns because SQLite
-- computes generated columns, virtual ones too, at each insert: that took most of its time.
--
-- There are no CHECK constraints on purpose: a record must never be refused for its content. The
-- vocabulary is enforced by the types of the program.

PRAGMA application_id = 1162302036; -- 0x45475254, "EGRT"
PRAGMA user_version = 1;

CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    call_id BLOB NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    completed_at INTEGER,
    caller TEXT,
    provider TEXT,
    service TEXT,
    environment TEXT,
    operation TEXT NOT NULL,
    effect TEXT,
    token_type TEXT NOT NULL,
    token_fingerprint BLOB,
    minted_fingerprint BLOB,
    decision TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER,
    error_code TEXT,
    detail TEXT NOT NULL
) STRICT;

-- The index of the call ids serves every question about a period: a UUIDv7 begins with its time.
-- The others are what an auditor asks for over all time. They hold only the rows concerned.
CREATE INDEX records_by_token ON records (token_fingerprint, call_id)
    WHERE token_fingerprint IS NOT NULL;
CREATE INDEX records_by_mint ON records (minted_fingerprint, call_id)
    WHERE minted_fingerprint IS NOT NULL;
CREATE INDEX records_not_successful ON records (outcome, call_id)
    WHERE outcome <> 'success';

-- Who touched this customer. The pseudonym already depends on the kind, so it leads alone. The
-- call is named by its id and not by `seq`: a batch that is written again after a doubtful commit
-- then lands on the same key.
CREATE TABLE call_subjects (
    subject BLOB NOT NULL,
    call_id BLOB NOT NULL,
    role TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (subject, call_id, role)
) STRICT, WITHOUT ROWID;

CREATE VIEW calls AS
SELECT
    -- Identity and times.
    seq,
    call_id,
    lower(
        substr(hex(call_id), 1, 8) || '-' || substr(hex(call_id), 9, 4) || '-' ||
        substr(hex(call_id), 13, 4) || '-' || substr(hex(call_id), 17, 4) || '-' ||
        substr(hex(call_id), 21)) AS call_uuid,
    received_at,
    forwarded_at,
    first_byte_at,
    completed_at,
    strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000, 'unixepoch')
        || printf('.%06dZ', received_at % 1000000) AS received,
    strftime('%Y-%m-%dT%H:%M:%S', forwarded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', forwarded_at % 1000000) AS forwarded,
    strftime('%Y-%m-%dT%H:%M:%S', first_byte_at / 1000000, 'unixepoch')
        || printf('.%06dZ', first_byte_at % 1000000) AS first_byte,
    strftime('%Y-%m-%dT%H:%M:%S', completed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', completed_at % 1000000) AS completed,
    forwarded_at - received_at AS gateway_us,
    first_byte_at - forwarded_at AS upstream_us,
    completed_at - received_at AS total_us,

    -- Who.
    caller,
    detail ->> '$.caller_via' AS caller_via,
    detail ->> '$.caller_key_id' AS caller_key_id,
    detail ->> '$.caller_address' AS caller_address,

    -- What.
    provider,
    service,
    environment,
    operation,
    effect,
    detail ->> '$.method' AS method,
    detail ->> '$.path_template' AS path_template,
    detail ->> '$.query' AS query,
    detail ->> '$.accept_version' AS accept_version,

    -- With which credential.
    token_type,
    detail ->> '$.tokens_present' AS tokens_present,
    token_fingerprint,
    lower(nullif(hex(token_fingerprint), '')) AS token_fingerprint_hex,
    detail ->> '$.token_scopes' AS token_scopes,
    detail ->> '$.token_scopes_unlisted' AS token_scopes_unlisted,
    detail ->> '$.token_jti' AS token_jti,
    token_expires_at,
    strftime('%Y-%m-%dT%H:%M:%S', token_expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', token_expires_at % 1000000) AS token_expires,
    detail ->> '$.token_issuer' AS token_issuer,
    detail ->> '$.token_fault' AS token_fault,

    -- Whom and what it concerns.
    detail ->> '$.subjects' AS subjects,
    detail ->> '$.on_behalf_of' AS on_behalf_of,
    detail ->> '$.facts' AS facts,
    detail ->> '$.pii' AS pii,
    detail ->> '$.minted_kind' AS minted_kind,
    minted_fingerprint,
    lower(nullif(hex(minted_fingerprint), '')) AS minted_fingerprint_hex,
    minted_expires_at,
    strftime('%Y-%m-%dT%H:%M:%S', minted_expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', minted_expires_at % 1000000) AS minted_expires,

    -- How it went.
    decision,
    detail ->> '$.reason' AS reason,
    outcome,
    status,
    error_code,
    detail ->> '$.attempts' AS attempts,
    detail ->> '$.request_bytes' AS request_bytes,
    detail ->> '$.response_bytes' AS response_bytes,
    detail ->> '$.upstream_address' AS upstream_address,
    detail ->> '$.tls_version' AS tls_version,
    detail ->> '$.trace_id' AS trace_id,

    -- Which gateway.
    detail ->> '$.node' AS node,
    detail ->> '$.gateway_version' AS gateway_version,
    detail ->> '$.config_hash' AS config_hash,
    detail
FROM (
    SELECT
        *,
        detail ->> '$.forwarded_at' AS forwarded_at,
        detail ->> '$.first_byte_at' AS first_byte_at,
        detail ->> '$.token_expires_at' AS token_expires_at,
        detail ->> '$.minted_expires_at' AS minted_expires_at
    FROM records
);
