//! Storing of deliveries: each callback is stored before it is answered 200.
//!
//! A batch is one statement with its commit. The key of a delivery holds its body's digest, so the statement itself tells
//! what is new, also when two replicas take the same callback at once: nothing is compared.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::storable;
use crate::store::sql::inbox::{Content, digest};
use crate::store::{Accepted, DeliveryContent, NewDelivery, StoreError};
use number_order::{CallbackKey, OtherEvent};

/// Maximum number of deliveries in one batch.
pub(super) const BATCH_MAX: usize = 512;

/// Inserts deliveries, and returns those that are new; whether the same event was there with another body. The rows are
/// sorted, so that two replicas with the same keys wait for each other in one direction only.
pub(super) const INSERT: &str = "
    WITH new AS (
        INSERT INTO deliveries (project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, decision,
            decision_fields, callback_key, number, body)
        SELECT p.id, t.dedup_key, t.digest, t.received_at, t.kind, t.order_sinch_id, t.status, t.said_at, t.decision,
            t.decision_fields, t.callback_key, t.number, t.body
        FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[])
            AS t (project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, decision,
                decision_fields, callback_key, number, body)
            JOIN projects AS p ON p.sinch_id = t.project
        ORDER BY p.id, t.dedup_key, t.digest
        ON CONFLICT (project, dedup_key, digest) DO NOTHING
        RETURNING id, project, dedup_key, digest, received_at, kind, order_sinch_id, status, said_at, callback_key, number
    ), queued AS (
        INSERT INTO pending (id, project, dedup_key, received_at, order_sinch_id, status, said_at, callback_key, number)
        SELECT id, project, dedup_key, received_at, order_sinch_id, status, said_at, callback_key, number FROM new
        WHERE kind = 'order' OR number IS NOT NULL
    )
    SELECT p.sinch_id AS project, new.dedup_key, new.digest,
        EXISTS (SELECT 1 FROM deliveries AS d
            WHERE d.project = new.project AND d.dedup_key = new.dedup_key AND d.digest <> new.digest) AS is_conflict
    FROM new JOIN projects AS p ON p.id = new.project";

/// Counts duplicates. It is a commit of its own before the answer: the row that was found may be one whose own commit is
/// not safe yet, and this commit comes after it.
const COUNT: &str = "
    WITH found AS (
        SELECT d.id, t.n, t.project, t.dedup_key, t.digest
        FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[]) AS t (project, dedup_key, digest, n)
            JOIN projects AS p ON p.sinch_id = t.project
            JOIN deliveries AS d ON d.project = p.id AND d.dedup_key = t.dedup_key AND d.digest = t.digest
    ), counted AS (
        INSERT INTO duplicates (delivery_id, n) SELECT id, n FROM found ORDER BY id
        ON CONFLICT (delivery_id) DO UPDATE SET n = duplicates.n + excluded.n
    )
    SELECT project, dedup_key, digest FROM found";

/// A delivery in the columns of its row.
pub(super) struct Incoming {
    project: String,
    dedup_key: String,
    digest: [u8; 16],
    received_at: i64,
    kind: &'static str,
    order: Option<String>,
    status: Option<String>,
    said_at: Option<i64>,
    decision: Option<String>,
    decision_fields: Option<String>,
    callback_key: Option<String>,
    number: Option<String>,
    body: Bytes,
}

/// What makes two deliveries the same.
pub(super) type Key = (String, String, [u8; 16]);

impl Incoming {
    /// Returns the row of a delivery that was received at the given time by the database's clock.
    pub(super) fn new(delivery: &NewDelivery, received_at: i64) -> Incoming {
        let content = Content::new(&delivery.subject);
        let (kind, number) = match &delivery.subject {
            DeliveryContent::Order { .. } => ("order", None),
            DeliveryContent::Other(event) => ("other", named_number(event)),
            DeliveryContent::NotUnderstood(_) => ("not-understood", None),
        };
        let (decision, decision_fields) = content
            .decision
            .map(|decision| (decision.code, decision.fields))
            .unzip();
        let owned = |text: Option<&str>| text.map(|text| storable(text).into_owned());
        Incoming {
            project: delivery.project.as_str().to_owned(),
            dedup_key: storable(&delivery.dedup_key()).into_owned(),
            digest: digest(&delivery.body),
            received_at,
            kind,
            order: owned(content.order),
            status: owned(content.status),
            said_at: content.said_at,
            decision,
            decision_fields: decision_fields.flatten(),
            callback_key: owned(delivery.callback_key.as_ref().map(CallbackKey::as_str)),
            number: owned(number),
            body: delivery.body.clone(),
        }
    }

