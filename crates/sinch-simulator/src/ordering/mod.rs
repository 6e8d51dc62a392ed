//! Ordering side: the API by which orders are placed, and what becomes of them.
//!
//! It plays beside the orders of a [`World`](crate::World): these exist from the start, and their histories are
//! decided; an order here is created by a client, and goes on as the client's calls and time let it.
//!
//! What Sinch documents is played as documented. What it leaves open is played in each way that is likely, by seed or as
//! a test sets it: [`Readings`] lists these questions. What a play needs and no source publishes is invented, and says so:
//! prices, paces, the requirements of Australian mobile numbers, the words that decide a review (`BLOCK-ONCE`,
//! `BLOCK-ALWAYS`, `REJECT` and `NO-REVIEW` in any value of a registration), the maximum size of a file.
//!
//! Registrations are held in memory alone, and never printed. Of an uploaded file only name, type and size are kept.

mod active_number;
mod announcement;
pub(crate) mod api;
mod failures;
mod faults;
mod model;
mod new_order;
mod numbers;
mod order;
mod placing;
mod readings;
mod record;
mod refusal;
mod requirements;
mod review;
mod script;
mod stock;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use failures::{Failure, Step};
pub use faults::{Fault, Silence};
pub use readings::*;
pub use record::{PlacedOrder, PlayedCall, SentCallback};
pub use review::Verdict;
pub use script::{FaultRates, Pace, Script};

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::faults::Faults;
use self::model::Model;
use self::record::Record;
use self::stock::Stock;
use super::callbacks::CallbackSender;
use super::{Shared, lock};
use number_order::{Id, State, Time};
pub use sinch_numbers::api::Call;

/// Longest sleep of the task that sends callbacks; a change wakes it.
const IDLE_MAX: Duration = Duration::from_secs(3600);

/// The ordering side of a running simulator.
pub struct Ordering {
    shared: Arc<Shared>,
    model: Mutex<Model>,
    faults: Mutex<Faults>,
    record: Mutex<Record>,
    /// Signal that a call may have changed the time of the next event.
    changed: Notify,
}

impl Ordering {
    pub(crate) fn new(script: Script, shared: Arc<Shared>) -> Ordering {
        let orders = shared.world.orders();
        let taken = orders.flat_map(|history| history.numbers.iter().cloned());
        let stock = Stock::without(taken);
        Ordering {
            faults: Mutex::new(Faults::new(script.seed)),
            model: Mutex::new(Model::new(script, stock)),
            record: Mutex::default(),
            changed: Notify::new(),
            shared,
        }
    }

    /// Returns the reading that is played of each open question.
    pub fn readings(&self) -> Readings {
        lock(&self.model).script.readings.clone()
    }

    /// Sets the readings of the open questions from now on.
    pub fn set_readings(&self, readings: Readings) {
        lock(&self.model).script.readings = readings;
    }

    /// Sets the fault of the next call of a kind; `None`: the call meets none. Set faults precede random ones, and
    /// several are used up in their order. The calls that rent a number are not played.
    pub fn push_fault(&self, call: Call, fault: Option<Fault>) {
        lock(&self.faults).push(call, fault);
    }

    /// Sets the end of the next review of any order, whatever its registration says.
    pub fn push_verdict(&self, verdict: Verdict) {
        lock(&self.model).verdicts.push_back(verdict);
    }

    /// Lets the reservation of an order run out now.
    pub fn end_reservation(&self, order: &Id) {
        let now = self.now();
        {
            let mut model = lock(&self.model);
            model.advance(now);
            model.expire(order, now);
        }
        self.changed.notify_one();
    }

    /// Returns every order that a client created, sorted by id. Sinch has no such list.
    pub fn orders(&self) -> Vec<PlacedOrder> {
        let mut model = lock(&self.model);
        model.advance(self.now());
        model.orders.values().map(PlacedOrder::of).collect()
    }

    /// Returns every call that came, in the order of arrival.
    pub fn calls(&self) -> Vec<PlayedCall> {
        lock(&self.record).calls.clone()
    }

    /// Returns every callback about ordering, in the order of their making, also those that are never sent.
    pub fn callbacks(&self) -> Vec<SentCallback> {
        lock(&self.record).callbacks.clone()
    }

    /// Returns `true` if a client created this order.
    pub(crate) fn has(&self, order: &str) -> bool {
        lock(&self.model).order(order).is_some()
    }

    /// Returns `true` if the number is of an order of the world that is COMPLETED by now.
    fn is_of_world(&self, number: &str) -> bool {
        let elapsed = self.shared.elapsed();
        let mut orders = self.shared.world.orders();
        orders.any(|order| {
            let is_completed = order.state_at(elapsed) == Some(State::Completed);
            is_completed && order.numbers.iter().any(|own| own == number)
        })
    }

    fn now(&self) -> Time {
        self.shared.started_at.plus(self.shared.elapsed())
    }

    /// Lets the due events happen, and sends the callbacks, until the simulator stops.
    pub(crate) async fn announce(self: Arc<Self>, sender: Arc<CallbackSender>) {
        let mut sending = JoinSet::new();
        loop {
            let (announcements, next_at) = {
                let mut model = lock(&self.model);
                model.advance(self.now());
                (model.take_announcements(), model.next_at())
            };
            for announcement in announcements {
                let made = lock(&self.record).made(&announcement, &self.shared.world);
                for _ in 0..announcement.copies {
                    let (this, sender) = (self.clone(), sender.clone());
                    let send_at = announcement.send_at;
                    sending.spawn(async move { this.send(made, send_at, &sender).await });
                }
            }
            let wait = next_at.map_or(IDLE_MAX, |at| at.since(self.now()).min(IDLE_MAX));
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
                Some(_) = sending.join_next() => {}
            }
        }
    }

    /// Sends a recorded callback at its time, until it is answered 200 or abandoned.
    async fn send(&self, made: usize, send_at: Time, sender: &CallbackSender) {
        tokio::time::sleep(send_at.since(self.now())).await;
        let callback = lock(&self.record).callbacks.get(made).cloned();
        let Some(SentCallback { url, body, .. }) = callback else {
            return;
        };
        if sender.send_until_answered(url, &body).await
            && let Some(callback) = lock(&self.record).callbacks.get_mut(made)
        {
            callback.acknowledged += 1;
        }
    }
}
