//! Numbers of completed orders, which are followed until they are ready.
//!
//! A number is leased to one replica while it is fetched. What an answer means is decided when it is recorded, on the row
//! as it is by then: an event that came during the fetch stays a hint.

use sqlx::{PgConnection, Row};

use super::clock::database_now;
use super::error::Fault;
use super::lane::bounded;
use super::pending::Head;
use super::rate;
use super::savepoint::{begin_savepoint, end_savepoint};
use super::{Store, details, outbox};
use crate::store::apply;
use crate::store::changes::StoredNumber;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::due::DueNumber as Due;
use crate::store::sql::json;
use crate::store::sql::numbers::{Written, at_fault, number_columns, unwritable};
use crate::store::sql::unreadable::{self, JsonRow, Read, UnreadableRow};
use crate::store::{
    DueNumber, NextNumber, NumberFetchResult, NumberRecorded, ProcessRequest, Rate, StoreError,
};
use number_order::{Id, OrderKey, Time};

/// Begins to follow those numbers of completed orders that are not followed yet. A number that cannot stand in a
/// request is not followed. The statement does what `Following::begin` does, without reading the rows.
const FOLLOW: &str = r"
    UPDATE order_numbers AS n SET followed_at = v.at, fetch_at = v.at
    FROM unnest($1::bigint[], $2::bigint[]) AS v (order_id, at)
    WHERE n.order_id = v.order_id AND n.followed_at IS NULL AND n.phone_number ~ '^\+[0-9]+$' AND length(n.phone_number) <= 64";

