//! Callbacks that were refused and are perhaps genuine: they are kept, listed, admitted to the inbox, or dismissed.
//!
//! Each replica counts what is kept before it adds to it, and none waits for another's count: where several find the last
//! room at once, a step of each finds place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::inbox::{self, Incoming};
use super::lane::bounded;
use super::{Store, storable};
use crate::store::sql::cursor::List;
use crate::store::sql::inbox::digest;
use crate::store::sql::quarantine::{
    Fill, Texts, page, part, select_judged, select_listed, signature,
};
use crate::store::{
    Accepted, Listing, NewDelivery, NewQuarantined, QuarantineFilter, QuarantinePart,
    QuarantineReason, QuarantineRow, Quarantining, StoreError,
};
use number_order::{CallbackKey, Id, Time};

const COUNT_AGAIN: &str = "
    UPDATE quarantine SET times = times + 1, last_at = greatest(last_at, $4), source = $5, peer = $6, forwarded_for = $7,
        signature = coalesce($8, signature), callback_key = coalesce($9, callback_key)
    WHERE project = (SELECT id FROM projects WHERE sinch_id = $1) AND reason = $2 AND digest = $3";

const FILL: &str = "
    SELECT count(*) AS callbacks, coalesce(sum(q.bytes), 0)::bigint AS bytes
    FROM quarantine AS q JOIN projects AS p ON p.id = q.project WHERE p.sinch_id = $1 AND q.reason = $2";

/// Inserts a callback, unless another replica has just done so.
const INSERT: &str = "
    INSERT INTO quarantine (project, reason, digest, received_at, last_at, source, peer, forwarded_for, signature,
        callback_key, order_sinch_id, number, bytes, body)
    SELECT id, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM projects WHERE sinch_id = $1
    ON CONFLICT (project, reason, digest) DO UPDATE SET times = quarantine.times + 1";

/// Takes rows out, in the order of their ids: of two operators who do so at once, one finds none.
const TAKE: &str = "
    DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE id = ANY ($1) ORDER BY id FOR UPDATE) RETURNING id";

async fn keep_all(
    db: &mut PgConnection,
    callbacks: &[(NewQuarantined, Time)],
) -> Result<Vec<Quarantining>, Fault> {
    let mut done = vec![Quarantining::NoRoom; callbacks.len()];
    let mut fills = BTreeMap::new();
    // Rows are locked in one order, so that no two replicas wait for each other.
    let mut order: Vec<usize> = (0..callbacks.len()).collect();
    let key = |callback: &NewQuarantined| {
        let project = callback.project.clone();
        (project, callback.reason, digest(&callback.body))
    };
    order.sort_by_cached_key(|index| callbacks.get(*index).map(|(callback, _)| key(callback)));
    for index in order {
        if let (Some((callback, at)), Some(done)) = (callbacks.get(index), done.get_mut(index)) {
            *done = keep(db, &mut fills, callback, *at).await?;
        }
    }
    Ok(done)
}

/// Keeps a callback, if its body is not there and there is room for it.
async fn keep(
    db: &mut PgConnection,
    fills: &mut BTreeMap<(Id, QuarantineReason), Fill>,
    callback: &NewQuarantined,
    received_at: Time,
) -> Result<Quarantining, Fault> {
    let (texts, digest) = (Texts::of(callback), digest(&callback.body));
    let reason = callback.reason.code();
    let forwarded_for = callback.origin.forwarded_for.as_deref().map(storable);
    let placed = |sql| {
        sqlx::query(sql)
            .bind(callback.project.as_str())
            .bind(reason)
            .bind(digest.as_slice())
            .bind(received_at.0)
            .bind(texts.source.as_str())
            .bind(texts.peer.as_str())
            .bind(forwarded_for.as_deref())
            .bind(signature(callback))
            .bind(callback.callback_key.as_ref().map(CallbackKey::as_str))
    };
    let again = placed(COUNT_AGAIN).execute(&mut *db).await?;
    if again.rows_affected() > 0 {
        return Ok(Quarantining::Again);
    }
    let fill = match fills.entry((callback.project.clone(), callback.reason)) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => {
            let fill = sqlx::query(FILL)
                .bind(callback.project.as_str())
                .bind(reason);
            unknown.insert(Fill::of_row(&fill.fetch_one(&mut *db).await?)?)
        }
    };
    if !fill.take(&callback.body) {
        return Ok(Quarantining::NoRoom);
    }
    let number = callback.number.as_deref().map(storable);
    placed(INSERT)
        .bind(callback.order.as_ref().map(Id::as_str))
        .bind(number.as_deref())
        .bind(callback.body.len() as i64)
        .bind(callback.body.as_ref())
        .execute(db)
        .await?;
    Ok(Quarantining::Kept)
}

