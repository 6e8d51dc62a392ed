//! Subject of a simulation: it decides what state of an order is confirmed.

use std::time::Duration;

use number_order::{Backoff, Decision, Event, FetchAttempt, Order, Outcome, Policy, State, Time};

/// Knowledge of one order, and the decisions about it. The effect of a method is on disk when it returns: a crash
/// between any two calls undoes no part of it.
pub trait Subject {
    /// Returns the subject's current knowledge of the order.
    fn order(&self) -> &Order;

    /// Accepts a callback, identified by its event's id. Returns `false` if the event was accepted before.
    fn accept(&mut self, event: u128, said: &Event) -> bool;

    /// Processes the events of the order that have arrived. Returns the decision on each, where the subject makes one,
    /// and the states that it confirmed on the way.
    fn process(&mut self, now: Time, policy: &Policy) -> (Vec<Decision>, Vec<State>);

    /// Requests a fetch of the order at once, for an operator. Returns `false` if the subject never fetches.
    fn request_fetch(&mut self, now: Time) -> bool;

    /// Begins an attempt to fetch the order, and counts it.
    fn begin_fetch(&mut self, now: Time);

    /// Records the outcome of an attempt to fetch the order.
    fn record(&mut self, attempt: FetchAttempt<'_>, policy: &Policy, backoff: &Backoff) -> Applied;

    /// Restarts the subject after a crash. Where the subject may choose, it spreads fetches over at most `spread`.
    /// Returns `true` if there are events to process.
    fn restart(&mut self, now: Time, spread: Duration) -> bool;
}

/// Result of applying an answer, or the failure of a fetch, to an order.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Outcome of the answer by the program's rules, where the subject has one.
    pub outcome: Option<Outcome>,
    /// State of the order that is confirmed from now on, if it is another one than before.
    pub believed: Option<State>,
}
