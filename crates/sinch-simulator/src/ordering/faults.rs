//! Faults of the simulated calls: which there are, and which comes next.

use std::collections::{HashMap, VecDeque};

use fastrand::Rng;

use super::script::FaultRates;
use crate::history::happens;
use sinch_numbers::api::Call;

/// Way in which a call gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The connection is closed without an answer.
    Cut,
    /// Nothing is sent until the client hangs up or the simulator stops.
    Hang,
}

/// Fault with which one call is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is not done, and gets no answer.
    RequestLost(Silence),
    /// The call is done, and gets no answer.
    AnswerLost(Silence),
    /// The call is done, and gets the given status of a failure, 500 to 504.
    AnswerBroken(u16),
    /// The call is not done, and gets the given status of a failure, 500 to 504.
    Broken(u16),
    /// The call is not done, and gets 429.
    Throttled,
    /// The call is not done, and gets 403: the key has no right to it. Never random.
    Forbidden,
    /// The call is not done, and gets 401. The token is withdrawn.
    Unauthorized,
}

/// Faults that were set for the next calls, and the randomness of all others.
#[derive(Debug)]
pub(super) struct Faults {
    set: HashMap<Call, VecDeque<Option<Fault>>>,
    rng: Rng,
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults {
            set: HashMap::new(),
            // The readings draw from another sequence.
            rng: Rng::with_seed(!seed),
        }
    }

    /// Sets the fault of the next call of a kind; `None`: the call meets none. Several are used up in their order.
    pub fn push(&mut self, call: Call, fault: Option<Fault>) {
        self.set.entry(call).or_default().push_back(fault);
    }

    /// Returns the fault that the next call of a kind meets.
    pub fn next(&mut self, call: Call, rates: &FaultRates) -> Option<Fault> {
        let set = self.set.get_mut(&call).and_then(VecDeque::pop_front);
        set.unwrap_or_else(|| self.random_fault(rates))
    }

    fn random_fault(&mut self, rates: &FaultRates) -> Option<Fault> {
        let rng = &mut self.rng;
        let status = *rng.choice(&[500, 502, 503, 504]).unwrap_or(&500);
        let kinds = [
            (rates.request_lost, Fault::RequestLost(Silence::Cut)),
            (rates.answer_lost, Fault::AnswerLost(Silence::Cut)),
            (rates.answer_broken, Fault::AnswerBroken(status)),
            (rates.broken, Fault::Broken(status)),
            (rates.throttled, Fault::Throttled),
            (rates.unauthorized, Fault::Unauthorized),
        ];
        kinds
            .into_iter()
            .find(|(rate, _)| happens(rng, *rate))
            .map(|(_, fault)| fault)
    }
}
