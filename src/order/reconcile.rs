//! What an answer of Sinch means for an order, and when to ask again.

use std::fmt;

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
            | Finding::Tied { .. }
            | Finding::Gone(_)
            | Finding::ExpiredUnseen => true,
            Finding::Older { .. } | Finding::UnknownState(_) | Finding::NotFound => false,
        }
    }

    /// Whether somebody should be told that this ought not to happen.
    pub fn is_anomaly(&self) -> bool {
        match self {
            Finding::Advanced { anomaly, .. } => *anomaly,
            Finding::UnknownState(_) => true,
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
    bring_back(&mut next, asked_at, rule);
    let finding = match answer {
        Answer::Found(snapshot) => {
            next.missing_since = None;
            found(&mut next, snapshot, asked_at, rule)
        }
        Answer::NotFound => not_found(&mut next, asked_at, rule),
    };
    if finding.is_conclusive() {
        next.attempts = 0;
        next.parked = None;
        let contradicted = settle_hints(&mut next, asked_at);
        next.ask_at = ask_again_at(&next, contradicted, asked_at, rule);
    }
    let transition = transition(order, &next, &finding);
    Change {
        order: next,
        finding,
        transition,
    }
}

/// What lies ahead of the question was written before a clock was set back; nobody is to wait for it.
fn bring_back(order: &mut Order, asked_at: Time, rule: &Rule) {
    let latest = asked_at
        .plus(Rule::SKEW_MAX)
        .plus(rule.staleness)
        .plus(Rule::MARGIN);
    for hint in &mut order.hints {
        hint.settles_at = hint.settles_at.min(latest);
    }
    if let Some(tie) = &mut order.tie {
        tie.since = tie.since.min(asked_at);
    }
    order.missing_since = order.missing_since.map(|since| since.min(asked_at));
}

fn found(order: &mut Order, shown: &Snapshot, asked_at: Time, rule: &Rule) -> Finding {
    let state = match &shown.state {
        Status::Known(state) => *state,
        Status::Unknown(_) => return Finding::UnknownState(shown.state.clone()),
    };
    let Some(known) = order.confirmed.clone() else {
        confirm(order, state, shown, asked_at);
        return Finding::First(state);
    };
    if shown.updated_at < known.updated_at {
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
            .take_if(|tie| newer || asked_at >= sure_at(tie.since, rule));
        order.confirmed = Some(Confirmed {
            updated_at: shown.updated_at,
            expires_at: shown.expires_at,
            ..known
        });
        return match newer {
            true => Finding::Refreshed(state),
            false => Finding::Unchanged(state),
        };
    }
    if shown.updated_at == known.updated_at && known.state != State::Created {
        let since = order.tie.as_ref().map_or(asked_at, |tie| tie.since);
        if asked_at < sure_at(since, rule) {
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

/// From when on a question settles a tie that is known since then: what it shows is the later of the two.
///
/// Both had come about by then, so an answer as of a later moment shows what came last, and no answer is
/// staler than the very worst. That one order of the two is no legal step proves nothing: a final state can
/// be left again within the same second. CREATED alone has nothing before it.
fn sure_at(since: Time, rule: &Rule) -> Time {
    since.plus(rule.staleness_max).plus(Rule::APART)
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
        expires_at: shown.expires_at,
        confirmed_at: asked_at,
        reopened,
    });
}

fn not_found(order: &mut Order, asked_at: Time, rule: &Rule) -> Finding {
    let missing_since = *order.missing_since.get_or_insert(asked_at);
    if let Some(known) = &order.confirmed
        && known.state.is_final()
    {
        let state = known.state;
        // What came last, Sinch will not show any more: what was shown first stands.
        order
            .tie
            .take_if(|tie| asked_at >= sure_at(tie.since, rule));
        return Finding::Gone(state);
    }
    let expected = order
        .hints
        .iter()
        .any(|hint| hint.state == Some(State::Expired))
        || order.confirmed.as_ref().is_some_and(|known| {
            known.state == State::Created && known.expires_at.is_some_and(|at| at <= asked_at)
        });
    // Once could be a replica that lags behind the order's creation.
    let repeated = asked_at >= missing_since.plus(rule.staleness).plus(Rule::APART);
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
    };
    confirm(order, State::Expired, &expired, asked_at);
    Finding::ExpiredUnseen
}

/// Drops the hints that this answer settles, and a provisional state with its hint; `true`: a hint was
/// contradicted, by an answer that ought to have known of it.
///
/// A hint is borne out by its state; overtaken where what it speaks of came before; or contradicted by any
/// other answer to a question that was sent late enough.
fn settle_hints(order: &mut Order, asked_at: Time) -> bool {
    let (Some(confirmed), None) = (&order.confirmed, &order.tie) else {
        return false;
    };
    let mut contradicted = false;
    order.hints.retain(|hint| {
        let borne_out = hint.state == Some(confirmed.state);
        let overtaken = overtaken(hint, confirmed);
        let late = asked_at >= hint.settles_at;
        contradicted |= late && !borne_out && !overtaken;
        !(borne_out || overtaken || late)
    });
    let open = |state: State| order.hints.iter().any(|hint| hint.state == Some(state));
    order.provisional.take_if(|provisional| {
        !open(provisional.state)
            || provisional.said_at <= confirmed.updated_at
            || !confirmed.state.leads_to(provisional.state)
    });
    contradicted
}

/// Whether what the hint speaks of came before the confirmed state.
fn overtaken(hint: &Hint, confirmed: &Confirmed) -> bool {
    // Both times are Sinch's, and nothing is said before it has come about.
    let surely = confirmed.updated_at > hint.said_at.plus(Rule::SKEW);
    // An open state is passed on the way to a final one. Should the final one have been left again within
    // these seconds, the look at it a day later shows that.
    let passed = confirmed.state.is_final()
        && hint.state.is_some_and(|state| !state.is_final())
        && hint.said_at <= confirmed.updated_at.plus(Rule::SKEW);
    surely || passed
}

/// When an order wants to be asked again after a conclusive answer; `None`: at rest.
fn ask_again_at(order: &Order, contradicted: bool, asked_at: Time, rule: &Rule) -> Option<Time> {
    // What one of two tied states says is settled with the tie.
    let shown = order.tie.as_ref().zip(order.confirmed.as_ref());
    let shown = shown.map(|(tie, known)| [Some(tie.state), Some(known.state)]);
    let open = |hint: &&Hint| shown.is_none_or(|shown| !shown.contains(&hint.state));
    // One question settles all others.
    let settled_at = order
        .hints
        .iter()
        .filter(open)
        .map(|hint| hint.settles_at)
        .max();
    let settled_at = settled_at.filter(|at| *at > asked_at);
    if let Some(tie) = &order.tie {
        let sure_at = sure_at(tie.since, rule).max(asked_at);
        return Some(settled_at.map_or(sure_at, |at| at.min(sure_at)));
    }
    if settled_at.is_some() {
        return settled_at;
    }
    let look_at = periodic_look_at(order, asked_at, rule);
    let is_final = order
        .confirmed
        .as_ref()
        .is_some_and(|known| known.state.is_final());
    // The answer that contradicts an event may have been staler than usual. While a final state is still
    // to be looked at once more, that look is enough.
    if contradicted && !(is_final && look_at.is_some()) {
        let sure_at = asked_at.plus(rule.staleness_max);
        return Some(look_at.map_or(sure_at, |at| at.min(sure_at)));
    }
    look_at
}

/// When an order of which nothing new is heard is to be looked at again.
fn periodic_look_at(order: &Order, asked_at: Time, rule: &Rule) -> Option<Time> {
    let known = order.confirmed.as_ref()?;
    if known.state.is_final() {
        let again = known.confirmed_at.plus(Rule::FINAL_AGAIN);
        return (asked_at < again).then_some(again);
    }
    // What moved lately may move again; what has long been quiet seldom does, unless its time runs out.
    let quiet = asked_at.since(known.updated_at) / 4;
    let left = known
        .expires_at
        .filter(|at| known.state == State::Created && *at > asked_at)
        .map(|at| at.since(asked_at) / 2);
    let pause = left.map_or(quiet, |left| left.min(quiet));
    let again = asked_at.plus(pause.clamp(Rule::QUIET_MIN, Rule::QUIET_MAX));
    let after_expiry = known
        .expires_at
        .map(|at| at.plus(rule.staleness).plus(Rule::MARGIN))
        .filter(|at| *at > asked_at);
    Some(after_expiry.map_or(again, |at| again.min(at)))
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
