-- All data of the program. Times are integers of microseconds since 1970 UTC, named *_at. Each column says which
-- values it takes: SQLite does not store what the program could not read. The states are compared one by one, since for
-- a list of values SQLite builds a table at each row that it checks; NULL passes.

-- A Sinch project. Its small number keeps rows and indexes short.
CREATE TABLE projects (
    id              INTEGER PRIMARY KEY,
    sinch_id        TEXT    NOT NULL UNIQUE        -- Sinch's projectId
        CHECK (length(sinch_id) BETWEEN 1 AND 128),
    failures        INTEGER NOT NULL DEFAULT 0     -- attempts in a row that failed through the provider
        CHECK (failures BETWEEN 0 AND 4294967295),
    paused_since_at INTEGER,                       -- the circuit has been open since this time; NULL: it is closed
    paused_until_at INTEGER,                       -- the circuit is open until this time; NULL: it is closed
    -- A code of docs/codes.md, as in every column beside which stands one of its fields.
    pause_reason    TEXT
        CHECK (pause_reason IS NULL OR pause_reason = 'key-refused' OR pause_reason = 'unreachable'
            OR pause_reason = 'timed-out' OR pause_reason = 'broken-off' OR pause_reason = 'not-now' OR pause_reason = 'unusable-answer'
            OR pause_reason = 'none-known'),
    pause_fields    TEXT    CHECK (pause_fields IS NULL OR json_valid(pause_fields)),
    -- 1 if this run fetches its orders; 0 if its API is off, or if it is not configured any more.
    active          INTEGER NOT NULL DEFAULT 0
        CHECK (active IN (0, 1)),
    heard_at        INTEGER,                       -- its last genuine callback, noted within seconds; NULL: none came
    CHECK ((paused_until_at IS NULL) = (paused_since_at IS NULL)),
    CHECK ((paused_until_at IS NULL) = (pause_reason IS NULL)),
    CHECK (pause_fields IS NULL OR pause_reason IS NOT NULL)
) STRICT;

