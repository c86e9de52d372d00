-- What the records about accounts need: a session can be named without its token, the first use of a key shows, and so
-- does an account that asks for others' orders again and again.

ALTER TABLE sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();

ALTER TABLE api_keys ADD COLUMN used_at timestamptz;

CREATE TABLE order_probes (
    account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    -- In a row: none of them long after the one before.
    probes integer NOT NULL,
    probed_at timestamptz NOT NULL
);
