//! Lists of notifications and targets: the queries that are the same in every backend's SQL, and the rows as values.

use std::ops::Range;

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::columns::Columns;
use super::cursor::{List, last};
use super::outbox::health_of_row;
use super::reach::Reach;
use super::unreadable::each_with;
use super::{codes, time};
use crate::store::{Listing, NotificationFilter, NotificationRow, TargetRow};
use number_order::Time;

/// Maximum number of rows that one transaction makes due, so that no callback waits long for it.
pub(in crate::store) const REDRIVEN_MAX: u32 = 500;

/// Notifications with their events, targets and orders.
macro_rules! select_notifications {
    () => {
        "SELECT n.id, t.name AS target, e.sequence, e.id AS event_id, e.type, e.recorded_at, p.sinch_id AS project, \
         o.sinch_id AS order_sinch_id, n.phase, n.attempts, n.attempted_at, n.failure, n.failure_fields \
         FROM notifications AS n JOIN targets AS t ON t.id = n.target JOIN events AS e ON e.sequence = n.event \
         LEFT JOIN orders AS o ON o.id = e.order_id LEFT JOIN projects AS p ON p.id = o.project"
    };
}
pub(in crate::store) use select_notifications;

/// Returns `true` if no index leads to the notifications that a filter asks for.
pub(in crate::store) fn looks_through(filter: &NotificationFilter) -> bool {
    !waits_or_is_parked(filter) && (filter.event_type.is_some() || filter.target.is_some())
}

fn waits_or_is_parked(filter: &NotificationFilter) -> bool {
    matches!(filter.phase, Some("waiting" | "parked"))
}

/// Builds the query for the first and the last notification of the events between two numbers. Both ids grow alike.
pub(in crate::store) fn select_bounds<DB>(events: &Range<i64>) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(
        "SELECT (SELECT min(id + 0) FROM notifications WHERE event = \
         (SELECT min(event) FROM notifications WHERE event >= ",
    );
    query.push_bind(events.start).push(
        ")) AS first, (SELECT max(id + 0) FROM notifications WHERE event = \
         (SELECT max(event) FROM notifications WHERE event < ",
    );
    query.push_bind(events.end).push(")) AS last");
    query
}

/// Reads the ids between which the notifications lie, from [`select_bounds`].
pub(in crate::store) fn bounds_of_row(row: &impl Columns) -> sqlx::Result<Range<i64>> {
    let (first, last) = (row.int_if_any("first")?, row.int_if_any("last")?);
    // Where there is no such event, there is no notification of it.
    Ok(first.unwrap_or(0)..last.map_or(0, |last| last + 1))
}

/// Builds the query for a page of notifications, within the given rows.
pub(in crate::store) fn select_page<DB>(
    filter: &NotificationFilter,
    reach: Reach,
) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(concat!(select_notifications!(), " WHERE true"));
    push_conditions(&mut query, filter);
    // Those that wait or are parked are few, and have an index: the databases must not walk through all for the order.
    let id = if waits_or_is_parked(filter) {
        "n.id + 0"
    } else {
        "n.id"
    };
    reach.push(&mut query, id, filter.newest_first, filter.limit);
    query
}

/// Notifications that can be sent again: those that do not wait.
macro_rules! not_waiting {
    () => {
        "FROM notifications AS n JOIN targets AS t ON t.id = n.target JOIN events AS e ON e.sequence = n.event \
         WHERE n.phase <> 'waiting'"
    };
}

/// Builds the query that counts the notifications which [`redrive`] would make wait again.
pub(in crate::store) fn count_redriven<DB>(filter: &NotificationFilter) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(concat!("SELECT count(*) ", not_waiting!()));
    push_conditions(&mut query, filter);
    query
}

/// Builds the statement that makes some notifications wait again, with all their attempts, and returns their rows. They come
/// after the given row: one that was sent again, and has been delivered since, is not sent a second time. `lock` ends the
/// subquery that selects them.
pub(in crate::store) fn redrive<DB>(
    filter: &NotificationFilter,
    after: i64,
    lock: &'static str,
) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(concat!(
        "UPDATE notifications SET phase = 'waiting', attempts = 0, attempted_at = NULL, failure = NULL, \
         failure_fields = NULL WHERE id IN (SELECT n.id ",
        not_waiting!()
    ));
    push_conditions(&mut query, filter);
    query.push(" AND n.id > ").push_bind(after);
    query.push(" ORDER BY n.id LIMIT ");
    query.push_bind(i64::from(REDRIVEN_MAX));
    query.push(lock).push(") RETURNING id");
    query
}

