//! What an answer of Sinch means for an order, and when to ask again.

use std::fmt;
use std::time::Duration;

use super::schedule::ask_again_at;
use super::{Answer, Confirmed, Hint, Order, Rule, Snapshot, State, Status, Tie, Time, Transition};

/// What an answer turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The first answer for this order.
    First(State),
    /// A newer state.
    Advanced {
        /// The confirmed state before.
        from: State,
        /// The confirmed state now.
        to: State,
        /// No sequence of legal steps leads there.
        anomaly: bool,
    },
    /// The same state, updated since.
    Refreshed(State),
    /// Nothing new.
    Unchanged(State),
    /// Older than what is known: a stale answer, not applied.
    Older {
        /// The confirmed state, which stands.
        known: State,
        /// The state in the answer.
        shown: State,
    },
    /// Shown with an older `updateTime` than what is known, but by an answer that cannot be that stale: the known
    /// `updateTime` was wrong. Applied.
    Redated {
        /// The confirmed state before.
        from: State,
        /// The confirmed state now.
        to: State,
    },
    /// An `updateTime` so far ahead that it cannot be one: not applied.
    Ahead {
        /// The state in the answer.
        shown: State,
        /// By how much.
        by: Duration,
    },
    /// Another state with the same `updateTime`: not applied until it is known which came last.
    Tied {
        /// The confirmed state, which stands for now.
        known: State,
        /// The state in the answer.
        shown: State,
    },
    /// A state that is none of the documented ones: kept here, never applied.
    UnknownState(Status),
    /// 404 for an order that ought to be there.
    NotFound,
    /// 404 for an order whose final state is known.
    Gone(State),
    /// 404, twice, for an order that had to expire: Sinch may forget what expired.
    ExpiredUnseen,
}

impl Finding {
    /// Whether the answer told the order's state. One that did not counts as a failed try.
    pub fn is_conclusive(&self) -> bool {
        match self {
            Finding::First(_)
            | Finding::Advanced { .. }
            | Finding::Refreshed(_)
            | Finding::Unchanged(_)
            | Finding::Redated { .. }
            | Finding::Tied { .. }
            | Finding::Gone(_)
            | Finding::ExpiredUnseen => true,
            Finding::Older { .. }
            | Finding::Ahead { .. }
            | Finding::UnknownState(_)
            | Finding::NotFound => false,
        }
    }

    /// Whether somebody should be told that this ought not to happen.
    pub fn is_anomaly(&self) -> bool {
        match self {
            Finding::Advanced { anomaly, .. } => *anomaly,
            Finding::Redated { .. } | Finding::Ahead { .. } | Finding::UnknownState(_) => true,
            Finding::First(_)
            | Finding::Refreshed(_)
            | Finding::Unchanged(_)
            | Finding::Older { .. }
            | Finding::Tied { .. }
            | Finding::NotFound
            | Finding::Gone(_)
            | Finding::ExpiredUnseen => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::First(state) => write!(f, "Sinch shows {state}: confirmed"),
            Finding::Advanced { from, to, anomaly } => {
                write!(f, "Sinch shows {to}: confirmed after {from}")?;
                if *anomaly && from.is_final() {
                    write!(f, "; a final state was re-opened")
                } else if *anomaly {
                    write!(f, "; no legal step leads there")
                } else {
                    Ok(())
                }
            }
            Finding::Refreshed(state) => write!(f, "Sinch still shows {state}, updated since"),
            Finding::Unchanged(state) => write!(f, "Sinch still shows {state}"),
            Finding::Older { known, shown } => {
                write!(
                    f,
                    "Sinch's answer {shown} is older than the known {known}: not applied"
                )
            }
            Finding::Redated { from, to } => write!(
                f,
                "Sinch shows {to}, and its update time is older than that of the known {from}, which was wrong: confirmed"
            ),
            Finding::Ahead { shown, by } => write!(
                f,
                "Sinch's answer {shown} has an update time {} s ahead: not applied; is this machine's clock right?",
                by.as_secs()
            ),
            Finding::Tied { known, shown } => write!(
                f,
                "Sinch shows {shown} with the same update time as {known}: applied if it still does when the order of the two is sure"
            ),
            Finding::UnknownState(status) => {
                write!(f, "Sinch shows the unknown state {status}: not applied")
            }
            Finding::NotFound => write!(f, "Sinch does not know the order (404)"),
            Finding::Gone(state) => {
                write!(f, "Sinch no longer shows the order (404); {state} stands")
            }
            Finding::ExpiredUnseen => {
                write!(
                    f,
                    "Sinch no longer shows the order (404) after it had to expire: EXPIRED"
                )
            }
        }
    }
}

/// What an answer changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The order afterwards.
    pub order: Order,
    /// What the answer turned out to be.
    pub finding: Finding,
    /// The change of state, if there was one, or a provisional state's confirmation or withdrawal.
    pub transition: Option<Transition>,
}

