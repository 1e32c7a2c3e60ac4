-- A subject that was erased stays as kind and role, with nothing in place of the pseudonym, as in
-- SQLite: `to_json` of nothing is nothing, and would take the whole entry with it.
CREATE OR REPLACE FUNCTION egret.subjects(of_token TEXT, of_call JSON) RETURNS TEXT
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT '[' || pg_catalog.string_agg(
        '{"kind":' || pg_catalog.to_json(e.entry ->> 0)::text
        || ',"role":' || pg_catalog.to_json(e.entry ->> 1)::text
        || ',"subject":' || coalesce(pg_catalog.to_json(e.entry ->> 2)::text, 'null') || '}',
        ',' ORDER BY e.part, e.place) || ']'
    FROM (
        SELECT 1 AS part, place, entry
        FROM pg_catalog.json_array_elements(of_token::json) WITH ORDINALITY AS t (entry, place)
        UNION ALL
        SELECT 2, place, entry
        FROM pg_catalog.json_array_elements(of_call) WITH ORDINALITY AS t (entry, place)
    ) AS e
$$;

-- Auditors may read everything and write nothing, but what they read is to be on record. Their
-- commands record it in a journal of their own machine; this brings it here, and nothing else: who
-- may call it can neither write the record of a call to a bank, nor move the cursor of a gateway,
-- nor name an entry of a dictionary that a gateway will use.