/// Begins to follow the numbers of the given completed orders, each from the given time of its order's completion.
pub(super) async fn follow(db: &mut PgConnection, completed: &[(i64, Time)]) -> Result<(), Fault> {
    if completed.is_empty() {
        return Ok(());
    }
    sqlx::query(FOLLOW)
        .bind(completed.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(completed.iter().map(|(_, at)| at.0).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

const REQUEST_FETCH: &str = "
    UPDATE order_numbers SET fetch_at = $1, hinted_at = greatest(hinted_at, $1), attempts = 0, failure = NULL,
        failure_fields = NULL
    WHERE followed_at IS NOT NULL AND order_id = (SELECT o.id FROM projects AS p JOIN orders AS o ON o.project = p.id
        WHERE p.sinch_id = $2 AND o.sinch_id = $3)";

/// Makes an order's followed numbers due, as an operator requested. The statement does what
/// `Following::request_fetch` does, without reading the rows.
pub(super) async fn request_fetch(
    db: &mut PgConnection,
    key: &OrderKey,
    now: Time,
) -> Result<(), Fault> {
    sqlx::query(REQUEST_FETCH)
        .bind(now.0)
        .bind(key.project.as_str())
        .bind(key.order.as_str())
        .execute(db)
        .await?;
    Ok(())
}

const UPDATE_NUMBERS: &str = "
    UPDATE order_numbers AS n SET readiness = v.readiness, readiness_fields = v.readiness_fields,
        readiness_at = v.readiness_at, ready_at = v.ready_at, fetched_at = v.fetched_at, fetch_at = v.fetch_at,
        attempts = v.attempts, failure = v.failure, failure_fields = v.failure_fields, hinted_at = v.hinted_at
    FROM json_to_recordset($1::json) AS v (id bigint, readiness text, readiness_fields text, readiness_at bigint,
        ready_at bigint, fetched_at bigint, fetch_at bigint, attempts bigint, failure text, failure_fields text,
        hinted_at bigint)
    WHERE n.id = v.id";

/// Writes the given numbers: all columns that change while a number is followed. If the database refuses that, the
/// inner error says why, and nothing is written.
async fn write(
    db: &mut PgConnection,
    numbers: &[StoredNumber],
) -> Result<Result<(), String>, Fault> {
    if numbers.is_empty() {
        return Ok(Ok(()));
    }
    let written: Vec<Written> = numbers.iter().map(Written::new).collect();
    begin_savepoint(db).await?;
    let done = sqlx::query(UPDATE_NUMBERS)
        .bind(json(&written))
        .execute(&mut *db);
    let done = done.await.map(drop).map_err(Fault::from);
    end_savepoint(db, done).await
}

/// Selects and locks the followed numbers that deliveries name, each with the time of its latest delivery.
const LOCK_NAMED: &str = concat!(
    "SELECT json_build_array(v.heard_at, json_build_array(",
    number_columns!(),
    "))::text FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS v (project, number, heard_at) \
     JOIN order_numbers AS n ON n.project = v.project AND n.phone_number = v.number \
     JOIN orders AS o ON o.id = n.order_id JOIN projects AS p ON p.id = n.project \
     WHERE n.followed_at IS NOT NULL ORDER BY n.id FOR NO KEY UPDATE OF n"
);

/// Effect of events on the followed numbers that they name.
#[derive(Default)]
pub(super) struct EventEffect {
    /// Number of followed numbers that are due because of the events.
    pub due: usize,
    /// Rows of numbers that cannot be read or written.
    pub unreadable: Vec<UnreadableRow>,
}

/// Makes those numbers due that deliveries name and that are followed. A number whose row is at fault holds up nothing:
/// it is fetched by its schedule, as if no event had come.
pub(super) async fn note_events(
    db: &mut PgConnection,
    heads: &[&Head],
    request: &ProcessRequest,
) -> Result<EventEffect, Fault> {
    let mut named = std::collections::BTreeMap::new();
    for head in heads {
        if let Some(number) = &head.number {
            let heard_at = named
                .entry((head.project, number.as_str()))
                .or_insert(head.received_at);
            *heard_at = head.received_at.max(*heard_at);
        }
    }
    if named.is_empty() {
        return Ok(EventEffect::default());
    }
    let rows = sqlx::query(LOCK_NAMED)
        .bind(
            named
                .keys()
                .map(|(project, _)| *project)
                .collect::<Vec<_>>(),
        )
        .bind(named.keys().map(|(_, number)| *number).collect::<Vec<_>>())
        .bind(named.values().copied().collect::<Vec<_>>())
        .fetch_all(&mut *db)
        .await?;
    let Read { rows, unreadable } = unreadable::each::<(i64, StoredNumber)>(&rows)?;
    let mut heard = EventEffect { due: 0, unreadable };
    let due = rows.into_iter().map(|(heard_at, mut number)| {
        let following = &mut number.following;
        following.note_event(Time(heard_at), request.now, &request.policy);
        number
    });
    let due: Vec<StoredNumber> = due.collect();
    if write(db, &due).await?.is_ok() {
        heard.due = due.len();
        return Ok(heard);
    }
    for number in due.chunks(1) {
        match write(db, number).await? {
            Ok(()) => heard.due += 1,
            Err(fault) => heard
                .unreadable
                .extend(number.first().map(|n| at_fault(n, unwritable(&fault)))),
        }
    }
    Ok(heard)
}

/// Locks the numbers of a project that have been due for the longest time and that no replica is fetching.
const LOCK_DUE: &str = concat!(
    "SELECT json_build_array(n.id, n.phone_number)::text FROM projects AS p JOIN order_numbers AS n ON n.project = p.id \
     WHERE p.sinch_id = $1 AND n.fetch_at <= coalesce($2, ",
    database_now!(),
    ") AND (n.leased_until_at IS NULL OR n.leased_until_at <= coalesce($2, ",
    database_now!(),
    ")) AND NOT (n.id = ANY ($3)) ORDER BY n.fetch_at LIMIT $4 FOR NO KEY UPDATE OF n SKIP LOCKED"
);

/// Number of due numbers that are read: if the first cannot be read, one of the others is fetched.
const READ_MAX: i64 = 4;

/// Tells if any order of the project is due, at the time of its row.
const ORDERS_WAIT: &str =
    "SELECT EXISTS (SELECT 1 FROM orders WHERE project = $1 AND fetch_at <= $2) AS orders_wait";

/// Time for which a number is leased to the replica that fetches it, in microseconds: no fetch lasts so long.
const LEASE_US: i64 = 60_000_000;

const LEASE: &str = "UPDATE order_numbers SET leased_until_at = $2 WHERE id = $1";

const LOCK_FOLLOWED: &str = concat!(
    "SELECT json_build_array(",
    number_columns!(),
    ")::text FROM order_numbers AS n JOIN orders AS o ON o.id = n.order_id JOIN projects AS p ON p.id = n.project \
     WHERE n.id = $1 AND n.phone_number = $2 AND n.followed_at IS NOT NULL FOR NO KEY UPDATE OF n"
);

const RELEASE: &str = "UPDATE order_numbers SET leased_until_at = NULL WHERE id = $1";

impl Store {
    pub(in crate::store) async fn due_number(
        &self,
        project: &Id,
        rate: Rate,
        now: Time,
    ) -> Result<NextNumber, StoreError> {
        bounded(|| self.lease_due_number(project, rate, now)).await
    }

    async fn lease_due_number(
        &self,
        project: &Id,
        rate: Rate,
        now: Time,
    ) -> Result<NextNumber, Fault> {
        // Rows that are at fault stay due, and must not take the place of others.
        let at_fault = self.shared.met.ids(StoredNumber::TABLE);
        let told = self.shared.clock.told(now);
        let mut work = self.shared.fetches.begin().await?;
        let found = sqlx::query(LOCK_DUE)
            .bind(project.as_str())
            .bind(told)
            .bind(at_fault)
            .bind(READ_MAX)
            .fetch_all(&mut *work)
            .await?;
        let due = unreadable::each::<Due>(&found)?;
        self.shared.met.note(&due.unreadable);
        let Some(due) = due.rows.into_iter().next() else {
            work.undo().await?;
            return Ok(NextNumber::None);
        };
        let Some(turn) = rate::lock(&mut work, project, told).await? else {
            work.undo().await?;
            return Ok(NextNumber::None);
        };
        let taken = match turn.paused_until_at {
            Some(until) if until > turn.now => Err(until),
            _ => turn.take(rate, 1),
        };
        let next_fetch_at = match taken {
            Ok((_, next_fetch_at)) => next_fetch_at,
            Err(not_before) => {
                work.undo().await?;
                return Ok(NextNumber::NotBefore(self.shared.clock.program(not_before)));
            }
        };
        rate::store(&mut work, turn.project, next_fetch_at).await?;
        sqlx::query(LEASE)
            .bind(due.id)
            .bind(turn.now.0 + LEASE_US)
            .execute(&mut *work)
            .await?;
        let row = sqlx::query(ORDERS_WAIT)
            .bind(turn.project)
            .bind(turn.now.0)
            .fetch_one(&mut *work)
            .await?;
        let orders_wait = row.try_get("orders_wait")?;
        work.commit().await?;
        Ok(NextNumber::One {
            number: DueNumber {
                id: due.id,
                phone_number: due.phone_number,
            },
            orders_wait,
        })
    }

    pub(in crate::store) async fn record_number(
        &self,
        result: NumberFetchResult,
    ) -> Result<NumberRecorded, StoreError> {
        let clock = self.shared.clock;
        let result = NumberFetchResult {
            now: clock.database(result.now),
            sent_at: clock.database(result.sent_at),
            ..result
        };
        let recorded = bounded(async || {
            let mut work = self.shared.fetches.begin().await?;
            let recorded = record(&mut work, &self.shared.replica.targets, &result).await?;
            work.commit().await?;
            Ok(recorded)
        });
        Ok(recorded.await?.unwrap_or_else(|row| {
            self.shared.met.note(std::slice::from_ref(&row));
            NumberRecorded::RowAtFault
        }))
    }
}

/// Records the result of a number's fetch, on the row as it is by now; the inner error is the row that is at fault.
async fn record(
    db: &mut PgConnection,
    targets: &[OutboxTarget],
    result: &NumberFetchResult,
) -> Result<Result<NumberRecorded, UnreadableRow>, Fault> {
    let found = sqlx::query(LOCK_FOLLOWED)
        .bind(result.number.id)
        .bind(&result.number.phone_number)
        .fetch_all(&mut *db)
        .await?;
    let Read {
        mut rows,
        mut unreadable,
    } = unreadable::each::<StoredNumber>(&found)?;
    let Some(stored) = rows.pop() else {
        return Ok(unreadable.pop().map_or(Ok(NumberRecorded::Gone), Err));
    };
    sqlx::query(RELEASE)
        .bind(result.number.id)
        .execute(&mut *db)
        .await?;
    let ordered = match details::require(db, stored.order_id).await? {
        Ok(details) => details.ordered_links(),
        Err(fault) => return Ok(Err(at_fault(&stored, fault))),
    };
    let (after, change, event) = apply::record_number(stored, &ordered, result);
    if let Err(fault) = write(db, std::slice::from_ref(&after)).await? {
        return Ok(Err(at_fault(&after, unwritable(&fault))));
    }
    outbox::add(db, targets, event.as_slice()).await?;
    Ok(Ok(NumberRecorded::Done(change.into())))
}