/// Weighs the answer to a question that was sent at `asked_at`.
///
/// After a conclusive answer the order says itself when it wants to be asked again; after any other the
/// caller treats the try as failed (see [`super::fail()`]).
pub fn reconcile(order: &Order, answer: &Answer, asked_at: Time, rule: &Rule) -> Change {
    let mut next = order.clone();
    next.asked_at = Some(asked_at);
    bring_back(&mut next, asked_at);
    let there_at = there_at(answer, asked_at);
    let finding = match answer {
        Answer::Found(snapshot) => {
            next.missing_since = None;
            found(&mut next, snapshot, asked_at, there_at, rule)
        }
        Answer::NotFound => not_found(&mut next, asked_at, rule),
    };
    if finding.is_conclusive() {
        next.attempts = 0;
        next.parked = None;
        settle_hints(&mut next, asked_at, rule);
        next.ask_at = ask_again_at(&next, asked_at, there_at, rule);
    }
    let transition = transition(order, &next, &finding);
    Change {
        order: next,
        finding,
        transition,
    }
}

/// The time at Sinch when it answers a question that was sent at `asked_at`, at least. Our clock may be behind by hours;
/// then the answer's own date tells.
fn there_at(answer: &Answer, asked_at: Time) -> Time {
    match answer {
        Answer::Found(shown) => shown.sent_at.map_or(asked_at, |at| at.max(asked_at)),
        Answer::NotFound => asked_at,
    }
}

/// What lies ahead of the question was written before a clock was set back; nobody is to wait for it.
fn bring_back(order: &mut Order, asked_at: Time) {
    for hint in order.hints.iter_mut().chain(&mut order.doubts) {
        hint.heard_at = hint.heard_at.min(asked_at);
    }
    if let Some(tie) = &mut order.tie {
        tie.since = tie.since.min(asked_at);
    }
    if let Some(known) = &mut order.confirmed {
        known.shown_at = known.shown_at.min(asked_at);
    }
    order.missing_since = order.missing_since.map(|since| since.min(asked_at));
}

fn found(
    order: &mut Order,
    shown: &Snapshot,
    asked_at: Time,
    there_at: Time,
    rule: &Rule,
) -> Finding {
    let state = match &shown.state {
        Status::Known(state) => *state,
        Status::Unknown(_) => return Finding::UnknownState(shown.state.clone()),
    };
    if shown.updated_at > there_at.plus(Rule::SKEW_MAX) {
        let by = shown.updated_at.since(there_at);
        return Finding::Ahead { shown: state, by };
    }
    // What is shown has come about by then, whatever else its date says.
    let shown = &Snapshot {
        updated_at: shown.updated_at.min(there_at.plus(Rule::SKEW)),
        ..shown.clone()
    };
    let Some(known) = order.confirmed.clone() else {
        confirm(order, state, shown, asked_at);
        return Finding::First(state);
    };
    if shown.updated_at < known.updated_at {
        // No answer is so stale that it could be older than what was shown by then: so it is the known date that is
        // wrong. An order that moved on before that date would else be taken for a stale one for ever.
        if asked_at >= rule.sure_at(known.shown_at) {
            confirm(order, state, shown, asked_at);
            let from = known.state;
            return Finding::Redated { from, to: state };
        }
        return Finding::Older {
            known: known.state,
            shown: state,
        };
    }
    if state == known.state {
        let newer = shown.updated_at > known.updated_at;
        // An early answer does not settle a tie in favour of the known state either.
        order
            .tie
            .take_if(|tie| newer || asked_at >= rule.sure_at(tie.since));
        order.confirmed = Some(Confirmed {
            updated_at: shown.updated_at,
            expires_at: believable_expiry(shown),
            shown_at: if newer { asked_at } else { known.shown_at },
            ..known
        });
        return if newer {
            Finding::Refreshed(state)
        } else {
            Finding::Unchanged(state)
        };
    }
    if shown.updated_at == known.updated_at && known.state != State::Created {
        let since = order.tie.as_ref().map_or(asked_at, |tie| tie.since);
        // Both had come about by then, so a question that is sent late enough shows the later of the two. That one
        // order of the two is no legal step proves nothing: a final state can be left again within the same second.
        // CREATED alone has nothing before it.
        if asked_at < rule.sure_at(since) {
            order.tie = Some(Tie { state, since });
            return Finding::Tied {
                known: known.state,
                shown: state,
            };
        }
    }
    confirm(order, state, shown, asked_at);
    Finding::Advanced {
        from: known.state,
        to: state,
        anomaly: !known.state.leads_to(state),
    }
}

/// `expireTime`, unless it lies before the order's last change: that would have it expire at once.
fn believable_expiry(shown: &Snapshot) -> Option<Time> {
    shown.expires_at.filter(|at| *at >= shown.updated_at)
}

