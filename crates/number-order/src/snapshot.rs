//! The meaning of Sinch's answer for an order, and the time of the next fetch.

use super::schedule::next_fetch_at;
use super::{
    Answer, Cause, Confirmed, Hint, Order, Outcome, Policy, Snapshot, State, Status, Tie, Time,
    Transition,
};

/// Result of applying an answer to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order after the answer.
    pub order: Order,
    /// Outcome of applying the answer.
    pub outcome: Outcome,
    /// The change of the order's state, if there was one, or the confirmation or withdrawal of a provisional state.
    pub transition: Option<Transition>,
}

/// Applies to an order the answer to a fetch that was sent at `fetched_at`.
///
/// After a conclusive answer the order itself says when its next fetch is due. After any other answer the caller treats
/// the attempt as failed (see [`super::fail()`]).
pub fn reconcile(order: &Order, answer: &Answer, fetched_at: Time, policy: &Policy) -> Change {
    let mut next = order.clone();
    next.fetched_at = Some(fetched_at);
    clamp_future_times(&mut next, fetched_at);
    let there_at = there_at(answer, fetched_at);
    let outcome = match answer {
        Answer::Found(snapshot) => {
            next.missing_since = None;
            apply_shown_order(&mut next, snapshot, fetched_at, there_at, policy)
        }
        Answer::NotFound => apply_not_found(&mut next, fetched_at, policy),
    };
    if outcome.is_conclusive() {
        next.attempts = 0;
        next.parked = None;
        drop_settled_hints(&mut next, fetched_at, policy);
        next.fetch_at = next_fetch_at(&next, fetched_at, there_at, policy);
    }
    let transition = transition_to_record(order, &next, &outcome);
    Change {
        order: next,
        outcome,
        transition,
    }
}

/// Returns the earliest time, by Sinch's clock, at which Sinch can have answered a fetch that was sent at `fetched_at`.
/// The service's clock may be behind by hours; then the answer's own date tells.
fn there_at(answer: &Answer, fetched_at: Time) -> Time {
    match answer {
        Answer::Found(shown) => shown.sent_at.map_or(fetched_at, |at| at.max(fetched_at)),
        Answer::NotFound => fetched_at,
    }
}

/// Clamps an order's times that lie ahead of the fetch. They were written before a clock was set back, and no order
/// must wait for them.
fn clamp_future_times(order: &mut Order, fetched_at: Time) {
    for hint in order.hints.iter_mut().chain(&mut order.doubts) {
        hint.heard_at = hint.heard_at.min(fetched_at);
    }
    if let Some(tie) = &mut order.tie {
        tie.since = tie.since.min(fetched_at);
    }
    if let Some(known) = &mut order.confirmed {
        known.shown_at = known.shown_at.min(fetched_at);
    }
    order.missing_since = order.missing_since.map(|since| since.min(fetched_at));
}

fn apply_shown_order(
    order: &mut Order,
    shown: &Snapshot,
    fetched_at: Time,
    there_at: Time,
    policy: &Policy,
) -> Outcome {
    let state = match &shown.state {
        Status::Known(state) => *state,
        Status::Unknown(_) => {
            return Outcome::UnknownState {
                shown: shown.state.clone(),
            };
        }
    };
    if shown.updated_at > there_at.plus(Policy::SKEW_MAX) {
        let by_secs = shown.updated_at.since(there_at).as_secs();
        return Outcome::Ahead {
            shown: state,
            by_secs,
        };
    }
    // The shown state had come about when Sinch answered, whatever else its date says.
    let shown = &Snapshot {
        updated_at: shown.updated_at.min(there_at.plus(Policy::SKEW)),
        ..shown.clone()
    };
    let Some(known) = order.confirmed.clone() else {
        confirm_state(order, state, shown, fetched_at);
        return Outcome::FirstAnswer { state };
    };
    if shown.updated_at < known.updated_at {
        // No answer is so stale that it could be older than a state that was shown that long ago, so the known date
        // must be wrong. Otherwise an order that moved on before the known date would be taken for a stale one forever.
        if fetched_at >= policy.sure_at(known.shown_at) {
            confirm_state(order, state, shown, fetched_at);
            let from = known.state;
            return Outcome::Redated { from, to: state };
        }
        return Outcome::Older {
            known: known.state,
            shown: state,
        };
    }
    if state == known.state {
        return apply_known_state(order, &known, shown, fetched_at, policy);
    }
    if shown.updated_at == known.updated_at && known.state != State::Created {
        let since = order.tie.as_ref().map_or(fetched_at, |tie| tie.since);
        // Both tied states had come about when the second one was first shown, so a fetch that is sent late enough
        // shows the later of the two. A sequence of the two that is no legal step proves nothing: a final state can be
        // left again within the same second. CREATED alone has nothing before it.
        if fetched_at < policy.sure_at(since) {
            order.tie = Some(Tie { state, since });
            return Outcome::Tied {
                known: known.state,
                shown: state,
            };
        }
    }
    confirm_state(order, state, shown, fetched_at);
    Outcome::Advanced {
        from: known.state,
        to: state,
        anomaly: !known.state.leads_to(state),
    }
}

