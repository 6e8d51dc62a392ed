//! Alerts about the service: what an operator should see to that is not about one order.
//!
//! [`sightings`] says what there is to see at a moment, and [`update_episodes`] what that means: an alert fires once what it
//! is about has lasted, and is resolved once it has not been seen for a while.

mod episode;
mod facts;
mod secret;
mod sighting;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray, VariantNames};

use number_order::{Id, NoAnswer, Time};

pub use episode::{AlertLimits, AlertNews, Episode, EpisodeChange, EpisodeWrite, update_episodes};
pub use facts::{Disk, ProjectFacts, RefusedCallback, SecretFacts, ServiceFacts, TargetFacts};
pub use secret::{SecretComparison, SecretDrift, SecretFinding};
pub use sighting::{Sighting, sightings};

/// Kind of alert about the service, with what was known when it fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ServiceAlert {
    /// Orders of the project are parked: they are not fetched until an event comes or an operator requests it.
    OrdersParked {
        /// Number of the orders.
        orders: u64,
    },
    /// Deliveries of the project were parked within a day: an operator should look at them.
    DeliveriesParked {
        /// Number of the deliveries.
        deliveries: u64,
    },
    /// Fetches of the project fail through the provider, and its circuit is open.
    ProviderTrouble {
        /// Why the circuit is open.
        reason: NoAnswer,
    },
    /// Sinch has shown changes of the project's orders that no callback announced, and no callback has come since.
    Silence {
        /// Number of the changes.
        changes: u64,
        /// Time of the project's last callback; `None`: none ever came.
        last_at: Option<Time>,
    },
    /// Callbacks from allowed addresses are refused.
    CallbacksRefused {
        /// Why they are refused.
        refusal: CallbackRefusal,
    },
    /// Callbacks with a valid signature came from addresses that are not allowed, and wait in the quarantine.
    UnknownSource {
        /// Number of the callbacks.
        callbacks: u64,
        /// Some of the addresses from which they came.
        addresses: Vec<String>,
    },
    /// The secret with which Sinch signs a project's callbacks is none of those that are configured for it.
    SecretDrift {
        /// What Sinch has instead.
        drift: SecretDrift,
    },
    /// The database's disk has little free space, and callbacks will be refused.
    DiskLow(DiskFields),
    /// The database's disk has so little free space that callbacks are refused.
    DiskFull(DiskFields),
    /// Attempts to tell a target have failed for a while, and its circuit is open.
    TargetFailing {
        /// Name of the target.
        target: String,
        /// Time of the first of these attempts.
        since: Time,
    },
    /// A target answered that it wants no more, and is told nothing until an operator resumes it.
    TargetSwitchedOff {
        /// Name of the target.
        target: String,
    },
    /// A target did not take notifications in any attempt.
    NotificationsParked {
        /// Name of the target.
        target: String,
        /// Number of the notifications.
        notifications: u64,
    },
    /// A worker of the service has done nothing, or nothing but fail, for a minute.
    WorkerSilent {
        /// Name of the worker.
        worker: String,
    },
}

/// Space on the database's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFields {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Number of free bytes below which callbacks are refused.
    pub refused_below_bytes: u64,
}

/// Reason why a callback from an allowed address is refused: the secret or the address at Sinch is not the one here.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum CallbackRefusal {
    /// No project has the path that was requested.
    Path,
    /// The signature is missing or wrong.
    Signature,
}

impl ServiceAlert {
    /// Returns the code of the kind of alert.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns the name of the target that the alert is about, if it is about one. That target is not told of it.
    pub fn target(&self) -> Option<&str> {
        match self {
            ServiceAlert::TargetFailing { target, .. }
            | ServiceAlert::TargetSwitchedOff { target }
            | ServiceAlert::NotificationsParked { target, .. } => Some(target),
            ServiceAlert::OrdersParked { .. }
            | ServiceAlert::DeliveriesParked { .. }
            | ServiceAlert::ProviderTrouble { .. }
            | ServiceAlert::Silence { .. }
            | ServiceAlert::CallbacksRefused { .. }
            | ServiceAlert::UnknownSource { .. }
            | ServiceAlert::SecretDrift { .. }
            | ServiceAlert::DiskLow(_)
            | ServiceAlert::DiskFull(_)
            | ServiceAlert::WorkerSilent { .. } => None,
        }
    }

    /// Returns what an alert of this kind is about, beside its kind: there is one open alert for both.
    pub fn subject(&self, project: Option<&Id>) -> String {
        match self {
            ServiceAlert::WorkerSilent { worker } => worker.clone(),
            ServiceAlert::TargetFailing { target, .. }
            | ServiceAlert::TargetSwitchedOff { target }
            | ServiceAlert::NotificationsParked { target, .. } => target.clone(),
            ServiceAlert::OrdersParked { .. }
            | ServiceAlert::DeliveriesParked { .. }
            | ServiceAlert::ProviderTrouble { .. }
            | ServiceAlert::Silence { .. }
            | ServiceAlert::CallbacksRefused { .. }
            | ServiceAlert::UnknownSource { .. }
            | ServiceAlert::SecretDrift { .. }
            | ServiceAlert::DiskLow(_)
            | ServiceAlert::DiskFull(_) => project.map(Id::to_string).unwrap_or_default(),
        }
    }

    /// Returns the project that an alert with this subject is about, if it is about one.
    pub fn project(&self, subject: &str) -> Option<Id> {
        match self {
            ServiceAlert::OrdersParked { .. }
            | ServiceAlert::DeliveriesParked { .. }
            | ServiceAlert::ProviderTrouble { .. }
            | ServiceAlert::Silence { .. }
            | ServiceAlert::CallbacksRefused { .. }
            | ServiceAlert::UnknownSource { .. }
            | ServiceAlert::SecretDrift { .. } => Id::new(subject),
            ServiceAlert::DiskLow(_)
            | ServiceAlert::DiskFull(_)
            | ServiceAlert::TargetFailing { .. }
            | ServiceAlert::TargetSwitchedOff { .. }
            | ServiceAlert::NotificationsParked { .. }
            | ServiceAlert::WorkerSilent { .. } => None,
        }
    }
}