fn confirm(order: &mut Order, state: State, shown: &Snapshot, asked_at: Time) {
    let reopened = order
        .confirmed
        .as_ref()
        .is_some_and(|known| known.reopened || known.state.is_final());
    order.tie = None;
    order.confirmed = Some(Confirmed {
        state,
        updated_at: shown.updated_at,
        expires_at: believable_expiry(shown),
        confirmed_at: asked_at,
        shown_at: asked_at,
        reopened,
    });
}

fn not_found(order: &mut Order, asked_at: Time, rule: &Rule) -> Finding {
    let missing_since = *order.missing_since.get_or_insert(asked_at);
    // Once could be a replica that lags behind, or the end of an outage.
    let repeated = asked_at >= missing_since.plus(rule.staleness).plus(Rule::APART);
    let claims = order.hints.iter().chain(&order.doubts);
    if let Some(known) = &order.confirmed
        && known.state.is_final()
    {
        if !repeated {
            return Finding::NotFound;
        }
        let state = known.state;
        // What came last, Sinch will not show any more: what was shown first stands.
        order.tie.take_if(|tie| asked_at >= rule.sure_at(tie.since));
        return Finding::Gone(state);
    }
    let claimed: Vec<State> = claims.filter_map(|claim| claim.state).collect();
    // What was submitted has no reservation that could run out.
    let submitted = claimed.iter().any(|state| match state {
        State::InReview | State::Blocked | State::Completed | State::Rejected => true,
        State::Created | State::Expired => false,
    });
    let ran_out = order.confirmed.as_ref().is_some_and(|known| {
        known.state == State::Created && known.expires_at.is_some_and(|at| at <= asked_at)
    });
    let expected = claimed.contains(&State::Expired) || ran_out && !submitted;
    if !(expected && repeated) {
        return Finding::NotFound;
    }
    // No answer dates it, so any that still comes and has a date shall count as newer.
    let (updated_at, expires_at) = match &order.confirmed {
        Some(known) => (known.updated_at, known.expires_at),
        None => (Time(0), None),
    };
    let expired = Snapshot {
        state: Status::Known(State::Expired),
        updated_at,
        expires_at,
        remark: None,
        sent_at: None,
    };
    confirm(order, State::Expired, &expired, asked_at);
    Finding::ExpiredUnseen
}

/// Drops the hints that this answer settles, and a provisional state with its hint.
///
/// A hint is borne out by its state; overtaken where what it speaks of surely came before; and otherwise overruled, by
/// an answer that ought to include it or that shows what it leads to. That answer may still have been staler than
/// usual, and the order may have come back to where it seems to have passed. So the claim stays as a doubt, until it
/// is overruled by an answer that cannot be too stale.
fn settle_hints(order: &mut Order, asked_at: Time, rule: &Rule) {
    let (Some(confirmed), None) = (&order.confirmed, &order.tie) else {
        return;
    };
    let settled = |claim: &Hint| {
        let borne_out = claim.state == Some(confirmed.state);
        borne_out || overtaken(claim, confirmed) || asked_at >= claim.sure_at(rule)
    };
    order.doubts.retain(|doubt| !settled(doubt));
    let hints = std::mem::take(&mut order.hints);
    for hint in hints.into_iter().filter(|hint| !settled(hint)) {
        if asked_at >= hint.settles_at(rule) || passed(&hint, confirmed) {
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

/// Whether what the claim speaks of surely came before the confirmed state: both times are Sinch's, and nothing is
/// said before it has come about.
fn overtaken(claim: &Hint, confirmed: &Confirmed) -> bool {
    claim
        .said_at
        .is_some_and(|said_at| confirmed.updated_at > said_at.plus(Rule::SKEW))
}

/// Whether the claim names an open state that seems to have been passed on the way to the confirmed final one, by
/// times that are too close to be sure.
fn passed(hint: &Hint, confirmed: &Confirmed) -> bool {
    let close = |said_at: Time| said_at <= confirmed.updated_at.plus(Rule::SKEW);
    confirmed.state.is_final()
        && hint.state.is_some_and(|state| !state.is_final())
        && hint.said_at.is_some_and(close)
}

/// The change worth recording: of the confirmed state, or of the state that an operator sees.
fn transition(before: &Order, after: &Order, finding: &Finding) -> Option<Transition> {
    let confirmed = |order: &Order| order.confirmed.as_ref().map(|c| c.state);
    let now = after.confirmed.as_ref()?;
    let changed = confirmed(before) != confirmed(after);
    let withdrawn = before.state() != after.state();
    if !(changed || withdrawn) {
        return None;
    }
    let (from, cause) = match changed {
        true => (confirmed(before), finding.to_string()),
        false => {
            let cause = format!("{finding}, late enough to overrule the event");
            (before.state(), cause)
        }
    };
    Some(Transition {
        from,
        to: now.state,
        confirmed: true,
        said_at: now.updated_at,
        cause,
    })
}
