//! The journal of placements. A step is recorded before its request is sent, in the transaction that judges if it may
//! be.

use sqlx::{Row, SqliteConnection};

use super::columns::lossy;
use super::command::{WriteCommand, WriteContext};
use super::savepoint::refused;
use super::{Store, StoreError, fetches};
use crate::store::sql::codes::Code;
use crate::store::sql::placements::{
    Beginning, STEPS, bad_row, found_for, may_begin_step, placement_with_steps, step_of,
    unreadable_row, watch_created,
};
use crate::store::{
    NewPlacement, NewStep, PlacementFound, PlacementRow, StepBegun, StepEnded, StepUpdate,
    UnreadableRow,
};
use number_order::{CallbackKey, Id, StepRefusal, Time, may_end};

const INSERT_PLACEMENT: &str = "
    INSERT INTO placements (project, reference, region, number_type, number, quantity, begun_at)
    SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM projects WHERE sinch_id = ?1
    ON CONFLICT (project, reference) DO NOTHING";

const SELECT_PLACEMENT: &str = "
    SELECT l.id, p.sinch_id AS project, l.reference, l.region, l.number_type, l.number, l.quantity, l.begun_at
    FROM projects AS p JOIN placements AS l ON l.project = p.id WHERE p.sinch_id = ? AND l.reference = ?";

const SELECT_STEPS: &str = "
    SELECT id, kind, kind_fields, begun_at, ended_at, outcome, available_before, callback_key, order_sinch_id
    FROM placement_steps WHERE placement = ? ORDER BY id";

const INSERT_STEP: &str = "
    INSERT INTO placement_steps (placement, kind, kind_fields, begun_at, available_before, callback_key)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (callback_key) DO NOTHING RETURNING id";

const UPDATE_BEGUN: &str = "UPDATE placement_steps SET begun_at = ?2 WHERE id = ?1";

/// Records the outcome of a step. An order that a callback has named already stays, and so does what is known of it.
const UPDATE_STEP: &str = "
    UPDATE placement_steps SET outcome = ?3, ended_at = ?4,
        order_sinch_id = CASE WHEN kind = 'create' THEN coalesce(order_sinch_id, ?5) END
    WHERE id = ?2 AND placement = ?1";

/// Selects the creates that are not linked yet and whose orders the given deliveries name. The first order that a create's
/// path is told of is its own.
const SELECT_NAMED: &str = "
    SELECT s.id, named.order_sinch_id
    FROM (SELECT d.callback_key, d.project, min(d.id), d.order_sinch_id FROM deliveries AS d
        WHERE d.id > ?1 AND d.id <= ?2 AND d.callback_key IS NOT NULL AND d.order_sinch_id IS NOT NULL
        GROUP BY d.callback_key, d.project) AS named
    JOIN placement_steps AS s ON s.callback_key = named.callback_key AND s.order_sinch_id IS NULL
    JOIN placements AS l ON l.id = s.placement AND l.project = named.project";

const LINK: &str = "UPDATE placement_steps SET order_sinch_id = ?2 WHERE id = ?1";

/// Links the creates to the orders that callbacks to their own paths name, among the deliveries in a range of ids.
/// Returns the steps that the database does not let be linked: a bad step holds up no delivery.
pub(super) async fn link(
    db: &mut SqliteConnection,
    after: i64,
    through: i64,
) -> sqlx::Result<Vec<UnreadableRow>> {
    let named = sqlx::query(SELECT_NAMED).bind(after).bind(through);
    let mut bad = Vec::new();
    for row in named.fetch_all(&mut *db).await? {
        let (step, order): (i64, String) = (row.try_get(0)?, lossy(&row, "order_sinch_id")?);
        let linked = sqlx::query(LINK).bind(step).bind(order);
        if let Err(fault) = refused(linked.execute(&mut *db).await)? {
            bad.push(bad_row(
                STEPS,
                step,
                format!("its order cannot be recorded: {fault}"),
            ));
        }
    }
    Ok(bad)
}

/// Forgets the ordered numbers of some placements that began before the given time and of whose orders none is kept any
/// more. The reference stays, so that it never orders again.
const FORGET_NUMBERS: &str = "
    UPDATE placements SET number = NULL WHERE id IN (
        SELECT l.id FROM placements AS l WHERE l.number IS NOT NULL AND l.begun_at < ?1
            AND NOT EXISTS (SELECT 1 FROM placement_steps AS s
                JOIN orders AS o ON o.project = l.project AND o.sinch_id = s.order_sinch_id WHERE s.placement = l.id)
        LIMIT 64)";

