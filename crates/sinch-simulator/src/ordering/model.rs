//! Model of the ordering side: orders, numbers and what happens to them in time. Pure: time is an argument.
//!
//! Each call first lets time pass ([`Model::advance`]), so that all that was due has happened, each thing at its own
//! time and not when it was noticed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;

use super::active_number::{ActiveNumber, Service};
use super::announcement::{Announcement, Content};
use super::order::{Order, UploadStatus};
use super::readings::{Activation, Expired, Expiring, Submitted, Upload, WithoutForm};
use super::review::{self, Verdict};
use super::script::Script;
use super::stock::Stock;
use crate::history::happens;
use number_order::{Id, State, Time};

/// Event that happens to an order or a number at its time, unless the order has gone another way by then.
#[derive(Clone, Debug)]
pub(super) enum Due {
    Expiry(Id),
    ReviewBegins(Id),
    ReviewEnds(Id),
    Completion(Id),
    /// The n-th upload of a document ends.
    UploadEnds(Id, &'static str, u32),
    Activation(Id, String),
    /// A step of provisioning, by number, service and serial number of the job.
    Provisioning(String, Service, u64),
}

/// Model of ordering: the orders, the numbers, and the events that are still to happen to them.
#[derive(Debug)]
pub(super) struct Model {
    pub script: Script,
    pub stock: Stock,
    pub orders: BTreeMap<Id, Order>,
    pub numbers: BTreeMap<String, ActiveNumber>,
    pub rng: Rng,
    /// Ends of the next reviews, as a test has set them.
    pub verdicts: VecDeque<Verdict>,
    announcements: Vec<Announcement>,
    due: BTreeMap<(Time, u64), Due>,
    count: u64,
}

impl Model {
    pub fn new(script: Script, stock: Stock) -> Model {
        Model {
            rng: Rng::with_seed(script.seed),
            script,
            stock,
            orders: BTreeMap::new(),
            numbers: BTreeMap::new(),
            verdicts: VecDeque::new(),
            announcements: Vec::new(),
            due: BTreeMap::new(),
            count: 0,
        }
    }

    /// Returns a serial number that no other call of this method returns.
    pub fn next_count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Plans an event for a later time.
    pub fn plan(&mut self, at: Time, due: Due) {
        let n = self.next_count();
        self.due.insert((at, n), due);
    }

