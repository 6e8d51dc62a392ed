//! A project's rate of fetches, which all replicas share: its row is what they take turns at.

use sqlx::{PgConnection, Row};

use super::clock::database_now;
use super::error::Fault;
use crate::store::Rate;
use crate::store::sql::time;
use number_order::{Id, Time};

/// Locks a project's row. Its time is read once the lock is held.
const LOCK: &str = concat!(
    "WITH p AS (SELECT id, next_fetch_at, paused_until_at, probe_until_at FROM projects WHERE sinch_id = $1 \
         FOR NO KEY UPDATE) \
     SELECT id, next_fetch_at, paused_until_at, probe_until_at, coalesce($2, ",
    database_now!(),
    ") AS now FROM p"
);

const STORE: &str = "UPDATE projects SET next_fetch_at = $2 WHERE id = $1";

/// A turn at a project's rate and circuit, while its row is locked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub project: i64,
    pub now: Time,
    pub next_fetch_at: Time,
    pub paused_until_at: Option<Time>,
    pub probe_until_at: Option<Time>,
}

/// Locks a project's row until the transaction ends; `None`: the project is not known. `told`: the time, unless the
/// database tells it.
pub(super) async fn lock(
    db: &mut PgConnection,
    project: &Id,
    told: Option<i64>,
) -> Result<Option<Turn>, Fault> {
    let row = sqlx::query(LOCK).bind(project.as_str()).bind(told);
    let Some(row) = row.fetch_optional(db).await? else {
        return Ok(None);
    };
    Ok(Some(Turn {
        project: row.try_get("id")?,
        now: Time(row.try_get("now")?),
        next_fetch_at: Time(row.try_get("next_fetch_at")?),
        paused_until_at: time(&row, "paused_until_at")?,
        probe_until_at: time(&row, "probe_until_at")?,
    }))
}

/// Stores from when the next fetch of a project counts against its rate.
pub(super) async fn store(
    db: &mut PgConnection,
    project: i64,
    next_fetch_at: Time,
) -> Result<(), Fault> {
    sqlx::query(STORE)
        .bind(project)
        .bind(next_fetch_at.0)
        .execute(db)
        .await?;
    Ok(())
}

impl Turn {
    /// Returns the number of fetches that the rate allows now, `wanted` at most, and from when the next one counts once
    /// they are sent. If it allows none, returns the time at which it allows one.
    pub(super) fn take(&self, rate: Rate, wanted: u32) -> Result<(u32, Time), Time> {
        let (allowed, from) = self.allowed(rate, wanted);
        if allowed == 0 && wanted > 0 {
            Err(from.plus(rate.interval))
        } else {
            Ok((allowed, from.plus(rate.interval * allowed)))
        }
    }

    /// Returns the number of fetches that the rate allows now, `wanted` at most, and the time from which they are counted.
    pub(super) fn allowed(&self, rate: Rate, wanted: u32) -> (u32, Time) {
        rate.allowed(self.next_fetch_at, wanted, self.now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn turn(now_ms: i64, next_fetch_ms: i64) -> Turn {
        let ms = |ms| Time(1_780_000_000_000_000 + ms * 1000);
        Turn {
            project: 1,
            now: ms(now_ms),
            next_fetch_at: ms(next_fetch_ms),
            paused_until_at: None,
            probe_until_at: None,
        }
    }

    #[test]
    fn no_more_at_once_than_the_burst_and_then_one_each_interval() {
        let rate = Rate {
            interval: Duration::from_millis(50),
            burst: 2,
        };
        for (now, next, wanted, allowed) in [
            (0, -9000, 3, Ok((2, 0))),
            (0, 0, 3, Err(50)),
            (49, 0, 3, Err(50)),
            (50, 0, 3, Ok((1, 50))),
            (120, 50, 1, Ok((1, 100))),
            (150, 100, 3, Ok((1, 150))),
            (0, 60, 1, Err(110)),
            (0, 90_000, 1, Ok((1, -50))),
        ] {
            let ms = |time: Time| (time.0 - 1_780_000_000_000_000) / 1000;
            let taken = turn(now, next).take(rate, wanted);
            let taken = taken.map(|(allowed, next)| (allowed, ms(next))).map_err(ms);
            assert_eq!(taken, allowed, "at {now}, next at {next}");
        }
    }
}