/// Forgets numbers as [`FORGET_NUMBERS`] does, and returns how many.
pub(super) async fn forget_numbers(db: &mut SqliteConnection, before: Time) -> sqlx::Result<u64> {
    let forgotten = sqlx::query(FORGET_NUMBERS)
        .bind(before.0)
        .execute(db)
        .await?;
    Ok(forgotten.rows_affected())
}

impl WriteCommand for NewPlacement {
    type Reply = PlacementFound;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<PlacementFound> {
        let ordered = &self.ordered;
        let inserted = sqlx::query(INSERT_PLACEMENT)
            .bind(self.project.as_str())
            .bind(&self.reference)
            .bind(&ordered.region)
            .bind(&ordered.number_type)
            .bind(&ordered.number)
            .bind(ordered.quantity)
            .bind(self.now.0)
            .execute(&mut context.db)
            .await?;
        let is_new = inserted.rows_affected() > 0;
        let found = read_placement(&mut context.db, &self.project, &self.reference).await?;
        Ok(found_for(ordered, is_new, found.map(|(_, row)| row)))
    }
}

impl WriteCommand for NewStep {
    type Reply = StepBegun;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<StepBegun> {
        let found = read_placement(&mut context.db, &self.project, &self.reference).await?;
        let Some((placement, row)) = found else {
            return Ok(StepBegun::UnknownPlacement);
        };
        match may_begin_step(&row, self) {
            Ok(Beginning::New) => {}
            Ok(Beginning::Again(step)) => {
                let begun = sqlx::query(UPDATE_BEGUN).bind(step).bind(self.now.0);
                begun.execute(&mut context.db).await?;
                return Ok(StepBegun::Begun(step));
            }
            Err(refusal) => return Ok(StepBegun::Refused(refusal)),
        }
        let kind = Code::new(&self.kind);
        let begun = sqlx::query(INSERT_STEP)
            .bind(placement)
            .bind(kind.code)
            .bind(kind.fields)
            .bind(self.now.0)
            .bind(self.available_before)
            .bind(self.callback_key.as_ref().map(CallbackKey::as_str))
            .fetch_optional(&mut context.db)
            .await?;
        Ok(match begun {
            Some(begun) => StepBegun::Begun(begun.try_get(0)?),
            None => StepBegun::Refused(StepRefusal::KeyUsed),
        })
    }
}

impl WriteCommand for StepUpdate {
    type Reply = StepEnded;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<StepEnded> {
        let found = read_placement(&mut context.db, &self.project, &self.reference).await?;
        let step = found.and_then(|(placement, row)| Some((placement, step_of(&row, self)?)));
        let Some((placement, step)) = step else {
            return Ok(StepEnded::UnknownStep);
        };
        if let Err(refusal) = may_end(&step, self.outcome, self.order.as_ref()) {
            return Ok(StepEnded::Refused(refusal));
        }
        sqlx::query(UPDATE_STEP)
            .bind(placement)
            .bind(self.step)
            .bind(self.outcome.code())
            .bind(self.now.0)
            .bind(self.order.as_ref().map(Id::as_str))
            .execute(&mut context.db)
            .await?;
        if let Some(order) = &self.order {
            fetches::watch(&mut context.db, &watch_created(self, order)).await?;
        }
        Ok(StepEnded::Ended)
    }
}

impl Store {
    pub(in crate::store) async fn begin_placement(
        &self,
        placement: NewPlacement,
    ) -> Result<PlacementFound, StoreError> {
        self.want_space()?;
        self.write(placement).await
    }

    pub(in crate::store) async fn placement(
        &self,
        project: &Id,
        reference: &str,
    ) -> Result<Option<PlacementRow>, StoreError> {
        let found = read_placement(&mut *self.readers.begin().await?, project, reference).await;
        if let Err(error) = &found {
            self.met.note(unreadable_row(error).as_slice());
        }
        Ok(found?.map(|(_, row)| row))
    }

    pub(in crate::store) async fn begin_step(
        &self,
        step: NewStep,
    ) -> Result<StepBegun, StoreError> {
        self.want_space()?;
        self.write(step).await
    }

    pub(in crate::store) async fn end_step(
        &self,
        update: StepUpdate,
    ) -> Result<StepEnded, StoreError> {
        let ended = self.write(update).await?;
        self.due.notify_waiters();
        Ok(ended)
    }
}

/// Reads a placement with its steps, and returns its row id too.
async fn read_placement(
    db: &mut SqliteConnection,
    project: &Id,
    reference: &str,
) -> sqlx::Result<Option<(i64, PlacementRow)>> {
    let found = sqlx::query(SELECT_PLACEMENT)
        .bind(project.as_str())
        .bind(reference)
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let id: i64 = row.try_get("id")?;
    let steps = sqlx::query(SELECT_STEPS).bind(id).fetch_all(db).await?;
    Ok(Some(placement_with_steps(&row, &steps)?))
}
