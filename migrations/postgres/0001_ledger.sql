-- The audit ledger in Postgres: the tables and columns of the ledger in SQLite, shared by many
-- gateways. docs/audit-schema.md explains every column; migrations/sqlite says why the tables are
-- cut as they are. What differs here:
--
-- - Everything is in the schema `egret`, so that the ledger can share a database.
-- - `records` and `call_subjects` are partitioned by the call id, which begins with the time of
--   reception in milliseconds: by month. The default partitions see to it that no row is ever
--   refused for its time.
-- - Rows are never changed or removed: triggers refuse it to everybody, and the role of the gateways
--   has no right to. The one thing that moves, the cursors in `journals`, goes through a function.
--
-- The schema `egret` is made by the migrator, which has its own table there.

-- Roles are shared by all databases of a server, so another ledger may have made them, even now.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['egret_writer', 'egret_auditor'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'the role % is missing and % may not create it', wanted, current_user
                    USING ERRCODE = 'insufficient_privilege',
                        HINT = 'let an administrator say: CREATE ROLE egret_writer NOLOGIN; CREATE ROLE egret_auditor NOLOGIN';
        END;
    END LOOP;
END
$$;

CREATE TABLE egret.profiles (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE,
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
);

-- Who did what, and no more, so that there are few of them. What auditors ask is about these.
CREATE TABLE egret.activities (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE,
    caller TEXT,
    provider TEXT,
    service TEXT,
    environment TEXT,
    operation TEXT NOT NULL,
    effect TEXT,
    token_type TEXT NOT NULL,
    pii TEXT,
    minted_kind TEXT,
    decision TEXT NOT NULL,
    reason TEXT
);

CREATE TABLE egret.scope_lists (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE,
    token_scopes TEXT NOT NULL
);

CREATE TABLE egret.credentials (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key BYTEA NOT NULL UNIQUE,
    token_fingerprint BYTEA,
    scopes_id BIGINT,
    token_scopes_unlisted BIGINT NOT NULL,
    token_jti TEXT,
    token_expires_at BIGINT,
    token_issuer TEXT,
    subjects TEXT
);

CREATE INDEX credentials_by_fingerprint ON egret.credentials (token_fingerprint)
    WHERE token_fingerprint IS NOT NULL;

-- The numbers of rows, in the order in which they were written. CACHE 1: a session that took
-- numbers in advance would write small ones after large ones.
CREATE SEQUENCE egret.records_seq CACHE 1;

-- `..._after` are microseconds from `received_at`.
CREATE TABLE egret.records (
    seq BIGINT NOT NULL DEFAULT nextval('egret.records_seq'),
    received_at BIGINT NOT NULL,
    forwarded_after BIGINT,
    first_byte_after BIGINT,
    completed_after BIGINT,
    profile_id BIGINT NOT NULL,
    credential_id BIGINT,
    activity_id BIGINT,
    status BIGINT,
    attempts BIGINT NOT NULL,
    request_bytes BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    trace_high BIGINT,
    trace_low BIGINT,
    journal_id BIGINT,
    intent_seq BIGINT,
    outcome_seq BIGINT,
    completion_seq BIGINT,
    call_id BYTEA NOT NULL,
    minted_fingerprint BYTEA,
    outcome TEXT NOT NULL,
    error_code TEXT,
    detail TEXT,
    PRIMARY KEY (call_id)
) PARTITION BY RANGE (call_id);

CREATE TABLE egret.records_default PARTITION OF egret.records DEFAULT;

CREATE INDEX records_by_seq ON egret.records (seq);
CREATE INDEX records_by_credential ON egret.records (credential_id, call_id)
    WHERE credential_id IS NOT NULL;
CREATE INDEX records_by_mint ON egret.records (minted_fingerprint, call_id)
    WHERE minted_fingerprint IS NOT NULL;
CREATE INDEX records_not_successful ON egret.records (outcome, call_id)
    WHERE outcome <> 'success';
CREATE INDEX records_by_activity ON egret.records (activity_id, call_id);
-- Few calls do not end well, so to lead to them apart costs next to nothing.
CREATE INDEX records_failed_by_activity ON egret.records (activity_id, call_id, outcome)
    WHERE outcome <> 'success';

CREATE TABLE egret.credential_subjects (
    subject BYTEA NOT NULL,
    credential_id BIGINT NOT NULL,
    PRIMARY KEY (subject, credential_id)
);

CREATE TABLE egret.call_subjects (
    subject BYTEA NOT NULL,
    call_id BYTEA NOT NULL,
    PRIMARY KEY (subject, call_id)
) PARTITION BY RANGE (call_id);

CREATE TABLE egret.call_subjects_default PARTITION OF egret.call_subjects DEFAULT;

CREATE TABLE egret.journals (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    journal BYTEA NOT NULL UNIQUE,
    resume_at BIGINT NOT NULL,
    done_to BIGINT NOT NULL
);

CREATE TABLE egret.journal_gaps (
    journal_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    shed BIGINT NOT NULL,
    dropped BIGINT NOT NULL,
    PRIMARY KEY (journal_id, seq)
);

-- Signed checkpoints of the journals that feed this ledger, a copy of what stands beside their
-- segments. One that witnesses have cosigned is a further row of the same size.
CREATE TABLE egret.checkpoints (
    journal BYTEA NOT NULL,
    size BIGINT NOT NULL,
    cosignatures BIGINT NOT NULL,
    note TEXT NOT NULL,
    origin TEXT NOT NULL,
    root BYTEA NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (journal, size, cosignatures, note)
);

-- A moment in RFC 3339, from microseconds; null beyond the year 9999, as in SQLite. A token may
-- claim to end at any time, and no row may become unreadable by it.
CREATE FUNCTION egret.moment(micros BIGINT) RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN micros BETWEEN 0 AND 253402300799999999 THEN
        pg_catalog.to_char(timestamp '1970-01-01' + micros * interval '1 microsecond',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    END
$$;

-- Subjects as JSON objects, from the short form in which rows keep them.
CREATE FUNCTION egret.subjects(of_token TEXT, of_call JSON) RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '[' || pg_catalog.string_agg(
        '{"kind":' || pg_catalog.to_json(e.entry ->> 0)::text
        || ',"role":' || pg_catalog.to_json(e.entry ->> 1)::text
        || ',"subject":' || pg_catalog.to_json(e.entry ->> 2)::text || '}',
        ',' ORDER BY e.part, e.place) || ']'
    FROM (
        SELECT 1 AS part, place, entry
        FROM pg_catalog.json_array_elements(of_token::json) WITH ORDINALITY AS t (entry, place)
        UNION ALL
        SELECT 2, place, entry
        FROM pg_catalog.json_array_elements(of_call) WITH ORDINALITY AS t (entry, place)
    ) AS e
$$;

CREATE VIEW egret.calls AS
SELECT
    -- Identity and times.
    r.seq AS seq,
    r.call_id AS call_id,
    encode(r.call_id, 'hex')::uuid::text AS call_uuid,
    r.received_at AS received_at,
    r.received_at + r.forwarded_after AS forwarded_at,
    r.received_at + r.first_byte_after AS first_byte_at,
    r.received_at + r.completed_after AS completed_at,
    egret.moment(r.received_at) AS received,
    egret.moment(r.received_at + r.forwarded_after) AS forwarded,
    egret.moment(r.received_at + r.first_byte_after) AS first_byte,
    egret.moment(r.received_at + r.completed_after) AS completed,
    r.forwarded_after AS gateway_us,
    r.first_byte_after - r.forwarded_after AS upstream_us,
    r.completed_after AS total_us,

    -- Who.
    p.caller AS caller,
    p.caller_via AS caller_via,
    p.caller_key_id AS caller_key_id,
    r.detail::json ->> 'a' AS caller_address,

    -- What.
    p.provider AS provider,
    p.service AS service,
    p.environment AS environment,
    p.operation AS operation,
    p.effect AS effect,
    p.method AS method,
    p.path_template AS path_template,
    r.detail::json ->> 'q' AS query,
    p.accept_version AS accept_version,

    -- With which credential.
    p.token_type AS token_type,
    p.tokens_present AS tokens_present,
    c.token_fingerprint AS token_fingerprint,
    encode(c.token_fingerprint, 'hex') AS token_fingerprint_hex,
    l.token_scopes AS token_scopes,
    coalesce(c.token_scopes_unlisted, 0) AS token_scopes_unlisted,
    c.token_jti AS token_jti,
    c.token_expires_at AS token_expires_at,
    egret.moment(c.token_expires_at) AS token_expires,
    c.token_issuer AS token_issuer,
    p.token_fault AS token_fault,

    -- Whom and what it concerns.
    egret.subjects(c.subjects, r.detail::json -> 's') AS subjects,
    (
        SELECT e.entry ->> 2
        FROM json_array_elements(r.detail::json -> 's') WITH ORDINALITY AS e (entry, place)
        WHERE e.entry ->> 1 = 'on_behalf_of' ORDER BY e.place LIMIT 1
    ) AS on_behalf_of,
    r.detail::json ->> 'f' AS facts,
    p.pii AS pii,
    p.minted_kind AS minted_kind,
    r.minted_fingerprint AS minted_fingerprint,
    encode(r.minted_fingerprint, 'hex') AS minted_fingerprint_hex,
    (r.detail::json ->> 'm')::bigint AS minted_expires_at,
    egret.moment((r.detail::json ->> 'm')::bigint) AS minted_expires,

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
    lpad(to_hex(r.trace_high), 16, '0') || lpad(to_hex(r.trace_low), 16, '0') AS trace_id,

    -- Which gateway.
    p.node AS node,
    p.gateway_version AS gateway_version,
    p.config_hash AS config_hash,

    -- How it is stored.
    r.profile_id AS profile_id,
    r.credential_id AS credential_id,
    r.detail AS detail
FROM egret.records AS r
    LEFT JOIN egret.profiles AS p ON p.id = r.profile_id
    LEFT JOIN egret.credentials AS c ON c.id = r.credential_id
    LEFT JOIN egret.scope_lists AS l ON l.id = c.scopes_id;

-- Makes the partitions of the month in which a moment lies, unless they are there. Gives the
-- milliseconds where that month begins and ends; null for a moment that cannot be meant, whose
-- rows go to the default partitions. So do those of a month whose rows were there before it.
-- Waits for no reader: what cannot be done soon is tried again with a later batch.
CREATE FUNCTION egret.make_partitions(millis BIGINT, OUT begins BIGINT, OUT ends BIGINT)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    -- 2000-01-01 and 2200-01-01: no larger clock is right, and no more than 2,400 months.
    first_month CONSTANT BIGINT := 946684800000;
    last_month CONSTANT BIGINT := 7258118400000;
    month TIMESTAMP;
    parent TEXT;
    partition TEXT;
BEGIN
    IF millis < first_month OR millis >= last_month THEN
        RETURN;
    END IF;
    month := date_trunc('month', timestamp '1970-01-01' + millis * interval '1 millisecond');
    begins := extract(epoch FROM month)::bigint * 1000;
    ends := extract(epoch FROM month + interval '1 month')::bigint * 1000;
    FOREACH parent IN ARRAY ARRAY['records', 'call_subjects'] LOOP
        partition := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
        CONTINUE WHEN to_regclass('egret.' || partition) IS NOT NULL;
        -- One gateway at a time; the others then find it there.
        PERFORM pg_advisory_xact_lock(hashtext('egret.make_partitions'));
        CONTINUE WHEN to_regclass('egret.' || partition) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE egret.%I PARTITION OF egret.%I FOR VALUES FROM (%L) TO (%L)',
                partition, parent,
                decode(lpad(to_hex(begins), 12, '0') || repeat('00', 10), 'hex'),
                decode(lpad(to_hex(ends), 12, '0') || repeat('00', 10), 'hex'));
            EXECUTE format(
                'CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.%I '
                'FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse()', partition);
        EXCEPTION
            -- The default partition holds rows of the month.
            WHEN check_violation THEN NULL;
        END;
    END LOOP;
END
$$;

-- Gateways write at the same time, so a row may become visible after one with a larger number.
-- Each of them holds a shared advisory lock that names the last number taken before it began; what
-- is not above the smallest of these is there for good. Auditors who follow the ledger stop there.
-- The key of the lock: "EG" in the highest 16 bits, the number in the others.
CREATE FUNCTION egret.begin_writing() RETURNS VOID
LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.pg_advisory_xact_lock_shared(
        (17735::bigint << 48) | CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM egret.records_seq
$$;

CREATE FUNCTION egret.settled() RETURNS BIGINT
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- First: who begins to write after this takes larger numbers.
    taken BIGINT := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM egret.records_seq);
BEGIN
    RETURN least(taken, (
        SELECT min(((classid::bigint << 32) | objid::bigint) & ((1::bigint << 48) - 1))
        FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND mode = 'ShareLock'
            AND classid::bigint >> 16 = 17735
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())));
END
$$;

