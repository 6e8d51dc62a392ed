//! The time of an order's next fetch.

use super::{Hint, Order, Policy, State, Time};

/// Returns the time of the next fetch after a conclusive answer; `None` if the order is at rest from then on.
/// `there_at` is the same moment as `fetched_at`, by Sinch's clock.
///
/// The cooldown comes first, whatever is open: while events keep coming, each answer would cause the next fetch.
pub(super) fn next_fetch_at(
    order: &Order,
    fetched_at: Time,
    there_at: Time,
    policy: &Policy,
) -> Option<Time> {
    let rested_at = fetched_at.plus(policy.cooldown);
    let wanted_at = wanted_fetch_at(order, fetched_at, there_at, policy);
    wanted_at.map(|at| at.max(rested_at))
}

/// Returns the time at which a fetch is wanted, as [`next_fetch_at`] does, but without the cooldown.
fn wanted_fetch_at(
    order: &Order,
    fetched_at: Time,
    there_at: Time,
    policy: &Policy,
) -> Option<Time> {
    // A claim of one of the two tied states is settled with the tie.
    let shown = order.tie.as_ref().zip(order.confirmed.as_ref());
    let shown = shown.map(|(tie, known)| [Some(tie.state), Some(known.state)]);
    let open = |hint: &&Hint| shown.is_none_or(|shown| !shown.contains(&hint.state));
    // One fetch settles all other claims.
    let hints = order.hints.iter().filter(open);
    let settled_at = hints.map(|hint| hint.settles_at(policy)).max();
    let settled_at = settled_at.filter(|at| *at > fetched_at);
    if let Some(tie) = &order.tie {
        let sure_at = policy.sure_at(tie.since).max(fetched_at);
        return Some(settled_at.map_or(sure_at, |at| at.min(sure_at)));
    }
    if settled_at.is_some() {
        return settled_at;
    }
    let check_at = periodic_fetch_at(order, fetched_at, there_at, policy);
    let Some(sure_at) = order.doubts.iter().map(|doubt| doubt.sure_at(policy)).max() else {
        return check_at;
    };
    let one_fetch_is_enough =
        |check_at: &Time| doubts_can_wait(order, fetched_at, sure_at, *check_at, policy);
    Some(check_at.filter(one_fetch_is_enough).unwrap_or(sure_at))
}

/// Returns `true` if an order's next periodic fetch comes soon enough for the claims that are in doubt, so that they
/// need no fetch of their own at `sure_at`.
fn doubts_can_wait(
    order: &Order,
    fetched_at: Time,
    sure_at: Time,
    check_at: Time,
    policy: &Policy,
) -> bool {
    let is_final = order
        .confirmed
        .as_ref()
        .is_some_and(|known| known.state.is_final());
    // A final order is fetched once more anyway. That is soon enough if the answer ought to have included the claim. It
    // is not soon enough if the answer was early and merely shows what the claim seems to have led to.
    let early = || {
        order
            .doubts
            .iter()
            .any(|doubt| fetched_at < doubt.settles_at(policy))
    };
    check_at <= sure_at.plus(policy.staleness_max) || is_final && !early()
}

/// Returns the time of the periodic fetch of an order about which no new event arrives.
fn periodic_fetch_at(
    order: &Order,
    fetched_at: Time,
    there_at: Time,
    policy: &Policy,
) -> Option<Time> {
    let known = order.confirmed.as_ref()?;
    if known.state.is_final() {
        let again = known.confirmed_at.plus(Policy::FINAL_AGAIN);
        return (fetched_at < again).then_some(again);
    }
    // An order that changed lately may change again. One that has long been quiet seldom does, unless its reservation
    // runs out.
    let quiet = there_at.since(known.updated_at) / 4;
    let until = |at: Time| (at > there_at).then(|| at.since(there_at));
    let halfway = known
        .expires_at
        .filter(|_| known.state == State::Created)
        .and_then(until)
        .map(|left| left / 2);
    let pause = halfway.map_or(quiet, |halfway| halfway.min(quiet));
    let pause = pause.clamp(Policy::QUIET_MIN, Policy::QUIET_MAX);
    let after_expiry = known
        .expires_at
        .and_then(|at| until(at.plus(policy.staleness).plus(Policy::MARGIN)));
    Some(fetched_at.plus(after_expiry.map_or(pause, |after| after.min(pause))))
}
