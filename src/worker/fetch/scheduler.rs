//! Scheduler of a project's fetches. It decides on the next step: to claim a number of due orders, or to wait.
//! [`attempt`] applies the results of the fetches.
//!
//! Pure, except for what it counts: every time is an argument, so a test can play an outage of hours in an instant. The
//! rest of [`super`] carries out the steps.

mod attempt;

use std::sync::Arc;
use std::time::Duration;

use super::attribution::FailureAttribution;
use super::circuit::{self, CircuitState};
use super::limits::{self, Limits};
use super::signal::ProjectSignals;
use crate::store::{Circuit, ClaimOrder, Rate};
use number_order::{Id, Time};

/// Number of permits for orders of the highest priority to each one for the order that has waited longest, so that no
/// order waits forever.
const URGENT_TO_OLDEST: u32 = 3;

/// Number of permits among which one is for an isolated order, while other orders are due.
const ISOLATED_ONE_IN: u32 = 16;

/// Time without an answer after which a fetch hangs: its slot goes to another fetch.
pub(super) const HANGS_AFTER: Duration = Duration::from_secs(2);

/// Maximum number of orders, none of them known to fail, that are fetched in spite of a circuit that opened because no
/// order was answered.
const UNTRIED_MAX: u32 = 3;

/// Time for which the prefetched orders must keep the slots at work.
const PREFETCH_SPAN: Duration = Duration::from_millis(25);

/// Maximum time for which a prefetched order waits for a slot before it is released. A lease has to last longer than a
/// fetch and this time together.
pub(super) const PREFETCHED_MAX: Duration = Duration::from_secs(4);

/// Maximum of [`PREFETCH_SPAN`], however long a claim takes. With half of the time for which an order may wait, a slot
/// that is late by as much again still finds orders to fetch and not only to release.
const PREFETCH_SPAN_MAX: Duration = Duration::from_secs(2);

/// Next step of a project's fetcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The fetcher claims due orders, to fetch them as slots come free. Their permits are taken: [`Scheduler::claimed`]
    /// frees those for which there was no order, [`Scheduler::not_allowed`] all of them, [`Scheduler::release`] each of
    /// the others.
    Claim {
        /// Maximum number of orders to claim.
        orders_max: u32,
        /// Sequence in which due orders are claimed.
        claim_order: ClaimOrder,
    },
    /// The fetcher waits until the given time, unless an operator closes the circuit.
    Wait(Time),
    /// The fetcher waits until a fetch in flight has ended.
    Full,
}

/// Kind of permit under which a claimed order is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PermitKind {
    /// The order is prefetched, or in one of the slots.
    Slot,
    /// The order is outside the slots, since its fetch hangs.
    Hanging,
    /// The order is outside the slots, since it is isolated.
    Isolated,
}

/// Fetches that the state of the project allows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All fetches are allowed for which there are slots, and that the rate limit admits.
    Normal,
    /// One fetch at a time is allowed, of an order picked at random, to see if Sinch answers any order.
    Suspect,
    /// One fetch is allowed as a probe, of an order picked at random, when no other is in flight.
    Probe,
    /// One fetch at a time is allowed, of an order that is not known to fail.
    Untried,
    /// No fetch is allowed before the given time.
    Blocked(Time),
}

/// State of one project's fetches.
pub(super) struct Scheduler {
    limits: Limits,
    circuit: Circuit,
    /// `true` if a signal of Sinch's, the token endpoint or an earlier run opened the circuit, rather than failures in
    /// a row.
    opened_by_signal: bool,
    /// Time since which it is in doubt whether Sinch answers any order. A fetch that was sent before tells nothing new.
    suspect_since: Time,
    attribution: FailureAttribution,
    signals: ProjectSignals,
    /// Number of orders that are claimed or about to be: in flight, or prefetched until a slot is free. Isolated orders
    /// are not included.
    under_way: u32,
    /// Number of claimed orders whose fetches hang.
    hanging: u32,
    /// Number of claimed orders that are isolated.
    isolated: u32,
    /// Maximum number of prefetched orders at present.
    prefetch_max: u32,
    /// Number of fetches that have ended since the last claim.
    ended_since_claim: u32,
    /// Time at which the last claim was complete.
    claimed_at: Time,
    /// Time at which the last claim began.
    claiming_since: Time,
    /// Number of permits that went to orders of the highest priority since the oldest order was last given one.
    fifo_credit: u32,
    /// Number of permits that went to other orders since an isolated order was last given one.
    others: u32,
    /// `true` if the last claim of other orders left permits over, so that an isolated order may have one.
    spare: bool,
}

impl Scheduler {
    /// Returns a scheduler whose circuit is as an earlier run left it. That run may have been killed during a probe, so
    /// an open circuit stays open for a while even if its time has come. `found`: Sinch has shown an order of this
    /// project before.
    pub fn new(limits: Limits, circuit: Circuit, found: bool, now: Time) -> Scheduler {
        let circuit = circuit::restored(circuit, now, limits.probe_interval_max);
        Scheduler {
            limits,
            opened_by_signal: circuit.paused.is_some(),
            circuit,
            suspect_since: now,
            attribution: FailureAttribution::new(found),
            signals: ProjectSignals::default(),
            under_way: 0,
            hanging: 0,
            isolated: 0,
            prefetch_max: 0,
            ended_since_claim: 0,
            claimed_at: now,
            claiming_since: now,
            fifo_credit: 0,
            others: 0,
            spare: false,
        }
    }

