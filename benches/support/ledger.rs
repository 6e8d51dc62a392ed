//! Compares a database with the acknowledged events.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::process::Outcome;

/// Events that were answered 200: the id of each, with its bytes.
pub type Acknowledged = HashMap<String, Vec<u8>>;

/// Result of the comparison.
#[derive(Debug)]
pub struct Outcomes {
    /// Number of deliveries on disk.
    pub rows: usize,
    /// Number of acknowledged events that are not on disk.
    pub missing: usize,
    /// Number of events on disk with other bytes.
    pub altered: usize,
    /// Number of events on disk more than once.
    pub doubled: usize,
    /// Number of deliveries that are not processed.
    pub waiting: i64,
    /// Number of confirmed states that were recorded twice in a row.
    pub repeated: i64,
    /// Number of changes of state that begin where no earlier change ended.
    pub torn: i64,
    /// Result of SQLite's own check; it should be only `ok`.
    pub integrity: String,
}

impl Outcomes {
    /// Returns `true` if nothing is wrong.
    pub fn are_good(&self) -> bool {
        let counts = [self.waiting, self.repeated, self.torn];
        self.missing + self.altered + self.doubled == 0
            && counts == [0; 3]
            && self.integrity == "ok"
    }
}

/// Events and bodies. All events here have ULIDs; the rest of the column tells two bodies of one event apart.
const DELIVERIES: &str = "SELECT substr(event, 1, 26) AS event, body FROM deliveries";

/// Faults in the changes of state. A change begins where the one before ended, or where the last confirmed or the
/// last provisional one did: a provisional state can outlive an answer that confirms another, so each of the two
/// has a story of its own.
const STORIES: &str = "
    WITH stories AS (
        SELECT from_state, to_state, confirmed,
            lag(to_state) OVER story AS state_before, lag(confirmed) OVER story AS confirmed_before,
            max(CASE WHEN confirmed THEN id END)
                OVER (story ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_confirmed,
            max(CASE WHEN NOT confirmed THEN id END)
                OVER (story ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_provisional
        FROM transitions WINDOW story AS (PARTITION BY order_id ORDER BY id))
    SELECT count(*) FILTER (WHERE s.confirmed AND confirmed_before AND s.to_state = state_before) AS repeated,
        count(*) FILTER (WHERE s.from_state IS NOT state_before AND s.from_state IS NOT c.to_state
            AND s.from_state IS NOT p.to_state) AS torn,
        (SELECT count(*) FROM deliveries WHERE phase = 'waiting') AS waiting
    FROM stories AS s LEFT JOIN transitions AS c ON c.id = s.last_confirmed
        LEFT JOIN transitions AS p ON p.id = s.last_provisional";

/// Checks the whole database of a service that has stopped.
pub async fn check(database: &Path, acknowledged: &Acknowledged) -> Outcome<Outcomes> {
    let mut db = open(database).await?;
    let stored = sqlx::query(DELIVERIES).fetch_all(&mut db).await?;
    let (mut seen, mut altered, mut doubled) = (HashSet::new(), 0, 0);
    for row in &stored {
        let (event, body): (&str, &[u8]) = (row.try_get("event")?, row.try_get("body")?);
        // An event that was never acknowledged may be there all the same.
        if acknowledged.get(event).is_some_and(|sent| sent != body) {
            altered += 1;
        }
        if !seen.insert(event) {
            doubled += 1;
        }
    }
    let missing = acknowledged
        .keys()
        .filter(|event| !seen.contains(event.as_str()));
    let missing = missing.count();
    let stories = sqlx::query(STORIES).fetch_one(&mut db).await?;
    let integrity = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut db)
        .await?;
    Ok(Outcomes {
        rows: stored.len(),
        missing,
        altered,
        doubled,
        waiting: stories.try_get("waiting")?,
        repeated: stories.try_get("repeated")?,
        torn: stories.try_get("torn")?,
        integrity: integrity.try_get(0)?,
    })
}

/// Counts the events that a database does not contain.
pub async fn missing<'a>(
    database: &Path,
    acknowledged: impl Iterator<Item = &'a str>,
) -> Outcome<usize> {
    let mut unseen: HashSet<&str> = acknowledged.collect();
    let mut db = open(database).await?;
    // Page by page: the bodies of a long run, or even its ids, need not be in memory at once.
    let mut last = 0;
    loop {
        let rows =
            sqlx::query("SELECT id, event FROM deliveries WHERE id > ? ORDER BY id LIMIT 10000")
                .bind(last)
                .fetch_all(&mut db)
                .await?;
        for row in &rows {
            unseen.remove(row.try_get::<&str, _>("event")?);
            last = row.try_get::<i64, _>("id")?;
        }
        if rows.is_empty() {
            return Ok(unseen.len());
        }
    }
}

/// Removes one acknowledged event from a copy of the database; returns the number that the check then misses.
pub async fn control(database: &Path, acknowledged: &Acknowledged) -> Outcome<usize> {
    let copy = database.with_extension("copy");
    std::fs::copy(database, &copy)?;
    let event = acknowledged
        .keys()
        .next()
        .ok_or("nothing was acknowledged")?;
    let mut db = open(&copy).await?;
    sqlx::query("DELETE FROM deliveries WHERE event = ?")
        .bind(event)
        .execute(&mut db)
        .await?;
    Ok(check(&copy, acknowledged).await?.missing)
}

async fn open(database: &Path) -> sqlx::Result<SqliteConnection> {
    SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await
}
