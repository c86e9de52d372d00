-- From where an account has logged in. There, only failed logins from the same place make its owner wait: nobody elsewhere
-- can lock them out. Forgotten when it wasn't used for long.
CREATE TABLE login_sources (
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    -- An IPv4 address, or the first 64 bits of an IPv6 one.
    source text NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    failed_at timestamptz,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, source)
);
CREATE INDEX login_sources_by_age ON login_sources (used_at);
