//! What is put to the trial: something that makes up its mind about an order.

use std::time::Duration;

use crate::order::{BackOff, Decision, Event, Finding, Order, Rule, State, Time, Tried};

/// What knows of one order and decides about it. What a method did is on disk when it returns: a crash
/// between any two takes nothing of it away.
pub trait Mind {
    /// What it knows.
    fn order(&self) -> &Order;

    /// A callback comes, told apart by the event's id; `false`: the event was there already.
    fn accept(&mut self, event: u128, said: &Event) -> bool;

    /// Looks at what has come. What was decided on each, where that can be told, and the states that were
    /// taken for true on the way.
    fn look(&mut self, now: Time, rule: &Rule) -> (Vec<Decision>, Vec<State>);

    /// Somebody wants Sinch to be asked at once; `false`: this mind never asks.
    fn wish(&mut self, now: Time) -> bool;

    /// Begins a try, and counts it.
    fn ask(&mut self, now: Time);

    /// Settles what came of it.
    fn settle(&mut self, tried: Tried<'_>, rule: &Rule, back_off: &BackOff) -> Weighed;

    /// Starts anew after a crash, and spreads questions over at most this span where it may choose;
    /// `true`: there is something to look at.
    fn restart(&mut self, now: Time, spread: Duration) -> bool;
}

/// What an answer, or the want of one, came to.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// What the house rule found, where that can be told.
    pub finding: Option<Finding>,
    /// The state that is taken for true from now on, if it is another one.
    pub believed: Option<State>,
}