/// Restricts a query on `notifications AS n`, `targets AS t` and `events AS e` to what the filter asks for.
fn push_conditions<DB>(query: &mut QueryBuilder<DB>, filter: &NotificationFilter)
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    if let Some(id) = filter.id {
        query.push(" AND n.id = ").push_bind(id);
    }
    if let Some(target) = &filter.target {
        query.push(" AND t.name = ").push_bind(target.clone());
    }
    match filter.phase {
        // The conditions are the indexes' own: SQLite would not know that a parameter is such a word.
        Some("waiting") => {
            query.push(" AND n.phase = 'waiting'");
        }
        Some("parked") => {
            query.push(" AND n.phase = 'parked'");
        }
        Some(phase) => {
            query.push(" AND n.phase = ").push_bind(phase);
        }
        None => {}
    }
    if let Some(event_type) = filter.event_type {
        query.push(" AND e.type = ").push_bind(event_type);
    }
    if let Some(since) = filter.since {
        query.push(" AND e.recorded_at >= ").push_bind(since.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND e.recorded_at < ").push_bind(until.0);
    }
}

/// Returns a page of notifications.
pub(in crate::store) fn page<R: Columns>(
    found: &[R],
    filter: &NotificationFilter,
    reach: Reach,
) -> sqlx::Result<Listing<NotificationRow>> {
    let found = each_with(found, "notifications", |row| notification_of_row(row))?;
    let ids = found.rows.iter().map(|row| row.id);
    let last = last(ids, &found.unreadable, filter.newest_first, filter.limit);
    Ok(Listing {
        items: found.rows,
        unreadable: found.unreadable,
        next: reach
            .next(last, filter.newest_first)
            .map(|row| List::Notifications.cursor(row)),
    })
}

/// Reads a notification from [`select_notifications`].
pub(in crate::store) fn notification_of_row(row: &impl Columns) -> sqlx::Result<NotificationRow> {
    let text = |column| Ok::<_, sqlx::Error>(row.text_if_any(column)?.map(str::to_owned));
    Ok(NotificationRow {
        id: row.int("id")?,
        target: row.text("target")?.to_owned(),
        sequence: row.int("sequence")?,
        event_id: row.text("event_id")?.to_owned(),
        event_type: row.text("type")?.to_owned(),
        recorded_at: Time(row.int("recorded_at")?),
        project: text("project")?,
        order: text("order_sinch_id")?,
        phase: row.text("phase")?.to_owned(),
        attempts: u32::try_from(row.int("attempts")?).unwrap_or(u32::MAX),
        attempted_at: time(row, "attempted_at")?,
        failure: codes::read(row, "failure", "failure_fields")?,
    })
}

/// Targets, with what waits for them.
macro_rules! select_targets {
    () => {
        concat!(
            "SELECT ",
            $crate::store::sql::outbox::target_columns!(),
            ", (SELECT count(*) FROM notifications AS n WHERE n.target = t.id AND n.phase = 'waiting') AS waiting, \
             (SELECT count(*) FROM notifications AS n WHERE n.target = t.id AND n.phase = 'parked') AS parked, \
             (SELECT min(e.recorded_at) FROM events AS e WHERE e.sequence = \
                 (SELECT min(n.event + 0) FROM notifications AS n WHERE n.target = t.id AND n.phase = 'waiting')) AS oldest_at \
             FROM targets AS t ORDER BY t.name"
        )
    };
}
pub(in crate::store) use select_targets;

/// Reads a target from [`select_targets`].
pub(in crate::store) fn target_of_row(row: &impl Columns) -> sqlx::Result<TargetRow> {
    let health = health_of_row(row)?;
    Ok(TargetRow {
        name: row.text("name")?.to_owned(),
        active: row.flag("active")?,
        waiting: row.int("waiting")? as u64,
        parked: row.int("parked")? as u64,
        oldest_at: time(row, "oldest_at")?,
        failing_since: health.failing_since,
        failures: health.failures,
        paused_until: health.paused_until,
        switched_off_at: health.switched_off_at,
        delivered_at: health.delivered_at,
        failure: codes::read(row, "failure", "failure_fields")?,
    })
}
