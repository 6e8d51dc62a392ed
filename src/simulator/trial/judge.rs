//! What a trial makes of an order's play: whether what was taken for true was true, and whether anything is stuck.

use std::time::Duration;

use super::mind::Mind;
use super::play::Play;
use super::tally::{Rare, Stuck, Wrong};
use crate::order::{Finding, Order, State, Tried};
use crate::simulator::world::hit;

/// So soon after an operator asked a question is sent, whatever goes wrong.
const WISH_HEARD: Duration = Duration::from_secs(20 * 60);

impl<M: Mind> Play<'_, M> {
    /// Judges a state that was just taken for true: the order must have entered it after the one before.
    pub(super) fn judge(&mut self, state: State) {
        let history = &self.life.history;
        let is_there = |&i: &usize| history[i].1 == state && history[i].0 <= self.now;
        // After something false, the step that was reached may be returned to.
        let from = self.reached.map_or(0, |reached| {
            reached + usize::from(!self.verdict.has_false_states())
        });
        match (from..history.len()).find(is_there) {
            Some(step) => self.reached = Some(step),
            None => {
                let wrong = Wrong::FalseState {
                    at: self.now,
                    state,
                };
                self.note(|| wrong.to_string());
                self.verdict.wrong.push(wrong);
            }
        }
        let right = Some(state) == self.life.final_state();
        self.right_since = right.then_some(self.now);
    }

    /// Judges whether what is open is going to be asked about.
    pub(super) fn judge_open(&mut self) {
        let order = self.mind.order();
        let open = match &order.confirmed {
            Some(known) => !known.state.is_final(),
            None => true,
        };
        let open = open || !order.hints.is_empty() || !order.doubts.is_empty();
        if open && order.ask_at.is_none() && order.parked.is_none() {
            self.stuck(Stuck::Deaf);
        }
    }

    /// Judges how long an operator has waited for a question.
    pub(super) fn judge_wait(&mut self) {
        if let Some(since) = self.waits_since
            && self.now.saturating_sub(since) > WISH_HEARD
        {
            self.waits_since = None;
            self.stuck(Stuck::WishUnheard);
        }
    }

    pub(super) fn stuck(&mut self, how: Stuck) {
        let wrong = Wrong::Stuck { at: self.now, how };
        self.note(|| wrong.to_string());
        self.verdict.wrong.push(wrong);
    }

    /// Keeps how many tries in a row have failed through the order itself.
    pub(super) fn count_failure(&mut self, tried: &Tried<'_>, finding: Option<&Finding>) {
        let told = match finding {
            Some(finding) => finding.is_conclusive(),
            None => tried.result.is_ok(),
        };
        if told {
            self.own_failures = 0;
        } else {
            self.own_failures += u32::from(tried.healthy);
        }
    }

    pub(super) fn note_finding(&mut self, finding: &Finding, before: &Order) {
        let met = &mut self.verdict.met;
        match finding {
            Finding::Tied { .. } => met.note(Rare::Tie),
            Finding::Older { .. } => met.note(Rare::Stale),
            Finding::ExpiredUnseen => met.note(Rare::ExpiredUnseen),
            Finding::UnknownState(_) => met.note(Rare::Unspecified),
            Finding::Ahead { .. } => met.note(Rare::Ahead),
            Finding::Redated { .. } => met.note(Rare::Redated),
            Finding::Advanced { from, to, .. } => {
                if from.is_final() {
                    met.note(Rare::Reopened);
                }
                if before.tie.as_ref().map(|tie| tie.state) == Some(*to) {
                    met.note(Rare::TieSettled);
                }
            }
            Finding::First(_)
            | Finding::Refreshed(_)
            | Finding::Unchanged(_)
            | Finding::NotFound
            | Finding::Gone(_) => {}
        }
        if before.doubts.is_empty() && !self.mind.order().doubts.is_empty() {
            met.note(Rare::Doubted);
        }
    }

    /// The order was parked.
    pub(super) fn parked(&mut self) {
        self.verdict.met.note(Rare::Parked);
        if self.own_failures < self.course.back_off.attempts_max {
            self.stuck(Stuck::ParkedForOthers);
        }
        if hit(&mut self.chance, self.course.mishaps.echo) {
            self.echo_at = Some(self.now + self.lag(3_600_000));
        }
    }

    /// The state that is taken for true.
    pub(super) fn believed(&self) -> Option<State> {
        let known = self.mind.order().confirmed.as_ref();
        known.map(|known| known.state)
    }
}
