-- The transaction that added a change, so that metrics read only what is new. None for what was there before this column.
ALTER TABLE order_history ADD COLUMN added_in xid8;
ALTER TABLE order_history ALTER COLUMN added_in SET DEFAULT pg_current_xact_id();
CREATE INDEX order_history_by_transaction ON order_history (added_in) WHERE added_in IS NOT NULL;
