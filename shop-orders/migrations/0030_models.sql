-- What is known of a model beside its file: the unit that it is drawn in (an STL or OBJ file without one is in
-- millimetres), and what was found out with its price.
ALTER TABLE orders
    ADD COLUMN model_unit text,
    ADD COLUMN model_measured jsonb,
    ADD COLUMN model_warnings jsonb,
    -- The stable word for `price_failure`, and the same text in Russian.
    ADD COLUMN price_failure_code text,
    ADD COLUMN price_failure_ru text;
