-- What detection has learned, and the incidents of the fleet (docs/design/detection.md). One gateway
-- watches the ledger for all; when it goes, another goes on from here. These rows are no records: they
-- say what is now and are replaced. What was recorded does not depend on them.

CREATE TABLE egret.detection (
    -- `state`: the engine and its place in the ledger. `incidents`: the book.
    name TEXT PRIMARY KEY,
    content BYTEA NOT NULL,
    -- Grows with every change.
    version BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Already compressed as far as it can be, or not worth it: do not try.
ALTER TABLE egret.detection ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TRIGGER no_delete BEFORE DELETE ON egret.detection
    FOR EACH ROW EXECUTE FUNCTION egret.refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON egret.detection
    FOR EACH STATEMENT EXECUTE FUNCTION egret.refuse();

GRANT SELECT, INSERT, UPDATE ON egret.detection TO egret_writer;
