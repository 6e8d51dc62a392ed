//! Scheduler of a project's fetches. Its next step for the due orders is to claim a number of them, or to wait.
//! [`attempt`] takes in what the fetches came to.
//!
//! Pure but for what it counts: every time is an argument, so a test can play an outage of hours in an instant.
//! [`super::fetch`] carries out the steps.

mod attempt;

use std::sync::Arc;
use std::time::Duration;

use super::blame::Blame;
use super::circuit::{self, CircuitState};
use super::limits::Limits;
use super::rate_limit::RateLimit;
use super::signal::ProjectSignals;
use crate::store::{Circuit, ClaimOrder};
use number_order::{Id, Time};

/// Number of permits that go to the orders of the highest priority for each one that goes to the order that has waited
/// longest. So no order waits for ever, however many have a higher priority. The highest priority has the other
/// permits, so that it need not wait for all that is routine.
const URGENT_TO_OLDEST: u32 = 3;

/// Number of permits of which one goes to an order that is kept apart since it failed, while other orders are due.
const APART_ONE_IN: u32 = 16;

/// Time without an answer after which a fetch hangs: its slot goes to another fetch.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(2);

/// Maximum number of orders, none of them known to fail, that are fetched in spite of a circuit that opened for want of
/// answers.
const STRANGERS_MAX: u32 = 3;

/// Time for which the slots must find prefetched orders.
const PREFETCH_SPAN: Duration = Duration::from_millis(25);

/// Next step of a fetcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Claim due orders, to fetch them as slots come free. Their permits are taken: [`Scheduler::claimed`] frees those
    /// for which there was no order, [`Scheduler::freed`] each of the others.
    Claim {
        /// Maximum number of orders to claim.
        orders_max: u32,
        /// Sequence in which due orders are claimed.
        claim_order: ClaimOrder,
    },
    /// Wait until this time, unless an operator closes the circuit.
    Wait(Time),
    /// Wait until a fetch in flight has ended.
    Full,
}

/// Kind of permit under which an order is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Prefetched, or in one of the slots.
    Slot,
    /// Outside the slots, since the fetch hangs.
    Hanging,
    /// Apart from the others, since the order has failed.
    Apart,
}

/// Fetches that are allowed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All that slots and rate limit allow.
    Freely,
    /// One fetch at a time, of an order picked at random, to see if Sinch answers any order.
    Doubt,
    /// The same, when nothing else is in flight.
    Probe,
    /// One fetch at a time, of an order that is not known to fail.
    Strangers,
    /// No fetch before this time.
    NotBefore(Time),
}

/// State of one project's fetches.
pub(super) struct Scheduler {
    limits: Limits,
    circuit: Circuit,
    /// `true` if Sinch's own signal, the token endpoint or an earlier run opened the circuit.
    sealed: bool,
    /// Time since which it is in doubt whether Sinch answers any order. A fetch that was sent before tells nothing new.
    doubted_at: Time,
    blame: Blame,
    signals: ProjectSignals,
    /// Number of orders that are claimed or about to be: in flight, or prefetched until a slot is free. Orders that are
    /// kept apart do not count here.
    under_way: u32,
    /// Number of these orders whose fetches hang.
    hanging: u32,
    /// Number of claimed orders that are kept apart.
    apart: u32,
    /// Maximum number of orders that may be prefetched.
    ahead: u32,
    /// Number of fetches that have ended since orders were claimed last.
    ended: u32,
    /// Time at which orders were claimed last.
    claimed_at: Time,
    /// Time since which more orders are being claimed.
    claiming_since: Time,
    rate_limit: RateLimit,
    /// `true` if the rate limit gave a permit for which no order was found just now.
    left_over: bool,
    /// Number of permits that went to the highest priority since the oldest order had its own.
    fifo_credit: u32,
    /// Number of permits that went to other orders since one went to an order that is kept apart.
    others: u32,
    /// `true` if the other orders left permits over just now, so that an order that is kept apart may have one.
    spare: bool,
}