    /// Returns the maximum rate of the project's fetches. The store enforces it.
    pub fn rate(&self) -> Rate {
        self.limits.rate()
    }

    /// Returns the project's circuit as it is now.
    pub fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    /// Returns the isolated orders of the project. Only [`ClaimOrder::Isolated`] claims them.
    pub fn isolated(&self) -> Arc<[Id]> {
        self.attribution.isolated().clone()
    }

    /// Returns the next step of the fetcher, and takes the permits that it needs.
    pub fn next(&mut self, now: Time) -> Next {
        let mode = self.mode(now);
        let free = match mode {
            Mode::Blocked(until) => return Next::Wait(until),
            Mode::Normal => self.claimable(),
            Mode::Suspect | Mode::Probe | Mode::Untried => {
                u32::from(self.blocking_permits(mode) == 0)
            }
        };
        // An isolated order needs a slot to be sent from, though it does not keep it.
        let turn = self.spare || (mode == Mode::Normal && self.others >= ISOLATED_ONE_IN - 1);
        let isolated = turn && free > 0 && self.may_claim_isolated(mode);
        let orders_max = if isolated { 1 } else { free };
        if orders_max == 0 {
            return Next::Full;
        }
        self.claiming_since = now;
        let claim_order = match mode {
            _ if isolated => ClaimOrder::Isolated,
            Mode::Normal => self.claim_order(orders_max),
            _ => ClaimOrder::Chance,
        };
        *self.claimed_by(claim_order) += orders_max;
        Next::Claim {
            orders_max,
            claim_order,
        }
    }

    fn mode(&self, now: Time) -> Mode {
        match circuit::state_at(&self.circuit, now) {
            CircuitState::Closed if self.signals.in_doubt() => Mode::Suspect,
            CircuitState::Closed => Mode::Normal,
            CircuitState::Suspect => Mode::Suspect,
            CircuitState::HalfOpen => Mode::Probe,
            // The circuit opened because no order was answered, but so far for few orders: another may show that the
            // fault is theirs.
            CircuitState::Open(_)
                if !self.opened_by_signal && self.attribution.newly_failed() < UNTRIED_MAX =>
            {
                Mode::Untried
            }
            CircuitState::Open(until) => Mode::Blocked(until),
        }
    }

    /// Returns the order in which due orders are claimed under the given number of permits, none of which is for an
    /// isolated order.
    fn claim_order(&self, permits: u32) -> ClaimOrder {
        if self.fifo_credit >= URGENT_TO_OLDEST * permits {
            ClaimOrder::Oldest
        } else {
            ClaimOrder::Urgent
        }
    }

    /// Counts the permits that the rate allowed, by which the oldest order and isolated ones get their shares.
    fn count_permits(&mut self, claim_order: ClaimOrder, allowed: u32) {
        match claim_order {
            ClaimOrder::Urgent => self.fifo_credit += allowed,
            ClaimOrder::Oldest => {
                let owing = URGENT_TO_OLDEST * allowed;
                self.fifo_credit = self.fifo_credit.saturating_sub(owing);
            }
            ClaimOrder::Chance | ClaimOrder::Isolated => {}
        }
        self.others = if claim_order == ClaimOrder::Isolated {
            0
        } else {
            self.others.saturating_add(allowed)
        };
    }

    /// Returns the counter of claimed orders to which a claim adds.
    fn claimed_by(&mut self, claim_order: ClaimOrder) -> &mut u32 {
        match claim_order {
            ClaimOrder::Isolated => &mut self.isolated,
            ClaimOrder::Urgent | ClaimOrder::Oldest | ClaimOrder::Chance => &mut self.under_way,
        }
    }

    /// Frees the permits that [`Next::Claim`] took: the rate allows no fetch now.
    pub fn not_allowed(&mut self, claim_order: ClaimOrder, permits: u32) {
        let claimed = self.claimed_by(claim_order);
        *claimed = claimed.saturating_sub(permits);
    }

    /// Returns `true` if an isolated order may be claimed.
    fn may_claim_isolated(&self, mode: Mode) -> bool {
        let most = match mode {
            Mode::Normal => limits::isolated_max(self.limits.slots),
            Mode::Suspect | Mode::Probe => u32::from(self.blocking_permits(mode) == 0),
            Mode::Untried | Mode::Blocked(_) => 0,
        };
        self.isolated < most && !self.attribution.isolated().is_empty()
    }