/// Applies an answer that shows the order's known state, with the known `updateTime` or a later one.
fn apply_known_state(
    order: &mut Order,
    known: &Confirmed,
    shown: &Snapshot,
    fetched_at: Time,
    policy: &Policy,
) -> Outcome {
    let state = known.state;
    let newer = shown.updated_at > known.updated_at;
    // An early answer that shows the known state does not settle a tie in favour of that state.
    order
        .tie
        .take_if(|tie| newer || fetched_at >= policy.sure_at(tie.since));
    order.confirmed = Some(Confirmed {
        updated_at: shown.updated_at,
        expires_at: believable_expiry(shown),
        shown_at: if newer { fetched_at } else { known.shown_at },
        ..known.clone()
    });
    if newer {
        Outcome::Refreshed { state }
    } else {
        Outcome::Unchanged { state }
    }
}

/// Returns `expireTime`, unless it lies before the order's last change: the order would then expire at once.
fn believable_expiry(shown: &Snapshot) -> Option<Time> {
    shown.expires_at.filter(|at| *at >= shown.updated_at)
}

fn confirm_state(order: &mut Order, state: State, shown: &Snapshot, fetched_at: Time) {
    let reopened = order
        .confirmed
        .as_ref()
        .is_some_and(|known| known.reopened || known.state.is_final());
    order.tie = None;
    order.confirmed = Some(Confirmed {
        state,
        updated_at: shown.updated_at,
        expires_at: believable_expiry(shown),
        confirmed_at: fetched_at,
        shown_at: fetched_at,
        reopened,
    });
}

fn apply_not_found(order: &mut Order, fetched_at: Time, policy: &Policy) -> Outcome {
    let missing_since = *order.missing_since.get_or_insert(fetched_at);
    // A single 404 could come from a replica that lags behind, or from the end of an outage.
    let repeated = fetched_at >= missing_since.plus(policy.staleness).plus(Policy::APART);
    let claims = order.hints.iter().chain(&order.doubts);
    if let Some(known) = &order.confirmed
        && known.state.is_final()
    {
        if !repeated {
            return Outcome::NotFound;
        }
        let state = known.state;
        // Sinch will no longer show which of two tied states came last, so the one that was shown first is kept.
        order
            .tie
            .take_if(|tie| fetched_at >= policy.sure_at(tie.since));
        return Outcome::Gone { state };
    }
    let claimed: Vec<State> = claims.filter_map(|claim| claim.state).collect();
    // A submitted order has no reservation that could run out.
    let submitted = claimed.iter().any(|state| match state {
        State::InReview | State::Blocked | State::Completed | State::Rejected => true,
        State::Created | State::Expired => false,
    });
    let ran_out = order.confirmed.as_ref().is_some_and(|known| {
        known.state == State::Created && known.expires_at.is_some_and(|at| at <= fetched_at)
    });
    let expected = claimed.contains(&State::Expired) || ran_out && !submitted;
    if !(expected && repeated) {
        return Outcome::NotFound;
    }
    // No answer dates the expiry, so any dated answer that still comes must count as newer.
    let (updated_at, expires_at) = match &order.confirmed {
        Some(known) => (known.updated_at, known.expires_at),
        None => (Time(0), None),
    };
    let expired = Snapshot {
        state: Status::Known(State::Expired),
        updated_at,
        expires_at,
        unreadable_expiry: None,
        details: None,
        sent_at: None,
    };
    confirm_state(order, State::Expired, &expired, fetched_at);
    Outcome::ExpiredUnseen
}

