//! The journal of placements: what was tried to place an order, and nothing about persons.

use serde::{Deserialize, Serialize};

use crate::explain::explained;
use number_order::{CallbackKey, Id, Standing, Step, StepKind, StepOutcome, StepRefusal, Time};

/// Order that is to be placed, as far as the journal has it.
#[derive(Clone, Debug)]
pub struct NewPlacement {
    /// Project in which the order is placed.
    pub project: Id,
    /// Name that its form has for it: the same name never orders twice.
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
    /// The ordered number; `None`: Sinch chooses.
    pub number: Option<String>,
    /// How many numbers Sinch chooses; `None`: one number is named.
    pub quantity: Option<u32>,
}

/// A placement that was asked for.
#[derive(Clone, Debug)]
pub enum PlacementFound {
    /// It was not recorded before.
    New(PlacementRow),
    /// It was recorded before.
    Known(PlacementRow),
    /// The reference stands for other numbers.
    OfOther(PlacementRow),
    /// The project is not known.
    UnknownProject,
}

/// Placement, with all its steps.
#[derive(Clone, Debug, Serialize)]
pub struct PlacementRow {
    /// Sinch's project id.
    pub project: String,
    /// Name of the placement.
    pub reference: String,
    /// The numbers that are ordered.
    #[serde(flatten)]
    pub ordered: Ordered,
    /// Time at which it was recorded.
    pub begun_at: Time,
    /// Whether there is an order.
    #[serde(serialize_with = "explained")]
    pub standing: Standing,
    /// Its steps, the first one first.
    pub steps: Vec<StepRow>,
}

/// Step of a placement.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// Number of the step.
    pub id: i64,
    /// Kind of the step.
    #[serde(serialize_with = "explained")]
    pub kind: StepKind,
    /// Time at which it was recorded, before its request.
    pub begun_at: Time,
    /// Time at which its outcome was recorded.
    pub ended_at: Option<Time>,
    /// Outcome; `None`: it goes on, or was broken off.
    pub outcome: Option<StepOutcome>,
    /// Only of a create: `true` if the ordered number was available before it.
    pub available_before: Option<bool>,
    /// Only of a create: last part of the path at which callbacks about its order arrive.
    pub callback_key: Option<CallbackKey>,
    /// Only of a create: the order that it made.
    pub order: Option<Id>,
}

/// Step that is about to begin.
#[derive(Clone, Debug)]
pub struct NewStep {
    /// Project of the placement.
    pub project: Id,
    /// Name of the placement.
    pub reference: String,
    /// Kind of the step.
    pub kind: StepKind,
    /// Only of a create: `true` if the ordered number is available now.
    pub available_before: Option<bool>,
    /// Only of a create: last part of the path at which callbacks about its order arrive. Never used before.
    pub callback_key: Option<CallbackKey>,
    /// `true` if an operator accepts the risk of a second order.
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
    /// Name of the placement.
    pub reference: String,
    /// Number of the step.
    pub step: i64,
    /// The outcome.
    pub outcome: StepOutcome,
    /// Only of a create: the order that it made.
    pub order: Option<Id>,
    /// Current time.
    pub now: Time,
}

impl StepRow {
    /// Returns the step as the rules know it.
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
