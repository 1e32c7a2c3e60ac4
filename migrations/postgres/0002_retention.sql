-- Erasing a subject, giving up what is too old, and legal holds: as in SQLite, see
-- migrations/sqlite/0006_append_only.sql. The way around the triggers is a row of `maintenance` that
-- is open (`ended_at IS NULL`): who opens one closes it in the same transaction, so nobody else
-- sees it. Only the owner of the tables has the rights; gateways and auditors have none of them.

-- What was done to recorded calls, by whom and why.
CREATE TABLE egret.maintenance (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    by_user TEXT NOT NULL,
    reason TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    ended_at BIGINT,
    calls BIGINT,
    credentials BIGINT
);

CREATE INDEX maintenance_open ON egret.maintenance (id) WHERE ended_at IS NULL;

-- Legal holds: calls that meet every condition given here are neither pruned nor erased until the
-- hold is released. A hold without a condition holds everything.
CREATE TABLE egret.holds (
    id BIGINT PRIMARY KEY,
    received_from BIGINT,
    received_to BIGINT,
    caller TEXT,
    subject BYTEA,
    token_fingerprint BYTEA,
    call_id BYTEA,
    reason TEXT NOT NULL,
    by_user TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    released_at BIGINT,
    released_by TEXT,
    release_reason TEXT
);

-- Nothing is changed or removed, but while a row of `maintenance` is open in this transaction.
CREATE OR REPLACE FUNCTION egret.refuse() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE')
        AND TG_TABLE_NAME NOT IN ('profiles', 'activities', 'scope_lists', 'journals', 'journal_gaps')
        AND EXISTS (SELECT FROM egret.maintenance WHERE ended_at IS NULL)
    THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION egret.keep_maintenance() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger keeps what was done to it' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION egret.keep_holds() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (
        EXISTS (SELECT FROM egret.maintenance WHERE ended_at IS NULL)
        OR (OLD.released_at IS NULL AND NEW.released_at IS NOT NULL
            AND (NEW.id, NEW.received_from, NEW.received_to, NEW.caller, NEW.subject,
                NEW.token_fingerprint, NEW.call_id, NEW.reason, NEW.by_user, NEW.placed_at)
            IS NOT DISTINCT FROM
                (OLD.id, OLD.received_from, OLD.received_to, OLD.caller, OLD.subject,
                OLD.token_fingerprint, OLD.call_id, OLD.reason, OLD.by_user, OLD.placed_at)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger keeps every hold: see egret audit hold release'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER is_kept BEFORE UPDATE OR DELETE ON egret.maintenance
    FOR EACH ROW EXECUTE FUNCTION egret.keep_maintenance();
CREATE TRIGGER is_kept BEFORE UPDATE OR DELETE ON egret.holds
    FOR EACH ROW EXECUTE FUNCTION egret.keep_holds();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.maintenance
    FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.holds
    FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse();

-- The number of the last change, to be asked in the transaction of a batch: no change goes on until
-- it ends. A gateway that finds another number than the last time forgets what it knows of the
-- dictionaries.
CREATE FUNCTION egret.maintained() RETURNS BIGINT
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('egret.maintenance'));
    RETURN (SELECT coalesce(max(id), 0) FROM egret.maintenance);
END
$$;

REVOKE ALL ON FUNCTION egret.maintained, egret.keep_maintenance, egret.keep_holds FROM PUBLIC;
GRANT SELECT ON egret.maintenance, egret.holds TO egret_writer, egret_auditor;
GRANT EXECUTE ON FUNCTION egret.maintained TO egret_writer;
