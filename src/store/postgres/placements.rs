//! The journal of placements. A step is recorded before its request is sent, in the transaction that judges if it may
//! be, while the placement's row is locked.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};

use super::error::Fault;
use super::lane::bounded;
use super::pending::Head;
use super::savepoint::{begin_savepoint, end_savepoint};
use super::{Store, fetches};
use crate::store::sql::codes::Code;
use crate::store::sql::placements::{
    Beginning, STEPS, bad_row, found_for, may_begin_step, placement_with_steps, step_of,
    unreadable_row,
};
use crate::store::sql::unreadable::UnreadableRow;
use crate::store::{
    NewPlacement, NewStep, PlacementFound, PlacementRow, StepBegun, StepEnded, StepUpdate,
    StoreError,
};
use number_order::{CallbackKey, Id, StepRefusal, may_end};

const INSERT_PLACEMENT: &str = "
    INSERT INTO placements (project, reference, region, number_type, number, quantity, begun_at)
    SELECT id, $2, $3, $4, $5, $6, $7 FROM projects WHERE sinch_id = $1
    ON CONFLICT (project, reference) DO NOTHING";

/// Selects a placement from `projects AS p JOIN placements AS l`.
macro_rules! select_placement {
    ($lock:literal) => {
        concat!(
            "SELECT l.id, p.sinch_id AS project, l.reference, l.region, l.number_type, l.number, l.quantity, l.begun_at \
             FROM projects AS p JOIN placements AS l ON l.project = p.id WHERE p.sinch_id = $1 AND l.reference = $2",
            $lock
        )
    };
}

const SELECT_PLACEMENT: &str = select_placement!("");

const LOCK_PLACEMENT: &str = select_placement!(" FOR NO KEY UPDATE OF l");

const SELECT_STEPS: &str = "
    SELECT id, kind, kind_fields, begun_at, ended_at, outcome, available_before, callback_key, order_sinch_id
    FROM placement_steps WHERE placement = $1 ORDER BY id";

const INSERT_STEP: &str = "
    INSERT INTO placement_steps (placement, kind, kind_fields, begun_at, available_before, callback_key)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (callback_key) DO NOTHING RETURNING id";

const UPDATE_BEGUN: &str = "UPDATE placement_steps SET begun_at = $2 WHERE id = $1";

/// Records the outcome of a step. An order that a callback has named already stays, and so does what is known of it.
const UPDATE_STEP: &str = "
    UPDATE placement_steps SET outcome = $3, ended_at = $4,
        order_sinch_id = CASE WHEN kind = 'create' THEN coalesce(order_sinch_id, $5) END
    WHERE id = $2 AND placement = $1";

/// Selects the creates that are not linked yet and whose paths were told of an order.
const SELECT_NAMED: &str = "
    SELECT s.id, v.order_sinch_id
    FROM unnest($1::text[], $2::bigint[], $3::text[]) AS v (callback_key, project, order_sinch_id)
        JOIN placement_steps AS s ON s.callback_key = v.callback_key AND s.order_sinch_id IS NULL
        JOIN placements AS l ON l.id = s.placement AND l.project = v.project
    ORDER BY s.id";

const LINK: &str = "
    UPDATE placement_steps SET order_sinch_id = $2 WHERE id = $1 AND order_sinch_id IS NULL";

/// Links the creates to the orders that callbacks to their own paths name: the first that a path is told of is its own.
/// Returns the steps that the database does not let be linked: a bad step holds up no delivery.
pub(super) async fn link(
    db: &mut PgConnection,
    heads: &[&Head],
) -> Result<Vec<UnreadableRow>, Fault> {
    let mut named: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    for head in heads {
        if let (Some(key), Some(order)) = (&head.callback_key, &head.order) {
            named.entry((key, head.project)).or_insert(order);
        }
    }
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(SELECT_NAMED)
        .bind(named.keys().map(|(key, _)| *key).collect::<Vec<_>>())
        .bind(
            named
                .keys()
                .map(|(_, project)| *project)
                .collect::<Vec<_>>(),
        )
        .bind(named.values().copied().collect::<Vec<_>>())
        .fetch_all(&mut *db)
        .await?;
    let mut bad = Vec::new();
    for row in rows {
        let (step, order): (i64, &str) = (row.try_get("id")?, row.try_get("order_sinch_id")?);
        begin_savepoint(db).await?;
        let linked = sqlx::query(LINK).bind(step).bind(order).execute(&mut *db);
        let linked = linked.await.map(drop).map_err(Fault::from);
        if let Err(fault) = end_savepoint(db, linked).await? {
            let reason = format!("its order cannot be recorded: {fault}");
            bad.push(bad_row(STEPS, step, reason));
        }
    }
    Ok(bad)
}

impl Store {
    pub(in crate::store) async fn begin_placement(
        &self,
        placement: NewPlacement,
    ) -> Result<PlacementFound, StoreError> {
        bounded(|| self.insert_placement(&placement)).await
    }