    /// Records that `orders` orders were claimed under the permits that [`Next::Claim`] took, of `allowed` that the rate
    /// allowed; the other permits are free again. Returns `true` if more may be claimed at once.
    ///
    /// A claim takes a commit, for which the slots must not wait. So the orders that the slots get through in
    /// [`PREFETCH_SPAN`] are prefetched from now on, or those of the time of four such claims if that is longer, up to
    /// [`PREFETCH_SPAN_MAX`]. A slow Sinch answers next to nothing in that time, so next to nothing is prefetched for it.
    pub fn claimed(
        &mut self,
        claim_order: ClaimOrder,
        permits: u32,
        allowed: u32,
        orders: u32,
        now: Time,
    ) -> bool {
        let unused = allowed.saturating_sub(orders);
        let spare = std::mem::take(&mut self.spare);
        self.not_allowed(claim_order, permits.saturating_sub(orders));
        self.count_permits(claim_order, allowed);
        if claim_order == ClaimOrder::Isolated {
            return unused == 0 || !spare;
        }
        let between = now.since(self.claimed_at).as_secs_f64().max(1e-6);
        let took = now.since(self.claiming_since);
        let span = (took * 4).clamp(PREFETCH_SPAN, PREFETCH_SPAN_MAX);
        let span = span.as_secs_f64();
        let answered_in_span = (f64::from(self.ended_since_claim) / between * span).round() as u32;
        self.prefetch_max = answered_in_span
            .max(self.prefetch_max / 2)
            .min(self.limits.prefetched_max());
        self.ended_since_claim = 0;
        self.claimed_at = now;
        self.spare = unused > 0 && self.may_claim_isolated(self.mode(now));
        unused == 0 || self.spare
    }

    /// Returns the number of permits that must be free before a fetch goes out alone. In doubt, fetches that hang and
    /// isolated orders keep no fetch waiting that could end the doubt.
    fn blocking_permits(&self, mode: Mode) -> u32 {
        match mode {
            Mode::Probe => self.under_way + self.isolated,
            _ => self.slots_taken(),
        }
    }

    /// Returns the number of permits that prefetched orders and used slots hold.
    fn slots_taken(&self) -> u32 {
        self.under_way.saturating_sub(self.hanging)
    }

    /// Returns the number of further orders that may be claimed for the slots. Prefetched orders are filled up in
    /// portions, because each portion costs a commit.
    fn claimable(&self) -> u32 {
        let claimable = (self.limits.slots + self.prefetch_max).saturating_sub(self.slots_taken());
        if claimable < self.prefetch_max / 4 {
            0
        } else {
            claimable
        }
    }

    /// Records that a fetch in a slot has not been answered for [`HANGS_AFTER`]. Returns `true` if its slot goes to
    /// another fetch now: one that fails by a time-out must not hold up the others.
    pub fn fetch_hangs(&mut self) -> bool {
        let gives_way = self.hanging < limits::hanging_max(self.limits.slots);
        self.hanging += u32::from(gives_way);
        gives_way
    }

    /// Frees a permit whose fetch has ended.
    pub fn release(&mut self, kind: PermitKind) {
        let count = match kind {
            PermitKind::Slot => &mut self.under_way,
            PermitKind::Hanging => {
                self.hanging = self.hanging.saturating_sub(1);
                &mut self.under_way
            }
            PermitKind::Isolated => &mut self.isolated,
        };
        *count = count.saturating_sub(1);
        self.ended_since_claim = self.ended_since_claim.saturating_add(1);
    }

    /// Returns `true` if there may be more to do, now that a permit is free.
    pub fn may_have_more(&self) -> bool {
        self.slots_taken() == 0 || self.claimable() > 0 || !self.attribution.isolated().is_empty()
    }

    /// Returns `true` if a prefetched order may be fetched: the circuit may have opened since the claim.
    pub fn may_fetch(&self, kind: PermitKind, now: Time) -> bool {
        match self.mode(now) {
            Mode::Normal => true,
            Mode::Untried if kind == PermitKind::Isolated => false,
            // The next claim may already be under way. Its permits tell nothing, since there is no order for them yet.
            Mode::Suspect if kind == PermitKind::Isolated => self.isolated == 1,
            mode @ (Mode::Suspect | Mode::Probe | Mode::Untried) => {
                // The order holds a permit itself, which does not block it.
                self.blocking_permits(mode)
                    == u32::from(mode == Mode::Probe || kind == PermitKind::Slot)
            }
            Mode::Blocked(_) => false,
        }
    }

    /// Closes the project's circuit. An order that failed while the circuit was open failed through the provider.
    fn close_circuit(&mut self) {
        if self.circuit.paused.is_some() {
            self.attribution.provider_recovered();
        }
        self.signals = ProjectSignals::default();
        self.circuit = Circuit::default();
        self.opened_by_signal = false;
    }

    /// Takes over the project's circuit as another process has left it.
    pub fn adopt(&mut self, circuit: Circuit, now: Time) {
        if circuit.paused.is_none() {
            self.close_circuit();
            return;
        }
        if self.mode(now) == Mode::Normal {
            self.suspect_since = now;
        }
        self.circuit = circuit;
        self.opened_by_signal = true;
    }

    /// Closes the project's circuit because an operator asks for it.
    pub fn resumed(&mut self) {
        self.close_circuit();
    }
}

#[cfg(test)]
mod tests;
