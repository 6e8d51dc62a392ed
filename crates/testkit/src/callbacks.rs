//! Callbacks as Sinch might send them: single bodies, and many that are ready to be sent.

use std::sync::{Arc, OnceLock};

use fastrand::Rng;
use jiff::{Timestamp, tz::Offset};
use number_order::Time;
use serde_json::json;

use crate::ledger::Acknowledged;
use crate::{PATH, PROJECT, Request, SECRET, now};

/// States that the events of an order claim in turn: up to the order's end, and then from the beginning again.
pub const CYCLE: &[&str] = &["IN_REVIEW", "BLOCKED", "IN_REVIEW", "COMPLETED"];

/// States that the events of an order claim in turn, where every event but the first fits the one before.
pub const FITTING: &[&str] = &["IN_REVIEW", "BLOCKED"];

/// Makes the body of a callback about an order of the first project.
pub fn event(event: &str, order: &str, status: &str, said_at: Time) -> String {
    // Sinch writes no zone.
    let timestamp = said_at.to_string();
    json!({
        "eventId": event,
        "timestamp": timestamp.trim_end_matches('Z'),
        "projectId": PROJECT,
        "resourceType": "NUMBER_ORDER",
        "resourceId": order,
        "eventType": "NUMBER_ORDER_PROCESSING",
        "status": status,
    })
    .to_string()
}

/// Makes the body of a callback about a number of the first project.
pub fn about_number(event: &str, resource_type: &str, number: &str) -> String {
    json!({
        "eventId": event,
        "projectId": PROJECT,
        "resourceType": resource_type,
        "resourceId": number,
        "eventType": "PROVISIONING_TO_SMS_PLATFORM",
        "status": "SUCCEEDED",
    })
    .to_string()
}

/// Receiver of callbacks, with what Sinch knows of it.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Path of the receiver's callback URL.
    pub path: String,
    /// Id of the receiver's project at Sinch.
    pub project: String,
    /// Secret with which callbacks to the receiver are signed.
    pub secret: String,
}

impl Receiver {
    /// Returns the receiver that a service with the settings of this crate is.
    fn of_the_kit() -> Receiver {
        let [path, project, secret] = [PATH, PROJECT, SECRET].map(str::to_owned);
        Receiver {
            path,
            project,
            secret,
        }
    }
}

/// Content of many callbacks, by what they are about.
#[derive(Clone, Debug)]
pub enum Content {
    /// Events of the given orders: each event claims one of the given states in turn, again and again.
    Orders(Vec<String>, &'static [&'static str]),
    /// Events of one number, which touch no order.
    Number,
}

/// Callbacks with good signatures, each of which is made when it is first needed.
pub struct Callbacks {
    receiver: Receiver,
    content: Content,
    all: Vec<Callback>,
}

struct Callback {
    event: String,
    said_at_ms: i64,
    /// Index of the callback's order in the content, and the state that it claims.
    says: (usize, &'static str),
    bytes: OnceLock<CallbackBytes>,
}

struct CallbackBytes {
    request: Vec<u8>,
    body_at: usize,
}

impl Callbacks {
    /// Makes callbacks about random orders of the content, for a service with the settings of this crate. The ids of
    /// their events sort by time, as Sinch's do: twenty to the millisecond.
    pub fn new(content: Content, count: usize, rng: &mut Rng) -> Arc<Callbacks> {
        Arc::new(Callbacks::to(Receiver::of_the_kit(), content, count, rng))
    }

    /// Makes callbacks about random orders of the content for the given receiver.
    pub fn to(receiver: Receiver, content: Content, count: usize, rng: &mut Rng) -> Callbacks {
        let since = now_millis();
        let (orders, statuses) = match &content {
            Content::Orders(orders, statuses) => (orders.len(), *statuses),
            Content::Number => (1, &["SUCCEEDED"][..]),
        };
        let mut said = vec![0; orders];
        let make = |n| {
            let order = rng.usize(0..orders);
            let status = statuses[said[order] % statuses.len()];
            said[order] += 1;
            let said_at_ms = since + n as i64 / 20;
            Callback {
                event: ulid(said_at_ms, rng),
                said_at_ms,
                says: (order, status),
                bytes: OnceLock::new(),
            }
        };
        let all = (0..count).map(make).collect();
        Callbacks {
            receiver,
            content,
            all,
        }
    }

