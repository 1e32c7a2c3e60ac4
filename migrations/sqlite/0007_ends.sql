-- Calls by the status that the caller got, and by the bank's error code: what people type into a
-- search. Only calls that did not go well are in these indexes, so that all others cost nothing.
-- They end with the activity, so that "this caller and 404" is answered without a look at the rows.

PRAGMA user_version = 7;

CREATE INDEX records_by_status ON records (status, call_id, activity_id)
    WHERE status >= 400;
CREATE INDEX records_by_error ON records (error_code, call_id, activity_id)
    WHERE error_code IS NOT NULL;

-- With the activity: "what did not go well at the banks" leaves out Egret's own by it.
DROP INDEX records_not_successful;
CREATE INDEX records_not_successful ON records (outcome, call_id, activity_id)
    WHERE outcome <> 'success';
