//! Retention: what has been kept for long enough is given up, a few deliveries at a time.
//!
//! Ids grow with time, so how far it has come is one id, and nobody searches the past for what is due. It
//! stops at the first delivery that is too young, so nothing goes too early, whatever the clock once said.
//! Deliveries that nobody has looked at lie beyond, and are not touched.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use super::inbox::digest;
use crate::order::Time;

/// The most deliveries gone over in one transaction, so that no callback waits long for it.
const ROWS_MAX: usize = 256;

/// The most bytes of bodies of a kind in one transaction, for the same reason; a longer body goes alone.
const BYTES_MAX: i64 = 1 << 20;

/// For how long what is kept, from its receipt on.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Raw bodies of deliveries that are settled or recorded.
    pub bodies: Duration,
    /// These deliveries themselves, and with them that a repeat is known as one.
    pub deliveries: Duration,
    /// Deliveries that are parked, with their bodies.
    pub parked: Duration,
}

/// What a step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many deliveries were gone over; zero: nothing is left to do for now.
    pub taken: usize,
    /// How many bodies were emptied.
    pub bodies: u64,
    /// How many deliveries that were settled or recorded were removed.
    pub deliveries: u64,
    /// How many that were parked.
    pub parked: u64,
}

/// The deliveries beyond a mark that were looked at, the oldest first.
macro_rules! beyond {
    ($mark:literal) => {
        concat!(
            "SELECT id, received_at, iif(phase = 'parked', 0, length(body)) AS bytes FROM deliveries \
             WHERE id > (SELECT ",
            $mark,
            " FROM service) AND id <= (SELECT looked_to FROM service) ORDER BY id LIMIT ?"
        )
    };
}

pub(super) const TO_REMOVE: &str = beyond!("deliveries_to");

pub(super) const REMOVE: &str = "
    DELETE FROM deliveries
    WHERE id > (SELECT deliveries_to FROM service) AND id <= ? AND phase IN ('settled', 'recorded')";

const DELIVERIES_TO: &str = "UPDATE service SET deliveries_to = ?";

// The index is named, since without statistics SQLite would read through everything up to looked_to.
pub(super) const PARKED: &str = "
    SELECT id, received_at, length(body) AS bytes FROM deliveries INDEXED BY deliveries_parked
    WHERE phase = 'parked' AND id <= (SELECT looked_to FROM service) ORDER BY id LIMIT ?";

pub(super) const REMOVE_PARKED: &str = "
    DELETE FROM deliveries INDEXED BY deliveries_parked WHERE phase = 'parked' AND id <= ?";

pub(super) const TO_EMPTY: &str = beyond!("bodies_to");

pub(super) const BODIES: &str = "
    SELECT id, body FROM deliveries
    WHERE id > (SELECT bodies_to FROM service) AND id <= ? AND phase IN ('settled', 'recorded')
    ORDER BY id";

pub(super) static EMPTY: LazyLock<Statements> = LazyLock::new(|| {
    let update =
        ") UPDATE deliveries SET body = x'', digest = v.digest FROM v WHERE deliveries.id = v.id";
    Statements::new("WITH v (id, digest) AS (VALUES ", "(?, ?)", update)
});

const BODIES_TO: &str = "UPDATE service SET bodies_to = ?";

/// Gives up what has been kept for long enough, the oldest first: deliveries, parked ones, and bodies, of
/// which the digests stay.
pub(super) async fn clear(
    db: &mut SqliteConnection,
    (spans, now): &(Spans, Time),
) -> sqlx::Result<Cleared> {
    let mut cleared = Cleared::default();
    // Rows before bodies: nobody need empty what is removed.
    if let Some(last) = due(db, TO_REMOVE, spans.deliveries, *now, &mut cleared.taken).await? {
        cleared.deliveries = execute(db, REMOVE, last).await?;
        execute(db, DELIVERIES_TO, last).await?;
    }
    if let Some(last) = due(db, PARKED, spans.parked, *now, &mut cleared.taken).await? {
        cleared.parked = execute(db, REMOVE_PARKED, last).await?;
    }
    if let Some(last) = due(db, TO_EMPTY, spans.bodies, *now, &mut cleared.taken).await? {
        cleared.bodies = empty(db, last).await?;
        execute(db, BODIES_TO, last).await?;
    }
    Ok(cleared)
}

/// The last of the deliveries that have been kept for long enough, of as many as there is room for.
async fn due(
    db: &mut SqliteConnection,
    sql: &'static str,
    span: Duration,
    now: Time,
    taken: &mut usize,
) -> sqlx::Result<Option<i64>> {
    let room = ROWS_MAX - *taken;
    let found: Vec<SqliteRow> = sqlx::query(sql).bind(room as i64).fetch_all(db).await?;
    let (mut last, mut total) = (None, 0);
    for row in &found {
        let received_at = Time(row.try_get("received_at")?);
        let bytes: i64 = row.try_get("bytes")?;
        let is_young = now.since(received_at) < span;
        if is_young || (last.is_some() && total + bytes > BYTES_MAX) {
            break;
        }
        total += bytes;
        last = Some(row.try_get("id")?);
        *taken += 1;
    }
    Ok(last)
}

async fn execute(db: &mut SqliteConnection, sql: &'static str, last: i64) -> sqlx::Result<u64> {
    let done = sqlx::query(sql).bind(last).execute(db).await?;
    Ok(done.rows_affected())
}

/// Empties bodies up to this delivery.
async fn empty(db: &mut SqliteConnection, last: i64) -> sqlx::Result<u64> {
    let bodies = sqlx::query(BODIES).bind(last).fetch_all(&mut *db).await?;
    let digests = bodies
        .iter()
        .map(|row| Ok((row.try_get("id")?, digest(row.try_get("body")?))))
        .collect::<sqlx::Result<Vec<(i64, [u8; 16])>>>()?;
    for (sql, digests) in EMPTY.over(&digests) {
        let mut query = sqlx::query(sql);
        for (id, digest) in digests {
            query = query.bind(id).bind(digest.as_slice());
        }
        query.execute(&mut *db).await?;
    }
    Ok(digests.len() as u64)
}
