//! What is copied: each table of the target, with the statement that makes its rows from the source.
//!
//! Rows are read in the order of their keys, some at a time: a statement has two parameters, the key beyond which it reads
//! and the maximum number of rows. Leases are not copied, since no fetch is in flight while the service does not run.

use super::derive::{self, Derive};

/// A table of the target.
pub(super) struct Table {
    pub name: &'static str,
    /// Columns of the table that are written, its key first.
    pub columns: &'static str,
    /// Statement that selects the rows from the source. Their columns are those of the target, perhaps with further ones
    /// from which some are derived.
    pub select: &'static str,
    pub derive: Derive,
    /// Statement that selects the largest id that the source has ever used, where more are used than are left.
    pub used_ids: Option<&'static str>,
}

impl Table {
    /// Returns the name of the table's key.
    pub(super) fn key(&self) -> &'static str {
        self.columns.split(", ").next().unwrap_or(self.columns)
    }
}

/// Makes a statement that selects rows of a table of the source beyond a key.
macro_rules! select {
    ($columns:expr, $from:literal, $key:literal, $filter:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $from,
            " WHERE ",
            $key,
            " > ?1",
            $filter,
            " ORDER BY ",
            $key,
            " LIMIT ?2"
        )
    };
}

/// A table whose columns are the same on both sides.
macro_rules! same {
    ($name:literal, $key:literal, $columns:expr, $filter:expr, $used:expr) => {
        Table {
            name: $name,
            columns: concat!($key, ", ", $columns),
            select: select!(concat!($key, ", ", $columns), $name, $key, $filter),
            derive: derive::nothing,
            used_ids: $used,
        }
    };
}

/// Number that a recorded delivery names. Processing fills it in at the source; the target has it from the receipt on.
macro_rules! number {
    () => {
        "CASE WHEN number IS NOT NULL THEN number \
         WHEN phase = 'recorded' AND decision = 'other-resource' AND id > (SELECT processed_through FROM service) \
             AND CASE WHEN json_valid(decision_fields) THEN decision_fields ->> 'resource' END GLOB '+[0-9]*' \
         THEN decision_fields ->> 'resource' END"
    };
}

/// Ids of deliveries up to this one are used: the source counts them as processed.
const USED_DELIVERIES: &str = "
    SELECT max(processed_through, bodies_emptied_through, deliveries_pruned_through) FROM service";

/// Ids of orders are never used again, so a list that is read page by page misses none.
const USED_ORDERS: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'orders'";

/// Ids of the quarantine are never used again, so no request means another row than the one that was seen.
const USED_QUARANTINE: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'";

/// Retention has gone through the fetches up to this one.
const USED_FETCHES: &str = "SELECT fetches_pruned_through FROM service";

