-- Orders that stand still are found without reading those that were reported before.

-- The status that the order was last reported in as standing still: once per order and status, whichever replica looks.
-- `stuck_reports`, which this replaces, goes when no version that uses it runs any more.
ALTER TABLE orders ADD COLUMN reported_status text;
UPDATE orders SET reported_status = orders.status
FROM stuck_reports AS reports WHERE reports.order_id = orders.id AND reports.status = orders.status;

-- When it was submitted: from then on the customer waits for the whole of it.
ALTER TABLE orders ADD COLUMN submitted_at timestamptz;
UPDATE orders SET submitted_at = history.at
FROM order_history AS history WHERE history.order_id = orders.id AND history.status = 'SUBMITTED';
-- When it was reported as taking too long as a whole: once per order.
ALTER TABLE orders ADD COLUMN overdue_reported_at timestamptz;

-- Within each status those that weren't reported in it, then those that were, each the longest-waiting first.
DROP INDEX orders_longest_in_status;
CREATE INDEX orders_longest_in_status ON orders (status, (coalesce(reported_status = status, false)), status_since, id)
    WHERE status <> 'CLOSED';
-- The longest-waiting of those that a customer waits for.
CREATE INDEX orders_longest_since_submitted ON orders (submitted_at, id)
    WHERE status <> 'CLOSED' AND submitted_at IS NOT NULL;
