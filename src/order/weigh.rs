//! What a try to ask Sinch means for an order, with or without an answer.

use super::{Answer, BackOff, Failure, Finding, Order, Rule, Time, Transition, fail, reconcile};

/// A question that was sent, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    /// When it was sent.
    pub asked_at: Time,
    /// The answer, or why there was none.
    pub result: &'a Result<Answer, Failure>,
    /// Whether a failure is this order's own. One of the provider as a whole uses up none of its tries.
    pub healthy: bool,
    /// Now.
    pub now: Time,
    /// Chance from 0 to 1, which spreads retries.
    pub roll: f64,
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The order afterwards; it knows when it is to be asked about next.
    pub order: Order,
    /// What the answer turned out to be, or why there was none.
    pub finding: Result<Finding, Failure>,
    /// The change worth recording, if there was one.
    pub transition: Option<Transition>,
}

/// Weighs a try. An answer that does not tell the order's state counts as a failure, like none at all.
pub fn weigh(order: &Order, tried: Tried<'_>, rule: &Rule, back_off: &BackOff) -> Weighed {
    let (mut order, finding, transition) = match tried.result {
        Ok(answer) => {
            let change = reconcile(order, answer, tried.asked_at, rule);
            (change.order, Ok(change.finding), change.transition)
        }
        Err(failure) => {
            let asked_at = Some(tried.asked_at);
            let order = Order {
                asked_at,
                ..order.clone()
            };
            (order, Err(failure.clone()), None)
        }
    };
    let failure = match &finding {
        Ok(finding) if finding.is_conclusive() => None,
        Ok(finding) => Some(Failure {
            reason: finding.to_string(),
            wait_min: rule.after_stale(),
        }),
        Err(failure) => Some(failure.clone()),
    };
    if let Some(failure) = failure {
        let Tried {
            healthy, now, roll, ..
        } = tried;
        order = fail(&order, &failure, healthy, now, back_off, roll);
    }
    heed_wish(&mut order, &tried);
    Weighed {
        order,
        finding,
        transition,
    }
}

/// A wish is fulfilled by an answer to a question that was sent after it. An older question leaves it as it was
/// made: due at once, with all tries.
fn heed_wish(order: &mut Order, tried: &Tried<'_>) {
    let Some(wished_at) = order.wished_at else {
        return;
    };
    if tried.asked_at < wished_at {
        order.attempts = 0;
        order.parked = None;
        let ask_at = order.ask_at.map_or(wished_at, |at| at.min(wished_at));
        order.ask_at = Some(ask_at);
    } else if tried.result.is_ok() {
        order.wished_at = None;
    }
}
