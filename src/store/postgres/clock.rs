//! The one clock that all replicas share: the database's.

use std::time::Instant;

use sqlx::{PgConnection, Row};

use super::error::Fault;
use number_order::Time;

/// The database's time, in microseconds since 1970. Not `now()`, which is the time at which the transaction began.
macro_rules! database_now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}
pub(super) use database_now;

/// Clock by which leases, the rate and the circuit are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClockSource {
    /// The database's clock, which all replicas share.
    #[default]
    Database,
    /// The time that each request says: for trials in simulated time.
    Requests,
}

/// The database's clock, as it is seen from the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// The database's clock is ahead of the program's by this number of microseconds.
    Ahead(i64),
    /// The time is what each request says.
    Requests,
}

impl Clock {
    /// Compares the clocks. `now`: the program's time at the given instant.
    pub(super) async fn compare(
        db: &mut PgConnection,
        source: ClockSource,
        (now, at): (Time, Instant),
    ) -> Result<Clock, Fault> {
        if source == ClockSource::Requests {
            return Ok(Clock::Requests);
        }
        let asked = at.elapsed();
        let row = sqlx::query(concat!("SELECT ", database_now!()))
            .fetch_one(db)
            .await?;
        // The server read its clock between the question and the answer.
        let middle = now.plus((asked + at.elapsed()) / 2);
        let database: i64 = row.try_get(0)?;
        Ok(Clock::Ahead(database - middle.0))
    }

    /// Returns the database's time at a time of the program's.
    pub(super) fn database(self, time: Time) -> Time {
        match self {
            Clock::Ahead(micros) => Time(time.0.saturating_add(micros)),
            Clock::Requests => time,
        }
    }

    /// Returns the program's time at a time of the database's.
    pub(super) fn program(self, time: Time) -> Time {
        match self {
            Clock::Ahead(micros) => Time(time.0.saturating_sub(micros)),
            Clock::Requests => time,
        }
    }

    /// Returns the time that a statement takes for now; `None`: it asks the database.
    pub(super) fn told(self, now: Time) -> Option<i64> {
        match self {
            Clock::Ahead(_) => None,
            Clock::Requests => Some(now.0),
        }
    }
}
