-- The number of the change's record (`event.id`). None for what was taken over from the MES, which has the record, and for
-- what was there before this column.
ALTER TABLE order_history ADD COLUMN event_id uuid;
