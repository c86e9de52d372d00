-- Orders as shop and CRM see them. Both services use this database.

CREATE SEQUENCE order_number MINVALUE 100000 START 100000;

CREATE TABLE orders (
    -- 'A-…' from here, 'P-…' from the MES.
    id text PRIMARY KEY,
    status text NOT NULL,
    -- Since when it is in this status: stuck orders are found by it.
    status_since timestamptz NOT NULL,
    customer_id uuid REFERENCES accounts,
    -- The partner's account is in the MES's database.
    partner_id uuid,
    material text NOT NULL,
    quantity integer NOT NULL,
    comment text,
    model_filename text,
    model_format text,
    model_bytes bigint,
    model_sha256 text,
    model_key text,
    price_amount_minor bigint,
    price_currency text,
    -- Why there is no price, in words for the customer.
    price_failure text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT orders_status_is_known CHECK (status IN (
        'INITIATED', 'FILE_UPLOADED', 'SUBMITTED', 'PRICE_CALCULATED', 'MANUFACTURING_APPROVED',
        'MANUFACTURING_STARTED', 'MANUFACTURING_COMPLETED', 'PACKAGING', 'SHIPPED', 'CLOSED')),
    CONSTRAINT orders_have_one_owner CHECK (num_nonnulls(customer_id, partner_id) = 1),
    CONSTRAINT orders_quantity_is_in_bounds CHECK (quantity BETWEEN 1 AND 1000),
    CONSTRAINT orders_model_is_whole CHECK (
        num_nulls(model_filename, model_format, model_bytes, model_sha256, model_key) IN (0, 5)),
    CONSTRAINT orders_price_is_whole CHECK (num_nulls(price_amount_minor, price_currency) IN (0, 2))
);
-- Lists go newest first: of one customer, of one status, of all.
CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_newest_of_customer ON orders (customer_id, created_at DESC, id DESC);
CREATE INDEX orders_newest_of_status ON orders (status, created_at DESC, id DESC);
-- The longest-waiting orders of each status; closed ones wait for nothing.
CREATE INDEX orders_longest_in_status ON orders (status, status_since, id) WHERE status <> 'CLOSED';

CREATE TABLE order_history (
    order_id text NOT NULL REFERENCES orders ON DELETE CASCADE,
    status text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    service text NOT NULL,
    -- No status is ever taken twice.
    PRIMARY KEY (order_id, status)
);

-- Orders that were reported as stuck: once per order and status, whichever replica looks.
CREATE TABLE stuck_reports (
    order_id text NOT NULL REFERENCES orders ON DELETE CASCADE,
    status text NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, status)
);
