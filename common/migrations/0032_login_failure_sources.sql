-- Failed logins of each address, whatever the logins: who tries leaked passwords fails once with each of many logins. Rows are
-- deleted once their window is over, and each failure costs the check of a password, so there are only so many.
CREATE TABLE login_failure_sources (
    -- A keyed hash: an address is personal data.
    source_hash bytea PRIMARY KEY,
    failures integer NOT NULL,
    -- The first failure of the window.
    since timestamptz NOT NULL
);
CREATE INDEX login_failure_sources_by_age ON login_failure_sources (since);
