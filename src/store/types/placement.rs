//! Journal of placements: the steps by which an order was placed, without any personal data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::explain::explained;
use number_order::{
    CallbackKey, Id, OutcomeRefusal, Standing, Step, StepKind, StepOutcome, StepRefusal, Time,
};

/// Placement to be recorded in the journal.
#[derive(Clone, Debug)]
pub struct NewPlacement {
    /// Project in which the order is placed.
    pub project: Id,
    /// Reference of the placement, from its form. A reference is used for one order at most.
    pub reference: String,
    /// Numbers that are ordered by the placement.
    pub ordered: Ordered,
    /// Time at which the placement begins.
    pub now: Time,
}

/// Numbers that a placement orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ordered {
    /// Region of the numbers, as Sinch writes it.
    pub region: String,
    /// Type of the numbers, as Sinch writes it.
    #[serde(rename = "type")]
    pub number_type: String,
    /// The ordered number; `None` if Sinch chooses the numbers, or if the number is forgotten.
    pub number: Option<String>,
    /// Count of numbers for Sinch to choose; `None` if `number` names one.
    pub quantity: Option<u32>,
}

impl Ordered {
    /// Returns `true` if a reference that stands for these numbers can stand for those of a form: they are the same, or
    /// the number is forgotten, as it is once none of the reference's orders is kept.
    pub fn can_stand_for(&self, form: &Ordered) -> bool {
        let is_same_product =
            (&self.region, &self.number_type) == (&form.region, &form.number_type);
        self == form || self.is_forgotten() && is_same_product && form.number.is_some()
    }

    /// Returns `true` if there was a number, which the journal has forgotten.
    pub fn is_forgotten(&self) -> bool {
        self.number.is_none() && self.quantity.is_none()
    }
}

/// Result of recording a placement in the journal.
#[derive(Clone, Debug)]
pub enum PlacementFound {
    /// The placement is new, and is recorded now.
    New(PlacementRow),
    /// The placement was recorded earlier, for the same numbers.
    Known(PlacementRow),
    /// The reference belongs to an earlier placement of other numbers, which is returned.
    OfOther(PlacementRow),
    /// The placement's project is not known.
    UnknownProject,
}

/// A placement in the journal, with all its steps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlacementRow {
    /// Sinch's id of the placement's project.
    pub project: String,
    /// Reference of the placement, from its form.
    pub reference: String,
    /// Numbers that are ordered by the placement.
    #[serde(flatten)]
    pub ordered: Ordered,
    /// Time at which the placement was recorded.
    pub begun_at: Time,
    /// Standing of the placement: none, one, several or perhaps one order exists.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<Standing>)]
    pub standing: Standing,
    /// Steps of the placement, oldest first.
    pub steps: Vec<StepRow>,
}

/// A step of a placement, as the journal has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepRow {
    /// Id of the step within the journal.
    pub id: i64,
    /// Kind of the step: the call that it makes.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<StepKind>)]
    pub kind: StepKind,
    /// Time at which the step was recorded, before its request was sent.
    pub begun_at: Time,
    /// Time at which the step's outcome was recorded; `None` if it was not yet.
    pub ended_at: Option<Time>,
    /// Outcome of the step; `None` while the step is under way, or after an interruption.
    pub outcome: Option<StepOutcome>,
    /// For a create: `true` if Sinch showed the ordered number as available just before the step; `None` if nobody
    /// knows.
    pub available_before: Option<bool>,
    /// For a create: last part of the path at which callbacks about its order arrive.
    pub callback_key: Option<CallbackKey>,
    /// For a create: the order that it made.
    pub order: Option<Id>,
}

/// Step of a placement that is about to begin.
#[derive(Clone, Debug)]
pub struct NewStep {
    /// Project of the step's placement.
    pub project: Id,
    /// Reference of the step's placement.
    pub reference: String,
    /// Kind of the step: the call that it makes.
    pub kind: StepKind,
    /// For a create: `true` if the ordered number is available now.
    pub available_before: Option<bool>,
    /// For a create: last part of the path at which callbacks about its order arrive, unique to this step. A create that
    /// begins again with the key of one that is under way is that one.
    pub callback_key: Option<CallbackKey>,
    /// `true` if an operator accepts that this create may make a second order.
    pub second_order_risked: bool,
    /// Time at which the step begins.
    pub now: Time,
}

/// Result of recording that a step of a placement begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepBegun {
    /// The step is recorded in the journal, under this id.
    Begun(i64),
    /// The step may not begin, for this reason.
    Refused(StepRefusal),
    /// The journal has no placement of this reference.
    UnknownPlacement,
}

/// Outcome of a placement's step, to be recorded.
#[derive(Clone, Debug)]
pub struct StepUpdate {
    /// Project of the step's placement.
    pub project: Id,
    /// Reference of the step's placement.
    pub reference: String,
    /// Id of the step.
    pub step: i64,
    /// Outcome of the step.
    pub outcome: StepOutcome,
    /// For a create: the order that it made.
    pub order: Option<Id>,
    /// Time at which the step ended.
    pub now: Time,
}

/// Result of recording the outcome of a placement's step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepEnded {
    /// The outcome is recorded.
    Ended,
    /// The outcome cannot be that of the step, for this reason. Nothing is recorded.
    Refused(OutcomeRefusal),
    /// The journal has no such step.
    UnknownStep,
}

impl StepRow {
    /// Returns the step in the form on which the rules of `number_order` work.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(region: &str, number: Option<&str>, quantity: Option<u32>) -> Ordered {
        Ordered {
            region: region.to_owned(),
            number_type: "MOBILE".to_owned(),
            number: number.map(str::to_owned),
            quantity,
        }
    }

    #[test]
    fn a_forgotten_number_can_be_any_number_of_the_same_product() {
        let form = ordered("AU", Some("+61400000001"), None);
        for (kept, can_stand) in [
            (form.clone(), true),
            (ordered("AU", Some("+61400000002"), None), false),
            (ordered("AU", None, Some(1)), false),
            (ordered("AU", None, None), true),
            (ordered("GB", None, None), false),
        ] {
            assert_eq!(kept.can_stand_for(&form), can_stand, "{kept:?}");
        }
        let several = ordered("AU", None, Some(1));
        assert!(!ordered("AU", None, None).can_stand_for(&several));
    }
}
