-- All that the program keeps. Times are integers of microseconds since 1970 UTC, named *_at. Each column says
-- which values it takes: what the program could not read, SQLite does not store. States stand one by one, since for a
-- list of values SQLite builds a table at each row that it checks; NULL passes.

-- A Sinch project, by a small number that keeps rows and indexes short.
CREATE TABLE projects (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE        -- Sinch's projectId
        CHECK (length(name) BETWEEN 1 AND 128),
    failures        INTEGER NOT NULL DEFAULT 0     -- tries in a row that failed through the provider
        CHECK (failures BETWEEN 0 AND 4294967295),
    paused_until_at INTEGER,                       -- nobody asks before; NULL: asking is open
    pause_reason    TEXT,
    -- Whether this run asks about its orders: not where its API is off, nor where it is not configured any more.
    asked           INTEGER NOT NULL DEFAULT 0
        CHECK (asked IN (0, 1)),
    CHECK ((paused_until_at IS NULL) = (pause_reason IS NULL))
) STRICT;

-- A number order: what is known of it, and when somebody must look at it again.
CREATE TABLE orders (
    id                INTEGER PRIMARY KEY,
    project           INTEGER NOT NULL REFERENCES projects (id),
    name              TEXT    NOT NULL             -- Sinch's idNumberOrder
        CHECK (length(name) BETWEEN 1 AND 128),
    first_seen_at     INTEGER NOT NULL,
    -- When the newest delivery of those that were looked at came. NULL: none ever did.
    heard_at          INTEGER,
    -- Due for an answer: when Sinch is to be asked next; NULL: at rest.
    ask_at            INTEGER,
    asked_at          INTEGER,
    attempts          INTEGER NOT NULL DEFAULT 0   -- tries without an answer; counted at the claim
        CHECK (attempts BETWEEN 0 AND 4294967295),
    parked            TEXT,                        -- why nobody asks any more
    wished_at         INTEGER,                     -- when an operator asked for a fetch that is not answered yet
    -- Held by one lane while Sinch is asked; runs out by itself.
    lease             INTEGER,
    leased_until_at   INTEGER,
    -- The truth, as Sinch last showed it.
    confirmed_state   TEXT
        CHECK (confirmed_state = 'CREATED' OR confirmed_state = 'IN_REVIEW' OR confirmed_state = 'BLOCKED'
            OR confirmed_state = 'COMPLETED' OR confirmed_state = 'REJECTED' OR confirmed_state = 'EXPIRED'),
    updated_at        INTEGER,
    shown_at          INTEGER,                     -- when the question was sent that first showed updated_at
    expires_at        INTEGER,
    confirmed_at      INTEGER,
    reopened          INTEGER NOT NULL DEFAULT 0
        CHECK (reopened IN (0, 1)),
    -- What only events say.
    provisional_state TEXT
        CHECK (provisional_state = 'CREATED' OR provisional_state = 'IN_REVIEW' OR provisional_state = 'BLOCKED'
            OR provisional_state = 'COMPLETED' OR provisional_state = 'REJECTED' OR provisional_state = 'EXPIRED'),
    provisional_at    INTEGER,
    hints             TEXT    NOT NULL DEFAULT '[]'
        CHECK (hints = '[]' OR (json_valid(hints) AND substr(hints, 1, 1) = '[')),
    -- When the oldest of the open claims came. NULL: none is open. It is in the hints, too, but read from a column it
    -- costs less at each look at a row.
    hinted_at         INTEGER,
    -- Claims that an answer has overruled which may have been too stale: kept until one does that cannot be.
    doubts            TEXT    NOT NULL DEFAULT '[]'
        CHECK (doubts = '[]' OR (json_valid(doubts) AND substr(doubts, 1, 1) = '[')),
    tie_state         TEXT
        CHECK (tie_state = 'CREATED' OR tie_state = 'IN_REVIEW' OR tie_state = 'BLOCKED'
            OR tie_state = 'COMPLETED' OR tie_state = 'REJECTED' OR tie_state = 'EXPIRED'),
    tie_since_at      INTEGER,
    missing_since_at  INTEGER,
    alarm             TEXT,                        -- the condition that was last reported, in this state
    -- What an operator is shown first.
    state             TEXT GENERATED ALWAYS AS (coalesce(provisional_state, confirmed_state, 'UNKNOWN')) VIRTUAL,
    -- Who is asked about first, where more orders are due than the rate allows. 2: something is in doubt, or an
    -- operator waits; 1: nothing is known yet; 0: a routine look.
    urgency           INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN wished_at IS NOT NULL OR hints <> '[]' OR doubts <> '[]' OR tie_state IS NOT NULL THEN 2
            WHEN confirmed_state IS NULL THEN 1
            ELSE 0
        END) VIRTUAL,
    -- Since when something is open about an order: the oldest open claim; or a tie; or that nothing is confirmed at all.
    unsettled_at      INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN hinted_at IS NOT NULL THEN hinted_at
            WHEN tie_state IS NOT NULL THEN tie_since_at
            WHEN confirmed_state IS NULL THEN first_seen_at
        END) VIRTUAL,
    -- Since when an order is closed: Sinch has shown its end, nothing is open about it, nobody is to ask, and
    -- nothing was heard of it since.
    closed_at         INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN ask_at IS NULL AND lease IS NULL AND hints = '[]' AND doubts = '[]' AND tie_state IS NULL
                AND (confirmed_state = 'COMPLETED' OR confirmed_state = 'REJECTED' OR confirmed_state = 'EXPIRED')
            THEN max(confirmed_at, coalesce(asked_at, 0), coalesce(heard_at, 0))
        END) VIRTUAL,
    UNIQUE (project, name),
    CHECK ((lease IS NULL) = (leased_until_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (updated_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (confirmed_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (shown_at IS NULL)),
    CHECK (confirmed_state IS NOT NULL OR (expires_at IS NULL AND reopened = 0)),
    CHECK ((provisional_state IS NULL) = (provisional_at IS NULL)),
    CHECK ((hints = '[]') = (hinted_at IS NULL)),
    CHECK ((tie_state IS NULL) = (tie_since_at IS NULL)),
    CHECK (parked IS NULL OR ask_at IS NULL)
) STRICT;

CREATE INDEX orders_ask ON orders (project, ask_at) WHERE ask_at IS NOT NULL;
CREATE INDEX orders_urgent ON orders (project, urgency, ask_at) WHERE urgency > 0 AND ask_at IS NOT NULL;
CREATE INDEX orders_leased ON orders (id) WHERE lease IS NOT NULL;
CREATE INDEX orders_parked ON orders (id) WHERE parked IS NOT NULL;
CREATE INDEX orders_state ON orders (state, id);
CREATE INDEX orders_unsettled ON orders (project, unsettled_at) WHERE unsettled_at IS NOT NULL AND parked IS NULL;
CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX orders_expiring ON orders (expires_at) WHERE confirmed_state = 'CREATED';
CREATE INDEX orders_lasting ON orders (confirmed_state, updated_at) WHERE confirmed_state IN ('IN_REVIEW', 'BLOCKED');

-- How many orders are in each state, at a cost that does not grow with what there is. The database itself keeps
-- it, so that nobody who writes an order can forget to. A figure that is off is no reason to refuse an order.
CREATE TABLE state_counts (
    state  TEXT    PRIMARY KEY,
    orders INTEGER NOT NULL CHECK (orders >= 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER orders_come AFTER INSERT ON orders BEGIN
    INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
        ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER orders_move AFTER UPDATE OF confirmed_state, provisional_state ON orders
    WHEN OLD.state <> NEW.state BEGIN
    UPDATE state_counts SET orders = max(orders - 1, 0) WHERE state = OLD.state;
    INSERT INTO state_counts (state, orders) VALUES (NEW.state, 1)
        ON CONFLICT (state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER orders_go AFTER DELETE ON orders BEGIN
    UPDATE state_counts SET orders = max(orders - 1, 0) WHERE state = OLD.state;
END;

-- The inbox: every callback that was answered 200. Written before each answer, so it is kept cheap: ids
-- and event ids both grow with time, and what would touch pages here and there is left to the look.
CREATE TABLE deliveries (
    id          INTEGER PRIMARY KEY,
    project     INTEGER NOT NULL REFERENCES projects (id),
    event       TEXT    NOT NULL CHECK (event <> ''), -- what makes a repetition: see store::inbox
    received_at INTEGER NOT NULL,
    order_name  TEXT    CHECK (order_name <> ''),  -- number orders only
    order_id    INTEGER REFERENCES orders (id),    -- the same, once somebody has looked at it
    status      TEXT,
    said_at     INTEGER,
    -- waiting: nobody has looked at it; settled: looked at; recorded: about something else;
    -- parked: an operator must look.
    phase       TEXT    NOT NULL,
    verdict     TEXT,                              -- what was decided and why
    settled_at  INTEGER,
    repeats     INTEGER NOT NULL DEFAULT 0 CHECK (repeats >= 0),
    body        BLOB    NOT NULL,                  -- the raw bytes
    -- What tells repeats from conflicts once the body is gone: the first 16 bytes of its SHA-256. NULL: the body
    -- is there.
    digest      BLOB    CHECK (digest IS NULL OR (length(digest) = 16 AND length(body) = 0)),
    CHECK ((order_name IS NULL) = (status IS NULL)),
    CHECK ((order_id IS NULL) = (settled_at IS NULL)),
    CHECK (order_id IS NULL OR order_name IS NOT NULL),
    -- What comes in stands first, since it is checked before its answer.
    CHECK (CASE phase
        WHEN 'waiting' THEN verdict IS NULL AND order_name IS NOT NULL AND order_id IS NULL
        WHEN 'settled' THEN verdict IS NOT NULL AND order_id IS NOT NULL
        WHEN 'recorded' THEN verdict IS NOT NULL AND order_name IS NULL
        WHEN 'parked' THEN verdict IS NOT NULL
        ELSE 0
    END)
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
    from_state TEXT
        CHECK (from_state = 'CREATED' OR from_state = 'IN_REVIEW' OR from_state = 'BLOCKED'
            OR from_state = 'COMPLETED' OR from_state = 'REJECTED' OR from_state = 'EXPIRED'),
    to_state   TEXT    NOT NULL
        CHECK (to_state = 'CREATED' OR to_state = 'IN_REVIEW' OR to_state = 'BLOCKED'
            OR to_state = 'COMPLETED' OR to_state = 'REJECTED' OR to_state = 'EXPIRED'),
    confirmed  INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
    said_at    INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    -- Of a confirmed one: whether an event had told of it, and how long after Sinch's own update (or
    -- after the order was first heard of) it was confirmed.
    told       INTEGER CHECK (told IN (0, 1)),
    took       INTEGER CHECK (took >= 0),
    CHECK ((told IS NULL) = (took IS NULL))
) STRICT;

CREATE INDEX transitions_order ON transitions (order_id, id);

-- One row: how far the service itself has come.
CREATE TABLE service (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    -- Deliveries up to this id have been looked at.
    looked_to     INTEGER NOT NULL CHECK (looked_to >= 0),
    -- Of the deliveries up to this id, all bodies that were to be emptied are.
    bodies_to     INTEGER NOT NULL CHECK (bodies_to BETWEEN 0 AND looked_to),
    -- Of the deliveries up to this id, only those that are parked are left.
    deliveries_to INTEGER NOT NULL CHECK (deliveries_to BETWEEN 0 AND looked_to),
    -- Of the answers up to this id, only the newest of each order are left.
    answers_to    INTEGER NOT NULL CHECK (answers_to >= 0),
    beat_at       INTEGER NOT NULL,                -- written to prove that the disk takes writes
    clean         INTEGER NOT NULL CHECK (clean IN (0, 1)) -- whether the last run came to a clean end
) STRICT;
INSERT INTO service (id, looked_to, bodies_to, deliveries_to, answers_to, beat_at, clean) VALUES (1, 0, 0, 0, 0, 0, 1);
