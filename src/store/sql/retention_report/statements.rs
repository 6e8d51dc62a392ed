//! Statements that count what is due.
//!
//! Those of [`walked`] kinds go, as pruning does, over the rows beyond an id, and stop at the first
//! that is too young. Up to [`WALK_MAX`] rows they count exactly what pruning would remove. Beyond them the number is
//! estimated: as many of the ids have a row as have one in the blocks of [`samples`], and of those the share is due that is
//! due of the blocks' first rows. Rows that need not be looked at are counted up to [`COUNT_MAX`]. So no statement takes longer
//! the more rows there are.

use super::samples::{Rows, estimate, samples, share, whole};
use crate::store::RetentionKind;
use crate::store::sql::reach::SPARSE;

/// Maximum number of rows that are gone over one by one.
const WALK_MAX: i64 = 4096;

/// Maximum number of closed orders that are gone over one by one: each has deliveries and numbers of its own.
const ORDERS_MAX: i64 = 1024;

/// Maximum to which rows are counted that need not be looked at one by one.
const COUNT_MAX: i64 = 100_000;

/// Parts of the statements that depend on the backend.
pub(in crate::store) struct Dialect {
    /// Condition that a delivery `r` is parked.
    pub is_parked: &'static str,
    /// Condition that a delivery `r` that is not parked has a body to empty.
    pub has_body: &'static str,
    /// Source of the ids of parked deliveries, in FROM.
    pub parked_ids: &'static str,
    /// Condition that an order `o` has a delivery that stays: one that is not parked beyond the id $2, or a parked one
    /// beyond $3.
    pub has_delivery: &'static str,
    /// Time from which the period of a closed order `o` counts.
    pub closed_since: &'static str,
    /// Number of all orders, if the backend knows it; else NULL.
    pub orders_known: &'static str,
}

/// Returns the statement that reads one kind.
pub(in crate::store) fn statement(dialect: &Dialect, kind: RetentionKind) -> String {
    match kind {
        RetentionKind::Bodies | RetentionKind::Deliveries => deliveries(dialect, kind),
        RetentionKind::Fetches => fetches(),
        RetentionKind::Events => events(),
        RetentionKind::Parked => listed("deliveries", dialect.parked_ids),
        RetentionKind::Quarantine => listed("quarantine", "(SELECT id FROM quarantine) AS p"),
        RetentionKind::Alerts => ended(
            "service_alerts",
            "resolved_at IS NOT NULL AND resolved_at <= $1",
            "coalesce(r.resolved_at, r.began_at)",
            "CASE WHEN r.resolved_at IS NULL THEN 'not-resolved' END",
        ),
        RetentionKind::Actions => ended("actions", "acted_at <= $1", "r.acted_at", "NULL"),
        RetentionKind::Orders => orders(dialect),
    }
}

/// A kind whose rows are gone over by id. A row is `r` in the conditions, and `span.last` the last row that is due.
struct Walked<'a> {
    table: &'a str,
    id: &'a str,
    /// Column of the time from which a row's period counts.
    time: &'a str,
    /// Condition that a row is one of the kind.
    is_counted: &'a str,
    /// Condition that a row goes once it is due.
    goes: &'a str,
    /// Number of rows that go, exactly.
    due: &'a str,
    /// Code of the reason why a row stays.
    stays: &'a str,
}

/// Returns the statement of a kind that is walked. $1: id up to which the kind is pruned already; $2: id of the first row that
/// must stay whatever its age; $3: time up to which rows are due; $4: id up to which no row counts.
///
/// The pluses keep SQLite from looking for the last row that is due among all rows instead of in the index by time.
fn walked(of: &Walked<'_>) -> String {
    let Walked {
        table,
        id,
        time,
        is_counted,
        goes,
        due,
        stays,
    } = of;
    let rows = Rows {
        table,
        id,
        name: "r",
    };
    format!(
        "WITH RECURSIVE walk AS MATERIALIZED (
            SELECT {id} AS id, {time} AS at FROM {table} WHERE {id} > $1 AND {id} < $2 ORDER BY {id} LIMIT {WALK_MAX}),
        young AS MATERIALIZED (SELECT min(id) AS id FROM walk WHERE at > $3),
        passed AS MATERIALIZED (
            SELECT count(*) AS n, coalesce(max(walk.id), $1) AS last FROM walk, young
            WHERE young.id IS NULL OR walk.id < young.id),
        span AS MATERIALIZED (
            SELECT n < {WALK_MAX} AS is_exact, CASE WHEN n < {WALK_MAX} THEN last ELSE coalesce((
                SELECT {id} FROM {table}
                WHERE {id} % {SPARSE} = 0 AND {time} <= $3 AND +{id} > passed.last AND +{id} < $2
                ORDER BY {time} DESC LIMIT 1), last) END AS last
            FROM passed),
        {due_samples},
        {whole},
        {row_samples},
        kept AS MATERIALIZED (SELECT {id} AS id FROM {table} WHERE {id} > $4 ORDER BY {id} LIMIT {WALK_MAX})
        SELECT span.is_exact AS due_is_exact, span.last AS last, CASE WHEN span.is_exact THEN {due} ELSE {due_share} END AS due,
            (SELECT count(*) FROM kept) < {WALK_MAX} AS rows_are_exact,
            CASE WHEN (SELECT count(*) FROM kept) < {WALK_MAX}
                THEN (SELECT count(*) FROM kept CROSS JOIN {table} AS r WHERE r.{id} = kept.id AND {is_counted})
                ELSE {rows} END AS rows,
            r.{time} AS oldest_at, CASE WHEN r.{time} <= $3 THEN {stays} END AS stays
        FROM span LEFT JOIN (SELECT * FROM {table} WHERE {id} > $4 ORDER BY {id} LIMIT 1) AS r ON true",
        due_samples = samples("due_samples", "(SELECT $1 AS low, last AS high FROM span)"),
        whole = whole(rows, "$4"),
        row_samples = samples("row_samples", "whole"),
        due_share = share(&estimate("due_samples", rows, WALK_MAX), "due_samples", rows, goes),
        rows = estimate("row_samples", rows, WALK_MAX),
    )
}

