//! Taking deliveries in: the write behind every 200.

use std::collections::HashMap;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use super::Accepted;
use super::batch::Statements;
use crate::order::{Id, Status, Time};

/// A callback that is authentic, as it goes into the inbox.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// The project whose path and secret it came by.
    pub project: Id,
    /// Sinch's `eventId`, where it has one.
    pub event_id: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// When it was received.
    pub received_at: Time,
    /// The raw bytes.
    pub body: bytes::Bytes,
}

/// What a delivery is about, which decides what happens to it next.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A number order: it waits to be looked at.
    Order {
        /// The order's id.
        order: Id,
        /// The claimed state.
        status: Status,
        /// When Sinch said it.
        said_at: Option<Time>,
    },
    /// Something else: recorded, with a word on what it is.
    Other(String),
    /// Not understood: parked, with the reason.
    NotUnderstood(String),
}

static INSERTS: LazyLock<Statements> = LazyLock::new(|| {
    let insert = "INSERT INTO deliveries (id, project, event, received_at, order_name, status, said_at, \
                  phase, verdict, body) VALUES ";
    let row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    Statements::new(insert, row, " ON CONFLICT DO NOTHING")
});

/// Inserts deliveries, inside the caller's transaction: what is in the inbox and not looked at is what is
/// due. `next_id` is the first id not given out yet; `projects` gives the projects' numbers.
pub(super) async fn accept(
    db: &mut SqliteConnection,
    next_id: &mut i64,
    projects: &HashMap<Id, i64>,
    deliveries: &[&NewDelivery],
) -> sqlx::Result<Vec<Accepted>> {
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
                event: event(delivery),
                delivery,
            })
        })
        .collect::<sqlx::Result<Vec<NewRow>>>()?;
    let inserted = insert(db, &rows).await?;
    let mut accepted = vec![Accepted::New; rows.len()];
    if inserted < rows.len() as u64 {
        for (row, accepted) in rows.iter().zip(&mut accepted) {
            *accepted = compare(db, row).await?;
        }
    }
    Ok(accepted)
}

struct NewRow<'a> {
    id: i64,
    project: i64,
    event: String,
    delivery: &'a NewDelivery,
}

/// What tells a repetition: the event's id, or the body itself where there is none.
fn event(delivery: &NewDelivery) -> String {
    match &delivery.event_id {
        Some(id) => id.clone(),
        None => fingerprint(&delivery.body),
    }
}

fn fingerprint(body: &[u8]) -> String {
    digest(body)
        .iter()
        .fold("sha256:".to_owned(), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

/// What stands for a body: the first half of its SHA-256.
pub(super) fn digest(body: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(body);
    std::array::from_fn(|index| digest[index])
}

async fn insert(db: &mut SqliteConnection, rows: &[NewRow<'_>]) -> sqlx::Result<u64> {
    let mut inserted = 0;
    for (sql, rows) in INSERTS.over(rows) {
        let mut query = sqlx::query(sql);
        for row in rows {
            let (order, status, said_at, phase, verdict) = match &row.delivery.subject {
                Subject::Order {
                    order,
                    status,
                    said_at,
                } => {
                    let status = match status {
                        Status::Known(state) => state.as_str(),
                        Status::Unknown(word) => word,
                    };
                    let said_at = said_at.map(|at| at.0);
                    (Some(order.as_str()), Some(status), said_at, "waiting", None)
                }
                Subject::Other(words) => (None, None, None, "recorded", Some(words.as_str())),
                Subject::NotUnderstood(reason) => {
                    (None, None, None, "parked", Some(reason.as_str()))
                }
            };
            query = query
                .bind(row.id)
                .bind(row.project)
                .bind(row.event.as_str())
                .bind(row.delivery.received_at.0)
                .bind(order)
                .bind(status)
                .bind(said_at)
                .bind(phase)
                .bind(verdict)
                .bind(row.delivery.body.as_ref());
        }
        inserted += query.execute(&mut *db).await?.rows_affected();
    }
    Ok(inserted)
}

/// What became of one row of a batch in which not all were new.
async fn compare(db: &mut SqliteConnection, row: &NewRow<'_>) -> sqlx::Result<Accepted> {
    let sql = "SELECT id, body, digest FROM deliveries WHERE project = ? AND event = ?";
    let stored = sqlx::query(sql)
        .bind(row.project)
        .bind(row.event.as_str())
        .fetch_one(&mut *db)
        .await?;
    if stored.get::<i64, _>("id") == row.id {
        return Ok(Accepted::New);
    }
    let body = row.delivery.body.as_ref();
    let is_same = match stored.try_get::<Option<&[u8]>, _>("digest")? {
        // The body is gone.
        Some(stored) => stored == digest(body),
        None => stored.try_get::<&[u8], _>("body")? == body,
    };
    if is_same {
        repeat(db, row.project, &row.event).await?;
        return Ok(Accepted::Repeat);
    }
    // The same event with another body is kept too, under a name of its own.
    let other = NewRow {
        event: format!("{} {}", row.event, fingerprint(body)),
        ..*row
    };
    if insert(db, std::slice::from_ref(&other)).await? == 1 {
        return Ok(Accepted::Conflict);
    }
    repeat(db, other.project, &other.event).await?;
    Ok(Accepted::Repeat)
}

async fn repeat(db: &mut SqliteConnection, project: i64, event: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE deliveries SET repeats = repeats + 1 WHERE project = ? AND event = ?")
        .bind(project)
        .bind(event)
        .execute(db)
        .await?;
    Ok(())
}