/// Drops the hints that this answer settles, and a provisional state with its hint.
///
/// A hint is confirmed by an answer that shows its state. It is superseded if its claim surely came before the
/// confirmed state. Otherwise it is overruled by an answer that ought to include it, or that shows what it leads to.
/// That answer may still have been staler than usual, and the order may have come back to a state that it seems to have
/// passed. So the claim stays as a doubt until an answer that cannot be too stale overrules it as well.
fn drop_settled_hints(order: &mut Order, fetched_at: Time, policy: &Policy) {
    let (Some(confirmed), None) = (&order.confirmed, &order.tie) else {
        return;
    };
    let (state, updated_at) = (confirmed.state, Some(confirmed.updated_at));
    let settled = |claim: &Hint| claim.is_settled_by(state, updated_at, fetched_at, policy);
    order.doubts.retain(|doubt| !settled(doubt));
    let hints = std::mem::take(&mut order.hints);
    for hint in hints.into_iter().filter(|hint| !settled(hint)) {
        if fetched_at >= hint.settles_at(policy) || seems_passed(&hint, confirmed) {
            order.doubts.push(hint);
        } else {
            order.hints.push(hint);
        }
    }
    let open = |state: State| order.hints.iter().any(|hint| hint.state == Some(state));
    order.provisional.take_if(|provisional| {
        !open(provisional.state)
            || provisional.said_at <= confirmed.updated_at
            || !confirmed.state.leads_to(provisional.state)
    });
}

impl Hint {
    /// Returns `true` if an answer that confirms a state, with this `updateTime`, settles the claim for good: the state is
    /// the claimed one, or surely came after it, or the fetch was sent so late that its answer includes the claim.
    pub fn is_settled_by(
        &self,
        confirmed: State,
        updated_at: Option<Time>,
        fetched_at: Time,
        policy: &Policy,
    ) -> bool {
        // Both times are Sinch's, and nothing is said before it has come about.
        let is_superseded = self
            .said_at
            .zip(updated_at)
            .is_some_and(|(said_at, updated_at)| updated_at > said_at.plus(Policy::SKEW));
        self.state == Some(confirmed) || is_superseded || fetched_at >= self.sure_at(policy)
    }
}

/// Returns `true` if the claim names an open state that the order seems to have passed on the way to its confirmed
/// final state, by times that are too close to be sure.
fn seems_passed(hint: &Hint, confirmed: &Confirmed) -> bool {
    let close = |said_at: Time| said_at <= confirmed.updated_at.plus(Policy::SKEW);
    confirmed.state.is_final()
        && hint.state.is_some_and(|state| !state.is_final())
        && hint.said_at.is_some_and(close)
}

/// Returns the order's change that is to be recorded: of its confirmed state, or of the state that an operator sees.
fn transition_to_record(before: &Order, after: &Order, outcome: &Outcome) -> Option<Transition> {
    let confirmed = |order: &Order| order.confirmed.as_ref().map(|c| c.state);
    let now = after.confirmed.as_ref()?;
    let changed = confirmed(before) != confirmed(after);
    let withdrawn = before.state() != after.state();
    if !(changed || withdrawn) {
        return None;
    }
    let outcome = outcome.clone();
    let (from, cause) = if changed {
        (confirmed(before), Cause::Answer { outcome })
    } else {
        (before.state(), Cause::EventOverruled { outcome })
    };
    Some(Transition {
        from,
        to: now.state,
        confirmed: true,
        said_at: now.updated_at,
        cause,
    })
}
