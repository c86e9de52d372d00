-- Messages on their way out and those that have come in. A message stands or falls with the change that it reports:
-- both are in one transaction.

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    type text NOT NULL,
    order_id text NOT NULL,
    body jsonb NOT NULL,
    -- The request or message that made the change (W3C trace context).
    traceparent text,
    tracestate text,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Rows are deleted once the broker has confirmed them, so the table is short but busy.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE inbox (
    message_id uuid PRIMARY KEY,
    consumed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_by_age ON inbox (consumed_at);