    async fn insert_placement(&self, new: &NewPlacement) -> Result<PlacementFound, Fault> {
        let ordered = &new.ordered;
        let mut work = self.shared.commands.begin().await?;
        let inserted = sqlx::query(INSERT_PLACEMENT)
            .bind(new.project.as_str())
            .bind(&new.reference)
            .bind(&ordered.region)
            .bind(&ordered.number_type)
            .bind(&ordered.number)
            .bind(ordered.quantity.map(i64::from))
            .bind(self.shared.clock.database(new.now).0)
            .execute(&mut *work)
            .await?;
        let is_new = inserted.rows_affected() > 0;
        let found = read_placement(&mut work, SELECT_PLACEMENT, &new.project, &new.reference);
        let found = found.await?.map(|(_, row)| row);
        work.commit().await?;
        Ok(found_for(ordered, is_new, found))
    }

    pub(in crate::store) async fn placement(
        &self,
        project: &Id,
        reference: &str,
    ) -> Result<Option<PlacementRow>, StoreError> {
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let found = read_placement(&mut work, SELECT_PLACEMENT, project, reference).await;
            if let Err(error) = &found {
                self.shared.met.note(unreadable_row(error).as_slice());
            }
            let found = found?.map(|(_, row)| row);
            work.undo().await?;
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn begin_step(
        &self,
        step: NewStep,
    ) -> Result<StepBegun, StoreError> {
        bounded(|| self.insert_step(&step)).await
    }

    async fn insert_step(&self, step: &NewStep) -> Result<StepBegun, Fault> {
        let mut work = self.shared.commands.begin().await?;
        let found = read_placement(&mut work, LOCK_PLACEMENT, &step.project, &step.reference);
        let Some((placement, row)) = found.await? else {
            work.undo().await?;
            return Ok(StepBegun::UnknownPlacement);
        };
        let begun_at = self.shared.clock.database(step.now).0;
        match may_begin_step(&row, step) {
            Ok(Beginning::New) => {}
            Ok(Beginning::Again(step)) => {
                let begun = sqlx::query(UPDATE_BEGUN).bind(step).bind(begun_at);
                begun.execute(&mut *work).await?;
                work.commit().await?;
                return Ok(StepBegun::Begun(step));
            }
            Err(refusal) => {
                work.undo().await?;
                return Ok(StepBegun::Refused(refusal));
            }
        }
        let kind = Code::new(&step.kind);
        let begun = sqlx::query(INSERT_STEP)
            .bind(placement)
            .bind(kind.code)
            .bind(kind.fields)
            .bind(begun_at)
            .bind(step.available_before)
            .bind(step.callback_key.as_ref().map(CallbackKey::as_str))
            .fetch_optional(&mut *work)
            .await?;
        let Some(begun) = begun else {
            work.undo().await?;
            return Ok(StepBegun::Refused(StepRefusal::KeyUsed));
        };
        let id = begun.try_get(0)?;
        work.commit().await?;
        Ok(StepBegun::Begun(id))
    }

    pub(in crate::store) async fn end_step(
        &self,
        update: StepUpdate,
    ) -> Result<StepEnded, StoreError> {
        let ended = bounded(|| self.update_step(&update)).await?;
        self.shared.due.notify_waiters();
        Ok(ended)
    }

    async fn update_step(&self, update: &StepUpdate) -> Result<StepEnded, Fault> {
        let now = self.shared.clock.database(update.now);
        let mut work = self.shared.commands.begin().await?;
        let found = read_placement(
            &mut work,
            LOCK_PLACEMENT,
            &update.project,
            &update.reference,
        );
        let step = found
            .await?
            .and_then(|(placement, row)| Some((placement, step_of(&row, update)?)));
        let Some((placement, step)) = step else {
            work.undo().await?;
            return Ok(StepEnded::UnknownStep);
        };
        if let Err(refusal) = may_end(&step, update.outcome, update.order.as_ref()) {
            work.undo().await?;
            return Ok(StepEnded::Refused(refusal));
        }
        // The order comes first: processing makes it known before it links the step, too.
        if let Some(order) = &update.order {
            let orders = std::slice::from_ref(order);
            fetches::watch(&mut work, &update.project, orders, now).await?;
        }
        sqlx::query(UPDATE_STEP)
            .bind(placement)
            .bind(update.step)
            .bind(update.outcome.code())
            .bind(now.0)
            .bind(update.order.as_ref().map(Id::as_str))
            .execute(&mut *work)
            .await?;
        work.commit().await?;
        Ok(StepEnded::Ended)
    }
}

/// Reads a placement with its steps, and returns its row id too.
async fn read_placement(
    db: &mut PgConnection,
    sql: &'static str,
    project: &Id,
    reference: &str,
) -> sqlx::Result<Option<(i64, PlacementRow)>> {
    let found = sqlx::query(sql)
        .bind(project.as_str())
        .bind(reference)
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let id: i64 = row.try_get("id")?;
    let steps = sqlx::query(SELECT_STEPS).bind(id).fetch_all(db).await?;
    Ok(Some(placement_with_steps(&row, &steps)?))
}
