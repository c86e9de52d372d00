-- Who may use a service, and by what they prove it. The same in every service's database.

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    -- What people log in with, and what partners and carriers are called.
    login text NOT NULL,
    -- Argon2id in PHC string format; absent for partners and carriers, who have keys.
    password_hash text,
    role text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    -- Failed logins in a row, and when the last one was.
    failures integer NOT NULL DEFAULT 0,
    failed_at timestamptz,
    CONSTRAINT accounts_login_is_unique UNIQUE (login),
    CONSTRAINT accounts_role_is_known CHECK (role IN ('customer', 'seller', 'operator', 'partner', 'carrier')),
    CONSTRAINT accounts_have_password_or_keys CHECK ((password_hash IS NULL) = (role IN ('partner', 'carrier')))
);

-- Only hashes: whoever reads the database can't log in with what is found there.
CREATE TABLE sessions (
    token_sha256 bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE api_keys (
    key_sha256 bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_keys_by_account ON api_keys (account_id);

-- The first answer to a request with an Idempotency-Key.
CREATE TABLE idempotency_keys (
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    key text NOT NULL,
    request_sha256 bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
