//! The journal of placements: its rows as placements and steps, and what they allow.

use super::{Columns, codes, time};
use crate::store::{
    NewStep, Ordered, PlacementFound, PlacementRow, StepRow, StepUpdate, UnreadableRow,
    WatchRequest,
};
use number_order::{CallbackKey, Id, Standing, Step, StepOutcome, StepRefusal, Time, may_begin};

const PLACEMENTS: &str = "placements";
pub(in crate::store) const STEPS: &str = "placement_steps";

/// Returns what the journal has under the reference of a placement that is to begin.
pub(in crate::store) fn found_for(
    ordered: &Ordered,
    is_new: bool,
    found: Option<PlacementRow>,
) -> PlacementFound {
    match found {
        None => PlacementFound::UnknownProject,
        Some(row) if is_new => PlacementFound::New(row),
        Some(row) if row.ordered.can_stand_for(ordered) => PlacementFound::Known(row),
        Some(row) => PlacementFound::OfOther(row),
    }
}

/// Returns a placement with its steps, and the id of its row.
pub(in crate::store) fn placement_with_steps<R: Columns>(
    row: &R,
    steps: &[R],
) -> sqlx::Result<(i64, PlacementRow)> {
    let id = row.int("id")?;
    let steps = steps.iter().map(|row| {
        let step = row.int("id")?;
        step_of_row(row).map_err(|fault| named(STEPS, step, fault))
    });
    let steps = steps.collect::<sqlx::Result<Vec<StepRow>>>()?;
    let placement = placement_of_row(row, steps);
    let placement = placement.map_err(|fault| named(PLACEMENTS, id, fault))?;
    Ok((id, placement))
}

/// Beginning of a step that may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Beginning {
    /// The step is to be recorded.
    New,
    /// The step is recorded under this id, and its time is to be that of this request: the answer to the request before
    /// was lost, so nothing was sent to Sinch yet.
    Again(i64),
}

/// Judges if a step may begin after those of its placement.
pub(in crate::store) fn may_begin_step(
    placement: &PlacementRow,
    step: &NewStep,
) -> Result<Beginning, StepRefusal> {
    if let Some(known) = placement.steps.iter().find(|known| is_same(known, step)) {
        return Ok(Beginning::Again(known.id));
    }
    let steps: Vec<Step> = placement.steps.iter().map(StepRow::step).collect();
    may_begin(&step.kind, &steps, step.second_order_risked).map(|()| Beginning::New)
}

/// Returns `true` if the step is the one that is to begin, and nothing is known of it yet.
fn is_same(known: &StepRow, step: &NewStep) -> bool {
    let is_open = known.outcome.is_none() && known.order.is_none();
    is_open && step.callback_key.is_some() && known.callback_key == step.callback_key
}

/// Returns the step that an update is about; `None` if the placement has no such step.
pub(in crate::store) fn step_of(placement: &PlacementRow, update: &StepUpdate) -> Option<Step> {
    let step = placement.steps.iter().find(|step| step.id == update.step);
    step.map(StepRow::step)
}

/// Returns the request that makes the order of a create known.
pub(in crate::store) fn watch_created(update: &StepUpdate, order: &Id) -> WatchRequest {
    WatchRequest {
        project: update.project.clone(),
        orders: vec![order.clone()],
        now: update.now,
    }
}

/// Returns the row that an error of this module names as one that cannot be read.
pub(in crate::store) fn unreadable_row(error: &sqlx::Error) -> Option<UnreadableRow> {
    match error {
        sqlx::Error::Decode(fault) => fault.downcast_ref().cloned(),
        _ => None,
    }
}

/// Returns the report of a row of the journal that cannot be read or written.
pub(in crate::store) fn bad_row(table: &'static str, row: i64, reason: String) -> UnreadableRow {
    UnreadableRow {
        table,
        row,
        project: None,
        order: None,
        reason,
    }
}

/// Names the row in an error about one of its columns.
fn named(table: &'static str, row: i64, fault: sqlx::Error) -> sqlx::Error {
    match fault {
        sqlx::Error::ColumnDecode { index, source } => {
            let reason = format!("{}: {source}", index.trim_matches('"'));
            sqlx::Error::Decode(Box::new(bad_row(table, row, reason)))
        }
        other => other,
    }
}

fn fault(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: "this program never writes such a value".into(),
    }
}

/// Reads a placement that has the given steps.
fn placement_of_row(row: &impl Columns, steps: Vec<StepRow>) -> sqlx::Result<PlacementRow> {
    let quantity = row.int_if_any("quantity")?;
    let quantity = quantity.map(|n| u32::try_from(n).map_err(|_| fault("quantity")));
    let judged: Vec<Step> = steps.iter().map(StepRow::step).collect();
    Ok(PlacementRow {
        project: row.text("project")?.to_owned(),
        reference: row.text("reference")?.to_owned(),
        ordered: Ordered {
            region: row.text("region")?.to_owned(),
            number_type: row.text("number_type")?.to_owned(),
            number: row.text_if_any("number")?.map(str::to_owned),
            quantity: quantity.transpose()?,
        },
        begun_at: Time(row.int("begun_at")?),
        standing: Standing::after(&judged),
        steps,
    })
}

/// Reads a step of a placement.
fn step_of_row(row: &impl Columns) -> sqlx::Result<StepRow> {
    let outcome = row.text_if_any("outcome")?;
    let order = row.text_if_any("order_sinch_id")?;
    let outcome = outcome.map(|code| StepOutcome::from_code(code).ok_or_else(|| fault("outcome")));
    let key = row.text_if_any("callback_key")?;
    let key = key.map(|text| CallbackKey::new(text).ok_or_else(|| fault("callback_key")));
    let order = order.map(|text| Id::new(text).ok_or_else(|| fault("order_sinch_id")));
    Ok(StepRow {
        id: row.int("id")?,
        kind: codes::require(row, "kind", "kind_fields")?,
        begun_at: Time(row.int("begun_at")?),
        ended_at: time(row, "ended_at")?,
        outcome: outcome.transpose()?,
        available_before: row.flag_if_any("available_before")?,
        callback_key: key.transpose()?,
        order: order.transpose()?,
    })
}
