//! What to do next about a project's due orders: ask about so many of them, or wait.
//!
//! Pure but for what it counts: every moment is an argument, so an outage of hours can be tried in an
//! instant. [`super::ask`] carries out what is said here.

use std::sync::Arc;
use std::time::Duration;

use super::blame::{Blame, Culprit, Signs};
use super::budget::Budget;
use super::gate::{self, Passage};
use super::limits::Limits;
use super::word::{Says, Trouble, Word};
use crate::order::{Answer, Failure, Id, Time};
use crate::sinch::api::AskError;
use crate::store::{Gate, Turn};

/// For so many places that go to the most urgent, one goes to the order that has waited longest, however much
/// is more urgent: so nobody waits for ever. The most urgent have the others, so that they need not wait for all
/// that is routine.
const URGENT_TO_OLDEST: u32 = 3;

/// While others are due, one place in so many goes to an order that is kept apart since it failed.
const APART_ONE_IN: u32 = 16;

/// A question that has not been answered by then hangs: its lane is another's.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(2);

/// So many orders that are not known to fail may try a gate that closed for want of answers.
const STRANGERS_MAX: u32 = 3;

/// For so long the lanes are to find orders in hand.
const IN_HAND: Duration = Duration::from_millis(25);

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Claim due orders, to ask about them as lanes come free. Their places are taken: [`Pace::claimed`] gives
    /// back those for which there was no order, [`Pace::freed`] each of the others.
    Ask {
        /// How many at most.
        orders_max: u32,
        /// Who comes first.
        turn: Turn,
    },
    /// Nothing before this time, unless an operator opens the gate.
    Wait(Time),
    /// Nothing until a question that is under way has ended.
    Full,
}

/// Where an order's question has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// In hand, or in one of the lanes.
    Lane,
    /// Out of them, since it hangs.
    Hanging,
    /// Apart from the others, since the order has failed.
    Apart,
}

/// What may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As much as lanes and rate allow.
    Open,
    /// One question at a time, about an order that chance picks: does Sinch answer anybody?
    Doubt,
    /// The same, when nothing else is under way.
    Probe,
    /// One question at a time, about an order that is not known to fail.
    Strangers,
    /// Nothing before this time.
    Closed(Time),
}

/// The state of one project's asking.
pub(super) struct Pace {
    limits: Limits,
    gate: Gate,
    /// The gate is closed by Sinch's own word, by the token endpoint, or by an earlier run.
    sealed: bool,
    /// Since when it is in doubt whether Sinch answers anybody. A question that was sent before tells nothing new.
    doubted_at: Time,
    blame: Blame,
    word: Word,
    /// Orders that are claimed, and those that are about to be: asked about, or in hand until a lane is free.
    /// Without those that are kept apart.
    under_way: u32,
    /// How many of them hang.
    hanging: u32,
    /// Orders under way that are kept apart.
    apart: u32,
    /// How many may be in hand.
    ahead: u32,
    /// Questions that have ended since orders were claimed last.
    ended: u32,
    /// When orders were claimed last, and since when more are being claimed.
    claimed_at: Time,
    claiming_since: Time,
    budget: Budget,
    /// A place that the budget gave, and for which no order was found just now.
    left_over: bool,
    /// Places that went to the most urgent since the oldest had theirs.
    owed: u32,
    /// Places that went to others since one went to an order that is kept apart.
    others: u32,
    /// No others were found just now.
    spare: bool,
}

impl Pace {
    /// Begins with the gate as an earlier run left it. That may have been killed over a probe, so a gate
    /// that is closed stays closed for a while even if its time has come. `found`: Sinch has shown an order of
    /// this project before.
    pub fn new(limits: Limits, gate: Gate, found: bool, now: Time) -> Pace {
        let gate = gate::taken_up(gate, now, limits.probes_apart_max);
        Pace {
            budget: Budget::new(limits.asks_per_second),
            limits,
            sealed: gate.paused.is_some(),
            gate,
            doubted_at: now,
            blame: Blame::new(found),
            word: Word::default(),
            under_way: 0,
            hanging: 0,
            apart: 0,
            ahead: 0,
            ended: 0,
            claimed_at: now,
            claiming_since: now,
            left_over: false,
            owed: 0,
            others: 0,
            spare: false,
        }
    }

    /// The gate as it is now.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The orders that are kept apart: [`Turn::Apart`] alone is theirs.
    pub fn kept_apart(&self) -> Arc<[Id]> {
        self.blame.apart().clone()
    }