-- Journals that come from auditors, and the login that each belongs to.
CREATE TABLE egret.reading_journals (
    journal BYTEA PRIMARY KEY,
    login TEXT NOT NULL,
    since BIGINT NOT NULL
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON egret.reading_journals
    FOR EACH ROW EXECUTE FUNCTION egret.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.reading_journals
    FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse();

-- Whether a detail of a row is one that a reading can have: the views must be able to show it.
CREATE FUNCTION egret.is_detail_of_reading(detail TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said JSONB;
BEGIN
    IF detail IS NULL THEN
        RETURN true;
    END IF;
    -- A command has some dozen facts; a gateway's row of 64 KiB is refused, too.
    IF length(detail) > 65536 THEN
        RETURN false;
    END IF;
    said := detail::jsonb;
    RETURN jsonb_typeof(said) = 'object'
        AND said - 'f' - 's' = '{}'::jsonb
        AND coalesce(jsonb_typeof(said -> 'f'), 'object') = 'object'
        AND coalesce(jsonb_typeof(said -> 's'), 'array') = 'array'
        AND NOT EXISTS (
            SELECT FROM jsonb_array_elements(coalesce(said -> 's', '[]')) AS e (entry)
            WHERE jsonb_typeof(entry) <> 'array'
                OR CASE WHEN jsonb_typeof(entry) = 'array' THEN
                    jsonb_array_length(entry) <> 3
                    OR jsonb_typeof(entry -> 0) <> 'string'
                    OR entry ->> 1 IS DISTINCT FROM 'request'
                    OR NOT coalesce(entry ->> 2, repeat('0', 32)) ~ '^[0-9a-f]{32}$'
                END);
EXCEPTION
    WHEN invalid_text_representation OR untranslatable_character THEN
        RETURN false;
END
$$;

-- Brings readings into the ledger, and the cursor of their journal forward. Gives how many were new.
CREATE FUNCTION egret.record_readings(
    of_journal BYTEA, to_resume_at BIGINT, to_done_to BIGINT, readings JSONB)
RETURNS BIGINT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment CONSTANT BIGINT := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    of_login TEXT;
    journal_number BIGINT;
    reading JSONB;
    id BYTEA;
    millis BIGINT;
    received BIGINT;
    said TEXT;
    key_of BYTEA;
    profile BIGINT;
    activity BIGINT;
    added BIGINT := 0;
BEGIN
    IF octet_length(of_journal) <> 16 THEN
        RAISE EXCEPTION 'a journal has an identity of 16 bytes' USING ERRCODE = 'check_violation';
    END IF;
    SELECT login INTO of_login FROM egret.reading_journals WHERE journal = of_journal;
    IF of_login IS NULL THEN
        IF EXISTS (SELECT FROM egret.journals WHERE journal = of_journal) THEN
            RAISE EXCEPTION 'this journal is brought in by a gateway'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        INSERT INTO egret.reading_journals VALUES (of_journal, session_user, moment);
    ELSIF of_login <> session_user THEN
        RAISE EXCEPTION 'this journal is brought in by the login %', of_login
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM egret.maintained();
    journal_number := egret.advance(of_journal, to_resume_at, to_done_to);
    PERFORM egret.begin_writing();
    FOR reading IN SELECT value FROM jsonb_array_elements(readings) LOOP
        id := decode(reading ->> 'call_id', 'hex');
        received := (reading ->> 'received_at')::bigint;
        said := reading ->> 'detail';
        IF octet_length(id) IS DISTINCT FROM 16 OR received IS NULL THEN
            RAISE EXCEPTION 'a reading has an id of 16 bytes and a time'
                USING ERRCODE = 'check_violation';
        END IF;
        millis := ('x' || substr(encode(id, 'hex'), 1, 12))::bit(48)::bigint;
        IF NOT coalesce(
            abs(millis * 1000 - received) < 2000000
            -- What an auditor has kept for years is not news, and makes no partition.
            AND received BETWEEN moment - 400 * 86400000000 AND moment + 86400000000
            AND reading ->> 'operation' ~ '^(audit|capture)\.[a-z]{1,32}$'
            AND reading ->> 'effect' IN ('read', 'write')
            AND reading ->> 'outcome' IN ('success', 'failure', 'unknown', 'cancelled')
            AND coalesce(reading ->> 'reason', 'command_stopped') = 'command_stopped'
            AND coalesce(reading ->> 'pii', '["other"]') = '["other"]'
            AND reading ->> 'node' LIKE '%/cli'
            AND length(reading ->> 'node') < 256
            AND length(coalesce(reading ->> 'caller', '')) < 256
            AND length(reading ->> 'method') < 32
            AND length(reading ->> 'gateway_version') < 256
            AND length(reading ->> 'config_hash') < 256
            AND egret.is_detail_of_reading(said), false)
        THEN
            RAISE EXCEPTION 'this is not the record of a reading'
                USING ERRCODE = 'check_violation';
        END IF;
        -- What an auditor cannot do is no reading. Above all no hold is placed or released by a row.
        CONTINUE WHEN reading ->> 'effect' = 'write' AND reading ->> 'outcome' <> 'failure';
        PERFORM egret.make_partitions(millis);

        -- No entry that the program makes has a key of this length.
        key_of := sha256(convert_to(jsonb_build_array(
            reading -> 'caller', reading -> 'operation', reading -> 'effect', reading -> 'method',
            reading -> 'reason', reading -> 'node', reading -> 'gateway_version',
            reading -> 'config_hash', reading -> 'pii')::text, 'UTF8')) || '\x01';
        INSERT INTO egret.profiles (key, caller, caller_via, provider, operation, effect, method,
            token_type, decision, reason, node, gateway_version, config_hash, pii)
        VALUES (key_of, reading ->> 'caller', 'user', 'egret', reading ->> 'operation',
            reading ->> 'effect', reading ->> 'method', 'anonymous', 'forwarded',
            reading ->> 'reason', reading ->> 'node', reading ->> 'gateway_version',
            reading ->> 'config_hash', reading ->> 'pii')
        ON CONFLICT (key) DO NOTHING;
        SELECT p.id INTO profile FROM egret.profiles AS p WHERE p.key = key_of;
        key_of := sha256(convert_to(jsonb_build_array(
            reading -> 'caller', reading -> 'operation', reading -> 'effect', reading -> 'reason',
            reading -> 'pii')::text, 'UTF8')) || '\x02';
        INSERT INTO egret.activities (key, caller, provider, operation, effect, token_type, pii,
            decision, reason)
        VALUES (key_of, reading ->> 'caller', 'egret', reading ->> 'operation',
            reading ->> 'effect', 'anonymous', reading ->> 'pii', 'forwarded',
            reading ->> 'reason')
        ON CONFLICT (key) DO NOTHING;
        SELECT a.id INTO activity FROM egret.activities AS a WHERE a.key = key_of;

        INSERT INTO egret.records (call_id, received_at, completed_after, profile_id, activity_id,
            attempts, request_bytes, response_bytes, outcome, detail, journal_id, intent_seq,
            outcome_seq, completion_seq)
        VALUES (id, received, (reading ->> 'completed_after')::bigint, profile, activity, 0, 0, 0,
            reading ->> 'outcome', said, journal_number, (reading ->> 'intent_seq')::bigint,
            (reading ->> 'outcome_seq')::bigint, (reading ->> 'completion_seq')::bigint)
        ON CONFLICT (call_id) DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        added := added + 1;
        INSERT INTO egret.call_subjects (subject, call_id)
        SELECT decode(entry ->> 2, 'hex'), id
        FROM jsonb_array_elements(coalesce(said::jsonb -> 's', '[]')) AS e (entry)
        WHERE entry ->> 2 IS NOT NULL
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN added;
END
$$;

REVOKE ALL ON FUNCTION egret.record_readings, egret.is_detail_of_reading FROM PUBLIC;
GRANT SELECT ON egret.reading_journals TO egret_writer, egret_auditor;
GRANT EXECUTE ON FUNCTION egret.record_readings TO egret_auditor;
