//! When an order is to be asked about again.

use super::{Hint, Order, Rule, State, Time};

/// When an order wants to be asked again after a conclusive answer; `None`: at rest. `there_at` is that moment by
/// Sinch's clock.
pub(super) fn ask_again_at(
    order: &Order,
    asked_at: Time,
    there_at: Time,
    rule: &Rule,
) -> Option<Time> {
    // What one of two tied states says is settled with the tie.
    let shown = order.tie.as_ref().zip(order.confirmed.as_ref());
    let shown = shown.map(|(tie, known)| [Some(tie.state), Some(known.state)]);
    let open = |hint: &&Hint| shown.is_none_or(|shown| !shown.contains(&hint.state));
    // One question settles all others.
    let hints = order.hints.iter().filter(open);
    let settled_at = hints.map(|hint| hint.settles_at(rule)).max();
    // While events keep coming, each answer would ask for the next one.
    let rested_at = asked_at.plus(rule.cooldown);
    let settled_at = settled_at
        .filter(|at| *at > asked_at)
        .map(|at| at.max(rested_at));
    if let Some(tie) = &order.tie {
        let sure_at = rule.sure_at(tie.since).max(asked_at);
        return Some(settled_at.map_or(sure_at, |at| at.min(sure_at)));
    }
    if settled_at.is_some() {
        return settled_at;
    }
    let look_at = periodic_look_at(order, asked_at, there_at, rule);
    let Some(sure_at) = order.doubts.iter().map(|doubt| doubt.sure_at(rule)).max() else {
        return look_at;
    };
    let look_is_enough = |look_at: &Time| doubts_can_wait(order, asked_at, sure_at, *look_at, rule);
    Some(look_at.filter(look_is_enough).unwrap_or(sure_at))
}

/// Whether the next look at an order comes soon enough for the claims that are in doubt, instead of a question of
/// their own at `sure_at`.
fn doubts_can_wait(
    order: &Order,
    asked_at: Time,
    sure_at: Time,
    look_at: Time,
    rule: &Rule,
) -> bool {
    let is_final = order
        .confirmed
        .as_ref()
        .is_some_and(|known| known.state.is_final());
    // A final state is looked at once more anyway. That is soon enough where the answer ought to have included the
    // claim, but not where it was early, and merely shows what the claim seems to have led to.
    let early = || {
        order
            .doubts
            .iter()
            .any(|doubt| asked_at < doubt.settles_at(rule))
    };
    look_at <= sure_at.plus(rule.staleness_max) || is_final && !early()
}

/// When an order of which nothing new is heard is to be looked at again.
fn periodic_look_at(order: &Order, asked_at: Time, there_at: Time, rule: &Rule) -> Option<Time> {
    let known = order.confirmed.as_ref()?;
    if known.state.is_final() {
        let again = known.confirmed_at.plus(Rule::FINAL_AGAIN);
        return (asked_at < again).then_some(again);
    }
    // What moved lately may move again; what has long been quiet seldom does, unless its time runs out.
    let quiet = there_at.since(known.updated_at) / 4;
    let until = |at: Time| (at > there_at).then(|| at.since(there_at));
    let halfway = known
        .expires_at
        .filter(|_| known.state == State::Created)
        .and_then(until)
        .map(|left| left / 2);
    let pause = halfway.map_or(quiet, |halfway| halfway.min(quiet));
    let pause = pause.clamp(Rule::QUIET_MIN, Rule::QUIET_MAX);
    let after_expiry = known
        .expires_at
        .and_then(|at| until(at.plus(rule.staleness).plus(Rule::MARGIN)));
    Some(asked_at.plus(after_expiry.map_or(pause, |after| after.min(pause))))
}
