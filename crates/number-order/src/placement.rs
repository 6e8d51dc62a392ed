//! Rules for placing orders: which step may begin, and what a lost answer to a create means.
//!
//! Sinch offers no list of orders and no idempotency key. So each step is recorded before its request is sent, and a
//! create without a known outcome blocks the next create.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::Id;
use super::step::{Step, StepKind, StepOutcome};

/// Standing of a placement, as its steps show it: no order, perhaps one, one, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Standing {
    /// The placement has no order: no create was tried, or none had an effect.
    NotCreated,
    /// The placement may have an order: a create has no known outcome.
    MayBeCreated {
        /// Id of the create without a known outcome.
        step: i64,
    },
    /// The placement has one order.
    Created {
        /// Id of the placement's order.
        order: Id,
    },
    /// The placement has several orders, since a create was repeated although an earlier one had no known outcome.
    CreatedSeveral {
        /// Ids of the placement's orders, the first one first.
        orders: Vec<Id>,
    },
}

impl Standing {
    /// Returns the standing of a placement after the given steps, oldest first.
    pub fn after(steps: &[Step]) -> Standing {
        let creates = || steps.iter().filter(|step| step.kind == StepKind::Create);
        let mut orders: Vec<Id> = Vec::new();
        for order in creates().filter_map(|step| step.order.as_ref()) {
            if !orders.contains(order) {
                orders.push(order.clone());
            }
        }
        match (
            orders.len(),
            creates().rfind(|step| step.may_have_made_order()),
        ) {
            (0, Some(open)) => Standing::MayBeCreated { step: open.id },
            (0, None) => Standing::NotCreated,
            (1, _) => Standing::Created {
                order: orders.remove(0),
            },
            (_, _) => Standing::CreatedSeveral { orders },
        }
    }

    /// Returns the code of the placement's standing.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns the order on which further steps of the placement act: the latest, if several exist. `None` if none is
    /// known.
    pub fn order(&self) -> Option<&Id> {
        match self {
            Standing::Created { order } => Some(order),
            Standing::CreatedSeveral { orders } => orders.last(),
            Standing::NotCreated | Standing::MayBeCreated { .. } => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::NotCreated => f.write_str("not created"),
            Standing::MayBeCreated { .. } => {
                f.write_str("it may have been created: the answer was lost")
            }
            Standing::Created { order } => write!(f, "created: {order}"),
            Standing::CreatedSeveral { orders } => {
                write!(f, "created {} times:", orders.len())?;
                orders.iter().try_for_each(|order| write!(f, " {order}"))
            }
        }
    }
}

/// Reason why a step of a placement may not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepRefusal {
    /// The placement has an order already.
    AlreadyCreated(Id),
    /// The placement may have an order already: a create has no known outcome.
    MayBeCreated,
    /// The placement has no order on which the step could act.
    NotCreated,
    /// Another create has this callback key, or this one that has ended.
    KeyUsed,
}

impl fmt::Display for StepRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StepRefusal::AlreadyCreated(order) => write!(
                f,
                "the order {order} was created under this reference; give the form another reference to order again"
            ),
            StepRefusal::MayBeCreated => f.write_str(
                "an order may have been created under this reference: find out first, or accept the risk of a second order",
            ),
            StepRefusal::NotCreated => f.write_str("no order was created under this reference yet"),
            StepRefusal::KeyUsed => f.write_str(
                "callback_key is that of another create, or of one that has ended; send a new one",
            ),
        }
    }
}

/// Checks that a step of a placement may begin after the given ones. `second_order_risked` allows a create although an
/// earlier one may have made an order.
///
/// # Errors
///
/// Returns the reason if the step may not begin.
pub fn may_begin(
    kind: &StepKind,
    steps: &[Step],
    second_order_risked: bool,
) -> Result<(), StepRefusal> {
    match (kind, Standing::after(steps)) {
        (StepKind::Create, Standing::NotCreated) => Ok(()),
        (StepKind::Create, Standing::MayBeCreated { .. }) if second_order_risked => Ok(()),
        (_, Standing::MayBeCreated { .. }) => Err(StepRefusal::MayBeCreated),
        (StepKind::Create, Standing::Created { order }) => Err(StepRefusal::AlreadyCreated(order)),
        (StepKind::Create, Standing::CreatedSeveral { orders }) => {
            let order = orders.into_iter().next_back();
            Err(order.map_or(StepRefusal::MayBeCreated, StepRefusal::AlreadyCreated))
        }
        (_, Standing::NotCreated) => Err(StepRefusal::NotCreated),
        (_, Standing::Created { .. } | Standing::CreatedSeveral { .. }) => Ok(()),
    }
}

