-- How things stand, at a cost that does not grow with what there is.

-- How many orders are in each state, kept by the database itself, so that nobody who writes an order can
-- forget to.
CREATE TABLE state_counts (
    state  TEXT    PRIMARY KEY,
    orders INTEGER NOT NULL CHECK (orders >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO state_counts (state, orders) SELECT state, count(*) FROM orders GROUP BY state;

CREATE TRIGGER orders_come AFTER INSERT ON orders BEGIN
    INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
        ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER orders_move AFTER UPDATE OF confirmed_state, provisional_state ON orders
    WHEN OLD.state <> NEW.state BEGIN
    UPDATE state_counts SET orders = orders - 1 WHERE state = OLD.state;
    INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
        ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER orders_go AFTER DELETE ON orders BEGIN
    UPDATE state_counts SET orders = orders - 1 WHERE state = OLD.state;
END;

-- Since when something is open about an order: what the first open event said, by Sinch's clock; or a tie;
-- or that nothing is confirmed at all.
ALTER TABLE orders ADD COLUMN unsettled_at INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN hints <> '[]' THEN coalesce(hints ->> '$[0].said_at', hints ->> '$[0].settles_at')
        WHEN tie_state IS NOT NULL THEN tie_since_at
        WHEN confirmed_state IS NULL THEN first_seen_at
    END) VIRTUAL;

CREATE INDEX orders_unsettled ON orders (unsettled_at) WHERE unsettled_at IS NOT NULL AND parked IS NULL;
