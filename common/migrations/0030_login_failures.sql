-- Failed logins in a row of each login that was tried, whether an account has it or not. This takes the place of
-- `accounts.failures` and `accounts.failed_at`, which only services before this migration use. Rows are deleted once their
-- failures are not in a row any more, and each of them costs the check of a password, so there are only so many.
CREATE TABLE login_failures (
    -- A keyed hash: people type passwords into the login field.
    login_hash bytea PRIMARY KEY,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL
);
CREATE INDEX login_failures_by_age ON login_failures (failed_at);

-- The key of these hashes, unless a setting has another one: the same for all replicas, and after a restart.
CREATE TABLE login_hash_key (
    -- There is one row.
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    key bytea NOT NULL
);
INSERT INTO login_hash_key (key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
