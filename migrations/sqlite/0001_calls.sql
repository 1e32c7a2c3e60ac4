-- The audit ledger: one row per call. docs/audit-schema.md explains every column.
--
-- A row is cheap to write: the fields that queries filter by are stored columns, the rest is one
-- JSON text (`detail`), and the virtual columns below read it back, so that a row still shows
-- every field by name. Virtual columns take no space and are computed only when selected.
--
-- There are no CHECK constraints on purpose: a record must never be refused for its content. The
-- vocabulary is enforced by the types of the program.

PRAGMA application_id = 1162302036; -- 0x45475254, "EGRT"
PRAGMA user_version = 1;

CREATE TABLE calls (
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
    detail TEXT NOT NULL,

    -- Identity and times, readable.
    call_uuid TEXT AS (lower(
        substr(hex(call_id), 1, 8) || '-' || substr(hex(call_id), 9, 4) || '-' ||
        substr(hex(call_id), 13, 4) || '-' || substr(hex(call_id), 17, 4) || '-' ||
        substr(hex(call_id), 21))),
    forwarded_at INTEGER AS (json_extract(detail, '$.forwarded_at')),
    first_byte_at INTEGER AS (json_extract(detail, '$.first_byte_at')),
    received TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000, 'unixepoch')
        || printf('.%06dZ', received_at % 1000000)),
    forwarded TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', forwarded_at / 1000000, 'unixepoch')
        || printf('.%06dZ', forwarded_at % 1000000)),
    first_byte TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', first_byte_at / 1000000, 'unixepoch')
        || printf('.%06dZ', first_byte_at % 1000000)),
    completed TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', completed_at / 1000000, 'unixepoch')
        || printf('.%06dZ', completed_at % 1000000)),
    gateway_us INTEGER AS (forwarded_at - received_at),
    upstream_us INTEGER AS (first_byte_at - forwarded_at),
    total_us INTEGER AS (completed_at - received_at),

    -- Who.
    caller_via TEXT AS (json_extract(detail, '$.caller_via')),
    caller_key_id TEXT AS (json_extract(detail, '$.caller_key_id')),
    caller_address TEXT AS (json_extract(detail, '$.caller_address')),

    -- What.
    method TEXT AS (json_extract(detail, '$.method')),
    path_template TEXT AS (json_extract(detail, '$.path_template')),
    query TEXT AS (json_extract(detail, '$.query')),
    accept_version TEXT AS (json_extract(detail, '$.accept_version')),

    -- With which credential.
    tokens_present TEXT AS (json_extract(detail, '$.tokens_present')),
    token_fingerprint_hex TEXT AS (lower(nullif(hex(token_fingerprint), ''))),
    token_scopes TEXT AS (json_extract(detail, '$.token_scopes')),
    token_scopes_unlisted INTEGER AS (json_extract(detail, '$.token_scopes_unlisted')),
    token_jti TEXT AS (json_extract(detail, '$.token_jti')),
    token_expires_at INTEGER AS (json_extract(detail, '$.token_expires_at')),
    token_expires TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', token_expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', token_expires_at % 1000000)),
    token_issuer TEXT AS (json_extract(detail, '$.token_issuer')),
    token_fault TEXT AS (json_extract(detail, '$.token_fault')),

    -- Whom and what it concerns.
    subjects TEXT AS (json_extract(detail, '$.subjects')),
    on_behalf_of TEXT AS (json_extract(detail, '$.on_behalf_of')),
    facts TEXT AS (json_extract(detail, '$.facts')),
    pii TEXT AS (json_extract(detail, '$.pii')),
    minted_kind TEXT AS (json_extract(detail, '$.minted_kind')),
    minted_fingerprint_hex TEXT AS (lower(nullif(hex(minted_fingerprint), ''))),
    minted_expires_at INTEGER AS (json_extract(detail, '$.minted_expires_at')),
    minted_expires TEXT AS (strftime('%Y-%m-%dT%H:%M:%S', minted_expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', minted_expires_at % 1000000)),

    -- How it went.
    reason TEXT AS (json_extract(detail, '$.reason')),
    attempts INTEGER AS (json_extract(detail, '$.attempts')),
    request_bytes INTEGER AS (json_extract(detail, '$.request_bytes')),
    response_bytes INTEGER AS (json_extract(detail, '$.response_bytes')),
    upstream_address TEXT AS (json_extract(detail, '$.upstream_address')),
    tls_version TEXT AS (json_extract(detail, '$.tls_version')),
    trace_id TEXT AS (json_extract(detail, '$.trace_id')),

    -- Which gateway.
    node TEXT AS (json_extract(detail, '$.node')),
    gateway_version TEXT AS (json_extract(detail, '$.gateway_version')),
    config_hash TEXT AS (json_extract(detail, '$.config_hash'))
) STRICT;

-- The index of the call ids serves every question about a period: a UUIDv7 begins with its time.
-- The others are what an auditor asks for over all time. They hold only the rows concerned.
CREATE INDEX calls_by_token ON calls (token_fingerprint, call_id)
    WHERE token_fingerprint IS NOT NULL;
CREATE INDEX calls_by_mint ON calls (minted_fingerprint, call_id)
    WHERE minted_fingerprint IS NOT NULL;
CREATE INDEX calls_not_successful ON calls (outcome, call_id)
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
