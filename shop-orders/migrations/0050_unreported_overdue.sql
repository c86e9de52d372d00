-- Overdue orders that weren't reported yet, the longest-waiting first: the watch reads no order again that it has reported.
-- `orders_longest_since_submitted` stays, because sellers list overdue orders whether they were reported or not.
CREATE INDEX orders_unreported_since_submitted ON orders (submitted_at, id)
    WHERE status <> 'CLOSED' AND submitted_at IS NOT NULL AND overdue_reported_at IS NULL;