/// Takes rows out of the quarantine; returns the ids of those that were there.
async fn take(db: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>, Fault> {
    let taken = sqlx::query(TAKE).bind(ids).fetch_all(db).await?;
    let ids = taken.iter().map(|row| row.try_get(0));
    Ok(ids.collect::<sqlx::Result<_>>()?)
}

async fn admit(
    db: &mut PgConnection,
    callbacks: &[(i64, NewDelivery)],
) -> Result<Vec<Option<Accepted>>, Fault> {
    let ids: Vec<i64> = callbacks.iter().map(|(id, _)| *id).collect();
    let there = take(db, &ids).await?;
    let is_there = |id: &i64| there.contains(id);
    let deliveries = callbacks.iter().filter(|(id, _)| is_there(id));
    let deliveries =
        deliveries.map(|(_, delivery)| Incoming::new(delivery, delivery.received_at.0));
    let deliveries: Vec<Incoming> = deliveries.collect();
    let mut accepted = Vec::new();
    if !deliveries.is_empty() {
        for each in inbox::accept(db, &deliveries).await? {
            accepted.push(each?);
        }
    }
    let mut accepted = accepted.into_iter();
    let each = ids
        .iter()
        .map(|id| is_there(id).then(|| accepted.next()).flatten());
    Ok(each.collect())
}

impl Store {
    pub(in crate::store) async fn quarantine(
        &self,
        callbacks: Vec<NewQuarantined>,
    ) -> Result<Vec<Quarantining>, StoreError> {
        let clock = &self.shared.clock;
        let callbacks = callbacks.into_iter().map(|callback| {
            let at = clock.database(callback.received_at);
            (callback, at)
        });
        let callbacks: Vec<(NewQuarantined, Time)> = callbacks.collect();
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let done = keep_all(&mut work, &callbacks).await?;
            work.commit().await?;
            Ok(done)
        })
        .await
    }

    pub(in crate::store) async fn quarantined(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<Listing<QuarantineRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Quarantine.row(cursor));
        let after = after.transpose()?;
        let page = bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = select_listed(filter, after);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(page(&found, filter)?)
        });
        let page = page.await?;
        self.shared.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn quarantine_part(
        &self,
        after: i64,
        project: Option<&Id>,
        reason: Option<QuarantineReason>,
    ) -> Result<QuarantinePart, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let mut query = select_judged(after, project, reason);
            let found = query.build().fetch_all(&mut *work).await?;
            work.undo().await?;
            Ok(part(&found, |row: &PgRow| row.try_get("body"))?)
        })
        .await
    }

    pub(in crate::store) async fn admit(
        &self,
        callbacks: Vec<(i64, NewDelivery)>,
    ) -> Result<Vec<Option<Accepted>>, StoreError> {
        let admitted = bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let admitted = admit(&mut work, &callbacks).await?;
            work.commit().await?;
            Ok(admitted)
        });
        let admitted = admitted.await?;
        self.shared.pending.notify_one();
        Ok(admitted)
    }

    pub(in crate::store) async fn dismiss_quarantined(&self, id: i64) -> Result<bool, StoreError> {
        bounded(async || {
            let mut work = self.shared.commands.begin().await?;
            let taken = take(&mut work, &[id]).await?;
            work.commit().await?;
            Ok(!taken.is_empty())
        })
        .await
    }
}