fn deliveries(dialect: &Dialect, kind: RetentionKind) -> String {
    let Dialect {
        is_parked,
        has_body,
        ..
    } = dialect;
    let goes = if kind == RetentionKind::Bodies {
        format!("NOT {is_parked} AND {has_body}")
    } else {
        format!("NOT {is_parked}")
    };
    walked(&Walked {
        table: "deliveries",
        id: "id",
        time: "received_at",
        is_counted: &format!("NOT {is_parked}"),
        goes: &goes,
        due: &format!(
            "(SELECT count(*) FROM deliveries AS r WHERE r.id > $1 AND r.id <= span.last AND {goes})"
        ),
        stays: &format!(
            "CASE WHEN {is_parked} THEN 'parked' WHEN r.id >= $2 THEN 'not-processed' END"
        ),
    })
}

fn fetches() -> String {
    let goes = "r.id < (SELECT id FROM fetches WHERE order_id = r.order_id ORDER BY id DESC LIMIT 1 OFFSET 9)";
    walked(&Walked {
        table: "fetches",
        id: "id",
        time: "fetched_at",
        is_counted: "true",
        goes,
        due: &format!(
            "(SELECT count(*) FROM (SELECT DISTINCT order_id FROM fetches WHERE id > $1 AND id <= span.last) AS v
              CROSS JOIN fetches AS r WHERE r.order_id = v.order_id AND r.id <= span.last AND {goes})"
        ),
        stays: &format!(
            "CASE WHEN {goes} THEN CASE WHEN r.id <= $1 THEN 'passed-over' END ELSE 'newest-ten' END"
        ),
    })
}

fn events() -> String {
    // The notification of an event that was passed over is kept once it is delivered, too. The plus keeps SQLite from
    // reading all orders of all events.
    let is_told = "NOT EXISTS (SELECT 1 FROM notifications AS n WHERE n.event = r.sequence \
                   AND (n.phase <> 'delivered' OR n.event <= $1))";
    let is_newest =
        "r.order_sequence = (SELECT max(order_sequence) FROM events WHERE order_id = r.order_id)";
    let has = |phase| {
        format!(
            "EXISTS (SELECT 1 FROM notifications AS n WHERE n.event = r.sequence AND n.phase = '{phase}')"
        )
    };
    walked(&Walked {
        table: "events",
        id: "sequence",
        time: "recorded_at",
        is_counted: "true",
        goes: &format!("(r.order_id IS NULL OR NOT {is_newest}) AND {is_told}"),
        due: &format!(
            "(SELECT count(*) FROM (SELECT DISTINCT order_id FROM events
                WHERE sequence > $1 AND sequence <= span.last AND +order_id IS NOT NULL) AS v
              CROSS JOIN events AS r
              WHERE r.order_id = v.order_id AND r.sequence <= span.last AND NOT {is_newest} AND {is_told})
            + (SELECT count(*) FROM events AS r
              WHERE r.sequence > $1 AND r.sequence <= span.last AND r.order_id IS NULL AND {is_told})"
        ),
        stays: &format!(
            "CASE WHEN {waiting} THEN 'notification-waiting' WHEN {parked} THEN 'notification-parked'
                WHEN {is_newest} THEN 'newest-event' WHEN r.sequence <= $1 THEN 'passed-over' END",
            waiting = has("waiting"),
            parked = has("parked"),
        ),
    })
}

