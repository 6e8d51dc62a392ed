//! Retention: what has been kept for long enough is given up, a few deliveries at a time.
//!
//! Ids grow with time, so how far it has come is one id, and nobody searches the past for what is due. It
//! stops at the first delivery that is too young, so nothing goes too early, whatever the clock once said.
//! Deliveries that nobody has looked at lie beyond, and are not touched.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use super::inbox::digest;
use crate::order::Time;

/// The most deliveries gone over in one transaction, so that no callback waits long for it.
const ROWS_MAX: u32 = 500;

/// The most bytes of bodies in one transaction, for the same reason; a longer body goes alone.
const BYTES_MAX: i64 = 1 << 20;

/// For how long what is kept.
#[derive(Clone, Debug)]
pub struct ClearRequest {
    /// Now.
    pub now: Time,
    /// Raw bodies of deliveries that are settled or recorded, from their receipt on.
    pub bodies: Duration,
}

/// What a step of retention did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// How many deliveries were gone over; zero: nothing is left to do for now.
    pub taken: usize,
    /// How many bodies were emptied.
    pub bodies: usize,
}

pub(super) const AGES: &str = "
    SELECT id, received_at, CASE WHEN phase IN ('settled', 'recorded') THEN length(body) ELSE 0 END AS bytes
    FROM deliveries WHERE id > (SELECT bodies_to FROM service) AND id <= (SELECT looked_to FROM service)
    ORDER BY id LIMIT ?";

pub(super) const BODIES: &str = "
    SELECT id, body FROM deliveries
    WHERE id > (SELECT bodies_to FROM service) AND id <= ? AND phase IN ('settled', 'recorded')
    ORDER BY id";

const BODIES_TO: &str = "UPDATE service SET bodies_to = ?";

static EMPTY: LazyLock<Statements> = LazyLock::new(|| {
    let update =
        ") UPDATE deliveries SET body = x'', digest = v.digest FROM v WHERE deliveries.id = v.id";
    Statements::new("WITH v (id, digest) AS (VALUES ", "(?, ?)", update)
});

/// Empties the bodies that have been kept for long enough, the oldest first; of each its digest stays.
pub(super) async fn clear(
    db: &mut SqliteConnection,
    request: &ClearRequest,
) -> sqlx::Result<Cleared> {
    let found = sqlx::query(AGES).bind(ROWS_MAX).fetch_all(&mut *db).await?;
    let (mut cleared, mut last, mut total) = (Cleared::default(), None, 0);
    for row in &found {
        let received_at = Time(row.try_get("received_at")?);
        let bytes: i64 = row.try_get("bytes")?;
        let is_young = request.now.since(received_at) < request.bodies;
        if is_young || (last.is_some() && total + bytes > BYTES_MAX) {
            break;
        }
        total += bytes;
        last = Some(row.try_get::<i64, _>("id")?);
        cleared.taken += 1;
    }
    let Some(last) = last else {
        return Ok(cleared);
    };
    let bodies = sqlx::query(BODIES).bind(last).fetch_all(&mut *db).await?;
    let digests = bodies
        .iter()
        .map(|row| Ok((row.try_get("id")?, digest(row.try_get("body")?))))
        .collect::<sqlx::Result<Vec<(i64, [u8; 16])>>>()?;
    cleared.bodies = digests.len();
    for (sql, digests) in EMPTY.over(&digests) {
        let mut query = sqlx::query(sql);
        for (id, digest) in digests {
            query = query.bind(id).bind(digest.as_slice());
        }
        query.execute(&mut *db).await?;
    }
    sqlx::query(BODIES_TO).bind(last).execute(&mut *db).await?;
    Ok(cleared)
}
