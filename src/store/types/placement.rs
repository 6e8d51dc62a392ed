//! Journal of placements: the steps by which an order was placed, without any personal data.

use serde::{Deserialize, Serialize};

use crate::explain::explained;
use number_order::{CallbackKey, Id, Standing, Step, StepKind, StepOutcome, StepRefusal, Time};

/// Placement to be recorded in the journal.
#[derive(Clone, Debug)]
pub struct NewPlacement {
    /// Project in which the order is placed.
    pub project: Id,
    /// Reference of the placement, from its form. A reference is used for one order at most.
    pub reference: String,
    /// The numbers that are ordered.
    pub ordered: Ordered,
    /// Current time.
    pub now: Time,
}

/// Numbers that are ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Region of the numbers, as Sinch writes it.
    pub region: String,
    /// Type of the numbers, as Sinch writes it.
    #[serde(rename = "type")]
    pub number_type: String,
    /// The ordered number; `None` if Sinch chooses the numbers.
    pub number: Option<String>,
    /// Count of numbers for Sinch to choose; `None` if `number` names one.
    pub quantity: Option<u32>,
}

/// Result of recording a placement.
#[derive(Clone, Debug)]
pub enum PlacementFound {
    /// The placement is new, and is recorded now.
    New(PlacementRow),
    /// The placement was recorded earlier, for the same numbers.
    Known(PlacementRow),
    /// The reference belongs to an earlier placement of other numbers, which is returned.
    OfOther(PlacementRow),
    /// The project is not known.
    UnknownProject,
}

/// Placement, with all its steps.
#[derive(Clone, Debug, Serialize)]
pub struct PlacementRow {
    /// Sinch's project id.
    pub project: String,
    /// Reference of the placement.
    pub reference: String,
    /// The numbers that are ordered.
    #[serde(flatten)]
    pub ordered: Ordered,
    /// Time at which the placement was recorded.
    pub begun_at: Time,
    /// Standing of the placement: none, one, several or perhaps one order exists.
    #[serde(serialize_with = "explained")]
    pub standing: Standing,
    /// Steps of the placement, oldest first.
    pub steps: Vec<StepRow>,
}

/// Step of a placement.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// Id of the step.
    pub id: i64,
    /// Kind of the step.
    #[serde(serialize_with = "explained")]
    pub kind: StepKind,
    /// Time at which the step was recorded, before its request was sent.
    pub begun_at: Time,
    /// Time at which its outcome was recorded.
    pub ended_at: Option<Time>,
    /// Outcome; `None` while the step is under way, or after an interruption.
    pub outcome: Option<StepOutcome>,
    /// For a create: `true` if Sinch showed the ordered number as available just before the step; `None` if nobody
    /// knows.
    pub available_before: Option<bool>,
    /// For a create: last part of the path at which callbacks about its order arrive.
    pub callback_key: Option<CallbackKey>,
    /// For a create: the order that it made.
    pub order: Option<Id>,
}

/// Step that is about to begin.
#[derive(Clone, Debug)]
pub struct NewStep {
    /// Project of the placement.
    pub project: Id,
    /// Reference of the placement.
    pub reference: String,
    /// Kind of the step.
    pub kind: StepKind,
    /// For a create: `true` if the ordered number is available now.
    pub available_before: Option<bool>,
    /// For a create: last part of the path at which callbacks about its order arrive, unique to this step.
    pub callback_key: Option<CallbackKey>,
    /// `true` if an operator accepts that this create may make a second order.
    pub second_order_risked: bool,
    /// Current time.
    pub now: Time,
}

/// Result of recording that a step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepBegun {
    /// The step is recorded, under this number.
    Begun(i64),
    /// The step may not begin.
    Refused(StepRefusal),
    /// There is no such placement.
    UnknownPlacement,
}

/// Outcome of a step, to be recorded.
#[derive(Clone, Debug)]
pub struct StepUpdate {
    /// Project of the placement.
    pub project: Id,
    /// Reference of the placement.
    pub reference: String,
    /// Id of the step.
    pub step: i64,
    /// The outcome.
    pub outcome: StepOutcome,
    /// For a create: the order that it made.
    pub order: Option<Id>,
    /// Current time.
    pub now: Time,
}

impl StepRow {
    /// Converts to [`Step`], the form on which the rules of `number_order` work.
    pub fn step(&self) -> Step {
        Step {
            id: self.id,
            kind: self.kind.clone(),
            begun_at: self.begun_at,
            outcome: self.outcome,
            available_before: self.available_before,
            order: self.order.clone(),
        }
    }
}