-- A number order: its known states, and the time of its next fetch.
CREATE TABLE orders (
    -- An id is never used again, so a list that is read page by page misses no order that comes meanwhile.
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    project            INTEGER NOT NULL REFERENCES projects (id),
    sinch_id           TEXT    NOT NULL            -- Sinch's idNumberOrder
        CHECK (length(sinch_id) BETWEEN 1 AND 128),
    first_seen_at      INTEGER NOT NULL,
    -- Receipt of the newest delivery of the order that was processed. NULL: none ever came.
    heard_at           INTEGER,
    -- Time of the next fetch; NULL: the order is at rest.
    fetch_at           INTEGER,
    fetched_at         INTEGER,
    attempts           INTEGER NOT NULL DEFAULT 0   -- in a row without an answer; counted at the claim
        CHECK (attempts BETWEEN 0 AND 4294967295),
    -- Why the order is not fetched any more.
    parked             TEXT    CHECK (parked IS NULL OR parked = 'attempts-used-up' OR parked = 'row-at-fault'),
    parked_fields      TEXT
        CHECK (parked_fields IS NULL OR (parked IS NOT NULL AND json_valid(parked_fields))),
    fetch_requested_at INTEGER,                     -- when an operator requested a fetch not answered yet
    -- Held by one fetch slot while its fetch is in flight; runs out by itself.
    lease              INTEGER,
    leased_until_at    INTEGER,
    -- The confirmed state, as Sinch last showed it.
    confirmed_state    TEXT
        CHECK (confirmed_state = 'CREATED' OR confirmed_state = 'IN_REVIEW' OR confirmed_state = 'BLOCKED'
            OR confirmed_state = 'COMPLETED' OR confirmed_state = 'REJECTED' OR confirmed_state = 'EXPIRED'),
    updated_at         INTEGER,
    shown_at           INTEGER,                     -- when the fetch was sent that first showed updated_at
    expires_at         INTEGER,
    confirmed_at       INTEGER,
    reopened           INTEGER NOT NULL DEFAULT 0
        CHECK (reopened IN (0, 1)),
    -- The provisional state: only events say so.
    provisional_state  TEXT
        CHECK (provisional_state = 'CREATED' OR provisional_state = 'IN_REVIEW' OR provisional_state = 'BLOCKED'
            OR provisional_state = 'COMPLETED' OR provisional_state = 'REJECTED' OR provisional_state = 'EXPIRED'),
    provisional_at     INTEGER,
    hints              TEXT    NOT NULL DEFAULT '[]'
        CHECK (hints = '[]' OR (json_valid(hints) AND substr(hints, 1, 1) = '[')),
    -- Receipt of the oldest open claim. NULL: none is open. The hints have it too, but a column costs less each time
    -- that a row is read.
    hinted_at          INTEGER,
    -- Claims that an answer overruled that may have been too stale: kept until an answer overrules them that cannot be.
    doubts             TEXT    NOT NULL DEFAULT '[]'
        CHECK (doubts = '[]' OR (json_valid(doubts) AND substr(doubts, 1, 1) = '[')),
    tie_state          TEXT
        CHECK (tie_state = 'CREATED' OR tie_state = 'IN_REVIEW' OR tie_state = 'BLOCKED'
            OR tie_state = 'COMPLETED' OR tie_state = 'REJECTED' OR tie_state = 'EXPIRED'),
    tie_since_at       INTEGER,
    missing_since_at   INTEGER,
    dismissed_at       INTEGER,                    -- when an operator has seen to it; in force while it stays parked as it was
    -- State that the operators' API shows first: the provisional one if there is one, else the confirmed one.
    state              TEXT GENERATED ALWAYS AS (coalesce(provisional_state, confirmed_state, 'UNKNOWN')) VIRTUAL,
    -- Priority of a fetch, where more orders are due than the rate limit allows. 2: something is in doubt, or an
    -- operator waits; 1: nothing is known yet; 0: a routine fetch.
    priority           INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN fetch_requested_at IS NOT NULL OR hints <> '[]' OR doubts <> '[]' OR tie_state IS NOT NULL THEN 2
            WHEN confirmed_state IS NULL THEN 1
            ELSE 0
        END) VIRTUAL,
    -- Time since which something is open about an order: the oldest open claim; or a tie; or that nothing is confirmed
    -- at all.
    unsettled_at       INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN hinted_at IS NOT NULL THEN hinted_at
            WHEN tie_state IS NOT NULL THEN tie_since_at
            WHEN confirmed_state IS NULL THEN first_seen_at
        END) VIRTUAL,
    -- Time since which an order is closed: Sinch has shown its final state, nothing is open about it, no fetch is
    -- planned or in flight, and nothing was heard of it since.
    closed_at          INTEGER GENERATED ALWAYS AS (
        CASE
            WHEN fetch_at IS NULL AND lease IS NULL AND hints = '[]' AND doubts = '[]' AND tie_state IS NULL
                AND (confirmed_state = 'COMPLETED' OR confirmed_state = 'REJECTED' OR confirmed_state = 'EXPIRED')
            THEN max(confirmed_at, coalesce(fetched_at, 0), coalesce(heard_at, 0))
        END) VIRTUAL,
    UNIQUE (project, sinch_id),
    CHECK ((lease IS NULL) = (leased_until_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (updated_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (confirmed_at IS NULL)),
    CHECK ((confirmed_state IS NULL) = (shown_at IS NULL)),
    CHECK (confirmed_state IS NOT NULL OR (expires_at IS NULL AND reopened = 0)),
    CHECK ((provisional_state IS NULL) = (provisional_at IS NULL)),
    CHECK ((hints = '[]') = (hinted_at IS NULL)),
    CHECK ((tie_state IS NULL) = (tie_since_at IS NULL)),
    CHECK (parked IS NULL OR fetch_at IS NULL)
) STRICT;

CREATE INDEX orders_due ON orders (project, fetch_at) WHERE fetch_at IS NOT NULL;
CREATE INDEX orders_priority ON orders (project, priority, fetch_at) WHERE priority > 0 AND fetch_at IS NOT NULL;
CREATE INDEX orders_leased ON orders (id) WHERE lease IS NOT NULL;
CREATE INDEX orders_parked ON orders (id) WHERE parked IS NOT NULL;
CREATE INDEX orders_state ON orders (state, id);
CREATE INDEX orders_project ON orders (project, id);
CREATE INDEX orders_unsettled ON orders (project, unsettled_at) WHERE unsettled_at IS NOT NULL AND parked IS NULL;
CREATE INDEX orders_closed ON orders (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX orders_expiring ON orders (expires_at, project) WHERE confirmed_state = 'CREATED';
CREATE INDEX orders_in_review_or_blocked ON orders (confirmed_state, updated_at, project)
    WHERE confirmed_state IN ('IN_REVIEW', 'BLOCKED');

-- The subject of an order, as an answer last showed it: what only describes it, and no rule depends on. It has a table of
-- its own, since rows of orders are written often. What orders are searched by is a column computed from it.
CREATE TABLE order_details (
    order_id INTEGER PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    details  TEXT    NOT NULL CHECK (json_valid(details)), -- JSON of OrderDetails, with names as in the operators' API
    region   TEXT    GENERATED ALWAYS AS (CASE WHEN json_valid(details) THEN details ->> 'region' END) VIRTUAL
) STRICT;

CREATE INDEX order_details_region ON order_details (region) WHERE region IS NOT NULL;

-- Numbers of the orders. An order is found by any part of one of its numbers. Once its order is COMPLETED, a number is
-- followed until it is ready.
CREATE TABLE order_numbers (
    id               INTEGER PRIMARY KEY,
    order_id         INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    project          INTEGER NOT NULL REFERENCES projects (id), -- the order's
    phone_number     TEXT    NOT NULL CHECK (phone_number <> ''),
    -- Time from which the number is followed. NULL: it is not.
    followed_at      INTEGER,
    -- Readiness that Sinch last showed, and the fetch that first showed it. NULL: no answer has come yet.
    readiness        TEXT
        CHECK (readiness = 'not-active' OR readiness = 'not-linked' OR readiness = 'on-the-way' OR readiness = 'failed'
            OR readiness = 'ready'),
    readiness_fields TEXT    CHECK (readiness_fields IS NULL OR (readiness IS NOT NULL AND json_valid(readiness_fields))),
    readiness_at     INTEGER,
    ready_at         INTEGER,                       -- the fetch that first showed it ready; it stays
    fetched_at       INTEGER,
    fetch_at         INTEGER,                       -- time of the next fetch; NULL: it is ready, or given up
    attempts         INTEGER NOT NULL DEFAULT 0     -- in a row without an answer
        CHECK (attempts BETWEEN 0 AND 4294967295),
    -- Why the last attempt brought no answer.
    failure          TEXT
        CHECK (failure = 'key-refused' OR failure = 'unreachable' OR failure = 'timed-out' OR failure = 'broken-off'
            OR failure = 'not-now' OR failure = 'unusable-answer' OR failure = 'none-known'),
    failure_fields   TEXT    CHECK (failure_fields IS NULL OR (failure IS NOT NULL AND json_valid(failure_fields))),
    hinted_at        INTEGER,                       -- receipt of the last event that no answer is sure to include yet
    UNIQUE (order_id, phone_number),
    CHECK ((readiness IS NULL) = (readiness_at IS NULL)),
    CHECK (failure IS NULL OR attempts > 0),
    CHECK (followed_at IS NOT NULL OR (readiness IS NULL AND ready_at IS NULL AND fetched_at IS NULL
        AND fetch_at IS NULL AND attempts = 0 AND hinted_at IS NULL))
) STRICT;

CREATE INDEX order_numbers_due ON order_numbers (project, fetch_at) WHERE fetch_at IS NOT NULL;
CREATE INDEX order_numbers_number ON order_numbers (project, phone_number);
CREATE INDEX order_numbers_not_ready ON order_numbers (project, readiness, followed_at)
    WHERE followed_at IS NOT NULL AND readiness IS NOT 'ready';

-- Number of each project's orders in each state, at a cost that does not grow with the number of orders. Triggers maintain
-- it, so that no code that writes an order can forget to. A wrong figure is no reason to refuse an order.
CREATE TABLE state_counts (
    project INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    orders  INTEGER NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (project, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER state_counts_insert AFTER INSERT ON orders BEGIN
    INSERT INTO state_counts (project, state, orders) VALUES (NEW.project, NEW.state, 1)
        ON CONFLICT (project, state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER state_counts_update AFTER UPDATE OF confirmed_state, provisional_state ON orders
    WHEN OLD.state <> NEW.state BEGIN
    UPDATE state_counts SET orders = max(orders - 1, 0)
        WHERE project = OLD.project AND state = OLD.state;
    INSERT INTO state_counts (project, state, orders) VALUES (NEW.project, NEW.state, 1)
        ON CONFLICT (project, state) DO UPDATE SET orders = orders + 1;
END;

CREATE TRIGGER state_counts_delete AFTER DELETE ON orders BEGIN
    UPDATE state_counts SET orders = max(orders - 1, 0)
        WHERE project = OLD.project AND state = OLD.state;
END;

CREATE TRIGGER state_counts_project AFTER DELETE ON projects BEGIN
    DELETE FROM state_counts WHERE project = OLD.id;
END;

-- The inbox: every callback that was answered 200. It is written before each answer, so the write is kept cheap: ids
-- and event ids both grow with time, and changes to scattered pages are left to processing.
CREATE TABLE deliveries (
    id              INTEGER PRIMARY KEY,
    project         INTEGER NOT NULL REFERENCES projects (id),
    dedup_key       TEXT    NOT NULL CHECK (dedup_key <> ''), -- key by which a duplicate is recognised
    received_at     INTEGER NOT NULL,
    order_sinch_id  TEXT    CHECK (order_sinch_id <> ''),  -- Sinch's id of the order, if the delivery is about one
    order_id        INTEGER REFERENCES orders (id),    -- row of the order, once the delivery is processed
    status          TEXT,
    said_at         INTEGER,
    -- waiting: not processed yet; processed: its decision is recorded; recorded: about another subject than an order;
    -- parked (dead-lettered): an operator must look at it.
    phase           TEXT    NOT NULL,
    decision        TEXT
        CHECK (decision IS NULL OR decision = 'agrees' OR decision = 'already-claimed' OR decision = 'fits'
            OR decision = 'first-event' OR decision = 'unknown-status' OR decision = 'no-time-stamp' OR decision = 'stale'
            OR decision = 'out-of-order' OR decision = 'after-final' OR decision = 'other-resource'
            OR decision = 'api-off' OR decision = 'order-unreadable' OR decision = 'order-unwritable'
            OR decision = 'delivery-unreadable' OR decision = 'body-not-json' OR decision = 'body-not-an-object'
            OR decision = 'property-missing' OR decision = 'property-too-long' OR decision = 'property-not-text'
            OR decision = 'property-not-unicode' OR decision = 'project-mismatch'
            OR decision = 'unusable-order-id'),
    decision_fields TEXT
        CHECK (decision_fields IS NULL OR (decision IS NOT NULL AND json_valid(decision_fields))),
    processed_at    INTEGER,
    duplicates      INTEGER NOT NULL DEFAULT 0 CHECK (duplicates >= 0),
    callback_key    TEXT    CHECK (callback_key <> ''), -- of the create to whose own path it was sent
    number          TEXT    CHECK (number <> ''),      -- that a recorded delivery names, filled in by processing
    body            BLOB    NOT NULL,                  -- raw bytes of the callback
    -- Tells duplicates from conflicts once the body is emptied: the first 16 bytes of its SHA-256. NULL: the body is
    -- there.
    digest          BLOB    CHECK (digest IS NULL OR (length(digest) = 16 AND length(body) = 0)),
    CHECK ((order_sinch_id IS NULL) = (status IS NULL)),
    CHECK ((order_id IS NULL) = (processed_at IS NULL)),
    CHECK (order_id IS NULL OR order_sinch_id IS NOT NULL),
    -- The phase of new deliveries stands first, since they are checked before the callback is answered.
    CHECK (CASE phase
        WHEN 'waiting' THEN decision IS NULL AND order_sinch_id IS NOT NULL AND order_id IS NULL
        WHEN 'processed' THEN decision IS NOT NULL AND order_id IS NOT NULL
        WHEN 'recorded' THEN decision IS NOT NULL AND order_sinch_id IS NULL
        WHEN 'parked' THEN decision IS NOT NULL
        ELSE 0
    END)
) STRICT;

CREATE UNIQUE INDEX deliveries_dedup_key ON deliveries (project, dedup_key);
CREATE INDEX deliveries_order ON deliveries (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (id) WHERE phase = 'parked';
CREATE INDEX deliveries_number ON deliveries (project, number, id) WHERE number IS NOT NULL;
-- Leads from a time to a row, for lists: it has so few of the rows that receiving costs no more.
CREATE INDEX deliveries_received ON deliveries (received_at) WHERE id % 64 = 0;

-- Parked deliveries that an operator has seen to.
CREATE TABLE dismissals (
    delivery_id  INTEGER PRIMARY KEY REFERENCES deliveries (id) ON DELETE CASCADE,
    dismissed_at INTEGER NOT NULL
) STRICT;

-- Callbacks that were refused and are perhaps genuine: each passed exactly one of the two checks. Nothing that a body says is
-- believed. The same body is kept once for each reason.
CREATE TABLE quarantine (
    -- An id is never used again, so no request means another row than the one that was seen.
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    project        INTEGER NOT NULL REFERENCES projects (id),  -- to whose path it was sent
    reason         TEXT    NOT NULL CHECK (reason = 'wrong-signature' OR reason = 'unknown-source'),
    digest         BLOB    NOT NULL CHECK (length(digest) = 16), -- the first 16 bytes of the body's SHA-256
    received_at    INTEGER NOT NULL,
    last_at        INTEGER NOT NULL,                           -- when it came again; the first time, if it did not
    times          INTEGER NOT NULL DEFAULT 1 CHECK (times > 0),
    -- Where it came from the last time: the source, the peer, and what the peer said of its callers.
    source         TEXT    NOT NULL CHECK (source <> ''),
    peer           TEXT    NOT NULL CHECK (peer <> ''),
    forwarded_for  TEXT,
    signature      TEXT    CHECK (length(signature) = 40),     -- the last one; NULL: none in the documented form came
    callback_key   TEXT    CHECK (callback_key <> ''),         -- of the create to whose own path it was sent
    -- What the body claims to be about: by these it is found when an order is forgotten.
    order_sinch_id TEXT    CHECK (order_sinch_id <> ''),
    number         TEXT    CHECK (number <> ''),
    bytes          INTEGER NOT NULL CHECK (bytes = length(body)),
    body           BLOB    NOT NULL,                           -- raw bytes of the callback
    UNIQUE (project, reason, digest),
    CHECK (last_at >= received_at)
) STRICT;

CREATE INDEX quarantine_size ON quarantine (project, reason, source, bytes);
CREATE INDEX quarantine_order ON quarantine (project, order_sinch_id) WHERE order_sinch_id IS NOT NULL;
CREATE INDEX quarantine_number ON quarantine (project, number) WHERE number IS NOT NULL;

-- The result of each fetch.
CREATE TABLE fetches (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    fetched_at INTEGER NOT NULL,
    state      TEXT,                               -- state in the answer, as Sinch said it; NULL: it had none
    updated_at INTEGER,
    outcome    TEXT    NOT NULL
        CHECK (outcome = 'first-answer' OR outcome = 'advanced' OR outcome = 'refreshed' OR outcome = 'unchanged'
            OR outcome = 'older' OR outcome = 'redated' OR outcome = 'ahead' OR outcome = 'tied'
            OR outcome = 'unknown-state' OR outcome = 'not-found' OR outcome = 'gone'
            OR outcome = 'expired-unseen' OR outcome = 'key-refused' OR outcome = 'unreachable'
            OR outcome = 'timed-out' OR outcome = 'broken-off' OR outcome = 'not-now'
            OR outcome = 'unusable-answer' OR outcome = 'none-known'),
    outcome_fields TEXT CHECK (outcome_fields IS NULL OR json_valid(outcome_fields)),
    unreadable_expiry TEXT                         -- the beginning of an expireTime that could not be read
) STRICT;

CREATE INDEX fetches_order ON fetches (order_id, id);
-- Every 64th fetch by its time: from these the retention report estimates how many are due.
CREATE INDEX fetches_fetched ON fetches (fetched_at) WHERE id % 64 = 0;

-- Every change of an order's state, with its cause.
CREATE TABLE transitions (
    id           INTEGER PRIMARY KEY,
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    recorded_at  INTEGER NOT NULL,
    from_state   TEXT
        CHECK (from_state = 'CREATED' OR from_state = 'IN_REVIEW' OR from_state = 'BLOCKED'
            OR from_state = 'COMPLETED' OR from_state = 'REJECTED' OR from_state = 'EXPIRED'),
    to_state     TEXT    NOT NULL
        CHECK (to_state = 'CREATED' OR to_state = 'IN_REVIEW' OR to_state = 'BLOCKED'
            OR to_state = 'COMPLETED' OR to_state = 'REJECTED' OR to_state = 'EXPIRED'),
    confirmed    INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
    said_at      INTEGER NOT NULL,
    cause        TEXT    NOT NULL CHECK (cause = 'event' OR cause = 'answer' OR cause = 'event-overruled'),
    cause_fields TEXT    CHECK (cause_fields IS NULL OR json_valid(cause_fields)),
    -- Only of a confirmed change: 1 if an event had announced it, and the time from Sinch's own update (or from when
    -- the order was first heard of) to its confirmation.
    announced    INTEGER CHECK (announced IN (0, 1)),
    latency_us   INTEGER CHECK (latency_us >= 0),
    CHECK ((announced IS NULL) = (latency_us IS NULL))
) STRICT;

CREATE INDEX transitions_order ON transitions (order_id, id);
CREATE INDEX transitions_time ON transitions (to_state, recorded_at);

-- Every alert of an order: it fires, and is resolved when it no longer does. One that fires again is a new row. An order
-- has several that are open where a wide span holds beside a tight one.
CREATE TABLE alerts (
    id          INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    kind        TEXT    NOT NULL
        CHECK (kind = 'expiring' OR kind = 'overdue' OR kind = 'long-in-review' OR kind = 'long-blocked'),
    kind_fields TEXT    CHECK (kind_fields IS NULL OR json_valid(kind_fields)), -- threshold of the alert
    fired_at    INTEGER NOT NULL,
    resolved_at INTEGER                             -- NULL: the alert is open
) STRICT;

CREATE INDEX alerts_order ON alerts (order_id, id);
CREATE INDEX alerts_time ON alerts (fired_at);
CREATE UNIQUE INDEX alerts_open ON alerts (order_id, kind, coalesce(kind_fields, '')) WHERE resolved_at IS NULL;

-- Every alert about the service: what it is about, and when that was seen. It is told when it fires, which may be later than
-- when it was first seen, and when it is resolved. One that fires again is a new row.
CREATE TABLE service_alerts (
    id          INTEGER PRIMARY KEY,
    kind        TEXT    NOT NULL
        CHECK (kind = 'orders-parked' OR kind = 'deliveries-parked' OR kind = 'provider-trouble'
            OR kind = 'silence' OR kind = 'callbacks-refused' OR kind = 'unknown-source' OR kind = 'secret-drift' OR kind = 'disk-low'
            OR kind = 'disk-full' OR kind = 'target-failing' OR kind = 'target-switched-off'
            OR kind = 'notifications-parked' OR kind = 'worker-silent'),
    kind_fields TEXT    CHECK (kind_fields IS NULL OR json_valid(kind_fields)), -- as it was when the alert fired
    -- Sinch's projectId, name of the target, or name of the worker, as the kind has it; '': the service.
    subject     TEXT    NOT NULL,
    began_at    INTEGER NOT NULL,                   -- when it was first seen
    seen_at     INTEGER NOT NULL,                   -- when it was last noted to be seen
    fired_at    INTEGER,                            -- NULL: it has not lasted long enough
    resolved_at INTEGER,                            -- NULL: the alert is open
    CHECK (seen_at >= began_at),
    CHECK (resolved_at IS NULL OR fired_at IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX service_alerts_open ON service_alerts (kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX service_alerts_time ON service_alerts (fired_at) WHERE fired_at IS NOT NULL;
CREATE INDEX service_alerts_resolved ON service_alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- An action: what an operator had the service do. It is recorded before it begins.
CREATE TABLE actions (
    id       INTEGER PRIMARY KEY,
    acted_at INTEGER NOT NULL,                      -- when its request came
    caller   TEXT    CHECK (caller <> ''),          -- name of the caller's token; NULL: none was needed
    method   TEXT    NOT NULL CHECK (method <> ''),
    path     TEXT    NOT NULL CHECK (path <> ''),   -- names the action and its subject
    body     TEXT    CHECK (body <> ''),            -- beginning of the request's body
    status   INTEGER CHECK (status BETWEEN 100 AND 599) -- of the answer; NULL: it is not known how the action ended
) STRICT;

CREATE INDEX actions_acted ON actions (acted_at);

-- An event: what other systems are told. It is recorded in the commit of what happened, and its text never changes.
CREATE TABLE events (
    -- The event's number among all. AUTOINCREMENT: it is never given again, also when the newest events are pruned.
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL CHECK (id <> ''),           -- random, so that no restored database gives it again
    type           TEXT    NOT NULL
        CHECK (type = 'order.created' OR type = 'order.in_review' OR type = 'order.blocked' OR type = 'order.completed'
            OR type = 'order.rejected' OR type = 'order.expired' OR type = 'order.expiring' OR type = 'number.ready'
            OR type = 'number.failed' OR type = 'alert.fired' OR type = 'alert.resolved'),
    recorded_at    INTEGER NOT NULL,
    order_id       INTEGER REFERENCES orders (id),              -- NULL: it is about no order
    order_sequence INTEGER CHECK (order_sequence > 0),          -- the event's number among those of its order
    provisional    INTEGER NOT NULL CHECK (provisional IN (0, 1)), -- 1: about a provisional state alone
    test           INTEGER NOT NULL CHECK (test IN (0, 1)),     -- 1: sent to try a target; the feed leaves it out
    body           TEXT    NOT NULL CHECK (body <> ''),         -- JSON of the event
    CHECK ((order_id IS NULL) = (order_sequence IS NULL))
) STRICT;

CREATE UNIQUE INDEX events_order ON events (order_id, order_sequence) WHERE order_id IS NOT NULL;
CREATE INDEX events_feed ON events (type, provisional, sequence) WHERE test = 0;
CREATE INDEX events_recorded ON events (recorded_at) WHERE sequence % 64 = 0;

-- A target: a receiver of notifications, with what is known of how it receives them.
CREATE TABLE targets (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    active          INTEGER NOT NULL DEFAULT 0                  -- 1 if it is configured in this run
        CHECK (active IN (0, 1)),
    next_at         INTEGER NOT NULL DEFAULT 0,                 -- from when the next attempt counts against the rate
    switched_off_at INTEGER,                                    -- when it answered that it wants no more (410)
    failures        INTEGER NOT NULL DEFAULT 0                  -- attempts in a row that failed through the target
        CHECK (failures BETWEEN 0 AND 4294967295),
    failing_since_at INTEGER,                                   -- the first of them
    paused_until_at INTEGER,                                    -- the circuit is open until this time; NULL: it is closed
    failure         TEXT,                                       -- why the last attempt failed; NULL: it succeeded
    failure_fields  TEXT    CHECK (failure_fields IS NULL OR (failure IS NOT NULL AND json_valid(failure_fields))),
    delivered_at    INTEGER,                                    -- the last success
    CHECK ((failures = 0) = (failing_since_at IS NULL)),
    CHECK (paused_until_at IS NULL OR failures > 0)
) STRICT;

-- A notification: one event that one target is told.
CREATE TABLE notifications (
    id             INTEGER PRIMARY KEY,
    target         INTEGER NOT NULL REFERENCES targets (id),
    event          INTEGER NOT NULL REFERENCES events (sequence),
    -- Row of the event's order, 0 if it is about none: notifications of one target with one subject are sent in sequence.
    subject        INTEGER NOT NULL CHECK (subject >= 0),
    -- waiting: not delivered yet; delivered: the target took it; parked (dead-lettered): all attempts are used up.
    phase          TEXT    NOT NULL CHECK (phase = 'waiting' OR phase = 'delivered' OR phase = 'parked'),
    attempts       INTEGER NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 4294967295),
    attempted_at   INTEGER,
    failure        TEXT,                                        -- why the last attempt failed
    failure_fields TEXT    CHECK (failure_fields IS NULL OR (failure IS NOT NULL AND json_valid(failure_fields))),
    UNIQUE (target, event),
    CHECK ((attempts = 0) = (attempted_at IS NULL)),
    CHECK (phase <> 'delivered' OR failure IS NULL)
) STRICT;

CREATE INDEX notifications_waiting ON notifications (target, subject, event) WHERE phase = 'waiting';
CREATE INDEX notifications_parked ON notifications (target, id) WHERE phase = 'parked';
CREATE INDEX notifications_event ON notifications (event);

-- A queue: what waits for one target about one subject. Its first notification is due at a time; a claim moves the time to
-- the end of its lease, so that the notification is due again if the attempt ends without a result.
CREATE TABLE notification_queues (
    id      INTEGER PRIMARY KEY,
    target  INTEGER NOT NULL REFERENCES targets (id),
    subject INTEGER NOT NULL CHECK (subject >= 0),
    due_at  INTEGER NOT NULL,
    lease   INTEGER,
    UNIQUE (target, subject)
) STRICT;

CREATE INDEX notification_queues_due ON notification_queues (target, due_at);

-- An order that is placed from here, under the name that its form has for it. Nothing about persons is kept.
CREATE TABLE placements (
    id          INTEGER PRIMARY KEY,
    project     INTEGER NOT NULL REFERENCES projects (id),
    reference   TEXT    NOT NULL CHECK (length(reference) BETWEEN 1 AND 64),
    region      TEXT    NOT NULL CHECK (region <> ''),
    number_type TEXT    NOT NULL CHECK (number_type <> ''),
    -- The ordered number. NULL: Sinch chooses, or none of the orders is kept any more.
    number      TEXT    CHECK (number <> ''),
    quantity    INTEGER CHECK (quantity BETWEEN 1 AND 100),
    begun_at    INTEGER NOT NULL,
    UNIQUE (project, reference),
    CHECK (number IS NULL OR quantity IS NULL)
) STRICT;

CREATE INDEX placements_numbers ON placements (begun_at) WHERE number IS NOT NULL;

-- A step of a placement: a call that takes effect at Sinch. It is written before its request is sent.
CREATE TABLE placement_steps (
    id               INTEGER PRIMARY KEY,
    placement        INTEGER NOT NULL REFERENCES placements (id) ON DELETE CASCADE,
    kind             TEXT    NOT NULL CHECK (kind = 'create' OR kind = 'register' OR kind = 'attach' OR kind = 'submit'),
    kind_fields      TEXT    CHECK (kind_fields IS NULL OR json_valid(kind_fields)),
    begun_at         INTEGER NOT NULL,
    ended_at         INTEGER,                            -- NULL: the step goes on, or was broken off
    outcome          TEXT
        CHECK (outcome = 'succeeded' OR outcome = 'refused' OR outcome = 'unknown' OR outcome = 'no-effect-seen'),
    -- Only of a create, as all that follows: 1 if the ordered number was available before it.
    available_before INTEGER CHECK (available_before IN (0, 1)),
    callback_key     TEXT    UNIQUE CHECK (callback_key <> ''), -- last part of the path of its callbacks
    order_sinch_id   TEXT                                -- the order that it made, by its answer or a callback
        CHECK (length(order_sinch_id) BETWEEN 1 AND 128),
    CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CHECK ((kind = 'create') = (callback_key IS NOT NULL)),
    CHECK (kind = 'create' OR (available_before IS NULL AND order_sinch_id IS NULL))
) STRICT;

CREATE INDEX placement_steps_placement ON placement_steps (placement, id);

-- Progress of the service itself, in one row.
CREATE TABLE service (
    id                        INTEGER PRIMARY KEY CHECK (id = 1),
    -- Id up to which deliveries have been processed.
    processed_through         INTEGER NOT NULL CHECK (processed_through >= 0),
    -- Id up to which all bodies are emptied that were to be emptied.
    bodies_emptied_through    INTEGER NOT NULL CHECK (bodies_emptied_through BETWEEN 0 AND processed_through),
    -- Id up to which only parked deliveries are left.
    deliveries_pruned_through INTEGER NOT NULL CHECK (deliveries_pruned_through BETWEEN 0 AND processed_through),
    -- Id up to which only the newest fetches of each order are left.
    fetches_pruned_through    INTEGER NOT NULL CHECK (fetches_pruned_through >= 0),
    -- Number up to which only the newest event of each order is left, and those that wait or are parked.
    events_pruned_through     INTEGER NOT NULL CHECK (events_pruned_through >= 0),
    feed_id                   TEXT    NOT NULL CHECK (feed_id <> ''), -- random; a restore gives the feed another one
    write_probed_at           INTEGER NOT NULL,                -- time at which the write probe last proved that writes work
    -- 1 if the last run ended with a clean shutdown.
    clean_shutdown            INTEGER NOT NULL CHECK (clean_shutdown IN (0, 1))
) STRICT;
INSERT INTO service (id, processed_through, bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through,
    events_pruned_through, feed_id, write_probed_at, clean_shutdown)
VALUES (1, 0, 0, 0, 0, 0, lower(hex(randomblob(16))), 0, 1);
