//! Receiver of what a target is told.

use super::command::Command;
use super::examine::{JudgedAddress, TargetFault, examine_program};
use super::http::Endpoint;
use crate::store::NotificationClaim;
use notifications::{Attempt, Format};

/// Source of events in an envelope. It is the same for each attempt, also after the configuration was changed.
const SOURCE: &str = "sinch-callbacks";

/// Receiver of what a target is told.
pub enum Receiver {
    /// A URL.
    Http(Box<Endpoint>),
    /// A command.
    Command(Command),
    /// A URL, with a fault of the program over each event whose body holds the text.
    #[cfg(test)]
    PanicsOver(&'static str, Box<Endpoint>),
}

impl Receiver {
    /// Looks for what would make each attempt fail as things are. Returns the addresses to which a URL leads, of which at
    /// least one is allowed; a command has none.
    ///
    /// # Errors
    ///
    /// The fault that was found, with its cure.
    pub async fn examine(&self) -> Result<Vec<JudgedAddress>, TargetFault> {
        match self {
            Receiver::Http(endpoint) => endpoint.examine().await,
            #[cfg(test)]
            Receiver::PanicsOver(_, endpoint) => endpoint.examine().await,
            Receiver::Command(command) => examine_program(command.program()).map(|()| Vec::new()),
        }
    }

    /// Makes one attempt to tell the event in the given form. It takes no longer than the target's time-out.
    pub(super) async fn tell(&self, claim: &NotificationClaim, format: Format) -> Attempt {
        let content = format.render(&claim.body, &claim.event_id, SOURCE);
        match self {
            Receiver::Http(endpoint) => endpoint.post(&claim.event_id, content).await,
            #[cfg(test)]
            Receiver::PanicsOver(text, endpoint) => {
                assert!(!claim.body.contains(text), "on purpose");
                endpoint.post(&claim.event_id, content).await
            }
            Receiver::Command(command) => {
                let (id, event_type) = (&claim.event_id, &claim.event_type);
                command.run(id, event_type, &content.body).await
            }
        }
    }
}
