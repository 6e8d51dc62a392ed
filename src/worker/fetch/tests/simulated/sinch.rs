//! A Sinch of a few lines, in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use crate::sinch::FetchError;
use number_order::{Answer, Id, Snapshot, State, Status, Time};

/// Way in which the fetch of an order fails at a time, and the time that it takes; `None`: it is answered.
type Fails = Box<dyn Fn(&Id, Time, &mut Rng) -> Option<(FetchError, Duration)>>;

/// Sinch with the ground truth about every order.
pub struct Sinch {
    /// States of each order, with the times at which they were entered.
    pub orders: BTreeMap<Id, Vec<(Time, State)>>,
    /// Function that makes fetches fail.
    pub fails: Fails,
}

impl Sinch {
    pub fn state(&self, order: &Id, at: Time) -> Option<(Time, State)> {
        let history = self.orders.get(order)?;
        history
            .iter()
            .take_while(|(entered, _)| *entered <= at)
            .last()
            .copied()
    }

    /// Returns the time at which a fetch that is sent now ends, and its result.
    pub fn answer(
        &self,
        order: &Id,
        now: Time,
        rng: &mut Rng,
    ) -> (Time, Result<Answer, FetchError>) {
        if let Some((error, takes)) = (self.fails)(order, now, rng) {
            return (now.plus(takes), Err(error));
        }
        let takes = Duration::from_millis(rng.u64(50..600));
        let answer = match self.state(order, now) {
            Some((updated_at, state)) => Answer::Found(Snapshot {
                state: Status::Known(state),
                updated_at,
                expires_at: None,
                unreadable_expiry: None,
                details: None,
                sent_at: None,
            }),
            None => Answer::NotFound,
        };
        (now.plus(takes), Ok(answer))
    }
}
