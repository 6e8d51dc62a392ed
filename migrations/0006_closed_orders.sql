-- Closed orders and old answers are given up, too.

-- When the newest delivery of those that were looked at came. NULL: none ever did.
ALTER TABLE orders ADD COLUMN heard_at INTEGER;

UPDATE orders SET heard_at = (
    SELECT received_at FROM deliveries WHERE order_id = orders.id ORDER BY id DESC LIMIT 1);

-- Since when an order is closed: Sinch has shown its end, nothing is open about it, nobody is to ask, and
-- nothing was heard of it since.
ALTER TABLE orders ADD COLUMN closed_at INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN confirmed_state IN ('COMPLETED', 'REJECTED', 'EXPIRED') AND ask_at IS NULL AND lease IS NULL
            AND hints = '[]' AND tie_state IS NULL
        THEN max(confirmed_at, coalesce(asked_at, 0), coalesce(heard_at, 0))
    END) VIRTUAL;

CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;

-- Of the answers up to this id, only the newest of each order are left.
ALTER TABLE service ADD COLUMN answers_to INTEGER NOT NULL DEFAULT 0;
