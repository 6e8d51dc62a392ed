//! Lanes: each has the connections of one kind of work. One that is lost is made again.
//!
//! A piece of work holds the connection as a value. If the work fails or is dropped half-way, the connection is dropped
//! with it, and never used again: the server ends the transaction, and nothing late can be mistaken for an answer.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};

use super::connect::{Connector, OPERATION_MAX};
use super::error::{Class, Fault};
use crate::store::StoreError;

/// Pause before what another transaction was in the way of is tried again.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Connections for one kind of work; more work than there are connections waits.
#[derive(Debug)]
pub(super) struct Lane {
    connector: Connector,
    places: Semaphore,
    idle: Mutex<Vec<PgConnection>>,
}

/// A transaction of a lane. It is rolled back, and its connection dropped, unless it is committed or undone.
pub(super) struct Work<'a> {
    lane: &'a Lane,
    _place: SemaphorePermit<'a>,
    db: PgConnection,
}

impl Lane {
    /// Returns a lane with a maximum number of connections, each of which is made when it is first needed.
    pub(super) fn new(connector: Connector, connections: usize) -> Lane {
        Lane {
            connector,
            places: Semaphore::new(connections),
            idle: Mutex::default(),
        }
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self) -> Result<Work<'_>, Fault> {
        self.begin_by("BEGIN").await
    }

    /// Begins a transaction in which all statements read the same moment.
    pub(super) async fn begin_reading(&self) -> Result<Work<'_>, Fault> {
        self.begin_by("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    async fn begin_by(&self, begin: &'static str) -> Result<Work<'_>, Fault> {
        let place = self.places.acquire().await;
        let place = place.map_err(|_| StoreError::Closed)?;
        // The server may have been restarted since a connection was used. Nothing is lost with a transaction that has
        // not begun.
        while let Some(mut db) = self.take_idle() {
            match sqlx::raw_sql(begin).execute(&mut db).await {
                Ok(_) => return Ok(self.work(place, db)),
                Err(error) => match Fault::from(error) {
                    fault if fault.class() == Class::Reconnect => {}
                    fault => return Err(fault),
                },
            }
        }
        let mut db = self.connector.connect().await?;
        sqlx::raw_sql(begin).execute(&mut db).await?;
        Ok(self.work(place, db))
    }

    fn work<'a>(&'a self, place: SemaphorePermit<'a>, db: PgConnection) -> Work<'a> {
        Work {
            lane: self,
            _place: place,
            db,
        }
    }

    fn take_idle(&self) -> Option<PgConnection> {
        self.lock_idle().pop()
    }

    /// Locks the idle connections. A panic elsewhere cannot leave them half changed.
    fn lock_idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work<'_> {
    /// Commits, and keeps the connection.
    pub(super) async fn commit(self) -> Result<(), Fault> {
        self.end_by("COMMIT").await
    }

    /// Undoes everything, and keeps the connection.
    pub(super) async fn undo(self) -> Result<(), Fault> {
        self.end_by("ROLLBACK").await
    }

    async fn end_by(mut self, end: &'static str) -> Result<(), Fault> {
        sqlx::raw_sql(end).execute(&mut self.db).await?;
        self.lane.lock_idle().push(self.db);
        Ok(())
    }
}

impl Deref for Work<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.db
    }
}

impl DerefMut for Work<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.db
    }
}

/// Does one operation within [`OPERATION_MAX`]. It is done again if another transaction was in its way; if its outcome
/// is unknown, the caller decides.
pub(super) async fn bounded<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Fault>>,
{
    let deadline = Instant::now() + OPERATION_MAX;
    loop {
        let outcome = timeout_at(deadline, Box::pin(attempt())).await;
        match outcome.unwrap_or(Err(Fault::Late(OPERATION_MAX.as_secs()))) {
            Ok(done) => return Ok(done),
            Err(fault)
                if fault.class() == Class::Retry && Instant::now() + RETRY_PAUSE < deadline =>
            {
                tracing::debug!(%fault, "another transaction was in the way; trying again");
                sleep(RETRY_PAUSE).await;
            }
            Err(fault) => return Err(fault.into()),
        }
    }
}