    fn key(&self) -> Key {
        (self.project.clone(), self.dedup_key.clone(), self.digest)
    }
}

/// Returns the number that an event about another subject names.
fn named_number(event: &OtherEvent) -> Option<&str> {
    let resource = event.resource.as_deref()?;
    let digits = resource.strip_prefix('+')?;
    digits
        .starts_with(|first: char| first.is_ascii_digit())
        .then_some(resource)
}

/// Puts deliveries into the inbox, and returns the result of each. On return all of it is committed. A delivery that is
/// neither new nor there is refused: its project is not known any more.
///
/// Of two replicas that take one event with two bodies at the same moment, both may call theirs new: both are kept, and
/// a reader sees the conflict.
pub(super) async fn accept(
    db: &mut PgConnection,
    deliveries: &[Incoming],
) -> Result<Vec<Result<Accepted, StoreError>>, Fault> {
    let mut new = insert(db, INSERT, deliveries).await?;
    let mut events: HashSet<(&str, &str)> = HashSet::new();
    let mut again: HashMap<Key, i64> = HashMap::new();
    let mut accepted = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let key = delivery.key();
        let Some(is_conflict) = new.remove(&key) else {
            *again.entry(key).or_default() += 1;
            accepted.push(Accepted::Duplicate);
            continue;
        };
        let is_first = events.insert((&delivery.project, &delivery.dedup_key));
        accepted.push(if is_conflict || !is_first {
            Accepted::Conflict
        } else {
            Accepted::New
        });
    }
    let there = count(db, again).await?;
    let judged = accepted.into_iter().zip(deliveries);
    let judged = judged.map(|(accepted, delivery)| match accepted {
        Accepted::Duplicate if !there.contains(&delivery.key()) => Err(unknown_project()),
        accepted => Ok(accepted),
    });
    Ok(judged.collect())
}

fn unknown_project() -> StoreError {
    StoreError::Rejected("the database does not know the project any more".to_owned())
}

/// Inserts deliveries, and returns the keys of the new ones, each with `true` if its event was there with another body.
pub(super) async fn insert(
    db: &mut PgConnection,
    sql: &'static str,
    deliveries: &[Incoming],
) -> Result<HashMap<Key, bool>, Fault> {
    let all = || deliveries.iter();
    let rows = sqlx::query(sql)
        .bind(all().map(|d| d.project.as_str()).collect::<Vec<_>>())
        .bind(all().map(|d| d.dedup_key.as_str()).collect::<Vec<_>>())
        .bind(all().map(|d| d.digest.as_slice()).collect::<Vec<_>>())
        .bind(all().map(|d| d.received_at).collect::<Vec<_>>())
        .bind(all().map(|d| d.kind).collect::<Vec<_>>())
        .bind(all().map(|d| d.order.as_deref()).collect::<Vec<_>>())
        .bind(all().map(|d| d.status.as_deref()).collect::<Vec<_>>())
        .bind(all().map(|d| d.said_at).collect::<Vec<_>>())
        .bind(all().map(|d| d.decision.as_deref()).collect::<Vec<_>>())
        .bind(
            all()
                .map(|d| d.decision_fields.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(all().map(|d| d.callback_key.as_deref()).collect::<Vec<_>>())
        .bind(all().map(|d| d.number.as_deref()).collect::<Vec<_>>())
        .bind(all().map(|d| d.body.as_ref()).collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    let mut new = HashMap::with_capacity(rows.len());
    for row in rows {
        new.insert(key_of_row(&row)?, row.try_get("is_conflict")?);
    }
    Ok(new)
}

fn key_of_row(row: &PgRow) -> sqlx::Result<Key> {
    let digest: &[u8] = row.try_get("digest")?;
    let digest = digest.try_into().map_err(|_| sqlx::Error::RowNotFound)?;
    Ok((row.try_get("project")?, row.try_get("dedup_key")?, digest))
}

/// Counts deliveries that came again, and returns the keys of those that are there.
async fn count(db: &mut PgConnection, again: HashMap<Key, i64>) -> Result<HashSet<Key>, Fault> {
    if again.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = || again.keys();
    let rows = sqlx::query(COUNT)
        .bind(
            keys()
                .map(|(project, _, _)| project.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(keys().map(|(_, key, _)| key.as_str()).collect::<Vec<_>>())
        .bind(
            keys()
                .map(|(_, _, digest)| digest.as_slice())
                .collect::<Vec<_>>(),
        )
        .bind(again.values().copied().collect::<Vec<_>>())
        .fetch_all(db)
        .await?;
    let there: sqlx::Result<HashSet<Key>> = rows.iter().map(key_of_row).collect();
    Ok(there?)
}