    /// Makes callbacks about a thousand new orders, all of them signed in advance.
    pub fn signed(count: usize, statuses: &'static [&'static str]) -> Arc<Callbacks> {
        let mut rng = Rng::new();
        let content = Content::Orders(order_ids(1000, &mut rng), statuses);
        let callbacks = Callbacks::new(content, count, &mut rng);
        callbacks.sign();
        callbacks
    }

    /// Signs all callbacks now, so that sending them costs little compared with receiving them.
    pub fn sign(&self) {
        for index in 0..self.count() {
            self.bytes(index);
        }
    }

    /// Makes the given number of callbacks about one number.
    pub fn about_a_number(count: usize) -> Arc<Callbacks> {
        Callbacks::new(Content::Number, count, &mut Rng::new())
    }

    /// Returns the number of callbacks.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns the `eventId` of a callback, which no other callback has.
    pub fn event(&self, index: usize) -> &str {
        &self.all[index].event
    }

    /// Returns the bytes of the request that sends a callback.
    pub fn request(&self, index: usize) -> &[u8] {
        &self.bytes(index).request
    }

    /// Returns the bytes of a callback's body.
    pub fn body(&self, index: usize) -> &[u8] {
        let bytes = self.bytes(index);
        &bytes.request[bytes.body_at..]
    }

    /// Returns the entries that the callbacks with the given indices have in a ledger.
    pub fn acknowledged(&self, indices: impl IntoIterator<Item = usize>) -> Acknowledged {
        let entry = |index| (self.event(index).to_owned(), self.body(index).to_vec());
        indices.into_iter().map(entry).collect()
    }

    fn bytes(&self, index: usize) -> &CallbackBytes {
        let callback = &self.all[index];
        callback.bytes.get_or_init(|| {
            let (event, (order, status)) = (&callback.event, callback.says);
            let (resource_type, event_type, resource) = match &self.content {
                Content::Orders(orders, _) => {
                    ("NUMBER_ORDER", "NUMBER_ORDER_PROCESSING", orders[order].as_str())
                }
                Content::Number => ("ACTIVE_NUMBER", "PROVISIONING_TO_SMS_PLATFORM", "+46700000000"),
            };
            let Receiver {
                path,
                project,
                secret,
            } = &self.receiver;
            let at = Timestamp::from_millisecond(callback.said_at_ms).unwrap_or_default();
            let timestamp = Offset::UTC.to_datetime(at);
            let body = format!(
                "{{\"eventId\":\"{event}\",\"timestamp\":\"{timestamp:.9}\",\"projectId\":\"{project}\",\
                 \"resourceId\":\"{resource}\",\"resourceType\":\"{resource_type}\",\
                 \"eventType\":\"{event_type}\",\"status\":\"{status}\",\"failureCode\":null}}",
            );
            let request = Request::signed(path, secret, body.as_str()).bytes();
            CallbackBytes {
                body_at: request.len() - body.len(),
                request,
            }
        })
    }
}

/// Makes ids for orders that no other caller of this function uses.
pub fn order_ids(count: usize, rng: &mut Rng) -> Vec<String> {
    let now = now_millis();
    (0..count).map(|_| ulid(now, rng)).collect()
}

fn now_millis() -> i64 {
    now().0 / 1000
}

/// Makes an id like Sinch's for the given time: a lower-case ULID.
fn ulid(millis: i64, rng: &mut Rng) -> String {
    const ULID_DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = (millis as u128) << 80 | rng.u128(..) >> 48;
    (0..26)
        .rev()
        .map(|place| char::from(ULID_DIGITS[(bits >> (5 * place)) as usize & 31]))
        .collect()
}
