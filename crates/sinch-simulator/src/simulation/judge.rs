//! Judges the play of an order: every state that is confirmed must be true, and the order must never be stuck.

use std::time::Duration;

use super::play::Play;
use super::subject::Subject;
use super::tally::{Rare, Stuck, Wrong};
use crate::history::happens;
use number_order::{FetchAttempt, Order, Outcome, State};

/// Maximum time from an operator's request to the sending of its fetch, whatever goes wrong.
const REQUEST_MAX: Duration = Duration::from_secs(20 * 60);

impl<M: Subject> Play<'_, M> {
    /// Judges a state that was just confirmed: the order must have entered it after the one before.
    pub(super) fn judge(&mut self, state: State) {
        let history = &self.history.states;
        let is_there = |&i: &usize| history[i].1 == state && history[i].0 <= self.now;
        // After a false state, the order may return to the last true state that was confirmed.
        let from = self.reached.map_or(0, |reached| {
            reached + usize::from(!self.verdict.has_false_states())
        });
        if let Some(step) = (from..history.len()).find(is_there) {
            self.reached = Some(step);
        } else {
            let wrong = Wrong::FalseState {
                at: self.now,
                state,
            };
            self.note(|| wrong.to_string());
            self.verdict.wrong.push(wrong);
        }
        let right = Some(state) == self.history.final_state();
        self.right_since = right.then_some(self.now);
    }

    /// Judges the schedule of the order: while something is open, a fetch must be planned, unless the order is parked.
    pub(super) fn judge_open(&mut self) {
        let order = self.subject.order();
        let open = match &order.confirmed {
            Some(known) => !known.state.is_final(),
            None => true,
        };
        let open = open || !order.hints.is_empty() || !order.doubts.is_empty();
        if open && order.fetch_at.is_none() && order.parked.is_none() {
            self.stuck(Stuck::NoFetchAhead);
        }
    }

    /// Judges how long an operator has waited for a requested fetch.
    pub(super) fn judge_request(&mut self) {
        if let Some(since) = self.requested_at
            && self.now.saturating_sub(since) > REQUEST_MAX
        {
            self.requested_at = None;
            self.stuck(Stuck::RequestIgnored);
        }
    }

    pub(super) fn stuck(&mut self, how: Stuck) {
        let wrong = Wrong::Stuck { at: self.now, how };
        self.note(|| wrong.to_string());
        self.verdict.wrong.push(wrong);
    }

    /// Counts the attempts in a row that have failed through the order itself.
    pub(super) fn count_failure(&mut self, attempt: &FetchAttempt<'_>, outcome: Option<&Outcome>) {
        let is_answered = match outcome {
            Some(outcome) => outcome.is_conclusive(),
            None => attempt.result.is_ok(),
        };
        if is_answered {
            self.own_failures = 0;
        } else {
            self.own_failures += u32::from(attempt.healthy);
        }
    }

    pub(super) fn count_rare_paths(&mut self, outcome: &Outcome, before: &Order) {
        let met = &mut self.verdict.met;
        match outcome {
            Outcome::Tied { .. } => met.note(Rare::Tie),
            Outcome::Older { .. } => met.note(Rare::Stale),
            Outcome::ExpiredUnseen => met.note(Rare::ExpiredUnseen),
            Outcome::UnknownState { .. } => met.note(Rare::Unspecified),
            Outcome::Ahead { .. } => met.note(Rare::Ahead),
            Outcome::Redated { .. } => met.note(Rare::Redated),
            Outcome::Advanced { from, to, .. } => {
                if from.is_final() {
                    met.note(Rare::Reopened);
                }
                if before.tie.as_ref().map(|tie| tie.state) == Some(*to) {
                    met.note(Rare::TieSettled);
                }
            }
            Outcome::FirstAnswer { .. }
            | Outcome::Refreshed { .. }
            | Outcome::Unchanged { .. }
            | Outcome::NotFound
            | Outcome::Gone { .. } => {}
        }
        if before.doubts.is_empty() && !self.subject.order().doubts.is_empty() {
            met.note(Rare::Doubted);
        }
    }

    /// Records that the order was parked, and judges if it should be.
    pub(super) fn parked(&mut self) {
        self.verdict.met.note(Rare::Parked);
        if self.own_failures < self.scenario.backoff.attempts_max {
            self.stuck(Stuck::ParkedByOthersFailures);
        }
        if happens(&mut self.rng, self.scenario.incidents.agreement) {
            self.agreement_at = Some(self.now + self.random_span(3_600_000));
        }
    }

    /// Returns the state that the strategy has confirmed.
    pub(super) fn believed(&self) -> Option<State> {
        let known = self.subject.order().confirmed.as_ref();
        known.map(|known| known.state)
    }
}