/// All that is copied, in an order in which each row is there before others refer to it.
pub(super) const TABLES: [Table; 24] = [
    same!(
        "projects",
        "id",
        "sinch_id, failures, paused_since_at, paused_until_at, pause_reason, pause_fields, active, heard_at",
        "",
        None
    ),
    same!(
        "orders",
        "id",
        "project, sinch_id, first_seen_at, heard_at, fetch_at, fetched_at, attempts, parked, parked_fields, \
         fetch_requested_at, confirmed_state, updated_at, shown_at, expires_at, confirmed_at, reopened, \
         provisional_state, provisional_at, hints, hinted_at, doubts, tie_state, tie_since_at, missing_since_at, \
         dismissed_at",
        "",
        Some(USED_ORDERS)
    ),
    // The target has a region only if an index can hold it.
    Table {
        name: "order_details",
        columns: "order_id, details, region",
        select: select!(
            "order_id, details, CASE WHEN octet_length(region) <= 256 THEN region END",
            "order_details",
            "order_id",
            ""
        ),
        derive: derive::nothing,
        used_ids: None,
    },
    // What cannot stand in an index is no number, and the target has no row of it.
    same!(
        "order_numbers",
        "id",
        "order_id, project, phone_number, followed_at, readiness, readiness_fields, readiness_at, ready_at, fetched_at, \
         fetch_at, attempts, failure, failure_fields, hinted_at",
        " AND octet_length(phone_number) <= 256 AND instr(phone_number, char(0)) = 0",
        None
    ),
    Table {
        name: "deliveries",
        columns: "id, project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, decision, \
                  decision_fields, callback_key, number, body",
        select: select!(
            concat!(
                "id, project, dedup_key, digest, received_at, \
                 CASE WHEN phase IN ('waiting', 'processed') OR (phase = 'parked' AND order_sinch_id IS NOT NULL) THEN 'order' \
                     WHEN phase = 'recorded' THEN 'other' WHEN phase = 'parked' THEN 'not-understood' ELSE phase END, \
                 order_sinch_id, status, said_at, iif(order_sinch_id IS NULL, decision, NULL), \
                 iif(order_sinch_id IS NULL, decision_fields, NULL), callback_key, ",
                number!(),
                ", iif(digest IS NULL, body, NULL)"
            ),
            "deliveries",
            "id",
            ""
        ),
        derive: derive::delivery,
        used_ids: Some(USED_DELIVERIES),
    },
    Table {
        name: "duplicates",
        columns: "delivery_id, n",
        select: select!("id, duplicates", "deliveries", "id", " AND duplicates > 0"),
        derive: derive::nothing,
        used_ids: None,
    },
    // The body stands last, for the key of the delivery.
    Table {
        name: "pending",
        columns: "id, project, dedup_key, received_at, order_sinch_id, status, said_at, callback_key, number",
        select: select!(
            concat!(
                "id, project, dedup_key, received_at, order_sinch_id, status, said_at, callback_key, ",
                number!(),
                ", body"
            ),
            "deliveries",
            "id",
            concat!(
                " AND (phase = 'waiting' OR (phase = 'recorded' AND id > (SELECT processed_through FROM service) AND (",
                number!(),
                ") IS NOT NULL))"
            )
        ),
        derive: derive::pending,
        used_ids: None,
    },
    // A delivery that was parked without a row of an order has no time of its processing at the source.
    Table {
        name: "decisions",
        columns: "delivery_id, order_id, decision, decision_fields, parked, processed_at",
        select: select!(
            "id, order_id, decision, decision_fields, phase = 'parked', coalesce(processed_at, received_at)",
            "deliveries",
            "id",
            " AND (phase = 'processed' OR (phase = 'parked' AND order_sinch_id IS NOT NULL))"
        ),
        derive: derive::nothing,
        used_ids: None,
    },
    same!("dismissals", "delivery_id", "dismissed_at", "", None),
    same!(
        "quarantine",
        "id",
        "project, reason, digest, received_at, last_at, times, source, peer, forwarded_for, signature, callback_key, \
         order_sinch_id, number, bytes, body",
        "",
        Some(USED_QUARANTINE)
    ),
    // A lease that the target draws is positive. The source keeps none, so each fetch gets one of its own below zero.
    Table {
        name: "fetches",
        columns: "id, order_id, lease, fetched_at, state, updated_at, outcome, outcome_fields, unreadable_expiry",
        select: select!(
            "id, order_id, -id, fetched_at, state, updated_at, outcome, outcome_fields, unreadable_expiry",
            "fetches",
            "id",
            ""
        ),
        derive: derive::nothing,
        used_ids: Some(USED_FETCHES),
    },
    same!(
        "transitions",
        "id",
        "order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, cause_fields, announced, latency_us",
        "",
        None
    ),
    same!(
        "alerts",
        "id",
        "order_id, kind, kind_fields, fired_at, resolved_at",
        "",
        None
    ),
    same!(
        "service_alerts",
        "id",
        "kind, kind_fields, subject, began_at, seen_at, fired_at, resolved_at",
        "",
        None
    ),
    same!(
        "actions",
        "id",
        "acted_at, caller, method, path, body, status",
        "",
        None
    ),
    same!(
        "placements",
        "id",
        "project, reference, region, number_type, number, quantity, begun_at",
        "",
        None
    ),
    same!(
        "placement_steps",
        "id",
        "placement, kind, kind_fields, begun_at, ended_at, outcome, available_before, callback_key, order_sinch_id",
        "",
        None
    ),
    Table {
        name: "event_sequence",
        columns: "id, last",
        select: "SELECT 1, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) WHERE 1 > ?1 LIMIT ?2",
        derive: derive::nothing,
        used_ids: None,
    },
    same!(
        "events",
        "sequence",
        "id, type, recorded_at, order_id, order_sequence, provisional, test, body",
        "",
        None
    ),
    same!(
        "targets",
        "id",
        "name, active, next_at, switched_off_at, failures, failing_since_at, paused_until_at, failure, failure_fields, \
         delivered_at",
        "",
        None
    ),
    same!(
        "notifications",
        "id",
        "target, event, subject, phase, attempts, attempted_at, failure, failure_fields",
        "",
        None
    ),
    // No notification is under way, so each queue is due without a lease.
    Table {
        name: "notification_queues",
        columns: "id, target, subject, due_at",
        select: select!(
            "id, target, subject, iif(lease IS NULL, due_at, 0)",
            "notification_queues",
            "id",
            ""
        ),
        derive: derive::nothing,
        used_ids: None,
    },
    // Progress of retention that cannot be true starts over within its bounds, as at a start.
    Table {
        name: "service",
        columns: "id, bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through, events_pruned_through, \
                  feed_id",
        select: select!(
            "id, max(0, min(bodies_emptied_through, processed_through)), \
             max(0, min(deliveries_pruned_through, processed_through)), max(0, fetches_pruned_through), max(0, events_pruned_through), \
             feed_id",
            "service",
            "id",
            ""
        ),
        derive: derive::nothing,
        used_ids: None,
    },
    // The service that had the source is a replica that is gone. So the first start on the target sees for how long
    // no replica was there, and fetches the open orders again, since callbacks may have been missed.
    Table {
        name: "replicas",
        columns: "id, name, projects, started_at, seen_at, stopped_at",
        select: "SELECT 0, 'before the copy', '{}', write_probed_at, write_probed_at, write_probed_at FROM service \
                 WHERE 0 > ?1 LIMIT ?2",
        derive: derive::nothing,
        used_ids: None,
    },
];

/// Tables of the target whose ids the database draws.
pub(super) const WITH_IDS: [&str; 15] = [
    "projects",
    "orders",
    "order_numbers",
    "deliveries",
    "quarantine",
    "fetches",
    "transitions",
    "alerts",
    "service_alerts",
    "actions",
    "placements",
    "placement_steps",
    "targets",
    "notifications",
    "notification_queues",
];
