-- Since when an order is closed, said again in words that cost less: for a list of values, SQLite builds a
-- table at each look at a row. The meaning is as before: Sinch has shown its end, nothing is open about it,
-- nobody is to ask, and nothing was heard of it since.
DROP INDEX orders_closed;
ALTER TABLE orders DROP COLUMN closed_at;
ALTER TABLE orders ADD COLUMN closed_at INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN ask_at IS NULL AND lease IS NULL AND hints = '[]' AND tie_state IS NULL
            AND (confirmed_state = 'COMPLETED' OR confirmed_state = 'REJECTED' OR confirmed_state = 'EXPIRED')
        THEN max(confirmed_at, coalesce(asked_at, 0), coalesce(heard_at, 0))
    END) VIRTUAL;
CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;
