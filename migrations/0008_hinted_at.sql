-- Since when something is open about an order, said again in words that cost less: read from a column and not
-- out of JSON, at each look at a row.

-- When the first of the open claims was made, by Sinch's clock. NULL: none is open.
ALTER TABLE orders ADD COLUMN hinted_at INTEGER;
UPDATE orders SET hinted_at = coalesce(hints ->> '$[0].said_at', hints ->> '$[0].settles_at')
    WHERE hints <> '[]';

DROP INDEX orders_unsettled;
ALTER TABLE orders DROP COLUMN unsettled_at;
-- As before: what the first open claim said; or a tie; or that nothing is confirmed at all.
ALTER TABLE orders ADD COLUMN unsettled_at INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN hinted_at IS NOT NULL THEN hinted_at
        WHEN tie_state IS NOT NULL THEN tie_since_at
        WHEN confirmed_state IS NULL THEN first_seen_at
    END) VIRTUAL;
CREATE INDEX orders_unsettled ON orders (unsettled_at) WHERE unsettled_at IS NOT NULL AND parked IS NULL;
