-- The audit ledger: one row per call. docs/audit-schema.md explains every column.
--
-- A row is small and cheap to write: what calls have in common (who, what, which token, which
-- gateway) is written once into a dictionary, and a row of the table `records` names it by number.
-- What differs from call to call is a column, or, if most calls do without, a member of a short
-- JSON text (`detail`). The view `calls` puts it together again, every field by name, and is what
-- people and programs read.
--
-- There are no CHECK constraints on purpose: a record must never be refused for its content. The
-- vocabulary is enforced by the types of the program.

PRAGMA application_id = 1162302036; -- 0x45475254, "EGRT"
PRAGMA user_version = 1;

-- What calls of one caller to one operation have in common. In the dictionaries `key` is the first
-- half of a SHA-256 of the entry, which makes writing one twice harmless.
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    caller TEXT,
    caller_via TEXT NOT NULL,
    caller_key_id TEXT,
    provider TEXT,
    service TEXT,
    environment TEXT,
    operation TEXT NOT NULL,
    effect TEXT,
    method TEXT NOT NULL,
    path_template TEXT,
    accept_version TEXT,
    token_type TEXT NOT NULL,
    token_fault TEXT,
    minted_kind TEXT,
    decision TEXT NOT NULL,
    reason TEXT,
    tls_version TEXT,
    node TEXT NOT NULL,
    gateway_version TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    tokens_present TEXT,
    pii TEXT,
    upstream_address TEXT
) STRICT;

CREATE TABLE scope_lists (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    token_scopes TEXT NOT NULL
) STRICT;

-- A token and what it says of itself. A token that is read differently later (the provider file
-- lists more scopes) gets another entry.
CREATE TABLE credentials (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    token_fingerprint BLOB,
    scopes_id INTEGER,
    token_scopes_unlisted INTEGER NOT NULL,
    token_jti TEXT,
    token_expires_at INTEGER,
    token_issuer TEXT,
    subjects TEXT
) STRICT;

CREATE INDEX credentials_by_fingerprint ON credentials (token_fingerprint)
    WHERE token_fingerprint IS NOT NULL;

-- `..._after` are microseconds from `received_at`.
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    call_id BLOB NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    forwarded_after INTEGER,
    first_byte_after INTEGER,
    completed_after INTEGER,
    profile_id INTEGER NOT NULL,
    credential_id INTEGER,
    minted_fingerprint BLOB,
    outcome TEXT NOT NULL,
    status INTEGER,
    error_code TEXT,
    attempts INTEGER NOT NULL,
    request_bytes INTEGER NOT NULL,
    response_bytes INTEGER NOT NULL,
    trace_high INTEGER,
    trace_low INTEGER,
    detail TEXT
) STRICT;

-- The index of the call ids serves every question about a period: a UUIDv7 begins with its time.
-- The others are what an auditor asks for over all time. They hold only the rows concerned, and
-- end with the call id because answers come in its order.
CREATE INDEX records_by_credential ON records (credential_id, call_id)
    WHERE credential_id IS NOT NULL;
CREATE INDEX records_by_mint ON records (minted_fingerprint, call_id)
    WHERE minted_fingerprint IS NOT NULL;
CREATE INDEX records_not_successful ON records (outcome, call_id)
    WHERE outcome <> 'success';

