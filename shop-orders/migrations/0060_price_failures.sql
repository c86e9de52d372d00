-- When the MES failed to calculate the price, by its clock: of two failures, the later one is shown, whichever message comes
-- last. None where there is a price or no failure, or where the version before this column wrote the failure.
ALTER TABLE orders ADD COLUMN price_failed_at timestamptz;
