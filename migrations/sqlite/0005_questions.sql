-- What auditors ask is about who did what: every mint by a caller, every read of personal data and
-- by whom. An activity says that much of a call and no more, so that there are few of them: one
-- profile is made anew with each configuration, each version and each address of a bank, an
-- activity is not. Rows name their activity, and one index leads from activities to calls.

PRAGMA user_version = 5;

CREATE TABLE activities (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
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
) STRICT;

-- SQLite knows no digest, so the activities of rows that are there already get another key than
-- the program would give them. Should it write one of them again, there are two that say the same,
-- and questions find both.
INSERT INTO activities (key, caller, provider, service, environment, operation, effect, token_type,
    pii, minted_kind, decision, reason)
SELECT CAST('migrated ' || min(id) AS BLOB), caller, provider, service, environment, operation,
    effect, token_type, pii, minted_kind, decision, reason
FROM profiles
GROUP BY caller, provider, service, environment, operation, effect, token_type, pii, minted_kind,
    decision, reason;

ALTER TABLE records ADD COLUMN activity_id INTEGER;

CREATE TEMP TABLE activity_of AS
SELECT p.id AS profile_id, a.id AS activity_id
FROM profiles AS p JOIN activities AS a
    ON a.caller IS p.caller AND a.provider IS p.provider AND a.service IS p.service
    AND a.environment IS p.environment AND a.operation IS p.operation AND a.effect IS p.effect
    AND a.token_type IS p.token_type AND a.pii IS p.pii AND a.minted_kind IS p.minted_kind
    AND a.decision IS p.decision AND a.reason IS p.reason;
CREATE UNIQUE INDEX temp.activity_of_profile ON activity_of (profile_id);
UPDATE records SET activity_id =
    (SELECT activity_id FROM activity_of WHERE activity_of.profile_id = records.profile_id);
DROP TABLE temp.activity_of;

CREATE INDEX records_by_activity ON records (activity_id, call_id);

-- Few calls do not end well, so to lead to them apart costs next to nothing.
CREATE INDEX records_failed_by_activity ON records (activity_id, call_id, outcome)
    WHERE outcome <> 'success';
