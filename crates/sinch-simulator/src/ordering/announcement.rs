//! Announcements: what callbacks say, before it is put into bytes.

use super::failures::{Failure, Step};
use number_order::{Id, State, Time};

/// Content of a callback about ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The order entered this state.
    Order(State),
    /// A step of provisioning of a number ended, or was undone.
    Number {
        number: String,
        step: Step,
        /// `true` if the step of provisioning was undone.
        is_undone: bool,
        failure: Option<&'static Failure>,
    },
}

/// Callback that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    /// Order that the callback is about, or by which the project got the number.
    pub order: Id,
    /// Destination of the callback; `None`: the URL that is set for the simulator.
    pub url: Option<String>,
    pub content: Content,
    /// Time stamp in the body of the callback.
    pub said_at: Time,
    /// Time of the first attempt to send the callback.
    pub send_at: Time,
    /// Number of times that the callback is sent. Zero: lost.
    pub copies: u32,
    /// Random part of the event's id.
    pub salt: u128,
}
