//! Facts from which alerts about the service come.

use super::{CallbackRefusal, SecretFinding};
use crate::TargetHealth;
use number_order::{Id, NoAnswer, Time};

/// Facts about the service at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceFacts {
    /// Projects, also those that are not configured any more.
    pub projects: Vec<ProjectFacts>,
    /// Configured targets.
    pub targets: Vec<TargetFacts>,
    /// Callbacks that this process refused, the last for each reason and project.
    pub refused: Vec<RefusedCallback>,
    /// Secrets of callbacks, as this process has compared them, for each project whose secret it compares.
    pub secrets: Vec<SecretFacts>,
    /// The database's disk; `None`: the database has none here.
    pub disk: Option<Disk>,
    /// Workers of this process that have done nothing, or nothing but fail, for a minute.
    pub silent_workers: Vec<String>,
}

/// Facts about a project.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectFacts {
    /// Sinch's id of the project.
    pub project: Id,
    /// `true` if the service fetches the project's orders.
    pub active: bool,
    /// Number of its parked orders.
    pub orders_parked: u64,
    /// Number of its deliveries that were received within a day and are parked.
    pub deliveries_parked: u64,
    /// Number of its callbacks in the quarantine that have a valid signature and came from unknown sources.
    pub from_unknown_sources: u64,
    /// Some of the addresses from which they came.
    pub unknown_sources: Vec<String>,
    /// Why its circuit is open; `None`: it is closed.
    pub circuit: Option<NoAnswer>,
    /// Time of its last genuine callback; `None`: none ever came.
    pub heard_at: Option<Time>,
    /// Number of changes of its orders since then that Sinch showed and no callback announced.
    pub unannounced: u64,
    /// Time at which the first of them was confirmed.
    pub unannounced_at: Option<Time>,
}

/// Facts about a target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetFacts {
    /// Name of the target.
    pub name: String,
    /// How it receives notifications.
    pub health: TargetHealth,
    /// Number of its parked notifications.
    pub parked: u64,
}

/// A callback from an allowed address that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RefusedCallback {
    /// Why it was refused.
    pub refusal: CallbackRefusal,
    /// Project to whose path it was sent, if any.
    pub project: Option<Id>,
    /// Time at which it was refused.
    pub at: Time,
}

/// What is known of the secret with which Sinch signs a project's callbacks.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretFacts {
    /// The project.
    pub project: Id,
    /// What the last comparison of this process found.
    pub finding: SecretFinding,
}

/// The database's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Number of free bytes below which callbacks are refused.
    pub refused_below_bytes: u64,
}
