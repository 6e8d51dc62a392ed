//! Whose fault it is that there is no answer: one order's or the provider's. Others tell.
//!
//! Pure. Where others are answered between two failures of one order, that order fails alone; where nobody is
//! answered, nobody can say so, and it is the provider's. An access key, address or project that is wrong for
//! every order shows as orders none of which is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::order::Id;

/// So many orders that failed are remembered. Those beyond are asked about like any other.
const SUSPECTS_MAX: usize = 256;

/// So many failures with answers to others between them prove that an order fails alone.
const PROOF: u32 = 2;

/// So many different orders, unknown one and all while none was ever found, are more than chance.
const UNKNOWN_MIN: usize = 3;

/// More than these need not be told apart.
const UNKNOWN_MAX: usize = 1000;

/// An order whose last try failed.
#[derive(Debug)]
struct Suspect {
    /// How many answers there had been by then.
    answers: u64,
    /// How often it failed alone.
    alone: u32,
    /// Whether it is kept apart from the others.
    apart: bool,
    /// Whether its last failure spoke of the project.
    of_project: bool,
}

/// What is known of a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// Its kind is that of a single order's.
    pub of_order: bool,
    /// It speaks of the project: Sinch asks to be left alone, or refuses the key.
    pub of_project: bool,
    /// Asking is open.
    pub open: bool,
    /// Since the last answer nobody has failed through the provider.
    pub calm: bool,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Culprit {
    /// This order's, which fails though others are answered.
    Order,
    /// Nobody can tell: the order was proven to fail alone, but others fail now as well.
    Nobody,
    /// The provider's, as far as anybody can tell.
    Provider,
}

/// Which orders of a project have failed lately, and what that says of them.
#[derive(Debug)]
pub(super) struct Blame {
    suspects: BTreeMap<Id, Suspect>,
    apart: Arc<[Id]>,
    /// Answers so far.
    answers: u64,
    /// The order that failed last, until there is an answer. Many tries of one order that fail speak of it.
    last: Option<Id>,
    /// Orders that failed since the last answer and were not kept apart before.
    strangers: u32,
    /// Whether Sinch has ever shown an order of this project.
    found: bool,
    /// The orders that were not known while none was found.
    unknown: BTreeSet<Id>,
}

impl Blame {
    /// Begins with a clean slate. `found`: Sinch has shown an order of this project before.
    pub fn new(found: bool) -> Blame {
        Blame {
            suspects: BTreeMap::new(),
            apart: Arc::default(),
            answers: 0,
            last: None,
            strangers: 0,
            found,
            unknown: BTreeSet::new(),
        }
    }

    /// The orders that are kept apart from the others.
    pub fn apart(&self) -> &Arc<[Id]> {
        &self.apart
    }

    /// How many orders failed since the last answer that were not kept apart before.
    pub fn strangers(&self) -> u32 {
        self.strangers
    }

    /// Whether an order is kept apart from the others.
    pub fn is_apart(&self, order: &Id) -> bool {
        self.suspects.get(order).is_some_and(|was| was.apart)
    }

    /// How many orders failed in a way that speaks of the project, though others were answered.
    pub fn of_project_alone(&self) -> u32 {
        let alone = |was: &&Suspect| was.alone > 0 || was.answers < self.answers;
        let suspects = self.suspects.values();
        suspects.filter(|was| was.of_project).filter(alone).count() as u32
    }

    /// Sinch has shown an order, so address, project and key are right.
    pub fn found(&mut self) {
        self.found = true;
        self.unknown.clear();
    }

    /// Sinch does not know this order. Says of how many that holds, if it holds of all so far and they are too
    /// many for chance: then it speaks of the set-up, and of none of them.
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

    /// An order was answered.
    pub fn answered(&mut self, order: &Id) {
        self.answers += 1;
        self.last = None;
        self.strangers = 0;
        if self.suspects.remove(order).is_some_and(|was| was.apart) {
            self.list();
        }
    }

    /// An order's try has failed.
    pub fn failed(&mut self, order: &Id, signs: Signs) -> Culprit {
        let again = self.last.replace(order.clone()).as_ref() == Some(order);
        let before = self.suspects.get(order);
        let mut alone = before.map_or(0, |was| was.alone);
        let seen_alone = signs.open && before.is_some_and(|was| was.answers < self.answers);
        let proven = signs.open && alone >= PROOF;
        let alike = signs.open && signs.of_order && again;
        if !self.is_apart(order) {
            self.strangers = self.strangers.saturating_add(1);
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

    /// The provider is well again: whoever was never seen to fail alone is not kept apart any longer.
    pub fn pardon(&mut self) {
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
