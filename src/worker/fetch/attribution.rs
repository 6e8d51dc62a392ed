//! Attribution of failed fetches: the fault is one order's or the provider's. Fetches of other orders tell which.
//!
//! Pure. Where other orders are answered between two failures of one order, that order fails alone. Where none is
//! answered, nothing can show that, and the fault is the provider's. An access key, address or project that is wrong
//! for every order makes every order look unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use number_order::Id;

/// Maximum number of failed orders of a project that are remembered. Orders beyond it are fetched like any other.
const FAILED_ORDERS_MAX: usize = 256;

/// Number of failures of an order, with answers to other orders in between, that proves that the order fails alone.
const PROVING_FAILURES: u32 = 2;

/// Number of different orders at which it is no longer chance that Sinch knows none of them and has never shown any.
const UNKNOWN_MIN: usize = 3;

/// Maximum number of orders unknown to Sinch that are counted. A larger number would change nothing.
const UNKNOWN_MAX: usize = 1000;

/// Order whose last attempt failed.
#[derive(Debug)]
struct FailedOrder {
    /// Number of answers to any order of the project when the attempt failed.
    answers: u64,
    /// Number of times that the order failed while others were answered.
    alone: u32,
    /// `true` if the order is isolated.
    isolated: bool,
    /// `true` if the order's last failure was a signal about the whole project.
    of_project: bool,
}

/// Facts about a failed fetch, by which the party at fault is found.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the four are independent")]
pub(super) struct FailureFacts {
    /// `true` if the failed fetch is of a kind that can concern a single order.
    pub of_order: bool,
    /// `true` if the failed fetch is a signal about the project: Sinch asks to be left alone, or refuses the key.
    pub of_project: bool,
    /// `true` if the project's circuit was closed when the fetch failed.
    pub circuit_closed: bool,
    /// `true` if no fetch of the project has failed through the provider since the last answer.
    pub calm: bool,
}

/// Party at fault for a failed fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttributedTo {
    /// The order itself, which fails though others are answered.
    Order,
    /// Undecided: the order was proven to fail alone, but others fail now as well.
    Undecided,
    /// The provider: fetches of other orders do not show otherwise.
    Provider,
}

/// Orders of a project that have failed lately, and the conclusions about their failures.
#[derive(Debug)]
pub(super) struct FailureAttribution {
    failed_orders: BTreeMap<Id, FailedOrder>,
    isolated: Arc<[Id]>,
    /// Number of answers to any order of the project so far.
    answers: u64,
    /// Order that failed last, until there is an answer. Many failed attempts of a single order say nothing about other
    /// orders.
    last: Option<Id>,
    /// Number of orders that failed since the last answer and were not isolated before.
    newly_failed: u32,
    /// `true` if Sinch has ever shown an order of this project.
    found: bool,
    /// Orders that Sinch did not know, while it had shown no order of the project.
    unknown: BTreeSet<Id>,
}

impl FailureAttribution {
    /// Returns the state of a project without any failure. `found`: Sinch has shown an order of this project before.
    pub fn new(found: bool) -> FailureAttribution {
        FailureAttribution {
            failed_orders: BTreeMap::new(),
            isolated: Arc::default(),
            answers: 0,
            last: None,
            newly_failed: 0,
            found,
            unknown: BTreeSet::new(),
        }
    }

    /// Returns the orders of the project that are isolated.
    pub fn isolated(&self) -> &Arc<[Id]> {
        &self.isolated
    }

    /// Returns the number of the project's orders that failed since the last answer and were not isolated before.
    pub fn newly_failed(&self) -> u32 {
        self.newly_failed
    }

    /// Returns `true` if an order is isolated.
    pub fn is_isolated(&self, order: &Id) -> bool {
        self.failed_orders
            .get(order)
            .is_some_and(|was| was.isolated)
    }

    /// Returns the number of isolated orders that failed though others were answered.
    pub fn isolated_alone(&self) -> u32 {
        self.alone().filter(|was| was.isolated).count() as u32
    }

    /// Returns the number of orders whose failure was a signal about the project, though others were answered.
    pub fn of_project_alone(&self) -> u32 {
        self.alone().filter(|was| was.of_project).count() as u32
    }

    fn alone(&self) -> impl Iterator<Item = &FailedOrder> {
        let failed_orders = self.failed_orders.values();
        failed_orders.filter(|was| was.alone > 0 || was.answers < self.answers)
    }

    /// Records that Sinch has shown an order of the project, so address, project and key are right.
    pub fn found(&mut self) {
        self.found = true;
        self.unknown.clear();
    }

    /// Records that Sinch does not know an order of the project. Returns the number of unknown orders if Sinch has
    /// never shown one and they are too many for chance: then the fault lies with the set-up, and with none of the
    /// orders.
    pub fn unknown(&mut self, order: &Id) -> Option<usize> {
        if self.found {
            return None;
        }
        if self.unknown.len() < UNKNOWN_MAX {
            self.unknown.insert(order.clone());
        }
        let unknown = self.unknown.len();
        (unknown >= UNKNOWN_MIN).then_some(unknown)
    }

    /// Records that Sinch answered a fetch of an order.
    pub fn answered(&mut self, order: &Id) {
        self.answers += 1;
        self.last = None;
        self.newly_failed = 0;
        if self
            .failed_orders
            .remove(order)
            .is_some_and(|was| was.isolated)
        {
            self.list_isolated();
        }
    }

    /// Records that an order's attempt has failed, and returns the party at fault.
    pub fn failed(&mut self, order: &Id, facts: FailureFacts) -> AttributedTo {
        let again = self.last.replace(order.clone()).as_ref() == Some(order);
        let before = self.failed_orders.get(order);
        let mut alone = before.map_or(0, |was| was.alone);
        let seen_alone =
            facts.circuit_closed && before.is_some_and(|was| was.answers < self.answers);
        let proven = facts.circuit_closed && alone >= PROVING_FAILURES;
        let alike = facts.circuit_closed && facts.of_order && again;
        if !self.is_isolated(order) {
            self.newly_failed = self.newly_failed.saturating_add(1);
        }
        alone += u32::from(seen_alone);
        self.remember(order, alone, facts.of_project);
        if seen_alone || alike || (proven && facts.calm) {
            AttributedTo::Order
        } else if proven {
            AttributedTo::Undecided
        } else {
            AttributedTo::Provider
        }
    }

    fn remember(&mut self, order: &Id, alone: u32, of_project: bool) {
        let failed_order = FailedOrder {
            answers: self.answers,
            alone,
            isolated: true,
            of_project,
        };
        self.failed_orders.insert(order.clone(), failed_order);
        if self.failed_orders.len() > FAILED_ORDERS_MAX {
            let all = self.failed_orders.iter();
            let least = all.min_by_key(|(_, was)| (was.alone, was.answers));
            if let Some(least) = least.map(|(order, _)| order.clone()) {
                self.failed_orders.remove(&least);
            }
        }
        self.list_isolated();
    }

    /// Records that the provider works again: an order that was never seen to fail alone is isolated no longer.
    pub fn provider_recovered(&mut self) {
        for failed_order in self.failed_orders.values_mut() {
            failed_order.isolated &= failed_order.alone > 0;
        }
        self.list_isolated();
    }

    fn list_isolated(&mut self) {
        let isolated = self.failed_orders.iter().filter(|(_, was)| was.isolated);
        self.isolated = isolated.map(|(order, _)| order.clone()).collect();
    }
}
