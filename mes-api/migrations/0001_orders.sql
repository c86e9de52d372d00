-- Orders from their submission on, their history, and the prices that are still to be calculated.

-- Partner orders are born here; the shop's numbers begin with another letter.
CREATE SEQUENCE partner_order_number START WITH 100000;

CREATE TABLE orders (
    id text PRIMARY KEY,
    status text NOT NULL,
    -- Accounts of customers are in the shop's database.
    customer_id uuid,
    partner_id uuid,
    material text NOT NULL,
    quantity integer NOT NULL,
    comment text,
    model_filename text NOT NULL,
    model_format text NOT NULL,
    model_bytes bigint NOT NULL,
    model_sha256 text NOT NULL,
    -- Where the model lies in the model store.
    model_key text NOT NULL,
    price_amount_minor bigint,
    price_currency text,
    price_status text NOT NULL,
    -- In words for the customer.
    price_failure text,
    operator_id uuid REFERENCES accounts,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT orders_status_is_known CHECK (status IN (
        'INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED',
        'MANUFACTURING_STARTED', 'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED')),
    CONSTRAINT orders_have_one_owner CHECK (num_nonnulls(customer_id, partner_id) = 1),
    CONSTRAINT orders_material_is_known CHECK (material IN ('silver_925', 'gold_585', 'gold_750', 'platinum_950')),
    CONSTRAINT orders_quantity_in_range CHECK (quantity BETWEEN 1 AND 1000),
    CONSTRAINT orders_model_format_is_known CHECK (model_format IN ('stl', 'obj', '3mf')),
    CONSTRAINT orders_price_status_is_known CHECK (
        price_status IN ('QUEUED', 'CALCULATING', 'CALCULATED', 'FAILED')),
    CONSTRAINT orders_price_when_calculated CHECK (
        (price_status = 'CALCULATED') = (price_amount_minor IS NOT NULL AND price_currency IS NOT NULL)),
    CONSTRAINT orders_price_is_whole CHECK (num_nonnulls(price_amount_minor, price_currency) IN (0, 2)),
    CONSTRAINT orders_price_is_positive CHECK (price_amount_minor > 0),
    CONSTRAINT orders_failure_when_failed CHECK ((price_status = 'FAILED') = (price_failure IS NOT NULL))
);

-- The operators' lists, newest first: a page is a walk along this index, however many orders there are. There is none
-- without the status on purpose: for a rare status, statistics would sometimes prefer it, and all orders be read.
CREATE INDEX orders_of_status_newest_first ON orders (status, created_at DESC, id DESC);

-- Each status once, as strictly linear statuses have it. The same facts as in the shop's database.
CREATE TABLE order_history (
    order_id text NOT NULL REFERENCES orders,
    status text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    service text NOT NULL,
    PRIMARY KEY (order_id, status),
    CONSTRAINT order_history_status_is_known CHECK (status IN (
        'INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED',
        'MANUFACTURING_STARTED', 'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED')),
    CONSTRAINT order_history_service_is_known CHECK (service IN ('shop-api', 'crm-api', 'mes-api'))
);

-- One row per price that is still to be calculated.
CREATE TABLE price_jobs (
    order_id text PRIMARY KEY REFERENCES orders,
    -- A job is anybody's from this moment on. A lease pushes it into the future, so it needs no reaper: a dead worker's
    -- job comes back by itself.
    available_at timestamptz NOT NULL DEFAULT now(),
    -- Known only to the worker that has the job.
    lease uuid,
    -- How often a worker has taken it.
    attempts integer NOT NULL DEFAULT 0,
    -- The request or message that asked for the price (W3C trace context).
    traceparent text,
    tracestate text
);
CREATE INDEX price_jobs_by_turn ON price_jobs (available_at);
-- Short but busy, like the outbox.
ALTER TABLE price_jobs SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