impl Scheduler {
    /// Begins with the circuit as an earlier run left it. That run may have been killed during a probe, so an open
    /// circuit stays open for a while even if its time has come. `found`: Sinch has shown an order of this project
    /// before.
    pub fn new(limits: Limits, circuit: Circuit, found: bool, now: Time) -> Scheduler {
        let circuit = circuit::restored(circuit, now, limits.probe_interval_max);
        Scheduler {
            rate_limit: RateLimit::new(limits.requests_per_second),
            limits,
            sealed: circuit.paused.is_some(),
            circuit,
            doubted_at: now,
            blame: Blame::new(found),
            signals: ProjectSignals::default(),
            under_way: 0,
            hanging: 0,
            apart: 0,
            ahead: 0,
            ended: 0,
            claimed_at: now,
            claiming_since: now,
            left_over: false,
            fifo_credit: 0,
            others: 0,
            spare: false,
        }
    }

    /// Returns the circuit as it is now.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Returns the orders that are kept apart. Only [`ClaimOrder::Apart`] claims them.
    pub fn kept_apart(&self) -> Arc<[Id]> {
        self.blame.apart().clone()
    }

    /// Returns the next step, and takes its permits.
    pub fn next(&mut self, now: Time) -> Next {
        let way = self.way(now);
        let free = match way {
            Way::NotBefore(until) => return Next::Wait(until),
            Way::Freely => self.room(),
            Way::Doubt | Way::Probe | Way::Strangers => u32::from(self.before(way) == 0),
        };
        let left_over = std::mem::take(&mut self.left_over);
        let owing = self.spare || (way == Way::Freely && self.others >= APART_ONE_IN - 1);
        let apart = owing && self.may_claim_apart(way);
        let wanted = if apart { 1 } else { free };
        if wanted == 0 {
            return Next::Full;
        }
        let orders_max = if left_over {
            1
        } else {
            match self.rate_limit.take(wanted, now) {
                Ok(taken) => taken,
                Err(until) => return Next::Wait(until),
            }
        };
        self.claiming_since = now;
        let claim_order = match way {
            _ if apart => ClaimOrder::Apart,
            Way::Freely => self.claim_order(orders_max),
            _ => ClaimOrder::Chance,
        };
        if apart {
            self.apart += orders_max;
            self.others = 0;
        } else {
            self.under_way += orders_max;
            self.others = self.others.saturating_add(orders_max);
        }
        Next::Claim {
            orders_max,
            claim_order,
        }
    }

    fn way(&self, now: Time) -> Way {
        match circuit::state_at(&self.circuit, now) {
            CircuitState::Closed if self.signals.in_doubt() => Way::Doubt,
            CircuitState::Closed => Way::Freely,
            CircuitState::Suspect => Way::Doubt,
            CircuitState::HalfOpen => Way::Probe,
            // The circuit opened for want of answers, but so far for few orders: another may show that the fault is
            // theirs.
            CircuitState::Open(_) if !self.sealed && self.blame.strangers() < STRANGERS_MAX => {
                Way::Strangers
            }
            CircuitState::Open(until) => Way::NotBefore(until),
        }
    }

    /// Returns the claim order for this number of permits, which are not for orders kept apart.
    fn claim_order(&mut self, places: u32) -> ClaimOrder {
        let owing = URGENT_TO_OLDEST * places;
        match self.fifo_credit.checked_sub(owing) {
            Some(fifo_credit) => {
                self.fifo_credit = fifo_credit;
                ClaimOrder::Oldest
            }
            None => {
                self.fifo_credit += places;
                ClaimOrder::Urgent
            }
        }
    }

    /// Returns `true` if an order that is kept apart may be claimed.
    fn may_claim_apart(&self, way: Way) -> bool {
        let most = match way {
            Way::Freely => self.limits.apart_max(),
            Way::Doubt | Way::Probe => u32::from(self.before(way) == 0),
            Way::Strangers | Way::NotBefore(_) => 0,
        };
        self.apart < most && !self.blame.apart().is_empty()
    }

