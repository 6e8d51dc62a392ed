//! A ledger of the events that were answered 200, and what the database has of it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::File;

/// Events that were answered 200: the id of each, with its bytes.
pub type Acknowledged = BTreeMap<String, Vec<u8>>;

/// Returns the acknowledged events that are missing or changed. The proofs of durability are made by this comparison.
pub fn lost(acknowledged: &Acknowledged, stored: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    acknowledged
        .iter()
        .filter(|(event, body)| stored.get(*event) != Some(*body))
        .map(|(event, _)| event.clone())
        .collect()
}

/// Result of the check of a whole database.
#[derive(Debug)]
pub struct Findings {
    /// Number of deliveries on disk.
    pub rows: usize,
    /// Number of acknowledged events that are missing or changed.
    pub lost: usize,
    /// Number of events on disk more than once.
    pub doubled: usize,
    /// Number of deliveries that are not processed.
    pub waiting: i64,
    /// Number of confirmed states that were recorded twice in a row.
    pub repeated: i64,
    /// Number of changes of state that begin where no earlier change ended.
    pub torn: i64,
    /// `true` if SQLite finds nothing wrong with the file.
    pub is_intact: bool,
}

impl Findings {
    /// Returns `true` if the check found nothing wrong.
    pub fn are_good(&self) -> bool {
        let counts = [self.waiting, self.repeated, self.torn];
        self.lost + self.doubled == 0 && counts == [0; 3] && self.is_intact
    }
}

const COUNT_WAITING: &str = "SELECT count(*) FROM deliveries WHERE phase = 'waiting'";

/// Selects changes of state, on either database, each with the states before it. A change begins where the one before ended, or where the
/// last confirmed or the last provisional one did: a provisional state can outlive an answer that confirms another, so
/// each of the two has a story of its own.
const SELECT_CHANGES: &str = "
    WITH stories AS (
        SELECT from_state, to_state, confirmed, cause, lag(to_state) OVER story AS state_before,
            lag(confirmed) OVER story AS confirmed_before, lag(cause) OVER story AS cause_before,
            max(CASE WHEN confirmed THEN id END)
                OVER (story ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_confirmed,
            max(CASE WHEN NOT confirmed THEN id END)
                OVER (story ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_provisional
        FROM transitions WINDOW story AS (PARTITION BY order_id ORDER BY id))
    SELECT count(*) FROM stories AS s LEFT JOIN transitions AS c ON c.id = s.last_confirmed
        LEFT JOIN transitions AS p ON p.id = s.last_provisional WHERE ";

/// Condition for a state that is confirmed twice in a row. The answer that confirms a state may leave a provisional one,
/// which a later answer overrules.
const IS_REPEATED: &str = "s.confirmed AND confirmed_before AND s.to_state = state_before
    AND NOT (s.cause = 'event-overruled' AND s.cause_before = 'answer')";

/// Condition for a change of state that does not begin where an earlier one ended.
const IS_TORN: &str =
    "s.from_state IS DISTINCT FROM state_before AND s.from_state IS DISTINCT FROM c.to_state
    AND s.from_state IS DISTINCT FROM p.to_state";

/// Returns the query that counts confirmed states that were recorded twice in a row, on either database.
pub fn repeated_query() -> String {
    format!("{SELECT_CHANGES}{IS_REPEATED}")
}

/// Returns the query that counts changes of state that begin where no earlier change ended, on either database.
pub fn torn_query() -> String {
    format!("{SELECT_CHANGES}{IS_TORN}")
}

/// Checks the whole database of a service that has stopped. All its events must have ULIDs.
pub async fn check(database: &Path, acknowledged: &Acknowledged) -> Findings {
    let mut file = File::open(database).await;
    let stored = file.bodies().await;
    // The rest of the key distinguishes two bodies of one event.
    let events: HashSet<&str> = stored.keys().map(|key| &key[..key.len().min(26)]).collect();
    Findings {
        rows: stored.len(),
        lost: lost(acknowledged, &stored).len(),
        doubled: stored.len() - events.len(),
        waiting: file.number(COUNT_WAITING).await,
        repeated: file.number(&repeated_query()).await,
        torn: file.number(&torn_query()).await,
        is_intact: file.is_intact().await,
    }
}

/// Counts the events that a database does not contain.
pub async fn missing<'a>(database: &Path, acknowledged: impl Iterator<Item = &'a str>) -> usize {
    let mut unseen: HashSet<&str> = acknowledged.collect();
    let mut file = File::open(database).await;
    // The ids are read page by page, so that those of a long run need not be in memory at once.
    let mut last = 0;
    loop {
        let page = file.events_after(last, 10_000).await;
        for (id, event) in &page {
            unseen.remove(event.as_str());
            last = *id;
        }
        if page.is_empty() {
            return unseen.len();
        }
    }
}

/// Removes one acknowledged event from a copy of the database, and returns the number that the check then misses.
pub async fn control(database: &Path, acknowledged: &Acknowledged) -> usize {
    let copy = database.with_extension("copy");
    std::fs::copy(database, &copy).expect("the database can be copied");
    let event = acknowledged
        .keys()
        .next()
        .expect("something was acknowledged");
    let mut file = File::open(&copy).await;
    file.execute(&format!(
        "DELETE FROM deliveries WHERE dedup_key = '{event}'"
    ))
    .await;
    file.close().await;
    check(&copy, acknowledged).await.lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_changed_is_lost() {
        let ledger = |entries: &[(&str, &str)]| -> Acknowledged {
            let entries = entries.iter().map(|(event, body)| (*event, *body));
            entries
                .map(|(e, b)| (e.to_owned(), b.as_bytes().to_vec()))
                .collect()
        };
        let acknowledged = ledger(&[("kept", "a"), ("missing", "b"), ("changed", "c")]);
        let stored = ledger(&[("kept", "a"), ("changed", "C"), ("never acknowledged", "d")]);
        assert_eq!(lost(&acknowledged, &stored), ["changed", "missing"]);
        assert!(lost(&acknowledged, &acknowledged).is_empty());
    }
}
