//! Receiver of what a target is told.

use std::fmt::Display;

use super::command::Command;
use super::http::Endpoint;
use crate::store::NotificationClaim;
use notifications::Attempt;

/// Receiver of what a target is told.
pub enum Receiver {
    /// A URL.
    Http(Box<Endpoint>),
    /// A command.
    Command(Command),
}

impl Receiver {
    /// Makes one attempt to tell the event. It takes no longer than the target's time-out.
    pub(super) async fn tell(&self, claim: &NotificationClaim) -> Attempt {
        match self {
            Receiver::Http(endpoint) => endpoint.post(claim).await,
            Receiver::Command(command) => command.run(claim).await,
        }
    }
}

/// Content that is sent for an event, with its media type. It depends on the event alone: each attempt sends the same.
pub(super) fn content(claim: &NotificationClaim) -> (&'static str, Vec<u8>) {
    ("application/json", claim.body.clone().into_bytes())
}

/// Maximum number of characters of a cause that is kept.
const CAUSE_MAX_CHARS: usize = 200;

/// Returns a cause as the system or a library names it, cut, and without control characters: names in a certificate are
/// text from outside.
pub(super) fn cause(error: &(impl Display + ?Sized)) -> String {
    let text = error.to_string();
    let shown = text.chars().filter(|char| !char.is_control());
    shown.take(CAUSE_MAX_CHARS).collect()
}
