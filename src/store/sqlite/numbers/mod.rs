//! Numbers of completed orders, which are followed until they are ready.
//!
//! A number needs no lease. One worker of its project fetches numbers, one after the other, and what an answer means is
//! decided when it is recorded, on the row as it is by then: an event that came during the fetch stays a hint.

mod events;
mod fetches;

pub(super) use events::note_events;

use sqlx::SqliteConnection;

use super::savepoint::{begin_savepoint, end_savepoint};
use super::script::Script;
use crate::store::changes::StoredNumber;
use crate::store::sql::json;
use crate::store::sql::numbers::Written;
use number_order::{OrderKey, Time};

/// A followed number as the JSON of a [`StoredNumber`], from `order_numbers AS n JOIN orders AS o JOIN projects AS p`.
macro_rules! number_text {
    () => {
        concat!(
            "json_array(",
            $crate::store::sql::numbers::number_columns!(),
            ")"
        )
    };
}
pub(super) use number_text;

/// SQL condition on `order_numbers AS n` that a number is late, as `Following::is_late` defines it. The caller
/// appends the time after which a number is late, in microseconds.
pub(super) const LATE: &str =
    "n.followed_at IS NOT NULL AND n.readiness IS NOT 'ready' AND n.fetched_at - n.followed_at >= ";

/// Begins to follow those numbers of completed orders that are not followed yet. A number that cannot stand in a
/// request is not followed. The statement does what `Following::begin` does, without reading the rows.
const FOLLOW: &str = "
    UPDATE order_numbers SET followed_at = v.value ->> 1, fetch_at = v.value ->> 1 FROM json_each(?) AS v
    WHERE order_id = v.value ->> 0 AND followed_at IS NULL
        AND phone_number GLOB '+[0-9]*' AND NOT substr(phone_number, 2) GLOB '*[^0-9]*' AND length(phone_number) <= 64";

/// Begins to follow the numbers of the given completed orders, each from the given time of its order's completion.
pub(super) fn follow(script: &mut Script, completed: &[(i64, Time)]) {
    if completed.is_empty() {
        return;
    }
    let completed: Vec<(i64, i64)> = completed.iter().map(|(id, at)| (*id, at.0)).collect();
    script.add(FOLLOW).bind(json(&completed));
}

/// Makes an order's followed numbers due, as an operator requested. The statement does what
/// `Following::request_fetch` does, without reading the rows.
pub(super) async fn request_fetch(
    db: &mut SqliteConnection,
    key: &OrderKey,
    now: Time,
) -> sqlx::Result<()> {
    let sql = "UPDATE OR IGNORE order_numbers SET fetch_at = ?1, hinted_at = max(coalesce(hinted_at, ?1), ?1), attempts = 0, \
               failure = NULL, failure_fields = NULL \
               WHERE followed_at IS NOT NULL AND order_id = (SELECT o.id FROM projects AS p \
               CROSS JOIN orders AS o ON o.project = p.id WHERE p.sinch_id = ?2 AND o.sinch_id = ?3)";
    let requested = sqlx::query(sql).bind(now.0);
    let requested = requested.bind(key.project.as_str());
    requested.bind(key.order.as_str()).execute(db).await?;
    Ok(())
}

const UPDATE_NUMBERS: &str = "
    UPDATE order_numbers SET readiness = v.value ->> 'readiness', readiness_fields = v.value ->> 'readiness_fields',
        readiness_at = v.value ->> 'readiness_at', ready_at = v.value ->> 'ready_at', fetched_at = v.value ->> 'fetched_at',
        fetch_at = v.value ->> 'fetch_at', attempts = v.value ->> 'attempts', failure = v.value ->> 'failure',
        failure_fields = v.value ->> 'failure_fields', hinted_at = v.value ->> 'hinted_at'
    FROM json_each(?) AS v WHERE order_numbers.id = v.value ->> 'id'";

/// Writes the given numbers: all columns that change while a number is followed. If the database refuses that, the
/// inner error says why, and nothing is written.
async fn write(
    db: &mut SqliteConnection,
    numbers: &[StoredNumber],
) -> sqlx::Result<Result<(), String>> {
    if numbers.is_empty() {
        return Ok(Ok(()));
    }
    let written: Vec<Written> = numbers.iter().map(Written::new).collect();
    begin_savepoint(db).await?;
    let done = sqlx::query(UPDATE_NUMBERS)
        .bind(json(&written))
        .execute(&mut *db);
    let done = done.await.map(drop);
    end_savepoint(db, done).await
}
