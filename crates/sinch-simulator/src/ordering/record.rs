//! Record of the ordering side of a play, for later checks.

use super::announcement::Announcement;
use super::faults::Fault;
use super::order::Order;
use super::wire;
use crate::World;
use number_order::{Id, State, Time};
use sinch_numbers::api::Call;

/// Order that a client created, in its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOrder {
    /// Id of the order.
    pub id: Id,
    /// State of the order.
    pub state: State,
    /// Numbers of the order, in E.164.
    pub numbers: Vec<String>,
    /// Destination of callbacks about the order, where the client gave one.
    pub callback_url: Option<String>,
    /// Time at which the order was created.
    pub created_at: Time,
}

impl PlacedOrder {
    pub(super) fn of(order: &Order) -> PlacedOrder {
        PlacedOrder {
            id: order.id.clone(),
            state: order.state,
            numbers: order.numbers.clone(),
            callback_url: order.callback_url.clone(),
            created_at: order.created_at,
        }
    }
}

/// Call of a client to the ordering side, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlayedCall {
    /// Kind of the call.
    pub call: Call,
    /// Fault that the call met.
    pub fault: Option<Fault>,
    /// HTTP status of the answer; `None`: no answer was sent.
    pub status: Option<u16>,
}

/// Callback about an order that a client created, or about one of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCallback {
    /// Id of the event: `eventId` in the callback's body.
    pub event_id: String,
    /// Order that the callback is about, or by which the project got the number.
    pub order: Id,
    /// Destination of the callback; `None`: the URL that is set for the simulator.
    pub url: Option<String>,
    /// Body of the callback.
    pub body: String,
    /// Number of times that the callback is sent. Zero: it is lost.
    pub copies: u32,
    /// Number of times that the receiver answered the callback 200.
    pub acknowledged: u32,
}

/// Record of all calls and callbacks of the ordering side.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub calls: Vec<PlayedCall>,
    pub callbacks: Vec<SentCallback>,
}

impl Record {
    /// Records a callback that was made; returns its index.
    pub fn made(&mut self, announcement: &Announcement, world: &World) -> usize {
        self.callbacks.push(SentCallback {
            event_id: wire::event_id(announcement),
            order: announcement.order.clone(),
            url: announcement.url.clone(),
            body: wire::callback(announcement, world.project().as_str()),
            copies: announcement.copies,
            acknowledged: 0,
        });
        self.callbacks.len() - 1
    }
}
