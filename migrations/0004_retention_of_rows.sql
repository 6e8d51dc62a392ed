-- Whole deliveries are given up, too.

-- Of the deliveries up to this id, only those that are parked are left. Never beyond looked_to.
ALTER TABLE service ADD COLUMN deliveries_to INTEGER NOT NULL DEFAULT 0;
