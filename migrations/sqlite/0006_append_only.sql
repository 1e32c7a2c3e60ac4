-- What is recorded stays. Rows of calls and what they refer to can be added, and not changed or
-- removed, but for one documented way: while a row of the table `maintenance` is open
-- (`ended_at IS NULL`). `egret audit erase` and `egret audit prune` open one at the start of their
-- transaction and close it before the commit, so that nobody ever sees an open one, and what was
-- done stays on record.
--
-- This keeps people and programs from accidents. Whoever can change the schema can take it away;
-- that history was not changed is proved by the evidence (docs/design/evidence.md), not by this.

PRAGMA user_version = 6;

-- What was done to recorded calls, by whom and why.
CREATE TABLE maintenance (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    by_user TEXT NOT NULL,
    reason TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    calls INTEGER,
    credentials INTEGER
) STRICT;

CREATE TRIGGER maintenance_is_kept BEFORE DELETE ON maintenance
BEGIN SELECT RAISE(ABORT, 'the ledger keeps what was done to it'); END;
CREATE TRIGGER maintenance_ends_once BEFORE UPDATE ON maintenance WHEN OLD.ended_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the ledger keeps what was done to it'); END;

CREATE TRIGGER records_are_kept BEFORE DELETE ON records
WHEN NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;
CREATE TRIGGER records_stay BEFORE UPDATE ON records
WHEN NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;

CREATE TRIGGER call_subjects_are_kept BEFORE DELETE ON call_subjects
WHEN NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;
CREATE TRIGGER call_subjects_stay BEFORE UPDATE ON call_subjects
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;

CREATE TRIGGER credential_subjects_are_kept BEFORE DELETE ON credential_subjects
WHEN NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;
CREATE TRIGGER credential_subjects_stay BEFORE UPDATE ON credential_subjects
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;

-- An entry that is there is found by writing it again, which sets its key to what it is: such an
-- update changes nothing and passes.
CREATE TRIGGER credentials_are_kept BEFORE DELETE ON credentials
WHEN NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;
CREATE TRIGGER credentials_stay BEFORE UPDATE ON credentials
WHEN (NEW.id IS NOT OLD.id OR NEW.key IS NOT OLD.key
    OR NEW.token_fingerprint IS NOT OLD.token_fingerprint OR NEW.scopes_id IS NOT OLD.scopes_id
    OR NEW.token_scopes_unlisted IS NOT OLD.token_scopes_unlisted
    OR NEW.token_jti IS NOT OLD.token_jti OR NEW.token_expires_at IS NOT OLD.token_expires_at
    OR NEW.token_issuer IS NOT OLD.token_issuer OR NEW.subjects IS NOT OLD.subjects)
    AND NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: see egret audit erase'); END;

CREATE TRIGGER profiles_are_kept BEFORE DELETE ON profiles
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER profiles_stay BEFORE UPDATE OF id, caller, caller_via, caller_key_id, provider,
    service, environment, operation, effect, method, path_template, accept_version, token_type,
    token_fault, minted_kind, decision, reason, tls_version, node, gateway_version, config_hash,
    tokens_present, pii, upstream_address ON profiles
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER profile_keys_stay BEFORE UPDATE OF key ON profiles WHEN NEW.key IS NOT OLD.key
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER activities_are_kept BEFORE DELETE ON activities
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER activities_stay BEFORE UPDATE OF id, caller, provider, service, environment, operation,
    effect, token_type, pii, minted_kind, decision, reason ON activities
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER activity_keys_stay BEFORE UPDATE OF key ON activities WHEN NEW.key IS NOT OLD.key
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER scope_lists_are_kept BEFORE DELETE ON scope_lists
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER scope_lists_stay BEFORE UPDATE OF id, token_scopes ON scope_lists
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER scope_list_keys_stay BEFORE UPDATE OF key ON scope_lists
WHEN NEW.key IS NOT OLD.key
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TRIGGER journal_gaps_are_kept BEFORE DELETE ON journal_gaps
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER journal_gaps_stay BEFORE UPDATE ON journal_gaps
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- Legal holds: calls that meet every condition given here are neither pruned nor erased until the
-- hold is released. A hold without a condition holds everything.
CREATE TABLE holds (
    id INTEGER PRIMARY KEY,
    received_from INTEGER,
    received_to INTEGER,
    caller TEXT,
    subject BLOB,
    token_fingerprint BLOB,
    call_id BLOB,
    reason TEXT NOT NULL,
    by_user TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    released_at INTEGER,
    released_by TEXT,
    release_reason TEXT
) STRICT;

CREATE TRIGGER holds_are_kept BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'the ledger keeps every hold: see egret audit hold release'); END;
CREATE TRIGGER holds_end_once BEFORE UPDATE ON holds
WHEN (OLD.released_at IS NOT NULL OR NEW.released_at IS NULL OR NEW.id IS NOT OLD.id
    OR NEW.received_from IS NOT OLD.received_from OR NEW.received_to IS NOT OLD.received_to
    OR NEW.caller IS NOT OLD.caller OR NEW.subject IS NOT OLD.subject
    OR NEW.token_fingerprint IS NOT OLD.token_fingerprint OR NEW.call_id IS NOT OLD.call_id
    OR NEW.reason IS NOT OLD.reason OR NEW.by_user IS NOT OLD.by_user
    OR NEW.placed_at IS NOT OLD.placed_at)
    AND NOT EXISTS (SELECT 1 FROM maintenance WHERE ended_at IS NULL)
BEGIN SELECT RAISE(ABORT, 'the ledger keeps every hold: see egret audit hold release'); END;