    /// Returns the time of the next planned event.
    pub fn next_at(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets every planned event happen that is due by `now`, each at its own time.
    pub fn advance(&mut self, now: Time) {
        while let Some(entry) = self.due.first_entry()
            && entry.key().0 <= now
        {
            let ((at, _), due) = entry.remove_entry();
            self.let_happen(at, due);
        }
    }

    /// Takes the announcements that were made since the last call.
    pub fn take_announcements(&mut self) -> Vec<Announcement> {
        std::mem::take(&mut self.announcements)
    }

    /// Returns the order as Sinch would show it: `None` if Sinch has forgotten it.
    pub fn shown(&self, id: &str) -> Option<&Order> {
        let forgets = self.script.readings.expired == Expired::Forgotten;
        self.order(id)
            .filter(|order| !(forgets && order.state == State::Expired))
    }

    /// Returns the order, even if Sinch has forgotten it and shows it no more.
    pub fn order(&self, id: &str) -> Option<&Order> {
        self.orders.get(&Id::new(id)?)
    }

    fn let_happen(&mut self, at: Time, due: Due) {
        match due {
            Due::Expiry(id) => self.expire(&id, at),
            Due::ReviewBegins(id) => self.enter_review(&id, at),
            Due::ReviewEnds(id) => self.end_review(&id, at),
            Due::Completion(id) => self.complete(&id, at),
            Due::UploadEnds(id, document, upload) => self.end_upload(&id, document, upload, at),
            Due::Activation(id, number) => self.activate(&id, &number, at),
            Due::Provisioning(number, service, job) => self.provision(&number, service, job, at),
        }
    }

    /// Makes an announcement about an order or one of its numbers.
    pub fn announce(&mut self, order: &Id, url: Option<String>, content: Content, at: Time) {
        let rates = &self.script.faults;
        let rng = &mut self.rng;
        let delay = if happens(rng, rates.callback_late) {
            rates.late_max.mul_f64(rng.f64())
        } else {
            Duration::ZERO
        };
        let copies = if happens(rng, rates.callback_lost) {
            0
        } else {
            1 + u32::from(happens(rng, rates.callback_twice))
        };
        self.announcements.push(Announcement {
            order: order.clone(),
            url,
            content,
            said_at: at,
            send_at: at.plus(delay),
            copies,
            salt: rng.u128(..),
        });
    }

    /// Lets an order enter a state, and announces it.
    fn enter(&mut self, id: &Id, state: State, at: Time) {
        let Some(order) = self.orders.get_mut(id) else {
            return;
        };
        order.state = state;
        order.updated_at = at;
        let url = order.callback_url.clone();
        self.announce(id, url, Content::Order(state), at);
    }

    /// Lets the reservation of an order run out, if the order is in a state in which that matters.
    pub fn expire(&mut self, id: &Id, at: Time) {
        let expires_blocked = self.script.readings.expiring == Expiring::BlockedToo;
        let Some(order) = self.orders.get(id).filter(|order| !order.is_submitted) else {
            return;
        };
        let expires = match order.state {
            State::Created => true,
            State::Blocked => expires_blocked,
            State::InReview | State::Completed | State::Rejected | State::Expired => false,
        };
        if expires {
            let numbers = order.numbers.clone();
            self.stock.give_back(&numbers);
            self.enter(id, State::Expired, at);
        }
    }

    /// Begins the review of an order that was submitted, or the wait for it.
    pub fn begin_review(&mut self, id: &Id, at: Time) {
        if let Some(order) = self.orders.get_mut(id) {
            order.is_submitted = true;
        }
        match self.script.readings.submitted {
            Submitted::InReview => self.enter_review(id, at),
            Submitted::Unchanged => {
                let begins_at = at.plus(self.script.pace.pickup);
                self.plan(begins_at, Due::ReviewBegins(id.clone()));
            }
        }
    }

    fn enter_review(&mut self, id: &Id, at: Time) {
        let submitted = self.orders.get_mut(id).filter(|order| order.is_submitted);
        let Some(order) = submitted else {
            return;
        };
        order.is_submitted = false;
        self.enter(id, State::InReview, at);
        let ends_at = at.plus(self.script.pace.review);
        self.plan(ends_at, Due::ReviewEnds(id.clone()));
    }

    fn end_review(&mut self, id: &Id, at: Time) {
        let Some(order) = self.orders.get(id) else {
            return;
        };
        let Script {
            readings, faults, ..
        } = &self.script;
        let verdict = self
            .verdicts
            .pop_front()
            .unwrap_or_else(|| review::verdict(order, readings, faults, &mut self.rng));
        match verdict {
            Verdict::Completed => self.complete(id, at),
            Verdict::Blocked => self.block(id, at),
            Verdict::Rejected => self.reject(id, at),
            Verdict::Open => {}
        }
    }

    fn block(&mut self, id: &Id, at: Time) {
        self.add_log(id, Verdict::Blocked, at);
        let Some(order) = self.orders.get_mut(id) else {
            return;
        };
        order.blocks += 1;
        // A reservation that has run out during the review leaves time for a correction.
        let expires_at = order.expires_at.max(at.plus(self.script.pace.review));
        self.plan(expires_at, Due::Expiry(id.clone()));
        self.enter(id, State::Blocked, at);
    }

    fn reject(&mut self, id: &Id, at: Time) {
        self.add_log(id, Verdict::Rejected, at);
        if let Some(order) = self.orders.get(id) {
            self.stock.give_back(&order.numbers.clone());
        }
        self.enter(id, State::Rejected, at);
    }

    fn add_log(&mut self, id: &Id, verdict: Verdict, at: Time) {
        if let Some(order) = self.orders.get_mut(id) {
            let message = review::log_message(order, verdict);
            let created_at = at;
            order.registration.logs.push(super::order::Log {
                message,
                created_at,
            });
        }
    }

    /// Completes an order; its numbers become active afterwards. The completion is announced, unless it was before.
    pub fn complete(&mut self, id: &Id, at: Time) {
        let readings = &self.script.readings;
        let is_announced = readings.without_form == WithoutForm::CallbackFirst;
        let active_at = match readings.activation {
            Activation::AtOnce => at,
            Activation::Later => at.plus(self.script.pace.activation),
        };
        let open = self
            .orders
            .get_mut(id)
            .filter(|order| !order.state.is_final());
        let Some(order) = open else {
            return;
        };
        order.is_submitted = false;
        let numbers = order.numbers.clone();
        if is_announced && !order.product.has_form {
            order.state = State::Completed;
            order.updated_at = at;
        } else {
            self.enter(id, State::Completed, at);
        }
        for number in numbers {
            self.plan(active_at, Due::Activation(id.clone(), number));
        }
    }

    fn end_upload(&mut self, id: &Id, document: &str, upload: u32, at: Time) {
        let fails_once = self.script.readings.upload == Upload::FailsOnce;
        let Some(order) = self.orders.get_mut(id) else {
            return;
        };
        let attachments = &mut order.registration.attachments;
        let waiting = attachments
            .iter_mut()
            .find(|attachment| attachment.id == document && attachment.uploads == upload);
        if let Some(attachment) = waiting {
            attachment.updated_at = at;
            attachment.status = if fails_once && upload == 1 {
                UploadStatus::Failed
            } else {
                UploadStatus::Completed
            };
        }
    }
}
