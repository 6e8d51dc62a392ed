//! Blame for a missing answer: it lies with one order or with the provider. Fetches of other orders tell which.
//!
//! Pure. Where other orders are answered between two failures of one order, that order fails alone. Where none is
//! answered, nothing can show that, and the fault is the provider's. An access key, address or project that is wrong
//! for every order shows as orders none of which is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use number_order::Id;

/// Maximum number of failed orders that are remembered. Orders beyond it are fetched like any other.
const SUSPECTS_MAX: usize = 256;

/// Number of failures, with answers to others between them, that proves that an order fails alone.
const PROOF: u32 = 2;

/// Number of different orders, all unknown while none was ever found, that is more than chance.
const UNKNOWN_MIN: usize = 3;

/// Maximum number of unknown orders that are told apart. More need not be.
const UNKNOWN_MAX: usize = 1000;

/// Order whose last attempt failed.
#[derive(Debug)]
struct Suspect {
    /// Number of answers to any order by then.
    answers: u64,
    /// Number of times that it failed alone.
    alone: u32,
    /// `true` if it is kept apart from the others.
    apart: bool,
    /// `true` if its last failure was a signal about the project.
    of_project: bool,
}

/// Facts about a failure.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the four are independent")]
pub(super) struct Signs {
    /// `true` if the failure is of a single order's kind.
    pub of_order: bool,
    /// `true` if the failure is a signal about the project: Sinch asks to be left alone, or refuses the key.
    pub of_project: bool,
    /// `true` if the circuit is closed.
    pub circuit_closed: bool,
    /// `true` if no order has failed through the provider since the last answer.
    pub calm: bool,
}

/// Party at fault for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    /// This order, which fails though others are answered.
    Order,
    /// Undecided: the order was proven to fail alone, but others fail now as well.
    Nobody,
    /// The provider, as far as the fetches of other orders tell.
    Provider,
}

/// Orders of a project that have failed lately, and the conclusions about their failures.
#[derive(Debug)]
pub(super) struct Blame {
    suspects: BTreeMap<Id, Suspect>,
    apart: Arc<[Id]>,
    /// Number of answers so far.
    answers: u64,
    /// Order that failed last, until there is an answer. Many failed attempts of one order tell of that order only.
    last: Option<Id>,
    /// Number of orders that failed since the last answer and were not kept apart before.
    newly_failed: u32,
    /// `true` if Sinch has ever shown an order of this project.
    found: bool,
    /// Orders that were unknown while none was found.
    unknown: BTreeSet<Id>,
}

impl Blame {
    /// Begins without any failure. `found`: Sinch has shown an order of this project before.
    pub fn new(found: bool) -> Blame {
        Blame {
            suspects: BTreeMap::new(),
            apart: Arc::default(),
            answers: 0,
            last: None,
            newly_failed: 0,
            found,
            unknown: BTreeSet::new(),
        }
    }

    /// Returns the orders that are kept apart from the others.
    pub fn apart(&self) -> &Arc<[Id]> {
        &self.apart
    }

    /// Returns the number of orders that failed since the last answer and were not kept apart before.
    pub fn newly_failed(&self) -> u32 {
        self.newly_failed
    }

    /// Returns `true` if an order is kept apart from the others.
    pub fn is_apart(&self, order: &Id) -> bool {
        self.suspects.get(order).is_some_and(|was| was.apart)
    }

    /// Returns the number of orders that are kept apart and failed though others were answered.
    pub fn apart_alone(&self) -> u32 {
        self.alone().filter(|was| was.apart).count() as u32
    }

    /// Returns the number of orders whose failure was a signal about the project, though others were answered.
    pub fn of_project_alone(&self) -> u32 {
        self.alone().filter(|was| was.of_project).count() as u32
    }

    fn alone(&self) -> impl Iterator<Item = &Suspect> {
        let suspects = self.suspects.values();
        suspects.filter(|was| was.alone > 0 || was.answers < self.answers)
    }

    /// Records that Sinch has shown an order, so address, project and key are right.
    pub fn found(&mut self) {
        self.found = true;
        self.unknown.clear();
    }

    /// Records that Sinch does not know this order. Returns the number of unknown orders if Sinch has never shown one
    /// and they are too many for chance: then the fault lies with the set-up, and with none of them.
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

    /// Records that an order was answered.
    pub fn answered(&mut self, order: &Id) {
        self.answers += 1;
        self.last = None;
        self.newly_failed = 0;
        if self.suspects.remove(order).is_some_and(|was| was.apart) {
            self.list();
        }
    }

    /// Records that an order's attempt has failed, and returns the party at fault.
    pub fn failed(&mut self, order: &Id, signs: Signs) -> Culprit {
        let again = self.last.replace(order.clone()).as_ref() == Some(order);
        let before = self.suspects.get(order);
        let mut alone = before.map_or(0, |was| was.alone);
        let seen_alone =
            signs.circuit_closed && before.is_some_and(|was| was.answers < self.answers);
        let proven = signs.circuit_closed && alone >= PROOF;
        let alike = signs.circuit_closed && signs.of_order && again;
        if !self.is_apart(order) {
            self.newly_failed = self.newly_failed.saturating_add(1);
        }
        alone += u32::from(seen_alone);
        self.remember(order, alone, signs.of_project);
        if seen_alone || alike || (proven && signs.calm) {
            Culprit::Order
        } else if proven {
            Culprit::Nobody
        } else {
            Culprit::Provider
        }
    }

    fn remember(&mut self, order: &Id, alone: u32, of_project: bool) {
        let suspect = Suspect {
            answers: self.answers,
            alone,
            apart: true,
            of_project,
        };
        self.suspects.insert(order.clone(), suspect);
        if self.suspects.len() > SUSPECTS_MAX {
            let all = self.suspects.iter();
            let least = all.min_by_key(|(_, was)| (was.alone, was.answers));
            if let Some(least) = least.map(|(order, _)| order.clone()) {
                self.suspects.remove(&least);
            }
        }
        self.list();
    }

    /// Records that the provider is well again: an order that was never seen to fail alone is not kept apart any
    /// longer.
    pub fn provider_recovered(&mut self) {
        for suspect in self.suspects.values_mut() {
            suspect.apart &= suspect.alone > 0;
        }
        self.list();
    }

    fn list(&mut self) {
        let apart = self.suspects.iter().filter(|(_, was)| was.apart);
        self.apart = apart.map(|(order, _)| order.clone()).collect();
    }
}
