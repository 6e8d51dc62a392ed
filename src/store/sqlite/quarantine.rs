//! Callbacks that were refused and are perhaps genuine: they are kept, listed, admitted to the inbox, or dismissed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sqlx::{Row, SqliteConnection};

use super::command::{WriteCommand, WriteContext};
use super::inbox;
use super::{Store, StoreError};
use crate::store::sql::cursor::List;
use crate::store::sql::inbox::digest;
use crate::store::sql::quarantine::{
    Fill, Texts, page, part, select_judged, select_listed, signature,
};
use crate::store::{
    Accepted, Listing, NewDelivery, NewQuarantined, QuarantineFilter, QuarantinePart,
    QuarantineReason, QuarantineRow, Quarantining,
};
use number_order::{CallbackKey, Id};

const COUNT_AGAIN: &str = "
    UPDATE quarantine SET times = times + 1, last_at = max(last_at, ?4), source = ?5, peer = ?6, forwarded_for = ?7,
        signature = coalesce(?8, signature), callback_key = coalesce(?9, callback_key)
    WHERE project = ?1 AND reason = ?2 AND digest = ?3";

pub(super) const FILL: &str = "
    SELECT count(*) AS callbacks, coalesce(sum(bytes), 0) AS bytes FROM quarantine WHERE project = ? AND reason = ?";

const INSERT: &str = "
    INSERT INTO quarantine (project, reason, digest, received_at, last_at, source, peer, forwarded_for, signature,
        callback_key, order_sinch_id, number, bytes, body)
    VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const DELETE: &str = "DELETE FROM quarantine WHERE id = ?";

struct Quarantine(Vec<NewQuarantined>);

impl WriteCommand for Quarantine {
    type Reply = Vec<Quarantining>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Vec<Quarantining>> {
        let Quarantine(callbacks) = self;
        let mut fills = BTreeMap::new();
        let mut done = Vec::with_capacity(callbacks.len());
        for callback in callbacks {
            let project = context.projects.get(&callback.project).copied();
            let project = project.ok_or(sqlx::Error::RowNotFound)?;
            done.push(keep(&mut context.db, &mut fills, project, callback).await?);
        }
        Ok(done)
    }
}

/// Keeps a callback, if its body is not there and there is room for it.
async fn keep(
    db: &mut SqliteConnection,
    fills: &mut BTreeMap<(i64, QuarantineReason), Fill>,
    project: i64,
    callback: &NewQuarantined,
) -> sqlx::Result<Quarantining> {
    let (texts, digest) = (Texts::of(callback), digest(&callback.body));
    let placed = |sql| {
        sqlx::query(sql)
            .bind(project)
            .bind(callback.reason.code())
            .bind(digest.as_slice())
            .bind(callback.received_at.0)
            .bind(texts.source.as_str())
            .bind(texts.peer.as_str())
            .bind(callback.origin.forwarded_for.as_deref())
            .bind(signature(callback))
            .bind(callback.callback_key.as_ref().map(CallbackKey::as_str))
    };
    let again = placed(COUNT_AGAIN).execute(&mut *db).await?;
    if again.rows_affected() > 0 {
        return Ok(Quarantining::Again);
    }
    let fill = match fills.entry((project, callback.reason)) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => {
            let fill = sqlx::query(FILL).bind(project).bind(callback.reason.code());
            unknown.insert(Fill::of_row(&fill.fetch_one(&mut *db).await?)?)
        }
    };
    if !fill.take(&callback.body) {
        return Ok(Quarantining::NoRoom);
    }
    placed(INSERT)
        .bind(callback.order.as_ref().map(Id::as_str))
        .bind(callback.number.as_deref())
        .bind(callback.body.len() as i64)
        .bind(callback.body.as_ref())
        .execute(db)
        .await?;
    Ok(Quarantining::Kept)
}

struct Admit(Vec<(i64, NewDelivery)>);

impl WriteCommand for Admit {
    type Reply = Vec<Option<Accepted>>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Vec<Option<Accepted>>> {
        let Admit(callbacks) = self;
        let db = &mut context.db;
        let (mut there, mut deliveries) = (Vec::new(), Vec::new());
        for (id, delivery) in callbacks {
            let is_there = delete(db, *id).await?;
            there.push(is_there);
            deliveries.extend(is_there.then_some(delivery));
        }
        let (next, projects) = (&mut context.next_delivery, &context.projects);
        let incoming = inbox::accept(db, next, projects, &deliveries).await?;
        let mut accepted = incoming.judge(db).await?.into_iter();
        let each = there
            .iter()
            .map(|is_there| is_there.then(|| accepted.next()).flatten());
        Ok(each.collect())
    }
}

struct Dismiss(i64);

impl WriteCommand for Dismiss {
    type Reply = bool;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<bool> {
        delete(&mut context.db, self.0).await
    }
}

async fn delete(db: &mut SqliteConnection, id: i64) -> sqlx::Result<bool> {
    let deleted = sqlx::query(DELETE).bind(id).execute(db).await?;
    Ok(deleted.rows_affected() > 0)
}

impl Store {
    pub(in crate::store) async fn quarantine(
        &self,
        callbacks: Vec<NewQuarantined>,
    ) -> Result<Vec<Quarantining>, StoreError> {
        self.want_space()?;
        self.write(Quarantine(callbacks)).await
    }

    pub(in crate::store) async fn quarantined(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<Listing<QuarantineRow>, StoreError> {
        let after = filter.after.as_ref();
        let after = after.map(|cursor| List::Quarantine.row(cursor));
        let found = select_listed(filter, after.transpose()?)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        let page = page(&found, filter)?;
        self.met.note(&page.unreadable);
        Ok(page)
    }

    pub(in crate::store) async fn quarantine_part(
        &self,
        after: i64,
        project: Option<&Id>,
        reason: Option<QuarantineReason>,
    ) -> Result<QuarantinePart, StoreError> {
        let found = select_judged(after, project, reason)
            .build()
            .fetch_all(&mut *self.readers.begin().await?)
            .await?;
        Ok(part(&found, |row| row.try_get("body"))?)
    }

    pub(in crate::store) async fn admit(
        &self,
        callbacks: Vec<(i64, NewDelivery)>,
    ) -> Result<Vec<Option<Accepted>>, StoreError> {
        self.want_space()?;
        let admitted = self.write(Admit(callbacks)).await?;
        self.pending.notify_one();
        Ok(admitted)
    }

    pub(in crate::store) async fn dismiss_quarantined(&self, id: i64) -> Result<bool, StoreError> {
        self.write(Dismiss(id)).await
    }
}
