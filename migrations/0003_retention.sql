-- What has been kept for long enough is given up.

-- What tells repeats from conflicts once the body is gone: the first 16 bytes of its SHA-256. NULL: the body
-- is there.
ALTER TABLE deliveries ADD COLUMN digest BLOB;

-- Of the deliveries up to this id, all bodies that were to be emptied are. Never beyond looked_to.
ALTER TABLE service ADD COLUMN bodies_to INTEGER NOT NULL DEFAULT 0;