/// Returns the statement of a kind with few rows, whose ids are in `ids` as `p`. $1: id of the first row that must stay whatever
/// its age; $2: time up to which rows are due.
fn listed(table: &str, ids: &str) -> String {
    format!(
        "WITH walk AS MATERIALIZED (
            SELECT r.id, r.received_at AS at
            FROM (SELECT p.id FROM {ids} WHERE p.id < $1 ORDER BY p.id LIMIT {WALK_MAX}) AS v CROSS JOIN {table} AS r
            WHERE r.id = v.id),
        young AS MATERIALIZED (SELECT min(id) AS id FROM walk WHERE at > $2),
        passed AS MATERIALIZED (
            SELECT count(*) AS n, coalesce(max(walk.id), 0) AS last FROM walk, young
            WHERE young.id IS NULL OR walk.id < young.id),
        kept AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT p.id FROM {ids} LIMIT {COUNT_MAX}) AS v)
        SELECT passed.n AS due, passed.n < {WALK_MAX} AS due_is_exact, passed.last AS last,
            kept.n AS rows, kept.n < {COUNT_MAX} AS rows_are_exact,
            r.received_at AS oldest_at,
            CASE WHEN r.received_at <= $2 AND r.id >= $1 THEN 'not-processed' END AS stays
        FROM passed CROSS JOIN kept LEFT JOIN (
            SELECT d.id, d.received_at
            FROM (SELECT p.id FROM {ids} ORDER BY p.id LIMIT 1) AS v CROSS JOIN {table} AS d WHERE d.id = v.id
        ) AS r ON true"
    )
}

/// Returns the statement of a kind whose due rows an index has. $1: time up to which rows are due.
fn ended(table: &str, is_due: &str, since: &str, stays: &str) -> String {
    format!(
        "WITH due AS MATERIALIZED (
            SELECT count(*) AS n FROM (SELECT 1 FROM {table} WHERE {is_due} LIMIT {COUNT_MAX}) AS v),
        kept AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT 1 FROM {table} LIMIT {COUNT_MAX}) AS v)
        SELECT due.n AS due, due.n < {COUNT_MAX} AS due_is_exact, kept.n AS rows, kept.n < {COUNT_MAX} AS rows_are_exact,
            {since} AS oldest_at, CASE WHEN {since} <= $1 THEN {stays} END AS stays
        FROM due CROSS JOIN kept LEFT JOIN (SELECT * FROM {table} ORDER BY id LIMIT 1) AS r ON true"
    )
}

/// Returns the statement of orders. $1: time up to which closed orders are due; $2: last delivery that is due; $3: last parked
/// delivery that is due. Of up to [`COUNT_MAX`] closed orders the share goes that goes of the first ones, and of more the share
/// of all orders that is closed and goes by the samples.
fn orders(dialect: &Dialect) -> String {
    let Dialect {
        has_delivery,
        closed_since,
        orders_known,
        ..
    } = dialect;
    let is_followed =
        "EXISTS (SELECT 1 FROM order_numbers WHERE order_id = o.id AND fetch_at IS NOT NULL)";
    let closed = "closed_at IS NOT NULL AND closed_at <= $1";
    let goes = format!("{closed_since} <= $1 AND NOT {is_followed} AND NOT {has_delivery}");
    let since =
        format!("CASE WHEN o.closed_at IS NULL THEN o.first_seen_at ELSE {closed_since} END");
    let all = Rows {
        table: "orders",
        id: "id",
        name: "o",
    };
    format!(
        "WITH RECURSIVE walk AS MATERIALIZED (SELECT id FROM orders WHERE {closed} ORDER BY closed_at LIMIT {ORDERS_MAX}),
        due AS MATERIALIZED (
            SELECT count(*) AS n, count(*) FILTER (WHERE {goes}) AS goes
            FROM walk CROSS JOIN orders AS o WHERE o.id = walk.id),
        counted AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT 1 FROM orders WHERE {closed} LIMIT {COUNT_MAX}) AS v),
        {whole},
        {samples},
        kept AS MATERIALIZED (SELECT count(*) AS n FROM (SELECT id FROM orders WHERE id > 0 ORDER BY id LIMIT {COUNT_MAX}) AS v),
        held AS MATERIALIZED (
            SELECT {orders_known} IS NOT NULL OR (SELECT n FROM kept) < {COUNT_MAX} AS is_exact, coalesce({orders_known},
                CASE WHEN (SELECT n FROM kept) < {COUNT_MAX} THEN (SELECT n FROM kept) ELSE {estimate} END) AS n)
        SELECT due.n < {ORDERS_MAX} AS due_is_exact, CASE WHEN due.n < {ORDERS_MAX} THEN due.goes
                WHEN (SELECT n FROM counted) < {COUNT_MAX} THEN (SELECT n FROM counted) * due.goes / due.n
                ELSE {share} END AS due,
            held.is_exact AS rows_are_exact, held.n AS rows,
            {since} AS oldest_at, CASE WHEN {since} <= $1 THEN
                CASE WHEN o.closed_at IS NULL THEN 'not-closed' WHEN {is_followed} THEN 'number-followed'
                    WHEN {has_delivery} THEN 'delivery-kept' END
            END AS stays
        FROM due CROSS JOIN held LEFT JOIN (SELECT * FROM orders ORDER BY id LIMIT 1) AS o ON true",
        whole = whole(all, "0"),
        samples = samples("samples", "whole"),
        estimate = estimate("samples", all, COUNT_MAX),
        share = share("held.n", "samples", all, &format!("o.closed_at IS NOT NULL AND {goes}")),
    )
}