/// Reason why an outcome cannot be that of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutcomeRefusal {
    /// An order is named, but only a create that succeeded makes one.
    MakesNoOrder,
    /// The create made another order, as an earlier record or a callback to its [`CallbackKey`](super::CallbackKey) says.
    MadeOther(Id),
    /// The create is said to be refused, but it made this order.
    MadeOrder(Id),
    /// Another outcome is known for certain already.
    Known(StepOutcome),
}

impl fmt::Display for OutcomeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutcomeRefusal::MakesNoOrder => {
                f.write_str("an order is named, but only a create that succeeded makes one")
            }
            OutcomeRefusal::MadeOther(order) => {
                write!(f, "this create made the order {order}, so it made no other")
            }
            OutcomeRefusal::MadeOrder(order) => {
                write!(
                    f,
                    "this create made the order {order}, so it was not refused"
                )
            }
            OutcomeRefusal::Known(outcome) => {
                write!(
                    f,
                    "the outcome of this step is known and stays: {}",
                    outcome.code()
                )
            }
        }
    }
}

/// Checks that an outcome, with the order that the step is said to have made, can be that of the step.
///
/// # Errors
///
/// Returns the reason if it cannot be.
pub fn may_end(
    step: &Step,
    outcome: StepOutcome,
    order: Option<&Id>,
) -> Result<(), OutcomeRefusal> {
    let makes_order = step.kind == StepKind::Create && outcome == StepOutcome::Succeeded;
    match (order, &step.order) {
        (Some(_), _) if !makes_order => return Err(OutcomeRefusal::MakesNoOrder),
        (Some(order), Some(made)) if made != order => {
            return Err(OutcomeRefusal::MadeOther(made.clone()));
        }
        _ => {}
    }
    match (step.outcome, &step.order) {
        (Some(known), _) if known == outcome => Ok(()),
        (Some(known), _) if known.is_certain() => Err(OutcomeRefusal::Known(known)),
        (_, Some(made)) if outcome == StepOutcome::Refused => {
            Err(OutcomeRefusal::MadeOrder(made.clone()))
        }
        _ => Ok(()),
    }
}