    /// What to do now.
    pub fn next(&mut self, now: Time) -> Next {
        let way = self.way(now);
        let free = match way {
            Way::Closed(until) => return Next::Wait(until),
            Way::Open => self.room(),
            Way::Doubt | Way::Probe | Way::Strangers => u32::from(self.before(way) == 0),
        };
        let left_over = std::mem::take(&mut self.left_over);
        let owing = self.spare || (way == Way::Open && self.others >= APART_ONE_IN - 1);
        let apart = owing && self.may_claim_apart(way);
        let wanted = if apart { 1 } else { free };
        if wanted == 0 {
            return Next::Full;
        }
        let orders_max = if left_over {
            1
        } else {
            match self.budget.take(wanted, now) {
                Ok(taken) => taken,
                Err(until) => return Next::Wait(until),
            }
        };
        self.claiming_since = now;
        let turn = match way {
            _ if apart => Turn::Apart,
            Way::Open => self.turn(orders_max),
            _ => Turn::Chance,
        };
        if apart {
            self.apart += orders_max;
            self.others = 0;
        } else {
            self.under_way += orders_max;
            self.others = self.others.saturating_add(orders_max);
        }
        Next::Ask { orders_max, turn }
    }

    fn way(&self, now: Time) -> Way {
        match gate::passage(&self.gate, now) {
            Passage::Open if self.word.doubted() => Way::Doubt,
            Passage::Open => Way::Open,
            Passage::Doubt => Way::Doubt,
            Passage::Probe => Way::Probe,
            // A gate that closed for want of answers, though so far for few: another may show that it is their fault.
            Passage::Closed(_) if !self.sealed && self.blame.strangers() < STRANGERS_MAX => {
                Way::Strangers
            }
            Passage::Closed(until) => Way::Closed(until),
        }
    }

    /// Whose turn it is to have so many places, of those that are not kept apart.
    fn turn(&mut self, places: u32) -> Turn {
        let owing = URGENT_TO_OLDEST * places;
        match self.owed.checked_sub(owing) {
            Some(owed) => {
                self.owed = owed;
                Turn::Oldest
            }
            None => {
                self.owed += places;
                Turn::Urgent
            }
        }
    }

    /// Whether an order that is kept apart may be claimed.
    fn may_claim_apart(&self, way: Way) -> bool {
        let most = match way {
            Way::Open => self.limits.apart_max(),
            Way::Doubt | Way::Probe => u32::from(self.before(way) == 0),
            Way::Strangers | Way::Closed(_) => 0,
        };
        self.apart < most && !self.blame.apart().is_empty()
    }

    /// So many of the orders are claimed for which [`Next::Ask`] took places; the other places are free again.
    /// Returns whether more may be claimed at once.
    ///
    /// A claim takes a commit, which the lanes are not to wait for: what they get through in [`IN_HAND`], or
    /// while four such claims are made if that takes longer, is kept in hand from now on. A slow Sinch answers
    /// next to nothing meanwhile, so next to nothing waits in hand for it.
    pub fn claimed(&mut self, turn: Turn, places: u32, orders: u32, now: Time) -> bool {
        let vain = places.saturating_sub(orders);
        let spare = std::mem::take(&mut self.spare);
        if turn == Turn::Apart {
            self.apart = self.apart.saturating_sub(vain);
            self.left_over = vain > 0 && !spare;
            return vain == 0 || !spare;
        }
        self.under_way = self.under_way.saturating_sub(vain);
        let between = now.since(self.claimed_at).as_secs_f64().max(1e-6);
        let took = now.since(self.claiming_since);
        let span = IN_HAND.max(took * 4).as_secs_f64();
        let meanwhile = (f64::from(self.ended) / between * span).round() as u32;
        self.ahead = meanwhile.max(self.ahead / 2).min(self.limits.ahead_max());
        self.ended = 0;
        self.claimed_at = now;
        self.spare = vain > 0 && self.may_claim_apart(self.way(now));
        self.left_over = self.spare && orders == 0;
        vain == 0 || self.spare
    }

    /// The places for which a question waits that is to go out alone. In doubt those that hang, or are apart, keep
    /// none waiting that could tell.
    fn before(&self, way: Way) -> u32 {
        match way {
            Way::Probe => self.under_way + self.apart,
            _ => self.busy(),
        }
    }

    /// Places in hand and in lanes.
    fn busy(&self) -> u32 {
        self.under_way.saturating_sub(self.hanging)
    }

    /// How many more orders may be claimed. What is in hand is filled up in portions, for each has a commit.
    fn room(&self) -> u32 {
        let room = (self.limits.lanes + self.ahead).saturating_sub(self.busy());
        if room < self.ahead / 4 { 0 } else { room }
    }

    /// A question in a lane has not been answered for [`HANGS_AFTER`]. Returns whether its lane is another's now:
    /// one that fails by a time-out is not to hold up the others.
    pub fn hangs(&mut self) -> bool {
        let gives_way = self.hanging < self.limits.hanging_max();
        self.hanging += u32::from(gives_way);
        gives_way
    }

    /// A place is free again: its question has ended.
    pub fn freed(&mut self, seat: Seat) {
        let count = match seat {
            Seat::Lane => &mut self.under_way,
            Seat::Hanging => {
                self.hanging = self.hanging.saturating_sub(1);
                &mut self.under_way
            }
            Seat::Apart => &mut self.apart,
        };
        *count = count.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
    }