-- Who touched this customer. The pseudonym already depends on the kind, so it leads alone.
-- Identifiers that a token claims are written once for the token, those of the request and the
-- answer for the call. The call is named by its id and not by `seq`: a batch that is written again
-- after a doubtful commit then lands on the same key.
CREATE TABLE credential_subjects (
    subject BLOB NOT NULL,
    credential_id INTEGER NOT NULL,
    PRIMARY KEY (subject, credential_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE call_subjects (
    subject BLOB NOT NULL,
    call_id BLOB NOT NULL,
    PRIMARY KEY (subject, call_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW calls AS
SELECT
    -- Identity and times.
    r.seq AS seq,
    r.call_id AS call_id,
    lower(
        substr(hex(r.call_id), 1, 8) || '-' || substr(hex(r.call_id), 9, 4) || '-' ||
        substr(hex(r.call_id), 13, 4) || '-' || substr(hex(r.call_id), 17, 4) || '-' ||
        substr(hex(r.call_id), 21)) AS call_uuid,
    r.received_at AS received_at,
    r.received_at + r.forwarded_after AS forwarded_at,
    r.received_at + r.first_byte_after AS first_byte_at,
    r.received_at + r.completed_after AS completed_at,
    strftime('%Y-%m-%dT%H:%M:%S', r.received_at / 1000000, 'unixepoch')
        || printf('.%06dZ', r.received_at % 1000000) AS received,
    strftime('%Y-%m-%dT%H:%M:%S', (r.received_at + r.forwarded_after) / 1000000, 'unixepoch')
        || printf('.%06dZ', (r.received_at + r.forwarded_after) % 1000000) AS forwarded,
    strftime('%Y-%m-%dT%H:%M:%S', (r.received_at + r.first_byte_after) / 1000000, 'unixepoch')
        || printf('.%06dZ', (r.received_at + r.first_byte_after) % 1000000) AS first_byte,
    strftime('%Y-%m-%dT%H:%M:%S', (r.received_at + r.completed_after) / 1000000, 'unixepoch')
        || printf('.%06dZ', (r.received_at + r.completed_after) % 1000000) AS completed,
    r.forwarded_after AS gateway_us,
    r.first_byte_after - r.forwarded_after AS upstream_us,
    r.completed_after AS total_us,

    -- Who.
    p.caller AS caller,
    p.caller_via AS caller_via,
    p.caller_key_id AS caller_key_id,
    r.detail ->> '$.a' AS caller_address,

    -- What.
    p.provider AS provider,
    p.service AS service,
    p.environment AS environment,
    p.operation AS operation,
    p.effect AS effect,
    p.method AS method,
    p.path_template AS path_template,
    r.detail ->> '$.q' AS query,
    p.accept_version AS accept_version,

    -- With which credential.
    p.token_type AS token_type,
    p.tokens_present AS tokens_present,
    c.token_fingerprint AS token_fingerprint,
    lower(nullif(hex(c.token_fingerprint), '')) AS token_fingerprint_hex,
    l.token_scopes AS token_scopes,
    coalesce(c.token_scopes_unlisted, 0) AS token_scopes_unlisted,
    c.token_jti AS token_jti,
    c.token_expires_at AS token_expires_at,
    strftime('%Y-%m-%dT%H:%M:%S', c.token_expires_at / 1000000, 'unixepoch')
        || printf('.%06dZ', c.token_expires_at % 1000000) AS token_expires,
    c.token_issuer AS token_issuer,
    p.token_fault AS token_fault,

    -- Whom and what it concerns.
    nullif((
        SELECT json_group_array(json_object(
            'kind', e.value ->> 0, 'role', e.value ->> 1, 'subject', e.value ->> 2))
        FROM (
            SELECT value FROM json_each(c.subjects)
            UNION ALL
            SELECT value FROM json_each(r.detail, '$.s')
        ) AS e
    ), '[]') AS subjects,
    (
        SELECT e.value ->> 2 FROM json_each(r.detail, '$.s') AS e
        WHERE e.value ->> 1 = 'on_behalf_of' LIMIT 1
    ) AS on_behalf_of,
    r.detail ->> '$.f' AS facts,
    p.pii AS pii,
    p.minted_kind AS minted_kind,
    r.minted_fingerprint AS minted_fingerprint,
    lower(nullif(hex(r.minted_fingerprint), '')) AS minted_fingerprint_hex,
    r.detail ->> '$.m' AS minted_expires_at,
    strftime('%Y-%m-%dT%H:%M:%S', (r.detail ->> '$.m') / 1000000, 'unixepoch')
        || printf('.%06dZ', (r.detail ->> '$.m') % 1000000) AS minted_expires,

    -- How it went.
    p.decision AS decision,
    p.reason AS reason,
    r.outcome AS outcome,
    r.status AS status,
    r.error_code AS error_code,
    r.attempts AS attempts,
    r.request_bytes AS request_bytes,
    r.response_bytes AS response_bytes,
    p.upstream_address AS upstream_address,
    p.tls_version AS tls_version,
    CASE WHEN r.trace_high IS NOT NULL
        THEN printf('%016x%016x', r.trace_high, r.trace_low) END AS trace_id,

    -- Which gateway.
    p.node AS node,
    p.gateway_version AS gateway_version,
    p.config_hash AS config_hash,

    -- How it is stored.
    r.profile_id AS profile_id,
    r.credential_id AS credential_id,
    r.detail AS detail
FROM records AS r
    -- Left joins: a list of calls leaves out those that it does not need.
    LEFT JOIN profiles AS p ON p.id = r.profile_id
    LEFT JOIN credentials AS c ON c.id = r.credential_id
    LEFT JOIN scope_lists AS l ON l.id = c.scopes_id;