/// Judges a create whose answer was lost by the availability of the ordered number, before the create and now.
///
/// A number can be reserved only once, so one that was available and still is was presumably not ordered. A number that
/// is no longer available was ordered by this create or taken by someone else; the two look the same.
pub fn judge_lost_create(before: Option<bool>, now: Option<bool>) -> StepOutcome {
    if before == Some(true) && now == Some(true) {
        StepOutcome::NoEffectSeen
    } else {
        StepOutcome::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    fn id(text: &str) -> Id {
        Id::new(text).expect("an id")
    }

    fn create(id: i64, outcome: Option<StepOutcome>, order: Option<&str>) -> Step {
        Step {
            id,
            kind: StepKind::Create,
            begun_at: Time(id),
            outcome,
            available_before: None,
            order: order.map(self::id),
        }
    }

    #[test]
    fn the_standing_follows_from_the_creates() {
        use StepOutcome::{NoEffectSeen, Refused, Succeeded, Unknown};
        let created = |order: &str| Standing::Created { order: id(order) };
        for (steps, standing) in [
            (vec![], Standing::NotCreated),
            (
                vec![create(1, Some(Succeeded), None)],
                Standing::MayBeCreated { step: 1 },
            ),
            (vec![create(1, Some(Refused), None)], Standing::NotCreated),
            (
                vec![create(1, Some(NoEffectSeen), None)],
                Standing::NotCreated,
            ),
            (
                vec![create(1, None, None)],
                Standing::MayBeCreated { step: 1 },
            ),
            (
                vec![create(1, Some(Unknown), None)],
                Standing::MayBeCreated { step: 1 },
            ),
            (vec![create(1, Some(Succeeded), Some("o1"))], created("o1")),
            // A callback to the path of a create names its order, whatever was thought of it.
            (
                vec![create(1, Some(NoEffectSeen), Some("o1"))],
                created("o1"),
            ),
            (
                vec![
                    create(1, None, None),
                    create(2, Some(Succeeded), Some("o2")),
                ],
                created("o2"),
            ),
            (
                vec![
                    create(1, Some(Unknown), None),
                    create(2, Some(Refused), None),
                ],
                Standing::MayBeCreated { step: 1 },
            ),
            (
                vec![
                    create(1, Some(Unknown), Some("o1")),
                    create(2, None, Some("o2")),
                ],
                Standing::CreatedSeveral {
                    orders: vec![id("o1"), id("o2")],
                },
            ),
        ] {
            assert_eq!(Standing::after(&steps), standing, "{steps:?}");
        }
    }

    #[test]
    fn a_create_begins_only_where_there_is_no_order_and_can_be_none() {
        use StepOutcome::{Refused, Succeeded, Unknown};
        let attach = StepKind::Attach {
            attachment: "passport".to_owned(),
        };
        for (steps, may_create, may_create_at_risk, may_go_on) in [
            (vec![], true, true, false),
            (vec![create(1, Some(Refused), None)], true, true, false),
            (vec![create(1, None, None)], false, true, false),
            (vec![create(1, Some(Unknown), None)], false, true, false),
            (
                vec![create(1, Some(Succeeded), Some("o1"))],
                false,
                false,
                true,
            ),
            (
                vec![create(1, None, Some("o1")), create(2, None, Some("o2"))],
                false,
                false,
                true,
            ),
        ] {
            let may = |kind: &StepKind, risked| may_begin(kind, &steps, risked).is_ok();
            assert_eq!(may(&StepKind::Create, false), may_create, "{steps:?}");
            assert_eq!(
                may(&StepKind::Create, true),
                may_create_at_risk,
                "{steps:?}"
            );
            for kind in [&StepKind::Register, &attach, &StepKind::Submit] {
                assert_eq!(may(kind, false), may_go_on, "{kind:?} {steps:?}");
            }
        }
    }

    #[test]
    fn only_a_number_that_was_and_is_available_shows_that_a_create_had_no_effect() {
        for before in [None, Some(false), Some(true)] {
            for now in [None, Some(false), Some(true)] {
                let shows = before == Some(true) && now == Some(true);
                let judged = judge_lost_create(before, now);
                assert_eq!(
                    judged == StepOutcome::NoEffectSeen,
                    shows,
                    "{before:?} {now:?}"
                );
            }
        }
    }

    #[test]
    fn an_outcome_that_is_certain_stays() {
        use StepOutcome::{NoEffectSeen, Refused, Succeeded, Unknown};
        let all = [Succeeded, Refused, Unknown, NoEffectSeen];
        for known in all {
            for outcome in all {
                let is_certain = matches!(known, Succeeded | Refused);
                let contradicts = is_certain && outcome != known;
                let expected = contradicts.then_some(OutcomeRefusal::Known(known));
                let submit = Step {
                    kind: StepKind::Submit,
                    ..create(1, Some(known), None)
                };
                let ended = may_end(&submit, outcome, None).err();
                assert_eq!(ended, expected, "{known:?} {outcome:?}");
            }
            let order = id("o1");
            let found = may_end(&create(1, Some(known), None), Succeeded, Some(&order));
            assert_eq!(found.is_ok(), known != Refused, "{known:?}");
        }
        let made = create(1, Some(Succeeded), Some("o1"));
        assert_eq!(may_end(&made, Succeeded, None), Ok(()));
        assert_eq!(may_end(&made, Succeeded, Some(&id("o1"))), Ok(()));
        assert!(may_end(&made, Succeeded, Some(&id("o2"))).is_err());
        let known = Err(OutcomeRefusal::Known(Succeeded));
        assert_eq!(may_end(&made, Refused, None), known);
        // A callback has named the order of a create that Sinch had refused.
        let refused = create(1, Some(Refused), Some("o1"));
        assert_eq!(may_end(&refused, Refused, None), Ok(()));
    }

    #[test]
    fn only_a_create_that_succeeded_makes_an_order_and_only_one() {
        use StepOutcome::{NoEffectSeen, Refused, Succeeded, Unknown};
        let submit = Step {
            kind: StepKind::Submit,
            ..create(1, None, None)
        };
        let order = Some(&id("o1"));
        for outcome in [NoEffectSeen, Refused, Succeeded, Unknown] {
            let new = may_end(&create(1, None, None), outcome, order);
            assert_eq!(new.is_ok(), outcome == Succeeded, "{outcome:?}");
            let made = create(1, None, Some("o2"));
            assert!(may_end(&made, outcome, order).is_err(), "{outcome:?}");
            assert!(may_end(&submit, outcome, order).is_err(), "{outcome:?}");
            assert_eq!(may_end(&submit, outcome, None), Ok(()));
            let denied = outcome == Refused;
            let denied = denied.then(|| OutcomeRefusal::MadeOrder(id("o2")));
            assert_eq!(may_end(&made, outcome, None).err(), denied, "{outcome:?}");
        }
        assert_eq!(
            may_end(&create(1, None, Some("o1")), Succeeded, order),
            Ok(())
        );
    }
}
