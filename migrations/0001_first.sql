-- The house's tables. Times are integers of microseconds since 1970 UTC, named *_at.
-- A shipped migration is never edited: sqlx compares its bytes.

-- A Sinch project, by a small number that keeps rows and indexes short.
CREATE TABLE projects (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,       -- Sinch's projectId
    failures        INTEGER NOT NULL DEFAULT 0,    -- tries in a row that failed through the provider
    paused_until_at INTEGER,                       -- nobody asks before; NULL: asking is open
    pause_reason    TEXT,
    CHECK ((paused_until_at IS NULL) = (pause_reason IS NULL))
) STRICT;

-- A number order: what is known of it, and when somebody must look at it again.
CREATE TABLE orders (
    id                INTEGER PRIMARY KEY,
    project           INTEGER NOT NULL REFERENCES projects (id),
    name              TEXT    NOT NULL,            -- Sinch's idNumberOrder
    first_seen_at     INTEGER NOT NULL,
    -- Due for an answer: when Sinch is to be asked next; NULL: at rest.
    ask_at            INTEGER,
    asked_at          INTEGER,
    attempts          INTEGER NOT NULL DEFAULT 0,  -- tries without an answer; counted at the claim
    parked            TEXT,                        -- why nobody asks any more
    -- Held by one lane while Sinch is asked; runs out by itself.
    lease             INTEGER,
    leased_until_at   INTEGER,
    -- The truth, as Sinch last showed it.
    confirmed_state   TEXT,
    updated_at        INTEGER,
    expires_at        INTEGER,
    confirmed_at      INTEGER,
    reopened          INTEGER NOT NULL DEFAULT 0,
    -- What only events say.
    provisional_state TEXT,
    provisional_at    INTEGER,
    hints             TEXT    NOT NULL DEFAULT '[]',
    tie_state         TEXT,
    tie_since_at      INTEGER,
    missing_since_at  INTEGER,
    alarm             TEXT,                        -- the condition that was last reported, in this state
    -- What an operator is shown first.
    state             TEXT GENERATED ALWAYS AS (coalesce(provisional_state, confirmed_state, 'UNKNOWN')) VIRTUAL,
    UNIQUE (project, name),
    CHECK ((lease IS NULL) = (leased_until_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (updated_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (confirmed_at IS NULL)),
    CHECK ((provisional_state IS NULL) = (provisional_at IS NULL)),
    CHECK ((tie_state IS NULL) = (tie_since_at IS NULL)),
    CHECK (parked IS NULL OR ask_at IS NULL)
) STRICT;

CREATE INDEX orders_ask ON orders (project, ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX orders_leased ON orders (id) WHERE lease IS NOT NULL;
CREATE INDEX orders_parked ON orders (id) WHERE parked IS NOT NULL;
CREATE INDEX orders_state ON orders (state, id);
CREATE INDEX orders_expiring ON orders (expires_at) WHERE confirmed_state = 'CREATED';
CREATE INDEX orders_lasting ON orders (confirmed_state, updated_at) WHERE confirmed_state IN ('IN_REVIEW', 'BLOCKED');

-- The inbox: every callback that was answered 200. Written before each answer, so it is kept cheap: ids
-- and event ids both grow with time, and what would touch pages here and there is left to the look.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    project     INTEGER NOT NULL REFERENCES projects (id),
    event       TEXT    NOT NULL,                  -- what makes a repetition: see store::inbox
    received_at INTEGER NOT NULL,
    order_name  TEXT,                              -- number orders only
    order_id    INTEGER REFERENCES orders (id),    -- the same, once somebody has looked at it
    status      TEXT,
    said_at     INTEGER,
    -- waiting: nobody has looked at it; settled: looked at; recorded: about something else;
    -- parked: an operator must look.
    phase       TEXT    NOT NULL CHECK (phase IN ('waiting', 'settled', 'recorded', 'parked')),
    verdict     TEXT,                              -- what was decided and why
    settled_at  INTEGER,
    repeats     INTEGER NOT NULL DEFAULT 0,
    body        BLOB    NOT NULL,                  -- the raw bytes
    CHECK ((phase = 'waiting') = (verdict IS NULL)),
    CHECK (phase <> 'waiting' OR (order_name IS NOT NULL AND order_id IS NULL))
) STRICT;

CREATE UNIQUE INDEX deliveries_event ON deliveries (project, event);
CREATE INDEX deliveries_order ON deliveries (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (id) WHERE phase = 'parked';

-- What came of each question to Sinch.
CREATE TABLE answers (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    asked_at   INTEGER NOT NULL,
    state      TEXT,                               -- as Sinch said it; NULL: the answer had none
    updated_at INTEGER,
    finding    TEXT    NOT NULL                    -- what it meant, in words
) STRICT;

CREATE INDEX answers_order ON answers (order_id, id);

-- Every change of an order's state, with its cause.
CREATE TABLE transitions (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    at         INTEGER NOT NULL,
    from_state TEXT,
    to_state   TEXT    NOT NULL,
    confirmed  INTEGER NOT NULL,
    said_at    INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    -- Of a confirmed one: whether an event had told of it, and how long after Sinch's own update (or
    -- after the order was first heard of) it was confirmed.
    told       INTEGER,
    took       INTEGER,
    CHECK ((told IS NULL) = (took IS NULL))
) STRICT;

CREATE INDEX transitions_order ON transitions (order_id, id);

-- One row: how far the service itself has come.
CREATE TABLE service (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    looked_to INTEGER NOT NULL,                    -- deliveries up to this id have been looked at
    beat_at   INTEGER NOT NULL,                    -- written to prove that the disk takes writes
    clean     INTEGER NOT NULL                     -- whether the last run came to a clean end
) STRICT;
INSERT INTO service (id, looked_to, beat_at, clean) VALUES (1, 0, 0, 1);