    /// Records that `orders` orders were claimed under the permits that [`Next::Claim`] took; the other permits are
    /// free again. Returns `true` if more may be claimed at once.
    ///
    /// A claim takes a commit, for which the slots must not wait. So the orders that the slots get through in
    /// [`PREFETCH_SPAN`] are prefetched from now on, or those of the time of four such claims if that is longer. A slow Sinch
    /// answers next to nothing in that time, so next to nothing is prefetched for it.
    pub fn claimed(
        &mut self,
        claim_order: ClaimOrder,
        places: u32,
        orders: u32,
        now: Time,
    ) -> bool {
        let vain = places.saturating_sub(orders);
        let spare = std::mem::take(&mut self.spare);
        if claim_order == ClaimOrder::Apart {
            self.apart = self.apart.saturating_sub(vain);
            self.left_over = vain > 0 && !spare;
            return vain == 0 || !spare;
        }
        self.under_way = self.under_way.saturating_sub(vain);
        let between = now.since(self.claimed_at).as_secs_f64().max(1e-6);
        let took = now.since(self.claiming_since);
        let span = PREFETCH_SPAN.max(took * 4).as_secs_f64();
        let meanwhile = (f64::from(self.ended) / between * span).round() as u32;
        self.ahead = meanwhile.max(self.ahead / 2).min(self.limits.ahead_max());
        self.ended = 0;
        self.claimed_at = now;
        self.spare = vain > 0 && self.may_claim_apart(self.way(now));
        self.left_over = self.spare && orders == 0;
        vain == 0 || self.spare
    }

    /// Returns the number of permits that must be free before a fetch goes out alone. In doubt, fetches that hang and
    /// orders that are kept apart keep no fetch waiting that could end the doubt.
    fn before(&self, way: Way) -> u32 {
        match way {
            Way::Probe => self.under_way + self.apart,
            _ => self.busy(),
        }
    }

    /// Returns the number of permits of prefetched orders and of slots in use.
    fn busy(&self) -> u32 {
        self.under_way.saturating_sub(self.hanging)
    }

    /// Returns the number of further orders that may be claimed. Prefetched orders are filled up in portions, because
    /// each portion costs a commit.
    fn room(&self) -> u32 {
        let room = (self.limits.slots + self.ahead).saturating_sub(self.busy());
        if room < self.ahead / 4 { 0 } else { room }
    }

    /// Notes that a fetch in a slot has not been answered for [`HANGS_AFTER`]. Returns `true` if its slot goes to
    /// another fetch now: one that fails by a time-out must not hold up the others.
    pub fn hangs(&mut self) -> bool {
        let gives_way = self.hanging < self.limits.hanging_max();
        self.hanging += u32::from(gives_way);
        gives_way
    }

    /// Frees a permit whose fetch has ended.
    pub fn freed(&mut self, seat: Seat) {
        let count = match seat {
            Seat::Slot => &mut self.under_way,
            Seat::Hanging => {
                self.hanging = self.hanging.saturating_sub(1);
                &mut self.under_way
            }
            Seat::Apart => &mut self.apart,
        };
        *count = count.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
    }

    /// Returns `true` if there may be more to do, now that a permit is free.
    pub fn has_room(&self) -> bool {
        self.busy() == 0 || self.room() > 0 || !self.blame.apart().is_empty()
    }

    /// Returns `true` if a prefetched order may be fetched: the circuit may have opened since the claim.
    pub fn may_fetch(&self, seat: Seat, now: Time) -> bool {
        match self.way(now) {
            Way::Freely => true,
            Way::Strangers if seat == Seat::Apart => false,
            way @ (Way::Doubt | Way::Probe | Way::Strangers) => {
                // The order holds a permit itself.
                self.before(way) == u32::from(way == Way::Probe || seat == Seat::Slot)
            }
            Way::NotBefore(_) => false,
        }
    }

    /// Closes the circuit. An order that failed while it was open failed through the provider.
    fn close_circuit(&mut self) {
        if self.circuit.paused.is_some() {
            self.blame.pardon();
        }
        self.signals = ProjectSignals::default();
        self.circuit = Circuit::default();
        self.sealed = false;
    }

    /// Closes the circuit because an operator asks for it.
    pub fn resumed(&mut self) {
        self.close_circuit();
    }
}

#[cfg(test)]
mod tests;
