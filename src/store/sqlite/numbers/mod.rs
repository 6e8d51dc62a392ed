//! Numbers of completed orders, which are followed until they are ready.
//!
//! A number needs no lease. One worker of its project fetches numbers, one after the other, and what an answer means is
//! decided when it is recorded, on the row as it is by then: an event that came during the fetch stays a hint.

mod events;
mod fetches;

pub(super) use events::note_events;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::SqliteConnection;

use super::codes::{self, Code};
use super::rows::{self, json};
use super::savepoint::{begin_savepoint, end_savepoint};
use super::unreadable::JsonRow;
use crate::store::changes::StoredNumber;
use number_order::{Following, Id, OrderKey, Time};

/// A followed number as JSON that [`NumberText`] reads, from `order_numbers AS n JOIN orders AS o JOIN projects AS p`.
macro_rules! number_text {
    () => {
        concat!(
            "json_array(",
            $crate::store::sqlite::numbers::number_columns!(),
            ")"
        )
    };
}
pub(super) use number_text;

/// The columns of [`number_text`].
macro_rules! number_columns {
    () => {
        "n.id, n.order_id, p.sinch_id, o.sinch_id, n.phone_number, n.followed_at, n.readiness, n.readiness_fields, \
         n.readiness_at, n.ready_at, n.fetched_at, n.fetch_at, n.attempts, n.failure, n.failure_fields, n.hinted_at"
    };
}
pub(super) use number_columns;

impl JsonRow for StoredNumber {
    const TABLE: &'static str = "order_numbers";
    const COLUMNS: &'static str = number_columns!();
}

impl<'de> Deserialize<'de> for StoredNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<StoredNumber, D::Error> {
        let text = NumberText::deserialize(from)?;
        StoredNumber::try_from(text).map_err(D::Error::custom)
    }
}

/// Columns that [`number_text`] gives, in its order.
#[derive(Deserialize)]
struct NumberText {
    id: i64,
    order_id: i64,
    #[serde(deserialize_with = "rows::id")]
    project: Id,
    #[serde(deserialize_with = "rows::id")]
    order: Id,
    #[serde(deserialize_with = "phone_number")]
    phone_number: String,
    followed_at: i64,
    readiness: Option<String>,
    readiness_fields: Option<String>,
    readiness_at: Option<i64>,
    ready_at: Option<i64>,
    fetched_at: Option<i64>,
    fetch_at: Option<i64>,
    attempts: u32,
    failure: Option<String>,
    failure_fields: Option<String>,
    hinted_at: Option<i64>,
}

/// Reads the text of a followed number: a plus and digits, since [`FOLLOW`] follows no other.
fn phone_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let digits = text.strip_prefix('+').unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(D::Error::custom("a number that this program never follows"));
    }
    Ok(text)
}

impl TryFrom<NumberText> for StoredNumber {
    type Error = serde_json::Error;

    fn try_from(row: NumberText) -> Result<StoredNumber, serde_json::Error> {
        let readiness = row.readiness.as_deref();
        let readiness = readiness.map(|code| codes::value(code, row.readiness_fields.as_deref()));
        let failure = row.failure.as_deref();
        let failure = failure.map(|code| codes::value(code, row.failure_fields.as_deref()));
        Ok(StoredNumber {
            id: row.id,
            order_id: row.order_id,
            key: OrderKey {
                project: row.project,
                order: row.order,
            },
            phone_number: row.phone_number,
            following: Following {
                since: Time(row.followed_at),
                readiness: readiness.transpose()?,
                readiness_since: row.readiness_at.map(Time),
                ready_at: row.ready_at.map(Time),
                fetched_at: row.fetched_at.map(Time),
                fetch_at: row.fetch_at.map(Time),
                attempts: row.attempts,
                failure: failure.transpose()?,
                hinted_at: row.hinted_at.map(Time),
            },
        })
    }
}

/// SQL condition on `order_numbers AS n` that a number is late, as [`Following::is_late`] defines it. The caller
/// appends the time after which a number is late, in microseconds.
pub(super) const LATE: &str =
    "n.followed_at IS NOT NULL AND n.readiness IS NOT 'ready' AND n.fetched_at - n.followed_at >= ";

/// Begins to follow those numbers of completed orders that are not followed yet. A number that cannot stand in a
/// request is not followed. The statement does what [`Following::begin`] does, without reading the rows.
const FOLLOW: &str = "
    UPDATE order_numbers SET followed_at = v.value ->> 1, fetch_at = v.value ->> 1 FROM json_each(?) AS v
    WHERE order_id = v.value ->> 0 AND followed_at IS NULL
        AND phone_number GLOB '+[0-9]*' AND NOT substr(phone_number, 2) GLOB '*[^0-9]*' AND length(phone_number) <= 64";

/// Begins to follow the numbers of the given completed orders, each from the given time of its order's completion.
pub(super) async fn follow(
    db: &mut SqliteConnection,
    completed: &[(i64, Time)],
) -> sqlx::Result<()> {
    if completed.is_empty() {
        return Ok(());
    }
    let completed: Vec<(i64, i64)> = completed.iter().map(|(id, at)| (*id, at.0)).collect();
    sqlx::query(FOLLOW)
        .bind(json(&completed))
        .execute(db)
        .await?;
    Ok(())
}

/// Makes an order's followed numbers due, as an operator requested. The statement does what
/// [`Following::request_fetch`] does, without reading the rows.
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

/// A followed number as [`UPDATE_NUMBERS`] takes it.
#[derive(Serialize)]
struct Written {
    id: i64,
    readiness: Option<String>,
    readiness_fields: Option<String>,
    readiness_at: Option<i64>,
    ready_at: Option<i64>,
    fetched_at: Option<i64>,
    fetch_at: Option<i64>,
    attempts: u32,
    failure: Option<String>,
    failure_fields: Option<String>,
    hinted_at: Option<i64>,
}

impl Written {
    fn new(number: &StoredNumber) -> Written {
        let following = &number.following;
        let columns = |code: Option<Code>| code.map(|code| (code.code, code.fields)).unzip();
        let (readiness, readiness_fields) = columns(following.readiness.as_ref().map(Code::new));
        let (failure, failure_fields) = columns(following.failure.as_ref().map(Code::new));
        let micros = |at: Option<Time>| at.map(|at| at.0);
        Written {
            id: number.id,
            readiness,
            readiness_fields: readiness_fields.flatten(),
            readiness_at: micros(following.readiness_since),
            ready_at: micros(following.ready_at),
            fetched_at: micros(following.fetched_at),
            fetch_at: micros(following.fetch_at),
            attempts: following.attempts,
            failure,
            failure_fields: failure_fields.flatten(),
            hinted_at: micros(following.hinted_at),
        }
    }
}

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
