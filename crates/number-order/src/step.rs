//! Steps of a placement: calls that take effect at Sinch, written down one by one.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Id, Time};

/// Kind of a step of a placement. Each kind is a call that takes effect at Sinch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum StepKind {
    /// The order is created, and its numbers are reserved.
    Create,
    /// Registration data is sent for the order.
    Register,
    /// A document is uploaded for the order.
    Attach {
        /// Id of the document, from Sinch's requirements.
        attachment: String,
    },
    /// The order is submitted for review.
    Submit,
}

/// Outcome of a step of a placement.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum StepOutcome {
    /// Sinch has confirmed that the step took effect.
    Succeeded,
    /// The step has no effect: Sinch refused it, or the request was never sent.
    Refused,
    /// The step may have taken effect: no answer came, or its answer does not show that.
    Unknown,
    /// The create presumably had no effect: the ordered number was available before it and still is.
    NoEffectSeen,
}

impl StepKind {
    /// Returns the code of the kind of step.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepKind::Create => f.write_str("create the order"),
            StepKind::Register => f.write_str("register its data"),
            StepKind::Attach { attachment } => write!(f, "upload the document {attachment}"),
            StepKind::Submit => f.write_str("submit it for review"),
        }
    }
}

impl StepOutcome {
    /// Returns the code of the step's outcome.
    pub fn code(self) -> &'static str {
        self.into()
    }

    /// Returns `true` if Sinch's answer has shown the outcome, so that nothing found out later changes it.
    pub fn is_certain(self) -> bool {
        match self {
            StepOutcome::Succeeded | StepOutcome::Refused => true,
            StepOutcome::Unknown | StepOutcome::NoEffectSeen => false,
        }
    }

    /// Returns the outcome of a step that has the given code.
    pub fn from_code(code: &str) -> Option<StepOutcome> {
        [
            StepOutcome::Succeeded,
            StepOutcome::Refused,
            StepOutcome::Unknown,
            StepOutcome::NoEffectSeen,
        ]
        .into_iter()
        .find(|outcome| outcome.code() == code)
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StepOutcome::Succeeded => "Sinch has confirmed it",
            StepOutcome::Refused => "it has no effect: Sinch refused it, or it was never sent",
            StepOutcome::Unknown => "it may have taken effect: no answer came that tells",
            StepOutcome::NoEffectSeen => {
                "it seems to have no effect: the number was available before it and after it"
            }
        })
    }
}

/// A step of a placement, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Number of the step; a later step has a larger one.
    pub id: i64,
    /// Kind of the step: the call that it makes.
    pub kind: StepKind,
    /// Time at which the step was written down, before its request.
    pub begun_at: Time,
    /// Outcome of the step; `None` while the step is under way, or after an interruption.
    pub outcome: Option<StepOutcome>,
    /// Only of a create: `true` if the ordered number was available before it; `None` if that is not known.
    pub available_before: Option<bool>,
    /// For a create: the order that it made, as its answer said, or a callback to its [`CallbackKey`](super::CallbackKey).
    pub order: Option<Id>,
}

impl Step {
    /// Returns `true` if the step may have made an order whose id is not known.
    pub(crate) fn may_have_made_order(&self) -> bool {
        let had_no_effect = matches!(
            self.outcome,
            Some(StepOutcome::Refused | StepOutcome::NoEffectSeen)
        );
        self.order.is_none() && !had_no_effect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_found_by_its_code() {
        for code in StepOutcome::VARIANTS {
            let outcome = StepOutcome::from_code(code).expect("an outcome");
            assert_eq!(outcome.code(), *code);
        }
        assert_eq!(StepOutcome::from_code("nonsense"), None);
    }
}
