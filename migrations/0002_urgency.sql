-- Who is asked about first, where more orders are due than the rate allows.

-- Whether an operator waits for the next answer.
ALTER TABLE orders ADD COLUMN wished INTEGER NOT NULL DEFAULT 0;

-- 2: something is in doubt, or an operator waits; 1: nothing is known yet; 0: a routine look.
ALTER TABLE orders ADD COLUMN urgency INTEGER GENERATED ALWAYS AS (
    CASE
        WHEN wished OR hints <> '[]' OR tie_state IS NOT NULL THEN 2
        WHEN confirmed_state IS NULL THEN 1
        ELSE 0
    END) VIRTUAL;

CREATE INDEX orders_urgent ON orders (project, urgency, ask_at) WHERE urgency > 0 AND ask_at IS NOT NULL;
