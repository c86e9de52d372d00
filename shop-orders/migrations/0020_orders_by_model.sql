-- Which stored models belong to an order: the others are swept.
CREATE INDEX orders_by_model ON orders (model_key);