    /// Whether there may be more to do, now that a place is free.
    pub fn has_room(&self) -> bool {
        self.busy() == 0 || self.room() > 0 || !self.blame.apart().is_empty()
    }

    /// Whether an order that is in hand may be asked about: the gate may have closed since it was claimed.
    pub fn may_ask(&self, seat: Seat, now: Time) -> bool {
        match self.way(now) {
            Way::Open => true,
            Way::Strangers if seat == Seat::Apart => false,
            way @ (Way::Doubt | Way::Probe | Way::Strangers) => {
                // It has a place itself.
                self.before(way) == u32::from(way == Way::Probe || seat == Seat::Lane)
            }
            Way::Closed(_) => false,
        }
    }

    /// A question has come to this. Returns the result as the order's rules need it, and whether a failed
    /// try counts against the order. `roll` is chance, 0 to 1.
    pub fn tried(
        &mut self,
        order: &Id,
        result: Result<Answer, AskError>,
        asked_at: Time,
        now: Time,
        roll: f64,
    ) -> (Result<Answer, Failure>, bool) {
        let unknown = match &result {
            Ok(Answer::NotFound) => self.blame.unknown(order),
            Ok(Answer::Found(_)) | Err(_) => None,
        };
        let trouble = match (result, unknown) {
            (Ok(answer), None) => {
                if let Answer::Found(_) = answer {
                    self.blame.found();
                }
                self.answered(order, asked_at, now);
                return (Ok(answer), true);
            }
            (Ok(_), Some(orders)) => Trouble::none_known(orders),
            (Err(error), _) => Trouble::from(&error),
        };
        let own = self.failed(order, &trouble, asked_at, now, roll);
        let failure = Failure {
            wait_min: trouble.retry_after.unwrap_or_default(),
            reason: trouble.reason,
        };
        (Err(failure), own)
    }

    /// Ends doubt and pause, but not a pause that Sinch asked for since the question was sent.
    fn answered(&mut self, order: &Id, asked_at: Time, now: Time) {
        self.blame.answered(order);
        let ends = match self.way(now) {
            Way::Open | Way::Doubt | Way::Probe => true,
            Way::Strangers => asked_at >= self.doubted_at,
            Way::Closed(_) => false,
        };
        if ends {
            self.open();
        }
    }

    /// Opens the gate. What failed while it was closed, failed through the provider.
    fn open(&mut self) {
        if self.gate.paused.is_some() {
            self.blame.pardon();
        }
        self.word = Word::default();
        self.gate = Gate::default();
        self.sealed = false;
    }

    /// `true`: the fault is this order's, and the try counts against it.
    fn failed(
        &mut self,
        order: &Id,
        trouble: &Trouble,
        asked_at: Time,
        now: Time,
        roll: f64,
    ) -> bool {
        self.spare = false;
        let way = self.way(now);
        let (own, says) = if trouble.of_token {
            (false, Some(trouble.says()))
        } else {
            let stale = way != Way::Open && asked_at < self.doubted_at;
            self.weigh(order, trouble, stale)
        };
        let Some(says) = says else {
            return own;
        };
        let cap = self.limits.probes_apart_max;
        let was_sealed = self.gate.paused.is_some() && self.sealed;
        self.gate = gate::after_failure(&self.gate, &trouble.reason, says, now, cap, roll);
        self.sealed = was_sealed || trouble.of_token || matches!(says, Says::Pause(_));
        let open = self.way(now) == Way::Open;
        if way == Way::Open && !open {
            self.doubted_at = now;
        }
        own || (trouble.of_order && open)
    }

    /// Whether a failure is the order's own, and what it says of the project, if anything. `stale`: the question was
    /// sent before it was in doubt whether Sinch answers anybody.
    fn weigh(&mut self, order: &Id, trouble: &Trouble, stale: bool) -> (bool, Option<Says>) {
        let signs = Signs {
            of_order: trouble.of_order,
            of_project: trouble.of_project(),
            open: self.gate.paused.is_none(),
            calm: self.gate.failures == 0,
        };
        let stranger = !self.blame.is_apart(order);
        let culprit = self.blame.failed(order, signs);
        if culprit != Culprit::Provider || stale {
            return (culprit == Culprit::Order, None);
        }
        let says = if !signs.of_project {
            self.word.not_told();
            Says::Failure
        } else if stranger {
            let alone = self.blame.of_project_alone();
            self.word.told(trouble.retry_after, alone)
        } else {
            // Whoever is kept apart is asked about in doubt only if nobody else is due.
            Says::PauseForOne
        };
        (false, Some(says))
    }

    /// An operator opens the gate.
    pub fn resumed(&mut self) {
        self.open();
    }
}

#[cfg(test)]
mod tests;
