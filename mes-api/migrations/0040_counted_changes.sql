-- The transaction that added a change, so that metrics read only what is new. None for what was there before this column.
ALTER TABLE order_history ADD COLUMN added_in xid8;
ALTER TABLE order_history ALTER COLUMN added_in SET DEFAULT pg_current_xact_id();
CREATE INDEX order_history_by_transaction ON order_history (added_in) WHERE added_in IS NOT NULL;

-- How often the calculation of the order's price ended without one: asked for again, it leaves no other trace. Of earlier
-- ones, those that had no price in the end are known.
ALTER TABLE orders ADD COLUMN price_failures integer NOT NULL DEFAULT 0;
UPDATE orders SET price_failures = 1 WHERE price_status = 'FAILED';
CREATE INDEX orders_by_price_failures ON orders (price_failures) WHERE price_failures > 0;
