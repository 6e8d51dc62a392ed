//! Compares a database with what was acknowledged.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::collections::{HashMap, HashSet};
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::process::Outcome;

/// What was answered 200: each event's id, with its bytes.
pub type Acknowledged = HashMap<String, Vec<u8>>;

/// What a database says of it.
#[derive(Debug)]
pub struct Findings {
    /// Deliveries on disk.
    pub rows: usize,
    /// Acknowledged, and not there.
    pub missing: usize,
    /// There with other bytes.
    pub altered: usize,
    /// There more than once.
    pub doubled: usize,
    /// Deliveries that nobody has looked at.
    pub waiting: i64,
    /// Confirmed states that were recorded twice in a row.
    pub repeated: i64,
    /// Changes of state that begin nowhere that a change before ended.
    pub torn: i64,
    /// SQLite's own check; `ok` is all it should say.
    pub integrity: String,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn are_good(&self) -> bool {
        let counts = [self.waiting, self.repeated, self.torn];
        self.missing + self.altered + self.doubled == 0
            && counts == [0; 3]
            && self.integrity == "ok"
    }
}

/// All events here have ULIDs; what follows one in the column tells two bodies of one event apart.
const DELIVERIES: &str = "SELECT substr(event, 1, 26) AS event, body FROM deliveries";

/// A change begins where the one before ended, or where the last confirmed or the last provisional one did:
/// a provisional state can outlive an answer that confirms another, so either tells a story of its own.
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

/// Reads the whole database of a service that has stopped.
pub async fn check(database: &Path, acknowledged: &Acknowledged) -> Outcome<Findings> {
    let mut db = open(database).await?;
    let stored = sqlx::query(DELIVERIES).fetch_all(&mut db).await?;
    let (mut seen, mut altered, mut doubled) = (HashSet::new(), 0, 0);
    for row in &stored {
        let (event, body): (&str, &[u8]) = (row.try_get("event")?, row.try_get("body")?);
        // An event that nobody was told to be safe may be there all the same.
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
    Ok(Findings {
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

/// How many of these events a database does not have.
pub async fn missing<'a>(
    database: &Path,
    acknowledged: impl Iterator<Item = &'a str>,
) -> Outcome<usize> {
    let mut unseen: HashSet<&str> = acknowledged.collect();
    let mut db = open(database).await?;
    // Page by page: the bodies of a long run, or even its ids, are more than need be in memory at once.
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

/// Takes one acknowledged event out of a copy of the database; gives how many the check then misses.
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