-- Moves the cursor of a journal, forward only. Gives the journal's number. The row stays locked to
-- the end of the transaction: a gateway that lost its connection waits here for what it sent before.
CREATE FUNCTION egret.advance(of_journal BYTEA, to_resume_at BIGINT, to_done_to BIGINT)
RETURNS BIGINT
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO egret.journals AS j (journal, resume_at, done_to)
    VALUES (of_journal, to_resume_at, to_done_to)
    ON CONFLICT (journal) DO UPDATE SET
        resume_at = greatest(j.resume_at, excluded.resume_at),
        done_to = greatest(j.done_to, excluded.done_to)
    RETURNING id
$$;

-- Nothing is changed or removed, whoever asks.
CREATE FUNCTION egret.refuse() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
    of TEXT;
BEGIN
    FOREACH of IN ARRAY ARRAY['profiles', 'activities', 'scope_lists', 'credentials', 'records', 'call_subjects',
        'credential_subjects', 'checkpoints', 'journal_gaps'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON egret.%I '
            'FOR EACH ROW EXECUTE FUNCTION egret.refuse()', of);
    END LOOP;
    EXECUTE 'CREATE TRIGGER no_delete BEFORE DELETE ON egret.journals '
        'FOR EACH ROW EXECUTE FUNCTION egret.refuse()';
    FOREACH of IN ARRAY ARRAY['profiles', 'activities', 'scope_lists', 'credentials', 'records', 'call_subjects',
        'credential_subjects', 'checkpoints', 'journal_gaps', 'journals', 'records_default',
        'call_subjects_default'] LOOP
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse()', of);
    END LOOP;
END
$$;

-- Functions are open to everybody unless that is taken away.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA egret FROM PUBLIC;
GRANT USAGE ON SCHEMA egret TO egret_writer, egret_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA egret TO egret_writer, egret_auditor;
GRANT SELECT ON egret.records_seq TO egret_writer, egret_auditor;
GRANT EXECUTE ON FUNCTION egret.moment, egret.subjects, egret.settled
    TO egret_writer, egret_auditor;
GRANT INSERT ON egret.profiles, egret.activities, egret.scope_lists, egret.credentials, egret.records,
    egret.call_subjects, egret.credential_subjects, egret.checkpoints, egret.journal_gaps
    TO egret_writer;
GRANT USAGE ON egret.records_seq TO egret_writer;
GRANT EXECUTE ON FUNCTION egret.make_partitions, egret.begin_writing, egret.advance
    TO egret_writer;
