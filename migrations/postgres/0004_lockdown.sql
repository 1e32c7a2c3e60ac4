-- What is locked down in the whole fleet: every gateway that writes this ledger follows it. As
-- everything here it is only added to: a lock ends at its time or by a row of `lifts`.

CREATE TABLE egret.locks (
    -- The record of the command that placed it.
    id BYTEA PRIMARY KEY,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_user TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    -- Microseconds since 1970, as all moments; NULL if it must be lifted.
    until BIGINT
);

CREATE TABLE egret.lifts (
    lock_id BYTEA PRIMARY KEY REFERENCES egret.locks (id),
    reason TEXT NOT NULL,
    by_user TEXT NOT NULL,
    lifted_at BIGINT NOT NULL
);

DO $$
DECLARE
    of TEXT;
BEGIN
    FOREACH of IN ARRAY ARRAY['locks', 'lifts'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON egret.%I '
            'FOR EACH ROW EXECUTE FUNCTION egret.refuse()', of);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse()', of);
    END LOOP;
END
$$;

GRANT SELECT ON egret.locks, egret.lifts TO egret_writer, egret_auditor;
GRANT INSERT ON egret.locks, egret.lifts TO egret_writer;
