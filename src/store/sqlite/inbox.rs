//! Storing of deliveries: each callback is stored before it is answered 200.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use sqlx::{Row, SqliteConnection};

use super::batch::Statements;
use crate::store::sql::inbox::{Content, digest, fingerprint};
use crate::store::{Accepted, NewDelivery};
use number_order::{CallbackKey, Id};

const INSERT_BEGINNING: &str = "INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, said_at, \
                      phase, decision, decision_fields, callback_key, body) SELECT * FROM (VALUES ";
const INSERT_ROW: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// End of the statement that inserts deliveries. A row to which another program has given the id of a new delivery is
/// no duplicate: it fails the statement.
const INSERT_END: &str = ") WHERE column1 IS NOT NULL ON CONFLICT (project, dedup_key) DO NOTHING";

/// Inserts deliveries. Outside a transaction the statement is a transaction of its own, with its commit: SQLite's
/// thread would wake the writer for each statement in a text.
static INSERT: LazyLock<Statements> =
    LazyLock::new(|| Statements::new(INSERT_BEGINNING, INSERT_ROW, INSERT_END));

/// Selects the ids between two given ones under which a delivery is stored.
const SELECT_STORED_IDS: &str = "SELECT id FROM deliveries WHERE id BETWEEN ? AND ?";

/// Deliveries that are being inserted into the inbox.
pub(super) struct Incoming<'a> {
    rows: Vec<NewRow<'a>>,
    inserted: u64,
}

/// Inserts deliveries into the inbox, no more than the largest statement takes. Outside a transaction they are committed.
///
/// Every delivery in the inbox that is not processed is due.
///
/// [`Incoming::judge`] says which deliveries were not new.
pub(super) async fn accept<'a>(
    db: &mut SqliteConnection,
    next_id: &mut i64,
    projects: &HashMap<Id, i64>,
    deliveries: &[&'a NewDelivery],
) -> sqlx::Result<Incoming<'a>> {
    let rows = deliveries
        .iter()
        .map(|delivery| {
            let project = *projects
                .get(&delivery.project)
                .ok_or(sqlx::Error::RowNotFound)?;
            *next_id += 1;
            Ok(NewRow {
                id: *next_id - 1,
                project,
                dedup_key: delivery.dedup_key(),
                delivery,
            })
        })
        .collect::<sqlx::Result<Vec<NewRow>>>()?;
    let inserted = insert_rows(db, &rows).await?;
    Ok(Incoming { rows, inserted })
}

impl Incoming<'_> {
    /// Returns `true` if all inserted deliveries were new.
    pub(super) fn are_new(&self) -> bool {
        self.inserted == self.rows.len() as u64
    }

    /// Returns the result of accepting each delivery. Needs a transaction, unless all [are new](Incoming::are_new).
    pub(super) async fn judge(&self, db: &mut SqliteConnection) -> sqlx::Result<Vec<Accepted>> {
        let mut accepted = vec![Accepted::New; self.rows.len()];
        let ((Some(first), Some(last)), false) =
            ((self.rows.first(), self.rows.last()), self.are_new())
        else {
            return Ok(accepted);
        };
        let stored = sqlx::query(SELECT_STORED_IDS)
            .bind(first.id)
            .bind(last.id)
            .fetch_all(&mut *db)
            .await?;
        let stored: sqlx::Result<HashSet<i64>> = stored.iter().map(|row| row.try_get(0)).collect();
        let stored = stored?;
        for (row, accepted) in self.rows.iter().zip(&mut accepted) {
            if !stored.contains(&row.id) {
                *accepted = compare_with_stored(db, row).await?;
            }
        }
        Ok(accepted)
    }
}

struct NewRow<'a> {
    id: i64,
    project: i64,
    dedup_key: String,
    delivery: &'a NewDelivery,
}

async fn insert_rows(db: &mut SqliteConnection, rows: &[NewRow<'_>]) -> sqlx::Result<u64> {
    let mut inserted = 0;
    for (sql, rows) in INSERT.over(rows) {
        let mut query = sqlx::query(sql);
        for row in rows {
            let content = Content::new(&row.delivery.subject);
            let decision = content.decision;
            let (code, fields) = decision
                .map(|decision| (decision.code, decision.fields))
                .unzip();
            query = query
                .bind(row.id)
                .bind(row.project)
                .bind(row.dedup_key.as_str())
                .bind(row.delivery.received_at.0)
                .bind(content.order)
                .bind(content.status)
                .bind(content.said_at)
                .bind(content.phase)
                .bind(code)
                .bind(fields.flatten())
                .bind(row.delivery.callback_key.as_ref().map(CallbackKey::as_str))
                .bind(row.delivery.body.as_ref());
        }
        inserted += query.execute(&mut *db).await?.rows_affected();
    }
    Ok(inserted)
}

/// Finds out why a delivery's row was not inserted: it is a duplicate, or a conflict.
async fn compare_with_stored(
    db: &mut SqliteConnection,
    row: &NewRow<'_>,
) -> sqlx::Result<Accepted> {
    let mut key = row.dedup_key.clone();
    loop {
        if is_stored(db, row, &key).await? {
            count_duplicate(db, row.project, &key).await?;
            return Ok(Accepted::Duplicate);
        }
        // The same event with another body is kept too, under a key of its own. Another event may have that key
        // already, since nothing says what an event's id looks like; then the delivery is kept under a longer key.
        key = format!("{key} {}", fingerprint(&row.delivery.body));
        let other = NewRow {
            dedup_key: key.clone(),
            ..*row
        };
        if insert_rows(db, std::slice::from_ref(&other)).await? == 1 {
            return Ok(Accepted::Conflict);
        }
    }
}

/// Returns `true` if the delivery that is stored under the given key has this row's body.
async fn is_stored(
    db: &mut SqliteConnection,
    row: &NewRow<'_>,
    dedup_key: &str,
) -> sqlx::Result<bool> {
    let sql = "SELECT body, digest FROM deliveries WHERE project = ? AND dedup_key = ?";
    let stored = sqlx::query(sql)
        .bind(row.project)
        .bind(dedup_key)
        .fetch_one(&mut *db)
        .await?;
    let body = row.delivery.body.as_ref();
    Ok(match stored.try_get::<Option<&[u8]>, _>("digest")? {
        // The body was emptied, so its digest stands for it.
        Some(stored) => stored == digest(body),
        None => stored.try_get::<&[u8], _>("body")? == body,
    })
}

async fn count_duplicate(
    db: &mut SqliteConnection,
    project: i64,
    dedup_key: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE deliveries SET duplicates = duplicates + 1 WHERE project = ? AND dedup_key = ?",
    )
    .bind(project)
    .bind(dedup_key)
    .execute(db)
    .await?;
    Ok(())
}
